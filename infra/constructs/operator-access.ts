import { Aws, Stack } from "aws-cdk-lib";
import { ManagedPolicy, PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import type { ILogGroup } from "aws-cdk-lib/aws-logs";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { EVENTS_PREFIX, QUARANTINE_PREFIX, RUNNERS_PREFIX } from "../../contract/object-keys.ts";
import { UPLOADABLE_FILES } from "../../contract/runner-files.ts";
import { acknowledgeWildcard } from "../acknowledge.ts";

export interface OperatorAccessProps {
  readonly bucket: IBucket;
  readonly encryptionKey?: IKey | undefined;
  readonly function: IFunction;
  readonly deadLetterQueue: IQueue;
  /** By flavor; none without workers. */
  readonly workQueues: Readonly<Record<string, IQueue>>;
  readonly logs: readonly ILogGroup[];
  readonly replayArchiveArn: string | undefined;
}

/**
 * What people need who operate the stack with the command `runner-metrics`: one policy to look, and one to act. Nobody has them by
 * default.
 */
export class OperatorAccess extends Construct {
  /** Reads everything that the commands show, also those of the AWS CLI in the runbook. */
  readonly readPolicy: ManagedPolicy;
  /** Releases and drops quarantined files, starts runs, empties the dead-letter queue, and replays events. Does not include `readPolicy`. */
  readonly actPolicy: ManagedPolicy;

  constructor(scope: Construct, id: string, props: OperatorAccessProps) {
    super(scope, id);
    const reading = readStatements(props);
    const acting = actStatements(props);
    this.readPolicy = new ManagedPolicy(this, "ReadPolicy", {
      description: "Operators of runner-metrics look at runs, runners, quarantine and the dead-letter queue",
      statements: reading,
    });
    this.actPolicy = new ManagedPolicy(this, "ActPolicy", {
      description:
        "Operators of runner-metrics release and drop quarantined files, start runs, empty the dead-letter queue, and replay events",
      statements: acting,
    });
    const patterns = [...reading, ...acting].flatMap(({ resources }) => resources);
    for (const policy of [this.readPolicy, this.actPolicy]) {
      acknowledgeWildcard(policy, "*", "These actions know no resources, or only ones that are named at run time");
      for (const resource of new Set(patterns)) {
        if (resource === "*") continue;
        acknowledgeWildcard(policy, resource, "Runners and their quarantines are named at run time");
      }
    }
  }
}

function readStatements(props: OperatorAccessProps): PolicyStatement[] {
  const { bucket, encryptionKey, deadLetterQueue, logs } = props;
  const workQueueArns = Object.values(props.workQueues).map(({ queueArn }) => queueArn);
  // A whole prefix, and not each flavor: a managed policy holds 6,144 characters, and a stack 20 flavors.
  const prefixes = [RUNNERS_PREFIX, QUARANTINE_PREFIX, EVENTS_PREFIX];
  return [
    new PolicyStatement({
      sid: "ListBucket",
      actions: ["s3:ListBucket"],
      resources: [bucket.bucketArn],
      conditions: { StringLikeIfExists: { "s3:prefix": prefixes.map((prefix) => `${prefix}*`) } },
    }),
    new PolicyStatement({
      sid: "ReadFiles",
      actions: ["s3:GetObject"],
      resources: prefixes.map((prefix) => bucket.arnForObjects(`${prefix}*`)),
    }),
    new PolicyStatement({
      sid: "ReadLogs",
      actions: ["logs:FilterLogEvents"],
      resources: logs.map(({ logGroupArn }) => logGroupArn),
    }),
    new PolicyStatement({
      sid: "ReadDeadLetters",
      // Whoever receives a message hides it from others, and has to be able to return it.
      actions: ["sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:ChangeMessageVisibility"],
      resources: [deadLetterQueue.queueArn],
    }),
    ...(workQueueArns.length > 0
      ? [new PolicyStatement({ sid: "CountWork", actions: ["sqs:GetQueueAttributes"], resources: workQueueArns })]
      : []),
    new PolicyStatement({
      sid: "ReadStack",
      actions: ["cloudformation:DescribeStacks", "cloudformation:DescribeStackResources"],
      resources: [Stack.of(bucket).stackId],
    }),
    new PolicyStatement({
      sid: "ReadFunction",
      actions: ["lambda:GetFunctionConfiguration", "lambda:GetFunctionConcurrency"],
      resources: [props.function.functionArn],
    }),
    new PolicyStatement({ sid: "ReadBucketPolicy", actions: ["s3:GetBucketPolicy"], resources: [bucket.bucketArn] }),
    new PolicyStatement({
      sid: "ReadAccount",
      actions: [
        "scheduler:ListSchedules",
        "scheduler:GetSchedule",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:GetMetricData",
        "sns:ListSubscriptionsByTopic",
        "lambda:GetAccountSettings",
      ],
      resources: ["*"],
    }),
    ...(encryptionKey
      ? [new PolicyStatement({ sid: "ReadWithKey", actions: ["kms:Decrypt"], resources: [encryptionKey.keyArn] })]
      : []),
  ];
}

function actStatements({ bucket, encryptionKey, deadLetterQueue, ...props }: OperatorAccessProps): PolicyStatement[] {
  const files = UPLOADABLE_FILES.map((name) => bucket.arnForObjects(`${RUNNERS_PREFIX}*/${name}`));
  const inQuarantine = (pattern: string) => bucket.arnForObjects(`${QUARANTINE_PREFIX}*/${pattern}/*`);
  return [
    new PolicyStatement({
      sid: "PutBackAndRecord",
      actions: ["s3:PutObject"],
      resources: [...files, inQuarantine("actions")],
      conditions: { Null: { "s3:if-none-match": "false" } },
    }),
    // If the runner uploads in the same moment, a release takes back exactly what it has put there.
    new PolicyStatement({
      sid: "TakeBack",
      actions: ["s3:DeleteObject"],
      resources: files,
      conditions: { Null: { "s3:if-match": "false" } },
    }),
    new PolicyStatement({
      sid: "Drop",
      actions: ["s3:DeleteObject"],
      resources: [inQuarantine("objects"), inQuarantine("renamed")],
    }),
    new PolicyStatement({
      sid: "StartRuns",
      actions: ["lambda:InvokeFunction"],
      resources: [props.function.functionArn],
    }),
    new PolicyStatement({
      sid: "EmptyDeadLetters",
      actions: ["sqs:DeleteMessage"],
      resources: [deadLetterQueue.queueArn],
    }),
    ...(props.replayArchiveArn
      ? [
          new PolicyStatement({
            sid: "ReplayEvents",
            actions: ["events:StartReplay", "events:DescribeReplay"],
            // Each replay is named when it is started.
            resources: [props.replayArchiveArn, `arn:${Aws.PARTITION}:events:${Aws.REGION}:${Aws.ACCOUNT_ID}:replay/*`],
          }),
        ]
      : []),
    ...(encryptionKey
      ? [
          new PolicyStatement({
            sid: "WriteWithKey",
            actions: ["kms:GenerateDataKey"],
            resources: [encryptionKey.keyArn],
          }),
        ]
      : []),
  ];
}
