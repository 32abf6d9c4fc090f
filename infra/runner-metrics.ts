import { Names, RemovalPolicy, Stack } from "aws-cdk-lib";
import { EventBus, type IEventBus } from "aws-cdk-lib/aws-events";
import { Grant, type IGrantable, type IRole } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { Bucket, type IBucket } from "aws-cdk-lib/aws-s3";
import type { ISecret } from "aws-cdk-lib/aws-secretsmanager";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import type { Construct } from "constructs";
import { QUARANTINE_PREFIX } from "../contract/object-keys.ts";
import { METRICS_NAMESPACE } from "../contract/run-metrics.ts";
import { runnerPolicy } from "../contract/runner-policy.ts";
import { Alarms } from "./constructs/alarms.ts";
import { DeadLetterQueue } from "./constructs/dead-letter-queue.ts";
import { EventLog } from "./constructs/event-log.ts";
import { EventSchemas } from "./constructs/event-schemas.ts";
import { EventTable } from "./constructs/event-table.ts";
import { ExtractMetrics } from "./constructs/extract-metrics.ts";
import { GithubSecret } from "./constructs/github-secret.ts";
import { MetricsBucket } from "./constructs/metrics-bucket.ts";
import { MetricsDashboard } from "./constructs/metrics-dashboard.ts";
import { MetricsEventBus } from "./constructs/metrics-event-bus.ts";
import { OperatorAccess } from "./constructs/operator-access.ts";
import { RecordInstanceEnds } from "./constructs/record-instance-ends.ts";
import { RunnerAccess } from "./constructs/runner-access.ts";
import { Schedules } from "./constructs/schedules.ts";
import { WorkQueues } from "./constructs/work-queues.ts";
import { type OwnEvents, ownEvents } from "./own-events.ts";
import { type RunnerMetricsProps, settingsOf } from "./props.ts";
import { RunnerMetricsBase } from "./runner-metrics-base.ts";
import { parseSettings, type Settings, settings as settingsSchema } from "./settings.ts";

export type { FlavorProps, GithubProps, RunnerMetricsProps } from "./props.ts";

/** What another stack has to know. The outputs of the stock stack have it. */
export interface RunnerMetricsAttributes {
  /** The bus that the events are published on. */
  readonly eventBusName: string;
  /**
   * Needed for the metrics only.
   * @default "RunnerMetrics"
   */
  readonly metricsNamespace?: string | undefined;
  /**
   * With `flavors`: the events of other stacks on the same bus are left out.
   * @default - all events of runner-metrics on the bus
   */
  readonly bucketName?: string | undefined;
  /**
   * With `bucketName`: the flavors whose events count.
   * @default - all events of runner-metrics on the bus
   */
  readonly flavors?: readonly string[] | undefined;
}

/** Everything that a team needs for trustworthy metrics of its runners. */
export class RunnerMetrics extends RunnerMetricsBase {
  /** A `RunnerMetrics` of another stack or app, for its events and metrics. */
  static fromRunnerMetricsAttributes(
    scope: Construct,
    id: string,
    attributes: RunnerMetricsAttributes,
  ): RunnerMetricsBase {
    return new ImportedRunnerMetrics(scope, id, attributes);
  }

  /** The bucket that runners upload to. */
  readonly bucket: IBucket;
  readonly eventBus: IEventBus;
  /** EventBridge's archive, from which events can be replayed; absent with an `archiveRetention` of 0. */
  readonly replayArchiveArn?: string | undefined;
  readonly metricsNamespace: string;
  /** The collector: its `function`, `role` and `logGroup`. */
  readonly extractMetrics: ExtractMetrics;
  /** Records how EC2 instances end; absent unless `endedInstances` is set. */
  readonly recordInstanceEnds?: RecordInstanceEnds | undefined;
  /** Holds failed runs, and events that were not logged. */
  readonly deadLetterQueue: IQueue;
  /** Hold what runs hand over to workers, by flavor; none without workers. */
  readonly workQueues: Readonly<Record<string, IQueue>>;
  /** The schedules: `groupName` is that of their group. */
  readonly schedules: Schedules;
  /** The archive of events as a table for Athena: `events` in the database `databaseName`. */
  readonly eventTable: EventTable;
  /** The log of all events: `logGroup`. */
  readonly eventLog: EventLog;
  /** The topic of the alarms; absent without alarms. */
  readonly alarmTopic?: ITopic | undefined;
  /** The credentials for GitHub; absent if GitHub is not configured. */
  readonly githubSecret?: ISecret | undefined;
  /** The dashboard, by `name`; absent if it is switched off. */
  readonly dashboard?: MetricsDashboard | undefined;
  /** Policies and roles for runners, by flavor. Retired flavors have none. */
  readonly runnerAccess: Readonly<Record<string, RunnerAccess>>;
  /** Policies for people who operate the stack. */
  readonly operatorAccess: OperatorAccess;
  protected readonly events: OwnEvents;
  private readonly storage: MetricsBucket;
  private readonly settings: Settings;
  private readonly flavors: readonly string[];
  private readonly encryptionKey: IKey | undefined;

  constructor(scope: Construct, id: string, props: RunnerMetricsProps) {
    super(scope, id);
    const settings = parseSettings(settingsSchema, settingsOf(props), this.node.path);
    const { removalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE, encryptionKey } = props;
    this.settings = settings;
    this.flavors = Object.keys(settings.flavors);
    this.encryptionKey = encryptionKey;
    this.metricsNamespace = settings.metricsNamespace ?? this.defaultNamespace();
    const common = { settings, metricsNamespace: this.metricsNamespace, removalPolicy };

    this.storage = new MetricsBucket(this, "Storage", {
      ...settings,
      existing: props.bucket,
      encryptionKey,
      removalPolicy,
    });
    this.bucket = this.storage.bucket;
    this.events = ownEvents(this.bucket, this.flavors);
    const eventBus = new MetricsEventBus(this, "Events", { existing: props.eventBus });
    this.eventBus = eventBus.bus;
    if (settings.archiveRetentionDays > 0 && !settings.emulator)
      this.replayArchiveArn = eventBus.archive(this.events, settings.archiveRetentionDays);
    this.eventTable = new EventTable(this, "EventTable", { ...settings, bucket: this.bucket, flavors: this.flavors });
    if (settings.schemaRegistry) new EventSchemas(this, "EventSchemas");

    const deadLetterQueue = new DeadLetterQueue(this, "DeadLetterQueue").queue;
    this.deadLetterQueue = deadLetterQueue;
    const work = settings.workers > 0 ? new WorkQueues(this, "WorkQueues", { settings, deadLetterQueue }) : undefined;
    this.workQueues = work?.queues ?? {};
    this.githubSecret =
      props.github && (props.github.secret ?? new GithubSecret(this, "Github", { removalPolicy }).secret);
    this.extractMetrics = new ExtractMetrics(this, "ExtractMetrics", {
      ...common,
      bucket: this.bucket,
      encryptionKey,
      bus: this.eventBus,
      githubSecret: this.githubSecret,
      deadLetterQueue,
      workQueues: this.workQueues,
      roleName: this.roleName(props),
      vpc: props.vpc,
      vpcSubnets: props.vpcSubnets,
      securityGroups: props.securityGroups,
    });
    const { function: collector, role } = this.extractMetrics;
    work?.serve(collector, role);
    this.recordInstanceEnds = settings.endedInstances
      ? new RecordInstanceEnds(this, "RecordInstanceEnds", {
          ...common,
          bucket: this.bucket,
          encryptionKey,
          roleName: this.roleName(props, "InstanceEnds"),
        })
      : undefined;
    this.schedules = new Schedules(this, "Schedules", {
      flavors: settings.flavors,
      target: collector,
      deadLetterQueue,
      workQueues: this.workQueues,
    });
    this.eventLog = new EventLog(this, "EventLog", {
      ...common,
      bus: this.eventBus,
      events: this.events,
      deadLetterQueue,
      retentionDays: settings.logRetentionDays,
    });
    const alarms = settings.alarms
      ? new Alarms(this, "Alarms", {
          ...common,
          function: collector,
          recordInstanceEnds: this.recordInstanceEnds?.function,
          deadLetterQueue,
          topic: props.alarmTopic,
        })
      : undefined;
    this.alarmTopic = alarms?.topic;
    if (settings.dashboard) {
      this.dashboard = new MetricsDashboard(this, "Dashboard", {
        ...common,
        flavors: this.flavors,
        github: settings.github !== undefined,
        function: collector,
        deadLetterQueue,
        workQueues: this.workQueues,
        eventLog: this.eventLog.logGroup,
        alarms: alarms?.alarms ?? [],
        savedQueries: !settings.emulator,
      });
    }

    this.storage.protect(
      {
        collectorRoleArn: this.roleArn(this.extractMetrics.role, this.roleName(props)),
        instanceEndsRoleArn:
          this.recordInstanceEnds && this.roleArn(this.recordInstanceEnds.role, this.roleName(props, "InstanceEnds")),
      },
      this.flavors,
    );
    if (!settings.emulator) eventBus.reserveFor(role);
    this.runnerAccess = this.createRunnerAccess(settings);
    this.operatorAccess = new OperatorAccess(this, "OperatorAccess", {
      bucket: this.bucket,
      encryptionKey,
      function: collector,
      deadLetterQueue,
      workQueues: this.workQueues,
      logs: [this.extractMetrics, this.eventLog, this.recordInstanceEnds].flatMap((one) => one?.logGroup ?? []),
      replayArchiveArn: this.replayArchiveArn,
    });
    this.node.addValidation({ validate: () => this.clashes() });
  }

  /**
   * Lets a principal upload as a runner of one flavor, each of its four files once, and with `jobsPerRunner: "many"` also in the slots.
   * `storage` is the name under which it uploads: by default IAM's variable `${aws:userid}`, by which each EC2 instance has its own.
   * Fails for a flavor that is retired.
   */
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of IAM's
  grantWrite(flavor: string, grantee: IGrantable, storage = "${aws:userid}"): Grant {
    const { retired, jobsPerRunner } = this.settings.flavors[flavor] ?? { retired: true };
    if (retired) throw new Error(`${this.node.path} has no flavor ${flavor}, or it is retired`);
    const kmsKeyArn = this.encryptionKey?.keyArn;
    const { Statement } = runnerPolicy({
      bucketArn: this.bucket.bucketArn,
      flavor,
      storage,
      hasManyJobs: jobsPerRunner === "many",
      ...(kmsKeyArn && { kmsKeyArn }),
    });
    const grants = Statement.map(({ Action, Resource, Condition }) =>
      Grant.addToPrincipal({
        grantee,
        actions: [Action],
        resourceArns: [...Resource],
        ...(Condition && { conditions: Condition }),
      }),
    );
    return grants.reduce((all, grant) => all.combine(grant));
  }

  /** Lets a principal list and read the quarantine of all flavors. */
  grantReadQuarantine(grantee: IGrantable): Grant {
    const prefixes = this.flavors.map((flavor) => `${QUARANTINE_PREFIX}${flavor}/*`);
    const list = Grant.addToPrincipal({
      grantee,
      actions: ["s3:ListBucket"],
      resourceArns: [this.bucket.bucketArn],
      conditions: { StringLike: { "s3:prefix": prefixes } },
    });
    const resourceArns = prefixes.map((keys) => this.bucket.arnForObjects(keys));
    const read = list.combine(Grant.addToPrincipal({ grantee, actions: ["s3:GetObject"], resourceArns }));
    if (!this.encryptionKey) return read;
    const { keyArn } = this.encryptionKey;
    return read.combine(Grant.addToPrincipal({ grantee, actions: ["kms:Decrypt"], resourceArns: [keyArn] }));
  }

  private defaultNamespace(): string {
    const { stackName, node } = Stack.of(this);
    const path = this.node.scopes.slice(node.scopes.length).map(({ node: { id } }) => id);
    // Ids of constructs may have characters that names of namespaces may not have.
    const names = path.filter((id) => id !== "Default").map((id) => id.replaceAll(/[^\w.#:-]/g, "-"));
    return [stackName, ...names].join("-");
  }

  /** The policy of a bucket in another stack names the roles that write there. A reference would close a circle of stacks. */
  private roleName({ bucket, manageBucketPolicy }: RunnerMetricsProps, extra?: string): string | undefined {
    if (!bucket || !manageBucketPolicy || Stack.of(bucket) === Stack.of(this)) return undefined;
    return Names.uniqueResourceName(this, { maxLength: 64, separator: "-", ...(extra && { extra }) });
  }

  private roleArn(role: IRole, resourceName: string | undefined): string {
    if (!resourceName) return role.roleArn;
    return Stack.of(this).formatArn({ service: "iam", region: "", resource: "role", resourceName });
  }

  private createRunnerAccess({ flavors, runnerRoles, instanceProfiles }: Settings): Record<string, RunnerAccess> {
    const active = Object.entries(flavors).filter(([, { retired }]) => !retired);
    return Object.fromEntries(
      active.map(([flavor, { jobsPerRunner }]) => [
        flavor,
        new RunnerAccess(this, `RunnerAccess-${flavor}`, {
          flavor,
          bucket: this.bucket,
          encryptionKey: this.encryptionKey,
          hasManyJobs: jobsPerRunner === "many",
          role: runnerRoles,
          instanceProfile: instanceProfiles,
        }),
      ]),
    );
  }

  /** What cannot work: two collectors of the same objects, or one series of numbers for two collectors. */
  private clashes(): string[] {
    const others = this.node.root.node
      .findAll()
      .filter((other): other is RunnerMetrics => other instanceof RunnerMetrics);
    return others.flatMap((other) => {
      if (other === this) return [];
      if (this.recordInstanceEnds && other.recordInstanceEnds && hasSameBucket(this, other))
        return [`${other.node.path} has endedInstances on the same bucket`];
      if (this.storage.hasPolicyForImported && other.storage.hasPolicyForImported && hasSameBucket(this, other))
        return [`${other.node.path} has manageBucketPolicy for the same imported bucket`];
      const shared = this.flavors.find((flavor) => other.flavors.includes(flavor));
      if (shared === undefined) return [];
      if (hasSameBucket(this, other)) return [`${other.node.path} collects the flavor ${shared} from the same bucket`];
      const isSameSeries =
        Stack.of(this).resolve(this.metricsNamespace) === Stack.of(other).resolve(other.metricsNamespace);
      return isSameSeries && isSamePlace(this, other)
        ? [`${other.node.path} has the flavor ${shared} in the same metricsNamespace`]
        : [];
    });
  }
}

function hasSameBucket(one: RunnerMetrics, other: RunnerMetrics): boolean {
  return resolvedBucketName(one) === resolvedBucketName(other);
}

/** Buckets of one account and region differ by it. */
function resolvedBucketName({ bucket }: RunnerMetrics): string {
  const owner = Stack.of(bucket);
  const name = owner.resolve(bucket.bucketName);
  return JSON.stringify(typeof name === "string" ? name : [owner.node.path, name]);
}

function isSamePlace(one: Construct, other: Construct): boolean {
  return Stack.of(one).environment === Stack.of(other).environment;
}

class ImportedRunnerMetrics extends RunnerMetricsBase {
  readonly eventBus: IEventBus;
  readonly metricsNamespace: string;
  protected readonly events: OwnEvents | undefined;

  constructor(scope: Construct, id: string, attributes: RunnerMetricsAttributes) {
    super(scope, id);
    const { eventBusName, metricsNamespace = METRICS_NAMESPACE, bucketName, flavors } = attributes;
    this.eventBus = EventBus.fromEventBusName(this, "EventBus", eventBusName);
    this.metricsNamespace = metricsNamespace;
    this.events =
      bucketName && flavors ? ownEvents(Bucket.fromBucketName(this, "Bucket", bucketName), flavors) : undefined;
  }
}
