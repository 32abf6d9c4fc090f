import { Duration, Stack } from "aws-cdk-lib";
import { Alarm, ComparisonOperator, type IMetric, Stats, TreatMissingData } from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import { type ITopic, Topic } from "aws-cdk-lib/aws-sns";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { githubReasonMetric, type MetricName, outcomeMetric, verificationMetric } from "../../contract/run-metrics.ts";
import { runMetric } from "../metrics.ts";
import type { Settings } from "../settings.ts";

export interface AlarmsProps {
  readonly settings: Pick<
    Settings,
    "flavors" | "github" | "noRunAlarmAfterIntervals" | "deferredAlarmAfterRuns" | "alarmEmail"
  >;
  readonly function: IFunction;
  readonly deadLetterQueue: IQueue;
  /** A topic that exists already. */
  readonly topic?: ITopic | undefined;
}

interface Rule {
  readonly metric: IMetric;
  /** What happened, and what to do. The e-mail contains it. */
  readonly description: string;
  readonly atLeast?: number;
  readonly below?: number;
  /** In how many periods in a row; 1 by default. */
  readonly periods?: number;
  readonly missingData?: TreatMissingData;
}

/** Alarms for everything that needs a person, and the topic that they notify. */
export class Alarms extends Construct {
  readonly topic: ITopic;
  readonly alarms: Alarm[] = [];

  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    this.topic = props.topic ?? this.createTopic(props.settings.alarmEmail);
    this.watchAll(props);
    for (const flavor of Object.keys(props.settings.flavors)) this.watchFlavor(flavor, props);
    for (const alarm of this.alarms) alarm.addAlarmAction(new SnsAction(this.topic));
  }

  private createTopic(email: string | undefined): Topic {
    const topic = new Topic(this, "Topic", { enforceSSL: true });
    // A topic with a policy loses the default one, which lets CloudWatch of its own account publish.
    topic.addToResourcePolicy(
      new PolicyStatement({
        sid: "AlarmsOfThisAccount",
        principals: [new ServicePrincipal("cloudwatch.amazonaws.com")],
        actions: ["sns:Publish"],
        resources: [topic.topicArn],
        conditions: { StringEquals: { "aws:SourceAccount": Stack.of(this).account } },
      }),
    );
    if (email) topic.addSubscription(new EmailSubscription(email));
    return topic;
  }

  private watchAll(props: AlarmsProps): void {
    const period = Duration.minutes(5);
    this.watch("RunErrors", {
      metric: props.function.metricErrors({ period, statistic: Stats.SUM }),
      description:
        "A run failed: its event bus or bucket is missing, the listing failed, or it timed out. The log says which. Nothing is lost: files stay until their events are on the bus.",
      atLeast: 1,
    });
    this.watch("Throttles", {
      metric: props.function.metricThrottles({ period, statistic: Stats.SUM }),
      description: "Lambda refused to start a run: the account's or the function's concurrency is used up.",
      atLeast: 1,
    });
    this.watch("DeadLetterQueue", {
      metric: props.deadLetterQueue.metricApproximateNumberOfMessagesVisible({ period, statistic: Stats.MAXIMUM }),
      description:
        "A schedule could not start a run, a run failed, or an event could not be logged. The queue holds the details; delete its messages when done.",
      atLeast: 1,
    });
  }

  private watchFlavor(flavor: string, { settings }: AlarmsProps): void {
    const { noRunAlarmAfterIntervals, deferredAlarmAfterRuns } = settings;
    const { everyMinutes = 1, githubRunners } = settings.flavors[flavor] ?? {};
    const interval = Duration.minutes(everyMinutes);
    const sum = (name: MetricName) => runMetric(name, flavor, { period: interval, statistic: Stats.SUM });
    // The smallest value of some runs in a row. Periods of one interval are less reliable: if runs come some seconds early
    // or late, one period has two and the next has none.
    const leastOfSome = (name: MetricName) =>
      runMetric(name, flavor, {
        period: Duration.minutes(deferredAlarmAfterRuns * everyMinutes),
        statistic: Stats.MINIMUM,
      });
    this.watch(`NoRun-${flavor}`, {
      metric: runMetric("RunDuration", flavor, { period: interval, statistic: Stats.SAMPLE_COUNT }),
      description: `No run of flavor ${flavor} was completed in ${noRunAlarmAfterIntervals} intervals. Goes to ALARM once after the first deployment, until the first run.`,
      below: 1,
      periods: noRunAlarmAfterIntervals,
      missingData: TreatMissingData.BREACHING,
    });
    this.watch(`Quarantined-${flavor}`, {
      metric: sum(outcomeMetric("quarantined")),
      description: `Files of a runner of flavor ${flavor} are not trustworthy. The dashboard shows whose and why; the files are in quarantine.`,
      atLeast: 1,
    });
    this.watch(`Deferred-${flavor}`, {
      metric: leastOfSome(outcomeMetric("deferred")),
      description: `Runners of flavor ${flavor} were left for the next run ${deferredAlarmAfterRuns} runs in a row. The log says why (deferralReasons, errors).`,
      atLeast: 1,
    });
    this.watch(`DeadlineReached-${flavor}`, {
      metric: leastOfSome("DeadlineReached"),
      description: `Runs of flavor ${flavor} reached their deadline ${deferredAlarmAfterRuns} times in a row. The storages listed last may never be reached: raise timeoutSeconds (and everyMinutes), concurrency, or memoryMegabytes.`,
      atLeast: 1,
    });
    this.watch(`AccessDenied-${flavor}`, {
      metric: sum("AccessDenied"),
      description: `S3 denied us an object of flavor ${flavor}: look for a change of the bucket's policy, the function's role, or the key.`,
      atLeast: 1,
    });
    this.watch(`NotDeleted-${flavor}`, {
      metric: leastOfSome("ObjectsNotDeleted"),
      description: `Objects of flavor ${flavor} could not be deleted ${deferredAlarmAfterRuns} runs in a row: their events repeat in each run, with the same ids.`,
      atLeast: 1,
    });
    this.watch(`StrayObjects-${flavor}`, {
      metric: sum("StrayObjects"),
      description: `Objects of flavor ${flavor} are outside any storage, where no runner may write: somebody's permissions are too wide.`,
      atLeast: 1,
    });
    this.watch(`InvariantViolated-${flavor}`, {
      metric: sum("InvariantViolated"),
      description: `A run of flavor ${flavor} violated an invariant, such as that every listed runner has one outcome: a bug of runner-metrics. The log says which (violatedInvariants). Please report it.`,
      atLeast: 1,
    });
    if (!settings.github) return;
    this.watch(`JobMismatch-${flavor}`, {
      metric: sum(verificationMetric("mismatch")),
      description: `A runner of flavor ${flavor} claims a job that GitHub says it did not do. The log of events says which: its verification is mismatch, or it was quarantined for job-mismatch.`,
      atLeast: 1,
    });
    this.watch(`GithubCredentials-${flavor}`, {
      metric: sum(githubReasonMetric("no-credentials")),
      description: "The secret with GitHub's credentials can't be read, is empty, or its key or token was revoked.",
      atLeast: 1,
    });
    if (!githubRunners) return;
    this.watch(`GithubRunners-${flavor}`, {
      metric: leastOfSome("GithubRunnersUnknown"),
      description: `GitHub did not say in ${deferredAlarmAfterRuns} runs in a row which runners of ${githubRunners} are online: the runs used orphanAfterSeconds. The log says why (runnersUnknown).`,
      atLeast: 1,
    });
  }

  private watch(id: string, { metric, description, atLeast, below, periods = 1, missingData }: Rule): void {
    const alarm = new Alarm(this, id, {
      metric,
      alarmDescription: description,
      threshold: atLeast ?? below ?? 0,
      comparisonOperator:
        below === undefined
          ? ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
          : ComparisonOperator.LESS_THAN_THRESHOLD,
      evaluationPeriods: periods,
      treatMissingData: missingData ?? TreatMissingData.NOT_BREACHING,
    });
    this.alarms.push(alarm);
  }
}
