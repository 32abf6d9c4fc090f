import { storagePrefix } from "./object-keys.ts";
import { UPLOADABLE_FILES } from "./runner-files.ts";

/** An IAM policy document. */
export interface PolicyDocument {
  readonly Version: "2012-10-17";
  readonly Statement: readonly {
    readonly Sid: string;
    readonly Effect: "Allow";
    readonly Action: string;
    readonly Resource: readonly string[];
    readonly Condition?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  }[];
}

/** Whose policy it is. In the policy of a role, `storage` can be a variable such as `${aws:userid}`, and the ARNs can be tokens. */
export interface RunnerPolicyOptions {
  readonly bucketArn: string;
  readonly flavor: string;
  readonly storage: string;
  /** Whether the runner reports further jobs, each in a slot. */
  readonly hasManyJobs?: boolean;
  /** ARN of the KMS key of yours that encrypts the bucket. Absent if S3's own keys encrypt it. */
  readonly kmsKeyArn?: string;
}

/** Any slot of a storage: IAM has no narrower pattern, and here `?` is any character. */
const ANY_SLOT = "~??";

/** All that a runner may do: put each of its files once, in its storage and, with many jobs, in each slot. For a role, or for a session of one. */
export function runnerPolicy({
  bucketArn,
  flavor,
  storage,
  hasManyJobs = false,
  kmsKeyArn,
}: RunnerPolicyOptions): PolicyDocument {
  const storages = hasManyJobs ? [storage, storage + ANY_SLOT] : [storage];
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "PutOwnMetricsOnce",
        Effect: "Allow",
        Action: "s3:PutObject",
        Resource: storages.flatMap((name) =>
          UPLOADABLE_FILES.map((file) => `${bucketArn}/${storagePrefix(flavor, name)}${file}`),
        ),
        // https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
        Condition: { Null: { "s3:if-none-match": "false" } },
      },
      ...(kmsKeyArn === undefined
        ? []
        : [
            {
              Sid: "EncryptOwnMetrics",
              Effect: "Allow" as const,
              Action: "kms:GenerateDataKey",
              Resource: [kmsKeyArn],
            },
          ]),
    ],
  };
}
