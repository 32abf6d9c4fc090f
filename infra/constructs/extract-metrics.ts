import { Duration, type RemovalPolicy } from "aws-cdk-lib";
import type { ISecurityGroup, IVpc, SubnetSelection } from "aws-cdk-lib/aws-ec2";
import type { IEventBus } from "aws-cdk-lib/aws-events";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { type Function as LambdaFunction, Tracing } from "aws-cdk-lib/aws-lambda";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import type { ISecret } from "aws-cdk-lib/aws-secretsmanager";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { type Environment, environmentOf, GITHUB_SETTINGS, RUN_SETTINGS } from "../../contract/environment.ts";
import { ENDED_PREFIX, EVENTS_PREFIX, QUARANTINE_PREFIX, RUNNERS_PREFIX } from "../../contract/object-keys.ts";
import { acknowledgeWildcard } from "../acknowledge.ts";
import { type Settings, timeoutSeconds, workerConcurrency, workersOfFlavor } from "../settings.ts";
import { bundledFunction } from "./bundled-function.ts";

export interface ExtractMetricsProps {
  readonly settings: Settings;
  readonly bucket: IBucket;
  readonly encryptionKey?: IKey | undefined;
  readonly bus: IEventBus;
  readonly metricsNamespace: string;
  /** The credentials for GitHub; absent if GitHub is not configured. */
  readonly githubSecret?: ISecret | undefined;
  /** A name that another stack can use without a reference to this one. By default CloudFormation names the role. */
  readonly roleName?: string | undefined;
  readonly vpc?: IVpc | undefined;
  readonly vpcSubnets?: SubnetSelection | undefined;
  readonly securityGroups?: ISecurityGroup[] | undefined;
  readonly deadLetterQueue: IQueue;
  /** By flavor; none without workers. */
  readonly workQueues: Readonly<Record<string, IQueue>>;
  readonly removalPolicy: RemovalPolicy;
}

/** Lambda's least `maxEventAge`; and the longest time that a run that could not start is worth waiting for. */
const EVENT_AGE_SECONDS_MIN = 60;
const EVENT_AGE_SECONDS_MAX = 3_600;

/** The Lambda function that does one run, with a role that may do exactly what a run does. */
export class ExtractMetrics extends Construct {
  readonly function: LambdaFunction;
  readonly role: Role;
  readonly logGroup: LogGroup;

  constructor(scope: Construct, id: string, props: ExtractMetricsProps) {
    super(scope, id);
    const { settings, removalPolicy } = props;
    this.logGroup = new LogGroup(this, "LogGroup", { retention: settings.logRetentionDays, removalPolicy });
    // Not the function's own, which would come with a managed policy that may write to every log.
    this.role = new Role(this, "Role", {
      assumedBy: new ServicePrincipal("lambda.amazonaws.com"),
      ...(props.roleName && { roleName: props.roleName }),
      description: "Extracts runner metrics from S3 and puts them on EventBridge",
    });
    this.function = this.createFunction(props);
    const ofBucket = [readAndCleanUp, quarantine, archive, encryption];
    const grants = [...ofBucket, publish, askGithub, sendFailedRuns, handOverAndWork, joinVpc];
    const statements = grants.flatMap((grant) => grant(props));
    for (const statement of statements) this.role.addToPolicy(statement);
    this.logGroup.grantWrite(this.role);
    this.acknowledge(statements);
  }

  private acknowledge(statements: readonly PolicyStatement[]): void {
    acknowledgeWildcard(this.role, "*", "X-Ray's two actions, and those on network interfaces, know no resources");
    for (const resource of statements.flatMap((statement) => statement.resources)) {
      if (resource === "*" || (!resource.endsWith("*") && !resource.includes("/*/"))) continue;
      acknowledgeWildcard(this.role, resource, "Runners and their quarantines are named at run time");
    }
  }

  private createFunction(props: ExtractMetricsProps): LambdaFunction {
    const { settings, deadLetterQueue, vpc, vpcSubnets, securityGroups } = props;
    const everySeconds = Object.values(settings.flavors).map(({ everyMinutes }) => 60 * everyMinutes);
    const ageSeconds = Math.min(EVENT_AGE_SECONDS_MAX, Math.max(EVENT_AGE_SECONDS_MIN, ...everySeconds));
    const properties = {
      description: "Extracts runner metrics from S3 and puts them on EventBridge",
      environment: environmentFor(props),
      role: this.role,
      memorySize: settings.memoryMegabytes,
      timeout: Duration.seconds(timeoutSeconds(settings)),
      tracing: Tracing.ACTIVE,
      logGroup: this.logGroup,
      // The next run does the rest: a retry would only overlap with it.
      retryAttempts: 0,
      // A run that Lambda could not start, for want of concurrency, is not worth starting after the next ones.
      maxEventAge: Duration.seconds(ageSeconds),
      // Not `SqsDestination`, which would grant more than to send.
      onFailure: { bind: () => ({ destination: deadLetterQueue.queueArn }) },
      ...(vpc && { vpc, ...(vpcSubnets && { vpcSubnets }), ...(securityGroups && { securityGroups }) }),
      ...(settings.reservedConcurrency && { reservedConcurrentExecutions: settings.reservedConcurrency }),
    };
    return bundledFunction(this, "Function", "extract-metrics", properties);
  }
}

function readAndCleanUp({ bucket, settings }: ExtractMetricsProps): PolicyStatement[] {
  const ofFlavors = Object.keys(settings.flavors).map((flavor) => `${RUNNERS_PREFIX}${flavor}/*`);
  const ended = settings.endedInstances ? [`${ENDED_PREFIX}*`] : [];
  return [
    new PolicyStatement({
      sid: "ListRunners",
      actions: ["s3:ListBucket"],
      resources: [bucket.bucketArn],
      // IfExists: S3 answers for an object that has gone with 404 only to those who may list the bucket, and no
      // GET has a prefix. Otherwise it says 403, as if access were denied.
      conditions: { StringLikeIfExists: { "s3:prefix": [...ofFlavors, ...ended] } },
    }),
    new PolicyStatement({
      sid: "ReadAndDeleteRunners",
      // A delete that names an ETag needs GetObject too.
      actions: ["s3:GetObject", "s3:DeleteObject"],
      resources: ofFlavors.map((keys) => bucket.arnForObjects(keys)),
    }),
  ];
}

function quarantine({ bucket, settings }: ExtractMetricsProps): PolicyStatement[] {
  const flavors = Object.keys(settings.flavors);
  const within = (pattern: string) =>
    flavors.map((flavor) => bucket.arnForObjects(`${QUARANTINE_PREFIX}${flavor}/*/${pattern}`));
  return [
    new PolicyStatement({
      sid: "CopyIntoQuarantine",
      actions: ["s3:PutObject"],
      resources: [...within("objects/*"), ...within("renamed/*")],
    }),
    new PolicyStatement({
      sid: "WriteManifestOnce",
      actions: ["s3:PutObject"],
      resources: within("manifest.json"),
      conditions: { Null: { "s3:if-none-match": "false" } },
    }),
  ];
}

function archive({ bucket, settings }: ExtractMetricsProps): PolicyStatement[] {
  const flavors = Object.keys(settings.flavors);
  return [
    new PolicyStatement({
      sid: "ArchiveEventsOnce",
      actions: ["s3:PutObject"],
      resources: flavors.map((flavor) => bucket.arnForObjects(`${EVENTS_PREFIX}*/flavor=${flavor}/*`)),
      conditions: { Null: { "s3:if-none-match": "false" } },
    }),
  ];
}

function encryption({ encryptionKey }: ExtractMetricsProps): PolicyStatement[] {
  if (!encryptionKey) return [];
  const actions = ["kms:Decrypt", "kms:GenerateDataKey"];
  return [new PolicyStatement({ sid: "UseKeyOfBucket", actions, resources: [encryptionKey.keyArn] })];
}

function publish({ bus }: ExtractMetricsProps): PolicyStatement[] {
  const actions = ["events:DescribeEventBus", "events:PutEvents"];
  return [new PolicyStatement({ sid: "PublishEvents", actions, resources: [bus.eventBusArn] })];
}

/** Every variable of the function: a missing one does not compile. */
function environmentFor(props: ExtractMetricsProps): Record<string, string> {
  const { settings, bucket, bus, encryptionKey, githubSecret, metricsNamespace } = props;
  const github = githubSecret && settings.github;
  const variables: Record<keyof Environment, string | undefined> = {
    BUCKET_NAME: bucket.bucketName,
    EVENT_BUS_NAME: bus.eventBusName,
    ...environmentOf(RUN_SETTINGS, settings),
    METRICS_NAMESPACE: metricsNamespace,
    ENDED_INSTANCES: settings.endedInstances ? "on" : undefined,
    KMS_KEY_ARN: encryptionKey?.keyArn,
    WORKER_CONCURRENCY: concurrencyOfWorkers(settings),
    GITHUB_SECRET_ID: github && githubSecret?.secretArn,
    GITHUB_OWNERS: github?.owners.join(","),
    GITHUB_API_URL: github?.apiUrl,
    GITHUB_CA_CERTIFICATES: github?.caCertificates,
    GITHUB_MISMATCH: github?.mismatch,
    ...(github
      ? environmentOf(GITHUB_SETTINGS, github)
      : { GITHUB_TIME_BUDGET_SECONDS: undefined, GITHUB_REQUESTS_MAX: undefined }),
  };
  return Object.fromEntries(
    Object.entries(variables).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

function concurrencyOfWorkers({ workers, flavors, concurrency }: Settings): string | undefined {
  if (workers === 0) return undefined;
  return String(workerConcurrency(workersOfFlavor(workers, Object.keys(flavors).length), concurrency));
}

function askGithub({ githubSecret }: ExtractMetricsProps): PolicyStatement[] {
  if (!githubSecret) return [];
  const { secretArn, secretFullArn, encryptionKey } = githubSecret;
  // A secret that is known by its name alone: Secrets Manager adds six characters to it.
  const resources = [secretFullArn ?? `${secretArn}-??????`];
  const read = new PolicyStatement({ sid: "ReadGithubSecret", actions: ["secretsmanager:GetSecretValue"], resources });
  if (!encryptionKey) return [read];
  const actions = ["kms:Decrypt"];
  return [read, new PolicyStatement({ sid: "DecryptGithubSecret", actions, resources: [encryptionKey.keyArn] })];
}

function sendFailedRuns({ deadLetterQueue }: ExtractMetricsProps): PolicyStatement[] {
  const actions = ["sqs:SendMessage"];
  return [new PolicyStatement({ sid: "SendFailedRuns", actions, resources: [deadLetterQueue.queueArn] })];
}

/** A run counts and sends messages; Lambda receives and deletes them in the name of the role. */
function handOverAndWork({ workQueues }: ExtractMetricsProps): PolicyStatement[] {
  const resources = Object.values(workQueues).map(({ queueArn }) => queueArn);
  if (resources.length === 0) return [];
  const actions = ["sqs:GetQueueAttributes", "sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"];
  return [new PolicyStatement({ sid: "HandOverAndWork", actions, resources })];
}

/** What AWSLambdaVPCAccessExecutionRole grants, without the right to every log. */
function joinVpc({ vpc }: ExtractMetricsProps): PolicyStatement[] {
  if (!vpc) return [];
  const names = ["CreateNetworkInterface", "DescribeNetworkInterfaces", "DescribeSubnets", "DeleteNetworkInterface"];
  const actions = [...names, "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses"].map((name) => `ec2:${name}`);
  return [new PolicyStatement({ sid: "JoinVpc", actions, resources: ["*"] })];
}
