import {
  DEFERRAL_REASONS,
  GITHUB_REASONS,
  namesOf,
  OUTCOMES,
  QUARANTINE_REASONS,
  VERIFICATIONS,
} from "../../contract/reasons.ts";
import {
  deferralMetric,
  githubReasonMetric,
  liveMetric,
  type MetricName,
  oldestMetric,
  outcomeMetric,
  quarantineMetric,
  RUN_METRICS,
  verificationMetric,
} from "../../contract/run-metrics.ts";
import { LIVE_STATES } from "../../contract/runner-files.ts";
import { accessDenied, type Summary, violatedInvariants } from "../run/summary.ts";

/** A value of a metric. */
export interface MetricValue {
  readonly name: MetricName;
  readonly unit: "Count" | "Milliseconds" | "Seconds";
  readonly value: number;
}

/** The metrics of one run: those that are always written, and of the others those that are not 0. */
export function metricsOf(summary: Summary, durationMilliseconds: number): MetricValue[] {
  const values: [MetricName, number][] = [
    ["RunDuration", durationMilliseconds],
    ["DeadlineReached", summary.stopped === "deadline" ? 1 : 0],
    ["StrayObjects", summary.strays],
    ["ObjectsNotDeleted", summary.objects.denied + summary.objects.failed],
    ["LostThenStopped", summary.lostThenStopped],
    ["EndedInstancesUnknown", summary.endedUnknown ? 1 : 0],
    ["AccessDenied", accessDenied(summary)],
    ["InvariantViolated", violatedInvariants(summary).length],
    ...named(OUTCOMES, outcomeMetric, summary),
    ...named(QUARANTINE_REASONS, quarantineMetric, summary.quarantineReasons),
    ...named(DEFERRAL_REASONS, deferralMetric, summary.deferralReasons),
    ...LIVE_STATES.flatMap((state): [MetricName, number][] => [
      [liveMetric(state), summary.live[state].count],
      [oldestMetric(state), summary.live[state].oldestSeconds],
    ]),
    ...githubValues(summary),
  ];
  return values
    .filter(([name, value]) => value > 0 || RUN_METRICS[name].always)
    .map(([name, value]) => ({ name, unit: RUN_METRICS[name].unit, value }));
}

/**
 * The metrics of one worker: those that are not 0, of what it did with the storages of its message. Those that describe a flavor as a whole
 * are the scheduled runs' alone, and a 0 of a worker would hide what is wrong with those.
 */
export function metricsOfWorker(summary: Summary, durationMilliseconds: number): MetricValue[] {
  const values = metricsOf(summary, durationMilliseconds).filter(
    ({ name, value }) => value > 0 && !RUN_METRICS[name].ofWholeFlavor,
  );
  return [{ name: "WorkerDuration", unit: RUN_METRICS.WorkerDuration.unit, value: durationMilliseconds }, ...values];
}

/** A line of the log. */
export interface LogLine {
  readonly level: "info" | "error";
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** What a run or a worker logs at its end: its summary, and an error if it violated an invariant. */
export function logLines(summary: Summary, durationMilliseconds: number, of: "run" | "worker"): LogLine[] {
  const violated = violatedInvariants(summary);
  const message = "The run violated an invariant: this is a bug";
  return [
    { level: "info", message: of, details: { summary, durationMilliseconds } },
    ...(violated.length > 0
      ? [{ level: "error" as const, message, details: { violatedInvariants: violated, summary } }]
      : []),
  ];
}

/** Without GitHub, its metrics have no series. */
function githubValues({ github, verifications, jobMetricsUnknown, runnersUnknown }: Summary): [MetricName, number][] {
  if (!github) return [];
  return [
    ["GithubRequests", github.requests],
    ["GithubRateLimited", github.rateLimited],
    ["GithubRunnersUnknown", runnersUnknown ? 1 : 0],
    ...(github.rateLimit ? [["GithubRateLimitRemaining", github.rateLimit.remaining] as [MetricName, number]] : []),
    ...named(VERIFICATIONS, verificationMetric, verifications),
    ...named(GITHUB_REASONS, githubReasonMetric, jobMetricsUnknown),
  ];
}

function named<Name extends string>(
  list: Readonly<Record<Name, unknown>>,
  metricOf: (name: Name) => MetricName,
  counts: Readonly<Record<Name, number>>,
): [MetricName, number][] {
  return namesOf(list).map((name) => [metricOf(name), counts[name]]);
}
