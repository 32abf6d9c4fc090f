import { Aws, Duration, type RemovalPolicy } from "aws-cdk-lib";
import { type EventPattern, Rule } from "aws-cdk-lib/aws-events";
import { LambdaFunction as LambdaTarget } from "aws-cdk-lib/aws-events-targets";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { Function as LambdaFunction } from "aws-cdk-lib/aws-lambda";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import { EC2_SOURCE, ENDED_STATES, INTERRUPTION_WARNING, STATE_CHANGE } from "../../contract/instance-events.ts";
import { ENDED_PREFIX } from "../../contract/object-keys.ts";
import { acknowledgeWildcard } from "../acknowledge.ts";
import type { Settings } from "../settings.ts";
import { bundledFunction } from "./bundled-function.ts";

export interface RecordInstanceEndsProps {
  readonly settings: Pick<Settings, "logRetentionDays">;
  readonly bucket: IBucket;
  readonly encryptionKey?: IKey | undefined;
  readonly roleName?: string | undefined;
  readonly removalPolicy: RemovalPolicy;
}

const DESCRIPTION = "Records how EC2 instances end, for runner metrics";

/** Records in the bucket how EC2 instances of the account and region end: two rules on the default bus, and a function that may only do this. */
export class RecordInstanceEnds extends Construct {
  readonly function: LambdaFunction;
  readonly role: Role;
  readonly logGroup: LogGroup;

  constructor(scope: Construct, id: string, props: RecordInstanceEndsProps) {
    super(scope, id);
    const { settings, bucket, removalPolicy } = props;
    this.logGroup = new LogGroup(this, "LogGroup", { retention: settings.logRetentionDays, removalPolicy });
    this.role = new Role(this, "Role", {
      assumedBy: new ServicePrincipal("lambda.amazonaws.com"),
      ...(props.roleName && { roleName: props.roleName }),
      description: DESCRIPTION,
    });
    this.function = bundledFunction(this, "Function", "record-instance-ends", {
      description: DESCRIPTION,
      // Partitions have domains of their own.
      environment: { BUCKET_NAME: bucket.bucketName, URL_SUFFIX: Aws.URL_SUFFIX },
      role: this.role,
      memorySize: 128,
      timeout: Duration.seconds(10),
      logGroup: this.logGroup,
      // The same event has the same key. What is not recorded after that is found by the runner's silence.
      retryAttempts: 2,
    });
    this.grant(props);
    this.logGroup.grantWrite(this.role);
    this.record("StateChanges", { detailType: [STATE_CHANGE], detail: { state: [...ENDED_STATES] } });
    this.record("Interruptions", { detailType: [INTERRUPTION_WARNING] });
  }

  private grant({ bucket, encryptionKey }: RecordInstanceEndsProps): void {
    const keys = bucket.arnForObjects(`${ENDED_PREFIX}*`);
    this.role.addToPolicy(
      new PolicyStatement({ sid: "RecordInstanceEnds", actions: ["s3:PutObject"], resources: [keys] }),
    );
    acknowledgeWildcard(this.role, keys, "Instances are named at run time");
    if (!encryptionKey) return;
    const actions = ["kms:GenerateDataKey"];
    this.role.addToPolicy(new PolicyStatement({ sid: "UseKeyOfBucket", actions, resources: [encryptionKey.keyArn] }));
  }

  /** EC2 puts its events on the default bus of the account and region. */
  private record(id: string, pattern: EventPattern): void {
    const rule = new Rule(this, id, { description: DESCRIPTION, eventPattern: { source: [EC2_SOURCE], ...pattern } });
    rule.addTarget(new LambdaTarget(this.function));
  }
}
