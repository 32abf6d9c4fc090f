/** Findings of linters that stay, each with its reason. The page docs/operate/findings.md is made of them, and `npm run test:all -- templates` checks them. */

export interface Finding {
  readonly tool: "cfn-lint" | "checkov" | "cfn-guard" | "NIST 800-53";
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

/** Rules of linters that find the same, with the resources that they are accepted for. */
type Rules = Partial<Readonly<Record<Finding["tool"], string>>>;

export const ACCEPTED_FINDINGS: readonly AcceptedFinding[] = [
  ...accepted(
    { "cfn-lint": "W3005" },
    "functions",
    /^(ExtractMetrics|RecordInstanceEnds)Function/,
    "The CDK makes a function depend on its role and on the role's policy. It is redundant and harmless.",
  ),
  ...accepted(
    { "cfn-lint": "E3006" },
    "schema registry",
    /^EventSchemas/,
    "Some regions have no schema registry. It is off by default: do not set `schemaRegistry` in these.",
  ),
  ...accepted(
    { "NIST 800-53": "LambdaConcurrency", checkov: "CKV_AWS_115" },
    "functions",
    /(ExtractMetrics|RecordInstanceEnds)\/?Function/,
    "Set `reservedConcurrency` for the runs. It is off by default: a new account has no concurrency to reserve, and the deployment fails. The function of `endedInstances` takes milliseconds.",
  ),
  ...accepted(
    { "NIST 800-53": "LambdaDLQ", checkov: "CKV_AWS_116" },
    "functions",
    /(ExtractMetrics|RecordInstanceEnds)\/?Function/,
    "Failed runs go to the dead-letter queue by an on-failure destination, which these rules do not look at. A failure of the function of `endedInstances` is alarmed, and costs no event.",
  ),
  ...accepted(
    { "NIST 800-53": "LambdaInsideVPC", checkov: "CKV_AWS_117", "cfn-guard": "CT.LAMBDA.PR.3" },
    "functions",
    /(ExtractMetrics|RecordInstanceEnds)\/?Function/,
    "The property `vpc` of the construct, for the runs. Without it the function only calls AWS's public endpoints and, if configured, GitHub. The function of `endedInstances` only calls S3.",
  ),
  ...accepted(
    { checkov: "CKV_AWS_173" },
    "functions",
    /^(ExtractMetrics|RecordInstanceEnds)Function/,
    "The environment contains no secret: names, numbers and ARNs. Lambda encrypts it with its own key.",
  ),
  ...accepted(
    { "NIST 800-53": "IAMNoInlinePolicy" },
    "roles of the functions and the schedules",
    /\/(ExtractMetrics|RecordInstanceEnds|Schedules)\/Role\//,
    "Inline policies are deleted with their role, and nobody else can attach them.",
  ),
  ...accepted(
    { "NIST 800-53": "CloudWatchLogGroupEncrypted", checkov: "CKV_AWS_158", "cfn-guard": "CT.CLOUDWATCH.PR.3" },
    "logs of the functions, log of all events",
    /(ExtractMetrics|RecordInstanceEnds|EventLog)\/?LogGroup/,
    "CloudWatch encrypts logs with its own key. In an app of your own, set `kmsKeyId` on the log groups by an aspect.",
  ),
  ...accepted(
    { "cfn-guard": "CT.CLOUDWATCH.PR.2" },
    "logs of the functions, log of all events",
    /^(ExtractMetrics|RecordInstanceEnds|EventLog)LogGroup/,
    "Set `logRetentionDays` to 365 or more. All events are in the bucket for `eventRetentionDays`, 400 by default.",
  ),
  ...accepted(
    { "NIST 800-53": "S3BucketVersioningEnabled", checkov: "CKV_AWS_21", "cfn-guard": "CT.S3.PR.11" },
    "both buckets",
    /^(RunnerMetrics\/Default\/)?Storage/,
    "Files live for minutes and deleting them is the point: [decision 21](../decisions/0021-bucket-without-versions.md). Access logs are never overwritten.",
  ),
  ...accepted(
    { "cfn-guard": "CT.S3.PR.9" },
    "both buckets",
    /^Storage/,
    "Object Lock needs versions, and forbids the deletion of what was collected. The bucket's policy lets only the function write events and quarantined files.",
  ),
  ...accepted(
    { "cfn-guard": "CT.S3.PR.4" },
    "both buckets",
    /^Storage/,
    "Nothing waits for notifications: a run lists the bucket. In an app of your own, add them to the property `bucket` of the construct.",
  ),
  ...accepted(
    { "NIST 800-53": "S3BucketReplicationEnabled" },
    "both buckets",
    /\/Storage\//,
    "Everything that matters is on the event bus and in its log within one interval. Replication would keep what is to be deleted.",
  ),
  ...accepted(
    { "NIST 800-53": "S3DefaultEncryptionKMS", "cfn-guard": "CT.S3.PR.10" },
    "both buckets",
    /^(RunnerMetrics\/Default\/)?Storage/,
    "Set `kmsKeyArn` for the bucket. S3 delivers access logs only to buckets with its own keys, unless the key's policy allows it.",
  ),
  ...accepted(
    { checkov: "CKV_AWS_18", "cfn-guard": "CT.S3.PR.2" },
    "bucket of the access logs",
    /^StorageAccessLogs/,
    "Logging accesses to the access logs would never end.",
  ),
  ...accepted(
    { "NIST 800-53": "SNSEncryptedKMS", checkov: "CKV_AWS_26" },
    "topic of the alarms",
    /Alarms\/?Topic/,
    "Pass an encrypted topic of your own as `alarmTopicArn`. CloudWatch cannot publish to a topic with the key `alias/aws/sns`. Messages contain names of alarms, and no data of runners.",
  ),
  ...accepted(
    { checkov: "CKV_AWS_27" },
    "dead-letter queue, queue for workers",
    /^(DeadLetterQueue|WorkQueue)/,
    "They are encrypted with SQS's own key (`SqsManagedSseEnabled`), which this rule does not look at.",
  ),
  ...accepted(
    { "cfn-guard": "CT.SQS.PR.1" },
    "dead-letter queue",
    /^DeadLetterQueue/,
    "It is the dead-letter queue, and has an alarm.",
  ),
  ...accepted(
    { "NIST 800-53": "SecretsManagerRotationEnabled" },
    "secret",
    /Github\/?Secret/,
    "Only GitHub gives out the keys of an App, and only to a person.",
  ),
  ...accepted(
    { "NIST 800-53": "SecretsManagerUsingKMSKey", checkov: "CKV_AWS_149" },
    "secret",
    /Github\/?Secret/,
    "Pass a secret with your own key as `github.secretArn`, or `github.secret` of the construct. Secrets Manager encrypts it with its own key otherwise.",
  ),
];

function accepted(rules: Rules, where: string, resources: RegExp, reason: string): AcceptedFinding[] {
  return Object.entries(rules).map(([name, rule]) => {
    const tool = name as Finding["tool"];
    return { tool, rule: tool === "NIST 800-53" ? `NIST.800.53.R5-${rule}` : rule, where, resources, reason };
  });
}

/** Whether a finding is one of these. */
export function isAccepted({ tool, rule, resource }: Finding, accepted = ACCEPTED_FINDINGS): boolean {
  return accepted.some((one) => one.tool === tool && one.rule === rule && one.resources.test(resource));
}
