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
  /** ARN of the KMS key of yours that encrypts the bucket. Absent if S3's own keys encrypt it. */
  readonly kmsKeyArn?: string;
}

/** All that a runner may do: put each of its files once. For a role, or for a session of one. */
export function runnerPolicy({ bucketArn, flavor, storage, kmsKeyArn }: RunnerPolicyOptions): PolicyDocument {
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "PutOwnMetricsOnce",
        Effect: "Allow",
        Action: "s3:PutObject",
        Resource: UPLOADABLE_FILES.map((file) => `${bucketArn}/${storagePrefix(flavor, storage)}${file}`),
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
