import { Annotations, Duration, RemovalPolicy, Validations } from "aws-cdk-lib";
import { AnyPrincipal, Effect, PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import {
  BlockedEncryptionType,
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  BucketPolicy,
  type IBucket,
  ObjectOwnership,
} from "aws-cdk-lib/aws-s3";
import { S3_SERVER_ACCESS_LOGS_USE_BUCKET_POLICY } from "aws-cdk-lib/cx-api";
import { Construct } from "constructs";
import { ENDED_PREFIX, EVENTS_PREFIX, QUARANTINE_PREFIX, RUNNERS_PREFIX } from "../../contract/object-keys.ts";
import type { Settings } from "../settings.ts";

export interface MetricsBucketProps
  extends Pick<
    Settings,
    "uncollectedRetentionDays" | "quarantineRetentionDays" | "eventRetentionDays" | "logRetentionDays" | "accessLogs"
  > {
  /** An existing bucket: its lifecycle is its owner's. */
  readonly existing?: IBucket | undefined;
  /** Whether an existing bucket gets the statements of a new one. If it is imported, it may have no policy before. */
  readonly manageBucketPolicy: boolean;
  /** S3's own keys by default. */
  readonly encryptionKey?: IKey | undefined;
  readonly removalPolicy: RemovalPolicy;
}

/** Roles that write what no one else may write. */
export interface Writers {
  readonly collectorRoleArn: string;
  /** Absent if the stack does not record how instances end. */
  readonly instanceEndsRoleArn?: string | undefined;
}

/** A runner that died is collected long before; only its cause is looked up then. */
const ENDED_RETENTION_DAYS = 3;

/** The bucket that runners upload their files to. It denies requests that no honest runner makes. */
export class MetricsBucket extends Construct {
  readonly bucket: IBucket;
  /** Whether CloudFormation creates a policy for a bucket that it did not create. A bucket can have one only. */
  hasPolicyForImported = false;
  private readonly props: MetricsBucketProps;

  constructor(scope: Construct, id: string, props: MetricsBucketProps) {
    super(scope, id);
    this.props = props;
    // Otherwise the CDK sets an ACL on the bucket of the access logs, and S3 rejects ACLs since 2023.
    this.node.setContext(S3_SERVER_ACCESS_LOGS_USE_BUCKET_POLICY, true);
    this.bucket = props.existing ?? this.createBucket(props);
    if (props.existing && !props.manageBucketPolicy) {
      Annotations.of(this).addWarningV2(
        "runner-metrics:existing-bucket",
        "An existing bucket keeps its own policy and lifecycle. See docs/use/deploy.md for the statements and rules that it needs.",
      );
    }
  }

  /**
   * Adds the statements to the policy of the bucket. Only the role of the collector may write what is quarantined, and events; only the
   * function that records how instances end may write that.
   */
  protect({ collectorRoleArn, instanceEndsRoleArn }: Writers, flavors: readonly string[]): void {
    const { existing, manageBucketPolicy, encryptionKey, removalPolicy } = this.props;
    if (existing && !manageBucketPolicy) return;
    // Another stack may add the same statements, for its flavors and role, to the policy of the same bucket.
    const suffix = existing ? this.node.addr.slice(-8) : "";
    const statements = [
      ...denials(this.bucket, encryptionKey),
      deny(
        `DenyOthersToWriteIntoQuarantine${suffix}`,
        // Not all of the quarantine: another stack may collect other flavors from the same bucket. And not `actions/`, where
        // operators who have the permission record what they did.
        flavors.flatMap((flavor) =>
          ["objects/*", "renamed/*", "manifest.json"].map((written) =>
            this.bucket.arnForObjects(`${QUARANTINE_PREFIX}${flavor}/*/${written}`),
          ),
        ),
        { ArnNotEquals: { "aws:PrincipalArn": collectorRoleArn } },
      ),
      deny(
        `DenyOthersToWriteEvents${suffix}`,
        flavors.map((flavor) => this.bucket.arnForObjects(`${EVENTS_PREFIX}*/flavor=${flavor}/*`)),
        { ArnNotEquals: { "aws:PrincipalArn": collectorRoleArn } },
      ),
      ...(instanceEndsRoleArn
        ? [
            deny(`DenyOthersToRecordInstanceEnds${suffix}`, [this.bucket.arnForObjects(`${ENDED_PREFIX}*`)], {
              ArnNotEquals: { "aws:PrincipalArn": instanceEndsRoleArn },
            }),
          ]
        : []),
      ...(existing ? denyOldTls(this.bucket) : []),
    ];
    const rejected = statements.filter((one) => !this.bucket.addToResourcePolicy(one).statementAdded);
    // An imported bucket. CloudFormation fails if it has a policy already.
    this.hasPolicyForImported = rejected.length > 0;
    const imported = this.hasPolicyForImported ? new BucketPolicy(this, "Policy", { bucket: this.bucket }) : undefined;
    imported?.document.addStatements(...rejected);
    // A bucket that stays keeps its policy.
    (imported ?? (existing ? undefined : this.bucket.policy))?.applyRemovalPolicy(removalPolicy);
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
        { id: "ExpireEndedInstances", prefix: ENDED_PREFIX, expiration: Duration.days(ENDED_RETENTION_DAYS) },
        { id: "ExpireEvents", prefix: EVENTS_PREFIX, expiration: Duration.days(props.eventRetentionDays) },
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

  /** Always stays: S3 delivers logs for some hours after the last request, and CloudFormation deletes no bucket that has objects. */
  private createAccessLogs({ logRetentionDays }: MetricsBucketProps): IBucket {
    const bucket = new Bucket(this, "AccessLogs", {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      encryption: BucketEncryption.S3_MANAGED,
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
      lifecycleRules: [{ id: "ExpireAccessLogs", expiration: Duration.days(logRetentionDays) }],
    });
    bucket.policy?.applyRemovalPolicy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE);
    return asInterface(bucket);
  }
}

/** The CDK's classes don't keep to its own interfaces under `exactOptionalPropertyTypes`. */
function asInterface(bucket: Bucket): IBucket {
  return bucket as IBucket;
}

/** Requests that the bucket denies to everyone. Condition keys: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html */
function denials(bucket: IBucket, encryptionKey: IKey | undefined): PolicyStatement[] {
  const everywhere = [bucket.arnForObjects("*")];
  // A negated operator alone also matches, and denies, a request without the header.
  const denyOther = (sid: string, header: string, value: string, operator = "StringNotEquals") =>
    deny(sid, everywhere, { Null: { [header]: "false" }, [operator]: { [header]: value } });
  const encryption = "s3:x-amz-server-side-encryption";
  const keyId = `${encryption}-aws-kms-key-id`;
  return [
    deny("DenySseC", everywhere, { Null: { [`${encryption}-customer-algorithm`]: "false" } }),
    denyOther("DenyOtherEncryption", encryption, encryptionKey ? "aws:kms" : "AES256"),
    ...(encryptionKey
      ? [
          denyOther("DenyForeignKmsKeys", keyId, encryptionKey.keyArn, "ArnNotEquals"),
          // Without an id S3 takes its own key, aws/s3, and not that of the bucket.
          deny("DenyKmsWithoutKeyId", everywhere, {
            StringEquals: { [encryption]: "aws:kms" },
            Null: { [keyId]: "true" },
          }),
        ]
      : []),
    denyOther("DenyOtherStorageClasses", "s3:x-amz-storage-class", "STANDARD"),
    // Also denies multipart uploads and copies, which have no such header. A presigned form (POST) can't have it
    // either: its signer has fixed its key and size.
    deny("DenyOverwritingRunners", [bucket.arnForObjects(`${RUNNERS_PREFIX}*`)], {
      Null: { "s3:if-none-match": "true" },
      StringNotEquals: { "s3:authType": "POST" },
    }),
  ];
}

function deny(
  sid: string,
  resources: string[],
  conditions: Record<string, Record<string, string>>,
  actions = ["s3:PutObject"],
): PolicyStatement {
  return new PolicyStatement({
    sid,
    effect: Effect.DENY,
    principals: [new AnyPrincipal()],
    actions,
    resources,
    conditions,
  });
}

/** As `enforceSSL` and `minimumTLSVersion` do for a new bucket. */
function denyOldTls(bucket: IBucket): PolicyStatement[] {
  const resources = [bucket.bucketArn, bucket.arnForObjects("*")];
  return [
    deny("DenyWithoutTls", resources, { Bool: { "aws:SecureTransport": "false" } }, ["s3:*"]),
    deny("DenyOldTls", resources, { NumericLessThan: { "s3:TlsVersion": "1.2" } }, ["s3:*"]),
  ];
}
