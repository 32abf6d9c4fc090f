import { Duration } from "aws-cdk-lib";
import { type IMetric, MathExpression, Stats } from "aws-cdk-lib/aws-cloudwatch";
import { liveMetric, oldestMetric, outcomeMetric } from "../../contract/run-metrics.ts";
import { LIVE_STATES } from "../../contract/runner-files.ts";
import { type JobMetricName, jobMetric, runMetric } from "../metrics.ts";
import { LOST_RATE_RUNNERS_MIN, type Settings } from "../settings.ts";

export interface AlarmsWithLimitsProps {
  readonly flavor: string;
  readonly settings: Settings["flavors"][string];
  readonly metricsNamespace: string;
}

/** An alarm that goes to ALARM when the metric is at its threshold. */
export interface AlarmWithLimit {
  readonly name: string;
  readonly metric: IMetric;
  readonly threshold: number;
  readonly description: string;
}

type Limits = NonNullable<Settings["flavors"][string]["alarms"]>;

interface AlarmLimit {
  /** The setting that switches the alarm on. */
  readonly setting: keyof Limits;
  /** What happened. `FLAVOR` and `LIMIT` are replaced. */
  readonly description: string;
  metric(props: AlarmsWithLimitsProps, limit: number): IMetric;
  /** The value of the metric at which the alarm goes to ALARM. */
  threshold(limit: number): number;
}

/**
 * The alarms whose limits only the users of a flavor know, by name. None needs a metric that may never have been written: CloudWatch's
 * FILL has no effect on those. https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
 */
export const ALARM_LIMITS: Readonly<Record<string, AlarmLimit>> = {
  QueueTime: {
    setting: "queueSeconds",
    description:
      "Jobs wait too long for runners of flavor FLAVOR: the 95th percentile of the queue time in 30 minutes was LIMIT s or more. The dashboard shows whether slow installation or too few runners are the cause.",
    metric: (props) => ofJobs(props, "QueueDuration", Duration.minutes(30), Stats.percentile(95)),
    threshold: (limit) => limit,
  },
  LostRunners: {
    setting: "lostPercent",
    description:
      "Runners of flavor FLAVOR die during jobs: of those extracted in 6 hours, LIMIT per cent or more were lost. The log of events says which (RunnerLost).",
    metric: lostRate,
    threshold: (limit) => limit,
  },
  FailedInstallations: {
    setting: "failedInstallations",
    description:
      "Installations of runners of flavor FLAVOR failed: LIMIT or more were found in an hour. The log of events says which (RunnerInstallFailed).",
    metric: (props) => ofJobs(props, "FailedInstallations", Duration.hours(1), Stats.SUM),
    threshold: (limit) => limit,
  },
  NothingExtracted: {
    setting: "nothingExtractedHours",
    description:
      "Runners of flavor FLAVOR were there for LIMIT hours, and none was extracted: their jobs do not end, or the hook for completed jobs does not upload.",
    metric: (props, limit) => nothingExtracted(props, Duration.hours(limit)),
    threshold: () => 1,
  },
  BusyTooLong: {
    setting: "busyHours",
    description: "A runner of flavor FLAVOR has been busy for LIMIT hours: its job hangs, or the runner died.",
    metric: ({ flavor, settings, metricsNamespace }) =>
      runMetric(metricsNamespace, oldestMetric("busy"), flavor, {
        period: Duration.minutes(settings.everyMinutes),
        statistic: Stats.MAXIMUM,
      }),
    threshold: (limit) => limit * 3_600,
  },
};

/** The alarms that the settings of a flavor switch on. */
export function alarmsWithLimits(props: AlarmsWithLimitsProps): AlarmWithLimit[] {
  return Object.entries(ALARM_LIMITS).flatMap(([name, { setting, description, metric, threshold }]) => {
    const limit = props.settings.alarms?.[setting];
    if (limit === undefined) return [];
    const text = description.replace("FLAVOR", props.flavor).replace("LIMIT", String(limit));
    return [{ name, metric: metric(props, limit), threshold: threshold(limit), description: text }];
  });
}

/** Lost runners in per cent of all that were extracted. */
function lostRate(props: AlarmsWithLimitsProps): MathExpression {
  const period = Duration.hours(6);
  return new MathExpression({
    expression: `IF(extracted < ${LOST_RATE_RUNNERS_MIN}, 0, 100 * lost / extracted)`,
    usingMetrics: { lost: ofJobs(props, "LostRunners", period, Stats.SUM), extracted: extracted(props, period) },
    period,
    label: `lost runners of flavor ${props.flavor} in per cent`,
  });
}

/** 1 if on average at least one runner was there, and none was extracted. */
function nothingExtracted(props: AlarmsWithLimitsProps, period: Duration): MathExpression {
  const live = LIVE_STATES.map((state) => {
    const options = { period, statistic: Stats.AVERAGE };
    return [state, runMetric(props.metricsNamespace, liveMetric(state), props.flavor, options)] as const;
  });
  return new MathExpression({
    expression: `IF(${LIVE_STATES.join(" + ")} >= 1 AND extracted < 1, 1, 0)`,
    usingMetrics: { ...Object.fromEntries(live), extracted: extracted(props, period) },
    period,
    label: `runners of flavor ${props.flavor} are there, and none is extracted`,
  });
}

function ofJobs(
  { flavor, metricsNamespace }: AlarmsWithLimitsProps,
  name: JobMetricName,
  period: Duration,
  statistic: string,
): IMetric {
  return jobMetric(metricsNamespace, name, { flavor }, { period, statistic });
}

function extracted({ flavor, metricsNamespace }: AlarmsWithLimitsProps, period: Duration): IMetric {
  return runMetric(metricsNamespace, outcomeMetric("extracted"), flavor, { period, statistic: Stats.SUM });
}
