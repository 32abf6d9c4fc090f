import {
  type Alarm,
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type IMetric,
  type IWidget,
  LogQueryVisualizationType,
  LogQueryWidget,
  MathExpression,
  Stats,
  TextWidget,
  TextWidgetBackground,
} from "aws-cdk-lib/aws-cloudwatch";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import { CfnQueryDefinition, type ILogGroup } from "aws-cdk-lib/aws-logs";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { GITHUB_REASONS, namesOf, QUARANTINE_REASONS, VERIFICATIONS } from "../../contract/reasons.ts";
import {
  githubReasonMetric,
  liveMetric,
  type MetricName,
  oldestMetric,
  outcomeMetric,
  quarantineMetric,
  verificationMetric,
} from "../../contract/run-metrics.ts";
import { postJobStatus } from "../../contract/runner-files.ts";
import { JOB_METRICS, type JobMetricName, jobMetric, runMetric } from "../metrics.ts";
import { QUERIES, type Query } from "../queries.ts";

interface Size {
  readonly width: number;
  readonly height: number;
}

export interface MetricsDashboardProps {
  readonly flavors: readonly string[];
  /** Whether GitHub is asked. */
  readonly github: boolean;
  readonly metricsNamespace: string;
  readonly function: IFunction;
  readonly deadLetterQueue: IQueue;
  /** By flavor; none without workers. */
  readonly workQueues: Readonly<Record<string, IQueue>>;
  readonly eventLog: ILogGroup;
  readonly alarms: readonly Alarm[];
  /** Whether the queries of the tables are saved in Logs Insights. */
  readonly savedQueries: boolean;
}

/** Width of CloudWatch's grid. */
const COLUMNS = 24;
const HALF = { width: 12, height: 6 };
const THIRD = { width: 8, height: 6 };
const QUARTER = { width: 6, height: 6 };

/** CloudWatch's limit: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html */
const ALARMS_PER_WIDGET_MAX = 100;

/** The questions of `runner-metrics report`, in its order. */
const QUESTIONS = [
  {
    title: "Can I trust these numbers?",
    text: "Every interval has a run, every run finishes, and nothing is left over. Quarantined files are in the bucket under `quarantine/`, each with a manifest. GitHub says whether runners did the jobs that they claim.",
    answer: "trust",
  },
  {
    title: "Do jobs start in time?",
    text: "Queue time is GitHub's: from the creation of a job to its start. Without GitHub it is unknown. Jobs that were cancelled while they waited have no runner and do not count.",
    answer: "starts",
  },
  {
    title: "What do they wait for?",
    text: "A job's queue time is provisioning + installation + pick-up. If queue time grows and installation does not, there are too few runners.",
    answer: "waits",
  },
  {
    title: "How long do they run, and how do they end?",
    text: "Durations are seconds by the runner's clock. Clamped durations do not count.",
    answer: "endings",
  },
  {
    title: "Do machines die?",
    text: "Lost: started a job and never reported its end. Failed installation: never installed. Unused: installed, and never had a job. The cause is that of the EC2 instance's end, with the setting `endedInstances`.",
    answer: "deaths",
  },
  {
    title: "What is wasted, and what does it cost?",
    text: "Idle time and installation are what runners cost while they do not work.",
    answer: "waste",
  },
  {
    title: "How many runners do I need?",
    text: "Busy runners as far as their uploads show, and the jobs that arrive in each hour.",
    answer: "demand",
  },
  {
    title: "Who uses them?",
    text: "By minutes of jobs. Names are the runners' claims: untrusted text.",
    answer: "users",
  },
] as const;

/** The questions that users have, in the order of the report, from the metrics and from the log of all events. */
export class MetricsDashboard extends Construct {
  readonly name: string;
  private readonly props: MetricsDashboardProps;

  constructor(scope: Construct, id: string, props: MetricsDashboardProps) {
    super(scope, id);
    this.props = props;
    const widgets = QUESTIONS.flatMap(({ title, text, answer }) => section(title, text, this[answer]()));
    const dashboard = new Dashboard(this, "Dashboard", { widgets });
    this.name = dashboard.dashboardName;
    if (props.savedQueries) this.saveQueries();
  }

  /** CloudWatch shows them under Logs Insights, in a folder with the name of the namespace. */
  private saveQueries(): void {
    const { metricsNamespace, eventLog } = this.props;
    for (const [id, { title, lines }] of Object.entries<Query>(QUERIES)) {
      new CfnQueryDefinition(this, `Query-${id}`, {
        name: `${metricsNamespace}/${title}`,
        queryString: lines.join("\n| "),
        logGroupNames: [eventLog.logGroupName],
      });
    }
  }

  private trust(): IWidget[] {
    const { github } = this.props;
    const reasons = this.sums(namesOf(QUARANTINE_REASONS), quarantineMetric);
    return [
      ...this.working(),
      graph("Quarantined by reason", HALF, reasons, { stacked: true }),
      this.table(QUERIES.quarantined),
      ...(github ? this.askedOfGithub() : []),
    ];
  }

  private working(): IWidget[] {
    const { alarms, function: collector, deadLetterQueue, workQueues } = this.props;
    const outcomes = ["extracted", "deferred", "quarantined"] as const;
    const groups = Array.from({ length: Math.ceil(alarms.length / ALARMS_PER_WIDGET_MAX) }, (_, index) =>
      alarms.slice(index * ALARMS_PER_WIDGET_MAX, (index + 1) * ALARMS_PER_WIDGET_MAX),
    );
    return [
      ...groups.map((group) => new AlarmStatusWidget({ title: "Alarms", alarms: group, ...QUARTER })),
      graph("Runs", QUARTER, [
        ...this.ofEach("RunDuration", Stats.SAMPLE_COUNT),
        collector.metricErrors({ statistic: Stats.SUM, label: "failed" }),
        deadLetterQueue.metricApproximateNumberOfMessagesVisible({ statistic: Stats.MAXIMUM, label: "dead letters" }),
      ]),
      graph("Runners by outcome", QUARTER, this.sums(outcomes, outcomeMetric)),
      graph("Duration of a run (ms)", QUARTER, this.ofEach("RunDuration", Stats.MAXIMUM)),
      ...(Object.keys(workQueues).length > 0 ? this.workers(Object.entries(workQueues)) : []),
    ];
  }

  private workers(queues: [flavor: string, queue: IQueue][]): IWidget[] {
    return [
      graph("Runners handed over to workers", THIRD, this.ofEach(outcomeMetric("handedOver"), Stats.SUM)),
      graph("Workers' runs", THIRD, this.ofEach("WorkerDuration", Stats.SAMPLE_COUNT)),
      graph(
        "Messages for workers",
        THIRD,
        queues.flatMap(([flavor, queue]) => [
          queue.metricApproximateNumberOfMessagesVisible({ statistic: Stats.MAXIMUM, label: `${flavor}: waiting` }),
          queue.metricApproximateNumberOfMessagesNotVisible({ statistic: Stats.MAXIMUM, label: `${flavor}: in work` }),
        ]),
      ),
    ];
  }

  private starts(): IWidget[] {
    if (!this.props.github) return [];
    return [
      this.durations("Queue time (s)", "QueueDuration", [50, 90, 95]),
      this.table(QUERIES.queueTime, THIRD),
      this.table(QUERIES.slowStarts, THIRD),
    ];
  }

  private waits(): IWidget[] {
    return [
      this.durations("Installation (s)", "InstallDuration"),
      this.durations("Idle time of runners (s)", "IdleDuration"),
      graph("Runners being installed", THIRD, this.ofEach(liveMetric("installing"), Stats.MAXIMUM)),
    ];
  }

  private endings(): IWidget[] {
    const statuses = this.props.flavors.flatMap((flavor) =>
      postJobStatus.options.map((status) => {
        const options = { statistic: Stats.SUM, label: `${flavor} ${status}` };
        return jobMetric(this.props.metricsNamespace, "JobsByStatus", { flavor, status }, options);
      }),
    );
    return [
      this.durations("Job time (s)", "JobDuration", [50, 90, 95]),
      graph("Jobs by status of the runner", THIRD, statuses, { stacked: true }),
      graph("Jobs by GitHub's conclusion", THIRD, [this.everySeries("JobsByConclusion")], { stacked: true }),
      this.table(QUERIES.endings),
    ];
  }

  private deaths(): IWidget[] {
    const { flavors, metricsNamespace } = this.props;
    const names = ["LostRunners", "FailedInstallations", "UnusedRunners"] as const;
    const metrics = flavors.flatMap((flavor) =>
      names.map((name) =>
        jobMetric(metricsNamespace, name, { flavor }, { statistic: Stats.SUM, label: `${flavor} ${name}` }),
      ),
    );
    const byCause = (["LostRunnersByCause", "FailedInstallationsByCause", "UnusedRunnersByCause"] as const).map(
      (name) => this.everySeries(name),
    );
    return [
      graph("Runners without an end", THIRD, metrics, { stacked: true }),
      graph("Runners without an end by cause", THIRD, byCause, { stacked: true }),
      graph("Lost, then stopped after all", THIRD, this.ofEach("LostThenStopped", Stats.SUM)),
      this.table(QUERIES.deathsByCause),
      this.table(QUERIES.lost),
    ];
  }

  private waste(): IWidget[] {
    return [
      this.table(QUERIES.usage),
      graph("Idle runners", HALF, this.ofEach(liveMetric("idle"), Stats.AVERAGE), { stacked: true }),
    ];
  }

  private demand(): IWidget[] {
    return [
      graph("Busy runners", THIRD, this.ofEach(liveMetric("busy"), Stats.MAXIMUM), { stacked: true }),
      graph("Age of the oldest running job (s)", THIRD, this.ofEach(oldestMetric("busy"), Stats.MAXIMUM)),
      this.table(QUERIES.arrivals, THIRD),
    ];
  }

  private users(): IWidget[] {
    return [this.table(QUERIES.repositories), this.table(QUERIES.workflows)];
  }

  private askedOfGithub(): IWidget[] {
    const ofAll = (name: MetricName, statistic: string, label: string) =>
      runMetric(this.props.metricsNamespace, name, "", { statistic, label });
    // Where GitHub is configured, it is never not.
    const reasons = namesOf(GITHUB_REASONS).filter((reason) => reason !== "not-configured");
    const missing = reasons.map((reason) => ofAll(githubReasonMetric(reason), Stats.SUM, reason));
    const claims = this.sums(namesOf(VERIFICATIONS), verificationMetric);
    return [
      graph("Claims of runners", QUARTER, claims, { stacked: true }),
      graph("Missing answers by reason", HALF, missing, { stacked: true }),
      graph("Calls, and what the limit leaves", QUARTER, [
        ofAll("GithubRequests", Stats.SUM, "calls"),
        ofAll("GithubRateLimited", Stats.SUM, "refused"),
        ofAll("GithubRateLimitRemaining", Stats.MINIMUM, "left"),
      ]),
      this.table(QUERIES.mismatches),
    ];
  }

  /** One metric, of each flavor. */
  private ofEach(name: MetricName, statistic: string): IMetric[] {
    const { flavors, metricsNamespace } = this.props;
    return flavors.map((flavor) => runMetric(metricsNamespace, name, flavor, { statistic, label: flavor }));
  }

  /** How often each of some things happened, in each flavor. */
  private sums<Name extends string>(names: readonly Name[], metricOf: (name: Name) => MetricName): IMetric[] {
    const { flavors, metricsNamespace } = this.props;
    return flavors.flatMap((flavor) =>
      names.map((name) => {
        const options = { statistic: Stats.SUM, label: `${flavor} ${name}` };
        return runMetric(metricsNamespace, metricOf(name), flavor, options);
      }),
    );
  }

  private durations(title: string, name: JobMetricName, percentiles = [50, 90]): GraphWidget {
    const metrics = this.props.flavors.flatMap((flavor) =>
      percentiles.map((percentile) => {
        const options = { statistic: Stats.percentile(percentile), label: `${flavor} p${percentile}` };
        return jobMetric(this.props.metricsNamespace, name, { flavor }, options);
      }),
    );
    return graph(title, THIRD, metrics);
  }

  /** All series of a metric that has a dimension of its own, whatever its values are. */
  private everySeries(name: JobMetricName): MathExpression {
    const { dimension }: { dimension?: string } = JOB_METRICS[name];
    const schema = `"${this.props.metricsNamespace}",flavor,${dimension}`;
    const expression = `SEARCH('{${schema}} MetricName="${name}"', 'Sum')`;
    return new MathExpression({ expression, usingMetrics: {}, label: "" });
  }

  private table({ title, lines }: Query, size = HALF): LogQueryWidget {
    const { logGroupName } = this.props.eventLog;
    const view = LogQueryVisualizationType.TABLE;
    return new LogQueryWidget({ title, ...size, view, logGroupNames: [logGroupName], queryLines: [...lines] });
  }
}

/** A heading, and a row of widgets below it. */
function section(title: string, text: string, widgets: IWidget[]): IWidget[][] {
  const markdown = `## ${title}\n${text}`;
  const background = TextWidgetBackground.TRANSPARENT;
  return [[new TextWidget({ markdown, width: COLUMNS, height: 2, background })], widgets];
}

function graph(title: string, size: Size, left: IMetric[], { stacked = false } = {}): GraphWidget {
  return new GraphWidget({ title, ...size, left, stacked, leftYAxis: { min: 0, showUnits: false } });
}
