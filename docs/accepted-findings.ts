/** Findings of linters that stay, each with its reason. The page docs/operate/findings.md is made of them, and `npm run test:all -- templates` checks them. */

export interface Finding {
  readonly tool: "cfn-lint" | "checkov" | "NIST 800-53";
  readonly rule: string;
  /** Logical id, or path of the construct. */
  readonly resource: string;
  readonly text: string;
}

export interface AcceptedFinding extends Pick<Finding, "tool" | "rule"> {
  /** The resources that it is accepted for, in words. */
  readonly where: string;
  /** The same for the linter's names of the resources. */
  readonly resources: RegExp;
  /** Why it stays, or the setting that changes it. */
  readonly reason: string;
}

export const ACCEPTED_FINDINGS: readonly AcceptedFinding[] = [
  {
    tool: "cfn-lint",
    rule: "W3005",
    where: "function",
    resources: /^ExtractMetricsFunction/,
    reason: "The CDK makes the function depend on its role and on the role's policy. It is redundant and harmless.",
  },
  ...both(
    "LambdaConcurrency",
    "CKV_AWS_115",
    "function",
    /ExtractMetrics\/?Function/,
    "Set `reservedConcurrency`. It is off by default: a new account has no concurrency to reserve, and the deployment fails.",
  ),
  ...both(
    "LambdaDLQ",
    "CKV_AWS_116",
    "function",
    /ExtractMetrics\/?Function/,
    "Failed runs go to the dead-letter queue by an on-failure destination, which these rules do not look at.",
  ),
  ...both(
    "LambdaInsideVPC",
    "CKV_AWS_117",
    "function",
    /ExtractMetrics\/?Function/,
    "The property `vpc` of the construct. Without it the function only calls AWS's public endpoints and, if configured, GitHub.",
  ),
  {
    tool: "checkov",
    rule: "CKV_AWS_173",
    where: "function",
    resources: /^ExtractMetricsFunction/,
    reason: "The environment contains no secret: names, numbers and ARNs. Lambda encrypts it with its own key.",
  },
  ...both(
    "IAMNoInlinePolicy",
    undefined,
    "roles of the function and the schedules",
    /\/(ExtractMetrics|Schedules)\/Role\//,
    "Inline policies are deleted with their role, and nobody else can attach them.",
  ),
  ...both(
    "CloudWatchLogGroupEncrypted",
    "CKV_AWS_158",
    "log of the function, log of all events",
    /(ExtractMetrics|EventLog)\/?LogGroup/,
    "CloudWatch encrypts logs with its own key. In an app of your own, set `kmsKeyId` on the log groups by an aspect.",
  ),
  ...both(
    "S3BucketVersioningEnabled",
    "CKV_AWS_21",
    "both buckets",
    /^(RunnerMetrics\/Default\/)?Storage/,
    "Files live for minutes and deleting them is the point: [decision 21](../decisions/0021-bucket-without-versions.md). Access logs are never overwritten.",
  ),
  ...both(
    "S3BucketReplicationEnabled",
    undefined,
    "both buckets",
    /\/Storage\//,
    "Everything that matters is on the event bus and in its log within one interval. Replication would keep what is to be deleted.",
  ),
  ...both(
    "S3DefaultEncryptionKMS",
    undefined,
    "both buckets",
    /\/Storage\//,
    "Set `kmsKeyArn` for the bucket. S3 delivers access logs only to buckets with its own keys, unless the key's policy allows it.",
  ),
  {
    tool: "checkov",
    rule: "CKV_AWS_18",
    where: "bucket of the access logs",
    resources: /^StorageAccessLogs/,
    reason: "Logging accesses to the access logs would never end.",
  },
  ...both(
    "SNSEncryptedKMS",
    "CKV_AWS_26",
    "topic of the alarms",
    /Alarms\/?Topic/,
    "Pass an encrypted topic of your own as `alarmTopicArn`. CloudWatch cannot publish to a topic with the key `alias/aws/sns`. Messages contain names of alarms, and no data of runners.",
  ),
  {
    tool: "checkov",
    rule: "CKV_AWS_27",
    where: "dead-letter queue",
    resources: /^DeadLetterQueue/,
    reason: "It is encrypted with SQS's own key (`SqsManagedSseEnabled`), which this rule does not look at.",
  },
  ...both(
    "SecretsManagerRotationEnabled",
    undefined,
    "secret",
    /Github\/?Secret/,
    "Only GitHub gives out the keys of an App, and only to a person.",
  ),
  ...both(
    "SecretsManagerUsingKMSKey",
    "CKV_AWS_149",
    "secret",
    /Github\/?Secret/,
    "Pass a secret with your own key as `github.secretArn`, or `github.secret` of the construct. Secrets Manager encrypts it with its own key otherwise.",
  ),
];

/** Findings of the NIST pack and of checkov for the same reason. */
function both(
  nist: string,
  checkov: string | undefined,
  where: string,
  resources: RegExp,
  reason: string,
): AcceptedFinding[] {
  const common = { where, resources, reason };
  const first: AcceptedFinding = { tool: "NIST 800-53", rule: `NIST.800.53.R5-${nist}`, ...common };
  return checkov ? [first, { tool: "checkov", rule: checkov, ...common }] : [first];
}

/** Whether a finding is one of these. */
export function isAccepted({ tool, rule, resource }: Finding, accepted = ACCEPTED_FINDINGS): boolean {
  return accepted.some((one) => one.tool === tool && one.rule === rule && one.resources.test(resource));
}
