import { RemovalPolicy } from "aws-cdk-lib";
import type { IEventBus } from "aws-cdk-lib/aws-events";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";
import { Alarms } from "./constructs/alarms.ts";
import { DeadLetterQueue } from "./constructs/dead-letter-queue.ts";
import { EventLog } from "./constructs/event-log.ts";
import { EventSchemas } from "./constructs/event-schemas.ts";
import { ExtractMetrics } from "./constructs/extract-metrics.ts";
import { GithubSecret } from "./constructs/github-secret.ts";
import { MetricsBucket } from "./constructs/metrics-bucket.ts";
import { MetricsDashboard } from "./constructs/metrics-dashboard.ts";
import { MetricsEventBus } from "./constructs/metrics-event-bus.ts";
import { RunnerAccess } from "./constructs/runner-access.ts";
import { Schedules } from "./constructs/schedules.ts";
import { parseSettings, type SettingsInput, settings as settingsSchema } from "./settings.ts";

export interface RunnerMetricsProps extends SettingsInput {
  /** An existing bucket. Its policy and lifecycle are its owner's: see docs/use/deploy.md. */
  readonly bucket?: IBucket | undefined;
  /** Key of the existing bucket, or to encrypt the new one with. S3's own keys by default. */
  readonly encryptionKey?: IKey | undefined;
  /** An existing bus. */
  readonly eventBus?: IEventBus | undefined;
  /** An existing topic for the alarms. */
  readonly alarmTopic?: ITopic | undefined;
}

/** Everything that a team needs for trustworthy metrics of its runners. */
export class RunnerMetrics extends Construct {
  readonly bucket: IBucket;
  readonly eventBus: IEventBus;
  readonly alarmTopic: ITopic;
  readonly extractMetrics: ExtractMetrics;
  readonly eventLog: EventLog;
  /** ARN of the secret with the credentials for GitHub; absent if GitHub is not configured. */
  readonly githubSecretArn?: string | undefined;
  readonly dashboard: MetricsDashboard;
  /** Policies and roles for runners, by flavor. */
  readonly runnerAccess: Readonly<Record<string, RunnerAccess>>;

  constructor(scope: Construct, id: string, props: RunnerMetricsProps) {
    super(scope, id);
    const { bucket: existingBucket, encryptionKey, eventBus: existingBus, alarmTopic, ...input } = props;
    const settings = parseSettings(settingsSchema, input, this.node.path);
    const removalPolicy = settings.removalPolicy === "destroy" ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN;

    const storage = new MetricsBucket(this, "Storage", {
      ...settings,
      existing: existingBucket,
      encryptionKey,
      removalPolicy,
    });
    const events = new MetricsEventBus(this, "Events", { ...settings, existing: existingBus, removalPolicy });
    const { bucket } = storage;
    const { bus } = events;
    const deadLetterQueue = new DeadLetterQueue(this, "DeadLetterQueue").queue;
    if (settings.schemaRegistry) new EventSchemas(this, "EventSchemas");

    const github = settings.github && new GithubSecret(this, "Github", { ...settings.github, removalPolicy });
    const extractMetrics = new ExtractMetrics(this, "ExtractMetrics", {
      settings,
      bucket,
      encryptionKey,
      bus,
      githubSecretArn: github?.secretArn,
      deadLetterQueue,
      removalPolicy,
    });
    new Schedules(this, "Schedules", { flavors: settings.flavors, target: extractMetrics.function, deadLetterQueue });
    const eventLog = new EventLog(this, "EventLog", {
      bus,
      deadLetterQueue,
      retentionDays: settings.logRetentionDays,
      removalPolicy,
    });
    const alarms = new Alarms(this, "Alarms", {
      settings,
      function: extractMetrics.function,
      deadLetterQueue,
      topic: alarmTopic,
    });
    const dashboard = new MetricsDashboard(this, "Dashboard", {
      flavors: Object.keys(settings.flavors),
      github: settings.github !== undefined,
      function: extractMetrics.function,
      deadLetterQueue,
      eventLog: eventLog.logGroup,
      alarms: alarms.alarms,
    });

    storage.reserveQuarantineFor(extractMetrics.role);
    events.reserveFor(extractMetrics.role);
    this.runnerAccess = Object.fromEntries(
      Object.keys(settings.flavors).map((flavor) => [
        flavor,
        new RunnerAccess(this, `RunnerAccess-${flavor}`, { flavor, bucket, encryptionKey }),
      ]),
    );

    this.bucket = bucket;
    this.eventBus = bus;
    this.alarmTopic = alarms.topic;
    this.extractMetrics = extractMetrics;
    this.eventLog = eventLog;
    this.githubSecretArn = github?.secretArn;
    this.dashboard = dashboard;
  }
}
