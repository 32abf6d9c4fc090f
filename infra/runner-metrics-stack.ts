import { Aws, CfnCondition, CfnOutput, Fn, Stack, type StackProps } from "aws-cdk-lib";
import { EventBus } from "aws-cdk-lib/aws-events";
import { Key } from "aws-cdk-lib/aws-kms";
import { Bucket } from "aws-cdk-lib/aws-s3";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import { Topic } from "aws-cdk-lib/aws-sns";
import type { Construct } from "constructs";
import packageJson from "../package.json" with { type: "json" };
import { type GithubProps, propsOf } from "./props.ts";
import { RunnerMetrics } from "./runner-metrics.ts";
import type { StackSettings } from "./settings.ts";

export interface RunnerMetricsStackProps extends StackProps {
  readonly settings: StackSettings;
}

/** Domains of the console in partitions other than `aws`, each with the id of its condition. */
const CONSOLES = [
  ["IsChina", "aws-cn", "amazonaws.cn"],
  ["IsGovCloud", "aws-us-gov", "amazonaws-us-gov.com"],
  ["IsEuropeanSovereignCloud", "aws-eusc", "amazonaws-eusc.eu"],
] as const;

/** The stock stack: `RunnerMetrics`, with existing resources looked up by name, and with outputs. */
export class RunnerMetricsStack extends Stack {
  readonly runnerMetrics: RunnerMetrics;

  constructor(scope: Construct, id: string, { settings, ...props }: RunnerMetricsStackProps) {
    super(scope, id, props);
    const { bucketName, kmsKeyArn, eventBusName, alarmTopicArn } = settings;
    const construct = propsOf(settings);
    this.runnerMetrics = new RunnerMetrics(this, "Default", {
      ...construct,
      github: construct.github && this.withSecret(construct.github, settings.github?.secretArn),
      bucket: bucketName ? Bucket.fromBucketName(this, "ExistingBucket", bucketName) : undefined,
      encryptionKey: kmsKeyArn ? Key.fromKeyArn(this, "ExistingKey", kmsKeyArn) : undefined,
      eventBus: eventBusName ? EventBus.fromEventBusName(this, "ExistingEventBus", eventBusName) : undefined,
      alarmTopic: alarmTopicArn ? Topic.fromTopicArn(this, "ExistingTopic", alarmTopicArn) : undefined,
    });
    for (const [name, value] of Object.entries(this.outputs())) if (value) new CfnOutput(this, name, { value });
  }

  private withSecret(github: GithubProps, secretArn: string | undefined): GithubProps {
    if (!secretArn) return github;
    // Secrets Manager ends a whole ARN in six characters of its own.
    const isWhole = /-[A-Za-z0-9]{6}$/.test(secretArn);
    const arn = isWhole ? { secretCompleteArn: secretArn } : { secretPartialArn: secretArn };
    return { ...github, secret: Secret.fromSecretAttributes(this, "ExistingSecret", arn) };
  }

  private outputs(): Record<string, string | undefined> {
    const { bucket, eventBus, metricsNamespace, alarmTopic, extractMetrics, eventLog, githubSecret, dashboard } =
      this.runnerMetrics;
    const { deadLetterQueue, schedules, operatorAccess, replayArchiveArn, recordInstanceEnds, eventTable } =
      this.runnerMetrics;
    const access = Object.entries(this.runnerMetrics.runnerAccess).map(([flavor, of]) => ({
      [`${pascalCase(flavor)}InstancePolicyArn`]: of.instancePolicy.managedPolicyArn,
      [`${pascalCase(flavor)}InstanceProfileName`]: of.instanceProfile?.instanceProfileName,
      [`${pascalCase(flavor)}SessionPolicyArn`]: of.sessionPolicy.managedPolicyArn,
    }));
    const workQueueUrls = Object.entries(this.runnerMetrics.workQueues).map(([flavor, { queueUrl }]) => ({
      [`${pascalCase(flavor)}WorkQueueUrl`]: queueUrl,
    }));
    return {
      Version: packageJson.version,
      BucketName: bucket.bucketName,
      EventBusName: eventBus.eventBusName,
      EventBusArn: eventBus.eventBusArn,
      ReplayArchiveArn: replayArchiveArn,
      EventDatabaseName: eventTable.databaseName,
      MetricsNamespace: metricsNamespace,
      AlarmTopicArn: alarmTopic?.topicArn,
      FunctionName: extractMetrics.function.functionName,
      FunctionLogGroupName: extractMetrics.logGroup.logGroupName,
      EventLogGroupName: eventLog.logGroup.logGroupName,
      InstanceEndsLogGroupName: recordInstanceEnds?.logGroup.logGroupName,
      ScheduleGroupName: schedules.groupName,
      DeadLetterQueueUrl: deadLetterQueue.queueUrl,
      DashboardUrl: dashboard && this.dashboardUrl(dashboard.name),
      GithubSecretArn: githubSecret?.secretArn,
      OperatorReadPolicyArn: operatorAccess.readPolicy.managedPolicyArn,
      OperatorActPolicyArn: operatorAccess.actPolicy.managedPolicyArn,
      ...Object.assign({}, ...access, ...workQueueUrls),
    };
  }

  private dashboardUrl(name: string): string {
    const domain = CONSOLES.reduce<string>((others, [id, partition, ofPartition]) => {
      const expression = Fn.conditionEquals(Aws.PARTITION, partition);
      return Fn.conditionIf(new CfnCondition(this, id, { expression }).logicalId, ofPartition, others).toString();
    }, "aws.amazon.com");
    return `https://console.${domain}/cloudwatch/home?region=${this.region}#dashboards/dashboard/${name}`;
  }
}

/** `ArmSmall` for `arm-small`. */
function pascalCase(flavor: string): string {
  return flavor
    .split("-")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");
}
