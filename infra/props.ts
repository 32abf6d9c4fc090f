import { Duration, RemovalPolicy } from "aws-cdk-lib";
import type { ISecurityGroup, IVpc, SubnetSelection } from "aws-cdk-lib/aws-ec2";
import type { IEventBus } from "aws-cdk-lib/aws-events";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { RetentionDays } from "aws-cdk-lib/aws-logs";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import type { ISecret } from "aws-cdk-lib/aws-secretsmanager";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import type { SettingsInput, StackSettings } from "./settings.ts";

/** Alarms of a flavor, each off unless set: only its users know the limits. */
export interface FlavorAlarmsProps {
  /**
   * `QueueTime`: the 95th percentile of the queue time in 30 minutes. Needs `github`.
   * @default - no alarm
   */
  readonly queueTime?: Duration | undefined;
  /**
   * `LostRunners`: lost runners in 6 hours, in per cent of the runners extracted, if those are at least 10.
   * @default - no alarm
   */
  readonly lostPercent?: number | undefined;
  /**
   * `FailedInstallations`: failed installations in an hour.
   * @default - no alarm
   */
  readonly failedInstallations?: number | undefined;
  /**
   * `NothingExtracted`: time in which no runner was extracted, although on average at least one was there. In whole hours, at most 24.
   * @default - no alarm
   */
  readonly nothingExtracted?: Duration | undefined;
  /**
   * `BusyTooLong`: time since the oldest running job started. In whole hours, at most 24, and below `orphanAfter` unless `githubRunners` is set.
   * @default - no alarm
   */
  readonly busy?: Duration | undefined;
}

/** A kind of runners, and how often they are collected. */
export interface FlavorProps {
  /**
   * From one run to the next, in whole minutes.
   * @default Duration.minutes(5)
   */
  readonly every?: Duration | undefined;
  /**
   * A runner that uploads nothing for this long is presumed dead. At least one hour. Must be longer than the longest job and the longest wait
   * for a job, unless `githubRunners` is set: a runner uploads nothing in either.
   * @default Duration.hours(24)
   */
  readonly orphanAfter?: Duration | undefined;
  /**
   * Organisation (`acme`) or repository (`acme/widgets`) whose runners GitHub is asked about. Needs `github`.
   * @default - the age of the uploads decides which runners are alive
   */
  readonly githubRunners?: string | undefined;
  /**
   * `many` for persistent runners, which report each further job in a slot of their storage: the policies also allow the slots.
   * @default "one"
   */
  readonly jobsPerRunner?: "one" | "many" | undefined;
  /**
   * Whether the flavor is being removed: it is still collected, but the stack has no policies for its runners any more.
   * @default false
   */
  readonly retired?: boolean | undefined;
  /**
   * Alarms with limits of your own.
   * @default - none of them
   */
  readonly alarms?: FlavorAlarmsProps | undefined;
}

/** How GitHub is asked about jobs and runners. */
export interface GithubProps {
  /** GitHub is asked only about repositories of these owners. */
  readonly owners: string[];
  /**
   * The secret with the credentials.
   * @default - a new secret, to be filled in by a person
   */
  readonly secret?: ISecret | undefined;
  /**
   * API of GitHub Enterprise Server (`https://HOST/api/v3`) or GHE.com (`https://api.SUBDOMAIN.ghe.com`).
   * @default - GitHub.com
   */
  readonly apiUrl?: string | undefined;
  /**
   * Certificates (PEM) of the private authority that signed Enterprise Server's certificate, at most 3,000 characters.
   * @default - only public authorities are trusted
   */
  readonly caCertificates?: string | undefined;
  /**
   * How long one run may wait for GitHub in all.
   * @default Duration.seconds(60)
   */
  readonly timeBudget?: Duration | undefined;
  /**
   * How many calls to GitHub one run may make.
   * @default 500
   */
  readonly requestsMax?: number | undefined;
  /**
   * What happens to a runner that claims a job which GitHub says it did not do.
   * @default "flag"
   */
  readonly mismatch?: "flag" | "quarantine" | undefined;
}

export interface RunnerMetricsProps {
  /** The kinds of runners by name, at most 20. A name is part of keys in the bucket: `^[a-z0-9][a-z0-9-]{0,31}$`. */
  readonly flavors: Record<string, FlavorProps>;
  /**
   * Queue times and conclusions of jobs, and which runners are alive, from GitHub.
   * @default - GitHub is not asked
   */
  readonly github?: GithubProps | undefined;
  /**
   * An existing bucket, whose lifecycle stays as it is.
   * @default - a new one
   */
  readonly bucket?: IBucket | undefined;
  /**
   * Whether an existing bucket gets all statements of a new one. If it is imported, delete the policy that it has first: CloudFormation
   * creates none for a bucket that has one.
   * @default false - an existing bucket is left alone
   */
  readonly manageBucketPolicy?: boolean | undefined;
  /**
   * The key of the existing bucket, or to encrypt the new one with.
   * @default - S3's own keys
   */
  readonly encryptionKey?: IKey | undefined;
  /**
   * An existing event bus, whose policy stays as it is.
   * @default - a new one, which only the collector may put events on
   */
  readonly eventBus?: IEventBus | undefined;
  /**
   * An existing topic for the alarms. CloudWatch must be allowed to publish on it.
   * @default - a new one
   */
  readonly alarmTopic?: ITopic | undefined;
  /**
   * Receives all alarms of the new topic, after a link in SNS's first e-mail is confirmed.
   * @default - nobody
   */
  readonly alarmEmail?: string | undefined;
  /**
   * The VPC that the function runs in. It needs a way to S3, EventBridge, and to Secrets Manager and GitHub if they are used.
   * @default - no VPC
   */
  readonly vpc?: IVpc | undefined;
  /**
   * The subnets of the function.
   * @default - the private subnets of the VPC
   */
  readonly vpcSubnets?: SubnetSelection | undefined;
  /**
   * The security groups of the function.
   * @default - a new one that allows all outbound traffic
   */
  readonly securityGroups?: ISecurityGroup[] | undefined;
  /**
   * Objects that a storage may hold. One with more is quarantined.
   * @default 32
   */
  readonly maxObjectsPerRunner?: number | undefined;
  /**
   * Runners in progress at once in one run.
   * @default 32
   */
  readonly concurrency?: number | undefined;
  /**
   * Memory of the function in megabytes.
   * @default 1024
   */
  readonly memorySize?: number | undefined;
  /**
   * Time-out of a run, below the shortest interval.
   * @default - 4/5 of the shortest interval, at most 5 minutes
   */
  readonly timeout?: Duration | undefined;
  /**
   * Reserved concurrency of the function.
   * @default - none, since a new account may have none to reserve
   */
  readonly reservedConcurrentExecutions?: number | undefined;
  /**
   * Most workers at once, 2 to 100: further invocations of the function, which do what one run can't finish. Each flavor has an equal part, of 2 or more.
   * @default 0, each run does all by itself
   */
  readonly workers?: number | undefined;
  /**
   * After this time, uploads that no run has collected are deleted. In whole days.
   * @default Duration.days(14)
   */
  readonly uncollectedRetention?: Duration | undefined;
  /**
   * After this time, quarantined files are deleted. In whole days.
   * @default Duration.days(90)
   */
  readonly quarantineRetention?: Duration | undefined;
  /**
   * After this time, events in the bucket's archive are deleted. In whole days.
   * @default Duration.days(400)
   */
  readonly eventRetention?: Duration | undefined;
  /**
   * How long events can be replayed from EventBridge's archive, in whole days; 0 for no archive.
   * @default Duration.days(30)
   */
  readonly archiveRetention?: Duration | undefined;
  /**
   * How long the function's log, the log of all events and the access logs are kept.
   * @default RetentionDays.ONE_MONTH
   */
  readonly logRetention?: RetentionDays | undefined;
  /**
   * Whether S3 logs each access to the new bucket in a second one.
   * @default true
   */
  readonly accessLogs?: boolean | undefined;
  /**
   * Whether the event schemas are put into EventBridge's schema registry, which some regions do not have.
   * @default false
   */
  readonly schemaRegistry?: boolean | undefined;
  /**
   * Whether the stack records how EC2 instances of the account and region end. Runners on terminated ones are then collected after two
   * minutes, and runners that are presumed dead have a cause. Of constructs with one bucket, only one can have it.
   * @default false
   */
  readonly endedInstances?: boolean | undefined;
  /**
   * Whether there is a dashboard, with its queries saved in CloudWatch Logs Insights.
   * @default true
   */
  readonly dashboard?: boolean | undefined;
  /**
   * Whether there are alarms and a topic.
   * @default true
   */
  readonly alarms?: boolean | undefined;
  /**
   * Whether there is a role for EC2 instances of each flavor. Its policies are there in any case.
   * @default true
   */
  readonly runnerRoles?: boolean | undefined;
  /**
   * Whether each of these roles has an instance profile.
   * @default true
   */
  readonly instanceProfiles?: boolean | undefined;
  /**
   * CloudWatch's namespace of all metrics. Two stacks with a flavor of the same name need different ones.
   * @default - the name of the stack, followed by the construct's path in it unless its id is `Default`
   */
  readonly metricsNamespace?: string | undefined;
  /**
   * Intervals without a run until the alarm `NoRun`.
   * @default 3
   */
  readonly noRunAlarmAfterIntervals?: number | undefined;
  /**
   * Runs in a row with a problem until the alarms `Deferred`, `NotDeleted`, `DeadlineReached` and `GithubRunners`.
   * @default 3
   */
  readonly deferredAlarmAfterRuns?: number | undefined;
  /**
   * What happens to bucket, logs and secret when the stack is deleted.
   * @default RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
   */
  readonly removalPolicy?: RemovalPolicy | undefined;
  /**
   * Leaves out what MiniStack does not have: the replay archive, the policy of the bus, and saved queries. Never for an AWS account.
   * @default false
   */
  readonly emulator?: boolean | undefined;
}

/** The settings in properties: numbers with their units in the names. */
export function settingsOf(props: RunnerMetricsProps): SettingsInput {
  const { bucket, encryptionKey, eventBus, alarmTopic, vpc, vpcSubnets, securityGroups, removalPolicy, ...own } = props;
  const { memorySize, timeout, reservedConcurrentExecutions, flavors, github, ...rest } = own;
  const { uncollectedRetention, quarantineRetention, eventRetention, archiveRetention, logRetention, ...same } = rest;
  return {
    ...same,
    flavors: mapValues(flavors, ({ every, orphanAfter, alarms, ...flavor }) => ({
      ...flavor,
      ...(alarms && { alarms: alarmSettingsOf(alarms) }),
      everyMinutes: every?.toMinutes(),
      orphanAfterSeconds: orphanAfter?.toSeconds(),
    })),
    github: github && githubSettingsOf(github),
    memoryMegabytes: memorySize,
    timeoutSeconds: timeout?.toSeconds(),
    reservedConcurrency: reservedConcurrentExecutions,
    uncollectedRetentionDays: uncollectedRetention?.toDays(),
    quarantineRetentionDays: quarantineRetention?.toDays(),
    eventRetentionDays: eventRetention?.toDays(),
    archiveRetentionDays: archiveRetention?.toDays(),
    logRetentionDays: logRetention,
  };
}

function alarmSettingsOf({ queueTime, nothingExtracted, busy, ...same }: FlavorAlarmsProps) {
  return {
    ...same,
    queueSeconds: queueTime?.toSeconds(),
    nothingExtractedHours: nothingExtracted?.toHours(),
    busyHours: busy?.toHours(),
  };
}

function githubSettingsOf({ secret, timeBudget, ...same }: GithubProps): SettingsInput["github"] {
  return { ...same, timeBudgetSeconds: timeBudget?.toSeconds() };
}

/** The properties for the settings in cdk.json, without the existing things that they name. */
export function propsOf(settings: StackSettings): RunnerMetricsProps {
  const { stackName, bucketName, kmsKeyArn, eventBusName, alarmTopicArn, removalPolicy, ...own } = settings;
  const { memoryMegabytes, timeoutSeconds, reservedConcurrency, flavors, github, ...rest } = own;
  const { uncollectedRetentionDays, quarantineRetentionDays, eventRetentionDays, ...retained } = rest;
  const { archiveRetentionDays, logRetentionDays, ...same } = retained;
  return {
    ...same,
    flavors: mapValues(flavors, ({ everyMinutes, orphanAfterSeconds, alarms, ...flavor }) => ({
      ...flavor,
      ...(alarms && { alarms: alarmPropsOf(alarms) }),
      every: Duration.minutes(everyMinutes),
      orphanAfter: Duration.seconds(orphanAfterSeconds),
    })),
    github: github && githubPropsOf(github),
    memorySize: memoryMegabytes,
    timeout: timeoutSeconds === undefined ? undefined : Duration.seconds(timeoutSeconds),
    reservedConcurrentExecutions: reservedConcurrency,
    uncollectedRetention: Duration.days(uncollectedRetentionDays),
    quarantineRetention: Duration.days(quarantineRetentionDays),
    eventRetention: Duration.days(eventRetentionDays),
    archiveRetention: Duration.days(archiveRetentionDays),
    logRetention: logRetentionDays,
    removalPolicy: removalPolicy === "destroy" ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
  };
}

function alarmPropsOf(settings: NonNullable<StackSettings["flavors"][string]["alarms"]>): FlavorAlarmsProps {
  const { queueSeconds, nothingExtractedHours, busyHours, ...same } = settings;
  return {
    ...same,
    queueTime: queueSeconds === undefined ? undefined : Duration.seconds(queueSeconds),
    nothingExtracted: nothingExtractedHours === undefined ? undefined : Duration.hours(nothingExtractedHours),
    busy: busyHours === undefined ? undefined : Duration.hours(busyHours),
  };
}

function githubPropsOf({ secretArn, timeBudgetSeconds, ...same }: NonNullable<StackSettings["github"]>): GithubProps {
  return { ...same, timeBudget: Duration.seconds(timeBudgetSeconds) };
}

function mapValues<Value, Result>(
  record: Readonly<Record<string, Value>>,
  change: (value: Value) => Result,
): Record<string, Result> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}
