import { Duration, Stack } from "aws-cdk-lib";
import {
  Alarm,
  type AlarmProps,
  ComparisonOperator,
  type IMetric,
  Stats,
  TreatMissingData,
} from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import { type ITopic, Topic } from "aws-cdk-lib/aws-sns";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import {
  githubReasonMetric,
  type MetricName,
  outcomeMetric,
  RUN_METRICS,
  verificationMetric,
} from "../../contract/run-metrics.ts";
import { runMetric } from "../metrics.ts";
import type { Settings } from "../settings.ts";
import { alarmsWithLimits } from "./alarms-with-limits.ts";

export interface AlarmsProps {
  readonly settings: Pick<
    Settings,
    "flavors" | "github" | "noRunAlarmAfterIntervals" | "deferredAlarmAfterRuns" | "alarmEmail"
  >;
  readonly metricsNamespace: string;
  readonly function: IFunction;
  /** Records how EC2 instances end, if the stack does. */
  readonly recordInstanceEnds?: IFunction | undefined;
  readonly deadLetterQueue: IQueue;
  /** A topic that exists already. */
  readonly topic?: ITopic | undefined;
}

/** An alarm on a metric of the runs. */
interface RunAlarm {
  readonly metric: MetricName;
  /** `once`: one run had one. `inARow`: each of some runs had one. */
  readonly after: "once" | "inARow";
  /** What happened, and what to do. The e-mail contains it. `FLAVOR`, `RUNS` and `OWNER` are replaced. */
  readonly description: string;
  /** The setting without which the metric is not written. */
  readonly needs?: "github" | "githubRunners" | "endedInstances";
}

/**
 * The alarms on metrics of the runs, by name: one for each flavor, or one in all if the metric is of all flavors. `NoRun` is for the
 * absence of a metric, and not in this list.
 */
const RUN_ALARMS: Readonly<Record<string, RunAlarm>> = {
  Quarantined: {
    metric: outcomeMetric("quarantined"),
    after: "once",
    description:
      "Files of a runner of flavor FLAVOR are not trustworthy. `runner-metrics quarantine list` shows whose and why; the files are in quarantine.",
  },
  Deferred: {
    metric: outcomeMetric("deferred"),
    after: "inARow",
    description:
      "Runners of flavor FLAVOR were left for the next run RUNS runs in a row. The log says why (deferralReasons, errors).",
  },
  DeadlineReached: {
    metric: "DeadlineReached",
    after: "inARow",
    description:
      "Runs of flavor FLAVOR reached their deadline RUNS times in a row. The storages listed last may never be reached: raise timeoutSeconds (and everyMinutes), concurrency, or memoryMegabytes.",
  },
  AccessDenied: {
    metric: "AccessDenied",
    after: "once",
    description:
      "S3 denied us an object, or EventBridge an event: look for a change of a policy, the function's role, or the key. The log says which (errors).",
  },
  NotDeleted: {
    metric: "ObjectsNotDeleted",
    after: "inARow",
    description:
      "Objects of flavor FLAVOR could not be deleted RUNS runs in a row: their events repeat in each run, with the same ids.",
  },
  StrayObjects: {
    metric: "StrayObjects",
    after: "once",
    description:
      "Objects are outside any storage, where no runner may write: somebody's permissions are too wide. The log says of which flavor (strays).",
  },
  EndedInstancesUnknown: {
    metric: "EndedInstancesUnknown",
    after: "once",
    needs: "endedInstances",
    description:
      "A run did not learn about every EC2 instance whether it has ended: silent runners on the others are collected after orphanAfterSeconds, with an unknown cause. The log says why (endedUnknown, errors).",
  },
  InvariantViolated: {
    metric: "InvariantViolated",
    after: "once",
    description:
      "A run violated an invariant, such as that every listed runner has one outcome: a bug of runner-metrics. The log says which (violatedInvariants). Please report it.",
  },
  JobMismatch: {
    metric: verificationMetric("mismatch"),
    after: "once",
    needs: "github",
    description:
      "A runner of flavor FLAVOR claims a job that GitHub says it did not do. The log of events says which: its verification is mismatch, or it was quarantined for job-mismatch.",
  },
  GithubCredentials: {
    metric: githubReasonMetric("no-credentials"),
    after: "once",
    needs: "github",
    description: "The secret with GitHub's credentials can't be read, or its key or token was revoked.",
  },
  GithubSecretUnreadable: {
    metric: githubReasonMetric("unreadable-credentials"),
    after: "once",
    needs: "github",
    description:
      "The secret with GitHub's credentials holds neither an App's app_id, installation_id and private_key nor a token, or it is empty.",
  },
  GithubCertificate: {
    metric: githubReasonMetric("untrusted-certificate"),
    after: "once",
    needs: "github",
    description:
      "The certificate of GitHub's server is not trusted: set github.caCertificates for a private authority. Or it is for another host, or expired.",
  },
  GithubRunners: {
    metric: "GithubRunnersUnknown",
    after: "inARow",
    needs: "githubRunners",
    description:
      "GitHub did not say in RUNS runs in a row which runners of OWNER are online: the runs used orphanAfterSeconds. The log says why (runnersUnknown).",
  },
};

/** Where the runbook says what to do. It has a heading for each alarm, of the alarm's name. */
export function runbookReference(alarmName: string): string {
  return `See docs/operate/runbook.md#${alarmName.toLowerCase()}`;
}

/** Alarms for everything that needs a person, and the topic that they notify. */
export class Alarms extends Construct {
  readonly topic: ITopic;
  readonly alarms: Alarm[] = [];

  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    this.topic = props.topic ?? this.createTopic(props.settings.alarmEmail);
    this.watchAll(props);
    const flavors = Object.keys(props.settings.flavors);
    for (const flavor of flavors) this.watchFlavor(flavor, props);
    const notify = new SnsAction(this.topic);
    for (const alarm of this.alarms) {
      alarm.addAlarmAction(notify);
      alarm.addOkAction(notify);
    }
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
    this.watch(
      "RunErrors",
      props.function.metricErrors({ period, statistic: Stats.SUM }),
      "A run failed: its event bus or bucket is missing, the listing failed, or it timed out. The log says which. Nothing is lost: files stay until their events are on the bus.",
    );
    this.watch(
      "Throttles",
      props.function.metricThrottles({ period, statistic: Stats.SUM }),
      "Lambda refused to start a run: the account's or the function's concurrency is used up.",
    );
    this.watch(
      "DeadLetterQueue",
      props.deadLetterQueue.metricApproximateNumberOfMessagesVisible({ period, statistic: Stats.MAXIMUM }),
      "A schedule could not start a run, a run failed, or an event could not be logged. The queue holds the details; delete its messages when done.",
    );
    if (props.recordInstanceEnds) {
      this.watch(
        "InstanceEndsNotRecorded",
        props.recordInstanceEnds.metricErrors({ period, statistic: Stats.SUM }),
        "The end of an EC2 instance could not be recorded. Lambda tries again twice. If a record is missing, the runner is collected after orphanAfterSeconds, with an unknown cause.",
      );
    }
    const has = { github: props.settings.github, githubRunners: undefined, endedInstances: props.recordInstanceEnds };
    for (const [name, { metric, needs, description }] of Object.entries(RUN_ALARMS)) {
      if (!RUN_METRICS[metric].ofAllFlavors || (needs && !has[needs])) continue;
      const options = { period, statistic: Stats.SUM };
      this.watch(name, runMetric(props.metricsNamespace, metric, "", options), description);
    }
  }

  private watchFlavor(flavor: string, { settings, metricsNamespace, recordInstanceEnds }: AlarmsProps): void {
    const { noRunAlarmAfterIntervals, deferredAlarmAfterRuns } = settings;
    const { everyMinutes = 1, githubRunners } = settings.flavors[flavor] ?? {};
    const period = Duration.minutes(everyMinutes);
    this.watch(
      `NoRun-${flavor}`,
      runMetric(metricsNamespace, "RunDuration", flavor, { period, statistic: Stats.SAMPLE_COUNT }),
      `No run of flavor ${flavor} was completed in ${noRunAlarmAfterIntervals} intervals. Goes to ALARM once after the first deployment, until the first run.`,
      {
        comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
        evaluationPeriods: noRunAlarmAfterIntervals,
        treatMissingData: TreatMissingData.BREACHING,
      },
    );
    const statistics = {
      once: { period, statistic: Stats.SUM },
      // The smallest value of some runs in a row. Periods of one interval are less reliable: if runs come some seconds
      // early or late, one period has two and the next has none.
      inARow: { period: Duration.minutes(deferredAlarmAfterRuns * everyMinutes), statistic: Stats.MINIMUM },
    };
    const has = { github: settings.github, githubRunners, endedInstances: recordInstanceEnds };
    for (const [name, { metric, after, needs, description }] of Object.entries(RUN_ALARMS)) {
      if (RUN_METRICS[metric].ofAllFlavors || (needs && !has[needs])) continue;
      const text = description
        .replace("FLAVOR", flavor)
        .replace("RUNS", String(deferredAlarmAfterRuns))
        .replace("OWNER", githubRunners ?? "");
      this.watch(`${name}-${flavor}`, runMetric(metricsNamespace, metric, flavor, statistics[after]), text);
    }
    const ofFlavor = settings.flavors[flavor];
    for (const alarm of ofFlavor ? alarmsWithLimits({ flavor, settings: ofFlavor, metricsNamespace }) : []) {
      this.watch(`${alarm.name}-${flavor}`, alarm.metric, alarm.description, { threshold: alarm.threshold });
    }
  }

  /** An alarm at the first one, unless the options say otherwise. */
  private watch(id: string, metric: IMetric, description: string, options: Partial<AlarmProps> = {}): void {
    const [name = id] = id.split("-");
    const alarm = new Alarm(this, id, {
      metric,
      alarmDescription: `${description} ${runbookReference(name)}`,
      threshold: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      evaluationPeriods: 1,
      treatMissingData: TreatMissingData.NOT_BREACHING,
      ...options,
    });
    this.alarms.push(alarm);
  }
}
