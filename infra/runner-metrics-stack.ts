import { CfnOutput, Stack, type StackProps } from "aws-cdk-lib";
import { EventBus } from "aws-cdk-lib/aws-events";
import { Key } from "aws-cdk-lib/aws-kms";
import { Bucket } from "aws-cdk-lib/aws-s3";
import { Topic } from "aws-cdk-lib/aws-sns";
import type { Construct } from "constructs";
import { RunnerMetrics } from "./runner-metrics.ts";
import type { StackSettings } from "./settings.ts";

export interface RunnerMetricsStackProps extends StackProps {
  readonly settings: StackSettings;
}

/** The stock stack: `RunnerMetrics`, with existing resources looked up by name, and with outputs. */
export class RunnerMetricsStack extends Stack {
  readonly runnerMetrics: RunnerMetrics;

  constructor(scope: Construct, id: string, { settings, ...props }: RunnerMetricsStackProps) {
    super(scope, id, props);
    const { stackName: _, bucketName, kmsKeyArn, eventBusName, alarmTopicArn, ...rest } = settings;
    this.runnerMetrics = new RunnerMetrics(this, "RunnerMetrics", {
      ...rest,
      bucket: bucketName ? Bucket.fromBucketName(this, "ExistingBucket", bucketName) : undefined,
      encryptionKey: kmsKeyArn ? Key.fromKeyArn(this, "ExistingKey", kmsKeyArn) : undefined,
      eventBus: eventBusName ? EventBus.fromEventBusName(this, "ExistingEventBus", eventBusName) : undefined,
      alarmTopic: alarmTopicArn ? Topic.fromTopicArn(this, "ExistingTopic", alarmTopicArn) : undefined,
    });
    this.output();
  }

  private output(): void {
    const { bucket, eventBus, alarmTopic, extractMetrics, eventLog, githubSecretArn, dashboard, runnerAccess } =
      this.runnerMetrics;
    const outputs: Record<string, string> = {
      BucketName: bucket.bucketName,
      EventBusName: eventBus.eventBusName,
      AlarmTopicArn: alarmTopic.topicArn,
      FunctionName: extractMetrics.function.functionName,
      EventLogGroupName: eventLog.logGroup.logGroupName,
      DashboardUrl: `https://console.aws.amazon.com/cloudwatch/home?region=${this.region}#dashboards/dashboard/${dashboard.name}`,
    };
    if (githubSecretArn) outputs.GithubSecretArn = githubSecretArn;
    for (const [flavor, { instancePolicy, instanceProfile, sessionPolicy }] of Object.entries(runnerAccess)) {
      const words = flavor.split("-").map((word) => word.charAt(0).toUpperCase() + word.slice(1));
      outputs[`${words.join("")}InstancePolicyArn`] = instancePolicy.managedPolicyArn;
      outputs[`${words.join("")}InstanceProfileName`] = instanceProfile.instanceProfileName;
      outputs[`${words.join("")}SessionPolicyArn`] = sessionPolicy.managedPolicyArn;
    }
    for (const [name, value] of Object.entries(outputs)) new CfnOutput(this, name, { value });
  }
}
