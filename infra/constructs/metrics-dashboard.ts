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
import type { ILogGroup } from "aws-cdk-lib/aws-logs";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { EVENT_SCHEMAS } from "../../contract/events.ts";
import { GITHUB_REASONS, namesOf, QUARANTINE_REASONS, VERIFICATIONS } from "../../contract/reasons.ts";
import {
  githubReasonMetric,
  type MetricName,
  outcomeMetric,
  quarantineMetric,
  verificationMetric,
} from "../../contract/run-metrics.ts";
import { postJobStatus } from "../../contract/runner-files.ts";
import { JOB_METRICS, type JobMetricName, jobMetric, runMetric } from "../metrics.ts";

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
  readonly eventLog: ILogGroup;
  readonly alarms: readonly Alarm[];
}

/** Width of CloudWatch's grid. */
const COLUMNS = 24;
const HALF = { width: 12, height: 6 };
const THIRD = { width: 8, height: 6 };
const QUARTER = { width: 6, height: 6 };

/** CloudWatch's limit: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html */
const ALARMS_PER_WIDGET_MAX = 100;

const STOP = EVENT_SCHEMAS.RunnerStop.shape.event.value;
const QUARANTINED = EVENT_SCHEMAS.MetricsQuarantined.shape.event.value;

/** Is it working? How long do jobs wait, and why? How long do they run, and how do they end? What was quarantined? */
export class MetricsDashboard extends Construct {
  readonly name: string;
  private readonly props: MetricsDashboardProps;

  constructor(scope: Construct, id: string, props: MetricsDashboardProps) {
    super(scope, id);
    this.props = props;
    const sections = [
      ...section(
        "Is it working?",
        "Every interval has a run, every run comes to its end, and nothing is left over.",
        this.working(),
      ),
      ...section(
        "How long do jobs wait, and why?",
        "A job's queue time is provisioning + installation + pick-up. Where queue time grows and installation does not, there are too few runners. Idle time is what ready runners cost while they wait for a job.",
        this.waiting(),
      ),
      ...section(
        "How long do they run, and how do they end?",
        "Durations are seconds by the runner's clock.",
        this.running(),
      ),
      ...section(
        "Who uses the runners?",
        "By minutes of jobs. Names are the runners' claims: untrusted text.",
        this.users(),
      ),
      ...section(
        "What was quarantined?",
        "The files are in the bucket under `quarantine/`, with a manifest each.",
        this.quarantined(),
      ),
    ];
    const ofGithub = section(
      "What does GitHub say?",
      "Whether runners did the jobs that they claim, why an answer is missing, and what asking costs of GitHub's limit.",
      this.askedOfGithub(),
    );
    const dashboard = new Dashboard(this, "Dashboard", { widgets: [...sections, ...(props.github ? ofGithub : [])] });
    this.name = dashboard.dashboardName;
  }

  private working(): IWidget[] {
    const { alarms, function: collector, deadLetterQueue } = this.props;
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
    ];
  }

  private waiting(): IWidget[] {
    return [
      this.durations("Queue time (s)", "QueueDuration"),
      this.durations("Installation (s)", "InstallDuration"),
      this.durations("Idle time of runners (s)", "IdleDuration"),
    ];
  }

  private running(): IWidget[] {
    const statuses = this.props.flavors.flatMap((flavor) =>
      postJobStatus.options.map((status) => {
        const options = { statistic: Stats.SUM, label: `${flavor} ${status}` };
        return jobMetric(this.props.metricsNamespace, "JobsByStatus", { flavor, status }, options);
      }),
    );
    return [
      this.durations("Job time (s)", "JobDuration"),
      graph("Jobs by status of the runner", THIRD, statuses, { stacked: true }),
      graph("Jobs by GitHub's conclusion", THIRD, [this.everySeries("JobsByConclusion")], { stacked: true }),
    ];
  }

  private users(): IWidget[] {
    const top = (title: string, field: string, name: string) =>
      this.table(title, [
        `filter detail.event = "${STOP}"`,
        `stats count_distinct(detail.event_id) as jobs, sum(detail.job_duration) / 60 as minutes by ${field} as ${name}`,
        "sort minutes desc",
        "limit 20",
      ]);
    return [
      top("Top repositories", "detail.repo", "repository"),
      top("Top workflows", 'concat(detail.repo, " ", detail.workflow)', "workflow"),
    ];
  }

  private quarantined(): IWidget[] {
    const reasons = this.sums(namesOf(QUARANTINE_REASONS), quarantineMetric);
    return [
      graph("Quarantined by reason", HALF, reasons, { stacked: true }),
      this.table("Latest in quarantine", [
        `filter detail.event = "${QUARANTINED}"`,
        "fields @timestamp, detail.flavor, detail.runner_name, detail.reason, detail.objects, detail.quarantine_prefix",
        "sort @timestamp desc",
        "limit 20",
      ]),
    ];
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

  private durations(title: string, name: JobMetricName): GraphWidget {
    const metrics = this.props.flavors.flatMap((flavor) =>
      [50, 90].map((percentile) => {
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

  private table(title: string, queryLines: string[]): LogQueryWidget {
    const { logGroupName } = this.props.eventLog;
    const view = LogQueryVisualizationType.TABLE;
    return new LogQueryWidget({ title, ...HALF, view, logGroupNames: [logGroupName], queryLines });
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
