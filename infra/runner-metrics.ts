import { RemovalPolicy } from "aws-cdk-lib";
import type { IEventBus } from "aws-cdk-lib/aws-events";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";
import { Alarms } from "./constructs/alarms.ts";
import { DeadLetters } from "./constructs/dead-letters.ts";
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
  /** A bucket that exists already. Its policy and lifecycle are its owner's: see docs/deploy.md. */
  readonly bucket?: IBucket | undefined;
  /** Of the existing bucket, or to encrypt the new one with; S3's own keys by default. */
  readonly encryptionKey?: IKey | undefined;
  /** A bus that exists already. */
  readonly eventBus?: IEventBus | undefined;
  /** A topic that exists already, for the alarms. */
  readonly alarmTopic?: ITopic | undefined;
}

/** Everything that a team needs to have trustworthy metrics of its runners. */
export class RunnerMetrics extends Construct {
  readonly bucket: IBucket;
  readonly eventBus: IEventBus;
  readonly alarmTopic: ITopic;
  readonly extractMetrics: ExtractMetrics;
  readonly eventLog: EventLog;
  /** Of the secret with the credentials for GitHub; absent where GitHub is not asked. */
  readonly githubSecretArn?: string | undefined;
  readonly dashboard: MetricsDashboard;
  /** What to give to runners, by flavor. */
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
    const deadLetters = new DeadLetters(this, "DeadLetters").queue;
    if (settings.schemaRegistry) new EventSchemas(this, "EventSchemas");

    const github = settings.github && new GithubSecret(this, "Github", { ...settings.github, removalPolicy });
    const extractMetrics = new ExtractMetrics(this, "ExtractMetrics", {
      settings,
      bucket,
      encryptionKey,
      bus,
      githubSecretArn: github?.secretArn,
      deadLetters,
      removalPolicy,
    });
    new Schedules(this, "Schedules", { flavors: settings.flavors, target: extractMetrics.function, deadLetters });
    const eventLog = new EventLog(this, "EventLog", {
      bus,
      deadLetters,
      retentionDays: settings.logRetentionDays,
      removalPolicy,
    });
    const alarms = new Alarms(this, "Alarms", {
      settings,
      function: extractMetrics.function,
      deadLetters,
      topic: alarmTopic,
    });
    const dashboard = new MetricsDashboard(this, "Dashboard", {
      flavors: Object.keys(settings.flavors),
      github: settings.github !== undefined,
      function: extractMetrics.function,
      deadLetters,
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
