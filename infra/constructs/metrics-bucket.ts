import { Annotations, Duration, type RemovalPolicy, Validations } from "aws-cdk-lib";
import { AnyPrincipal, Effect, type IRole, PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import {
  BlockedEncryptionType,
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type IBucket,
  ObjectOwnership,
} from "aws-cdk-lib/aws-s3";
import { S3_SERVER_ACCESS_LOGS_USE_BUCKET_POLICY } from "aws-cdk-lib/cx-api";
import { Construct } from "constructs";
import { QUARANTINE_PREFIX, RUNNERS_PREFIX } from "../../contract/object-keys.ts";
import type { Settings } from "../settings.ts";

export interface MetricsBucketProps
  extends Pick<Settings, "uncollectedRetentionDays" | "quarantineRetentionDays" | "logRetentionDays" | "accessLogs"> {
  /** An existing bucket: its policy and lifecycle are its owner's. */
  readonly existing?: IBucket | undefined;
  /** S3's own keys by default. */
  readonly encryptionKey?: IKey | undefined;
  readonly removalPolicy: RemovalPolicy;
}

/** The bucket that runners upload their files to. It denies requests that no honest runner makes. */
export class MetricsBucket extends Construct {
  readonly bucket: IBucket;

  constructor(scope: Construct, id: string, props: MetricsBucketProps) {
    super(scope, id);
    // Otherwise the CDK sets an ACL on the bucket of the access logs, and S3 rejects ACLs since 2023.
    this.node.setContext(S3_SERVER_ACCESS_LOGS_USE_BUCKET_POLICY, true);
    if (props.existing) {
      this.bucket = props.existing;
      Annotations.of(this).addWarningV2(
        "runner-metrics:existing-bucket",
        "An existing bucket keeps its own policy and lifecycle. See docs/use/deploy.md for the statements and rules that it needs.",
      );
      return;
    }
    this.bucket = this.createBucket(props);
    for (const statement of denials(this.bucket, props.encryptionKey)) this.bucket.addToResourcePolicy(statement);
  }

  /** Allows only `role` to write into quarantine. Has no effect on an existing bucket. */
  reserveQuarantineFor(role: IRole): void {
    this.bucket.addToResourcePolicy(
      new PolicyStatement({
        sid: "DenyOthersToWriteIntoQuarantine",
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: ["s3:PutObject"],
        resources: [this.bucket.arnForObjects(`${QUARANTINE_PREFIX}*`)],
        conditions: { ArnNotEquals: { "aws:PrincipalArn": role.roleArn } },
      }),
    );
  }

  private createBucket(props: MetricsBucketProps): IBucket {
    const { encryptionKey, removalPolicy, accessLogs } = props;
    const bucket = new Bucket(this, "Bucket", {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      ...(encryptionKey
        ? { encryption: BucketEncryption.KMS, encryptionKey, bucketKeyEnabled: true }
        : { encryption: BucketEncryption.S3_MANAGED }),
      blockedEncryptionTypes: [BlockedEncryptionType.SSE_C],
      // Not versioned, by decision: docs/decisions/0021-bucket-without-versions.md
      versioned: false,
      removalPolicy,
      lifecycleRules: [
        {
          id: "ExpireUncollectedMetrics",
          prefix: RUNNERS_PREFIX,
          expiration: Duration.days(props.uncollectedRetentionDays),
        },
        { id: "ExpireQuarantine", prefix: QUARANTINE_PREFIX, expiration: Duration.days(props.quarantineRetentionDays) },
        { id: "AbortUnfinishedUploads", abortIncompleteMultipartUploadAfter: Duration.days(1) },
      ],
      ...(accessLogs && { serverAccessLogsBucket: this.createAccessLogs(props) }),
    });
    if (!accessLogs) {
      Validations.of(bucket).acknowledge({
        id: "AwsSolutions-S1",
        reason: "Access logs are switched on by the setting accessLogs",
      });
    }
    return asInterface(bucket);
  }

  private createAccessLogs({ removalPolicy, logRetentionDays }: MetricsBucketProps): IBucket {
    const bucket = new Bucket(this, "AccessLogs", {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      encryption: BucketEncryption.S3_MANAGED,
      removalPolicy,
      lifecycleRules: [{ id: "ExpireAccessLogs", expiration: Duration.days(logRetentionDays) }],
    });
    return asInterface(bucket);
  }
}

/** The CDK's classes don't keep to its own interfaces under `exactOptionalPropertyTypes`. */
function asInterface(bucket: Bucket): IBucket {
  return bucket as IBucket;
}

/** Requests that the bucket denies to everyone. Condition keys: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html */
function denials(bucket: IBucket, encryptionKey: IKey | undefined): PolicyStatement[] {
  const deny = (sid: string, resource: string, conditions: Record<string, Record<string, string>>) =>
    new PolicyStatement({
      sid,
      effect: Effect.DENY,
      principals: [new AnyPrincipal()],
      actions: ["s3:PutObject"],
      resources: [resource],
      conditions,
    });
  const everywhere = bucket.arnForObjects("*");
  // A negated operator alone also matches, and denies, a request without the header.
  const denyOther = (sid: string, header: string, value: string, operator = "StringNotEquals") =>
    deny(sid, everywhere, { Null: { [header]: "false" }, [operator]: { [header]: value } });
  const encryption = "s3:x-amz-server-side-encryption";
  return [
    deny("DenySseC", everywhere, { Null: { [`${encryption}-customer-algorithm`]: "false" } }),
    denyOther("DenyOtherEncryption", encryption, encryptionKey ? "aws:kms" : "AES256"),
    ...(encryptionKey
      ? [denyOther("DenyForeignKmsKeys", `${encryption}-aws-kms-key-id`, encryptionKey.keyArn, "ArnNotEquals")]
      : []),
    denyOther("DenyOtherStorageClasses", "s3:x-amz-storage-class", "STANDARD"),
    // Also denies multipart uploads and copies, which have no such header. A presigned form (POST) can't have it
    // either: its signer has fixed its key and size.
    deny("DenyOverwritingRunners", bucket.arnForObjects(`${RUNNERS_PREFIX}*`), {
      Null: { "s3:if-none-match": "true" },
      StringNotEquals: { "s3:authType": "POST" },
    }),
  ];
}
