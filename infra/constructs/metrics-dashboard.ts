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
  METRICS_NAMESPACE,
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

const STOP = EVENT_SCHEMAS.RunnerStop.shape.event.value;
const QUARANTINED = EVENT_SCHEMAS.MetricsQuarantined.shape.event.value;

/** Is it working? How long do jobs wait, and why? How long do they run, and how do they end? What was quarantined? */
export class MetricsDashboard extends Construct {
  readonly name: string;

  constructor(scope: Construct, id: string, props: MetricsDashboardProps) {
    super(scope, id);
    const dashboard = new Dashboard(this, "Dashboard", {
      widgets: [
        [heading("Is it working?", "Every interval has a run, every run comes to its end, and nothing is left over.")],
        working(props),
        [
          heading(
            "How long do jobs wait, and why?",
            "A job's queue time is provisioning + installation + pick-up. Where queue time grows and installation does not, there are too few runners. Idle time is what ready runners cost while they wait for a job.",
          ),
        ],
        waiting(props),
        [heading("How long do they run, and how do they end?", "Durations are seconds by the runner's clock.")],
        running(props),
        [heading("Who uses the runners?", "By minutes of jobs. Names are the runners' claims: untrusted text.")],
        users(props),
        [heading("What was quarantined?", "The files are in the bucket under `quarantine/`, with a manifest each.")],
        quarantined(props),
        ...(props.github
          ? [
              [
                heading(
                  "What does GitHub say?",
                  "Whether runners did the jobs that they claim, why an answer is missing, and what asking costs of GitHub's limit.",
                ),
              ],
              askedOfGithub(props),
            ]
          : []),
      ],
    });
    this.name = dashboard.dashboardName;
  }
}

function working({ flavors, alarms, function: run, deadLetterQueue }: MetricsDashboardProps): IWidget[] {
  const sum = { statistic: Stats.SUM };
  const outcomes = ["extracted", "deferred", "quarantined"] as const;
  return [
    new AlarmStatusWidget({ title: "Alarms", alarms: [...alarms], ...QUARTER }),
    graph("Runs", QUARTER, [
      ...flavors.map((flavor) => runMetric("RunDuration", flavor, { statistic: Stats.SAMPLE_COUNT, label: flavor })),
      run.metricErrors({ ...sum, label: "failed" }),
      deadLetterQueue.metricApproximateNumberOfMessagesVisible({ statistic: Stats.MAXIMUM, label: "dead letters" }),
    ]),
    graph(
      "Runners by outcome",
      QUARTER,
      flavors.flatMap((flavor) =>
        outcomes.map((outcome) => runMetric(outcomeMetric(outcome), flavor, { ...sum, label: `${flavor} ${outcome}` })),
      ),
    ),
    graph(
      "Duration of a run (ms)",
      QUARTER,
      flavors.map((flavor) => runMetric("RunDuration", flavor, { statistic: Stats.MAXIMUM, label: flavor })),
    ),
  ];
}

function waiting({ flavors }: MetricsDashboardProps): IWidget[] {
  return [
    durations("Queue time (s)", "QueueDuration", flavors),
    durations("Installation (s)", "InstallDuration", flavors),
    durations("Idle time of runners (s)", "IdleDuration", flavors),
  ];
}

function running({ flavors }: MetricsDashboardProps): IWidget[] {
  const statuses = flavors.flatMap((flavor) =>
    postJobStatus.options.map((status) =>
      jobMetric("JobsByStatus", { flavor, status }, { statistic: Stats.SUM, label: `${flavor} ${status}` }),
    ),
  );
  return [
    durations("Job time (s)", "JobDuration", flavors),
    graph("Jobs by status of the runner", THIRD, statuses, { stacked: true }),
    graph("Jobs by GitHub's conclusion", THIRD, [everySeries("JobsByConclusion")], { stacked: true }),
  ];
}

function users({ eventLog }: MetricsDashboardProps): IWidget[] {
  const top = (title: string, field: string, name: string) =>
    table(title, eventLog, [
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

function quarantined({ flavors, eventLog }: MetricsDashboardProps): IWidget[] {
  return [
    counts("Quarantined by reason", HALF, flavors, namesOf(QUARANTINE_REASONS), quarantineMetric),
    table("Latest in quarantine", eventLog, [
      `filter detail.event = "${QUARANTINED}"`,
      "fields @timestamp, detail.flavor, detail.runner_name, detail.reason, detail.objects, detail.quarantine_prefix",
      "sort @timestamp desc",
      "limit 20",
    ]),
  ];
}

function askedOfGithub({ flavors }: MetricsDashboardProps): IWidget[] {
  const sum = { statistic: Stats.SUM };
  // Where GitHub is configured, it is never not.
  const reasons = namesOf(GITHUB_REASONS).filter((reason) => reason !== "not-configured");
  return [
    counts("Claims of runners", QUARTER, flavors, namesOf(VERIFICATIONS), verificationMetric),
    counts("Missing answers by reason", HALF, flavors, reasons, githubReasonMetric),
    graph(
      "Calls, and what the limit leaves",
      QUARTER,
      flavors.flatMap((flavor) => [
        runMetric("GithubRequests", flavor, { ...sum, label: `${flavor} calls` }),
        runMetric("GithubRateLimited", flavor, { ...sum, label: `${flavor} refused` }),
        runMetric("GithubRateLimitRemaining", flavor, { statistic: Stats.MINIMUM, label: `${flavor} left` }),
      ]),
    ),
  ];
}

/** How often what happened, of some things that can: one upon the other. */
function counts<Name extends string>(
  title: string,
  size: Size,
  flavors: readonly string[],
  names: readonly Name[],
  metricOf: (name: Name) => MetricName,
): GraphWidget {
  const metrics = flavors.flatMap((flavor) =>
    names.map((name) => runMetric(metricOf(name), flavor, { statistic: Stats.SUM, label: `${flavor} ${name}` })),
  );
  return graph(title, size, metrics, { stacked: true });
}

function durations(title: string, name: JobMetricName, flavors: readonly string[]): GraphWidget {
  const percentiles = [50, 90];
  return graph(
    title,
    THIRD,
    flavors.flatMap((flavor) =>
      percentiles.map((percentile) =>
        jobMetric(name, { flavor }, { statistic: Stats.percentile(percentile), label: `${flavor} p${percentile}` }),
      ),
    ),
  );
}

/** All series of a metric that has a dimension of its own, whatever its values are. */
function everySeries(name: JobMetricName): MathExpression {
  const { dimension }: { dimension?: string } = JOB_METRICS[name];
  const schema = [METRICS_NAMESPACE, "flavor", dimension].join(",");
  return new MathExpression({
    expression: `SEARCH('{${schema}} MetricName="${name}"', 'Sum')`,
    usingMetrics: {},
    label: "",
  });
}

function heading(title: string, text: string): TextWidget {
  const markdown = `## ${title}\n${text}`;
  return new TextWidget({ markdown, width: COLUMNS, height: 2, background: TextWidgetBackground.TRANSPARENT });
}

function graph(title: string, size: Size, left: IMetric[], { stacked = false } = {}): GraphWidget {
  return new GraphWidget({ title, ...size, left, stacked, leftYAxis: { min: 0, showUnits: false } });
}

function table(title: string, logGroup: ILogGroup, queryLines: string[]): LogQueryWidget {
  const view = LogQueryVisualizationType.TABLE;
  return new LogQueryWidget({ title, ...HALF, view, logGroupNames: [logGroup.logGroupName], queryLines });
}
