import { MetricUnit } from "@aws-lambda-powertools/metrics";
import { DEFERRAL_REASONS } from "../extract.ts";
import { type DetailType, EVENT_SCHEMAS } from "../metrics/events.ts";
import { QUARANTINE_REASONS } from "../metrics/files.ts";
import {
  JOB_METRICS_UNKNOWN,
  type JobMetricsUnknown,
  VERIFICATIONS,
  type Verification,
} from "../metrics/github-job.ts";
import { accessDenied, brokenLaws, OUTCOMES, type Summary } from "../summary.ts";

/** The CloudWatch namespace of everything here. */
export const METRICS_NAMESPACE = "RunnerMetrics";

/** The only dimensions: `service` is this constant, `flavor` the operator's. A runner's text never makes a metric series. */
export const METRICS_SERVICE = "extract-metrics";

/** Metrics that alarms and dashboards name. */
export const RUN_DURATION = "RunDuration";
export const STOPPED_AT_DEADLINE = "StoppedAtDeadline";
export const ACCESS_DENIED = "AccessDenied";
export const ACCOUNTING_LAW_BROKEN = "AccountingLawBroken";
export const STRAY_OBJECTS = "StrayObjects";
export const OBJECTS_NOT_DELETED = "ObjectsNotDeleted";

export const GITHUB_REQUESTS = "GithubRequests";
export const GITHUB_RATE_LIMITED = "GithubRateLimited";
export const GITHUB_RATE_LIMIT_REMAINING = "GithubRateLimitRemaining";
export const GITHUB_RUNNERS_UNKNOWN = "GithubRunnersUnknown";

export const outcomeMetric = (outcome: (typeof OUTCOMES)[number]) => `Runners.${outcome}` as const;
export const quarantineMetric = (reason: (typeof QUARANTINE_REASONS)[number]) => `Quarantined.${reason}` as const;
export const deferralMetric = (reason: (typeof DEFERRAL_REASONS)[number]) => `Deferred.${reason}` as const;
export const eventMetric = (type: DetailType, result: "accepted" | "failed") => `Events.${type}.${result}` as const;

export const verificationMetric = (verification: Verification) => `Verification.${verification}` as const;
export const jobMetricsUnknownMetric = (reason: JobMetricsUnknown) => `JobMetricsUnknown.${reason}` as const;

export type MetricName =
  | typeof RUN_DURATION
  | typeof STOPPED_AT_DEADLINE
  | typeof ACCESS_DENIED
  | typeof ACCOUNTING_LAW_BROKEN
  | typeof STRAY_OBJECTS
  | typeof OBJECTS_NOT_DELETED
  | typeof GITHUB_REQUESTS
  | typeof GITHUB_RATE_LIMITED
  | typeof GITHUB_RATE_LIMIT_REMAINING
  | typeof GITHUB_RUNNERS_UNKNOWN
  | ReturnType<typeof outcomeMetric | typeof quarantineMetric | typeof deferralMetric | typeof eventMetric>
  | ReturnType<typeof verificationMetric | typeof jobMetricsUnknownMetric>;

export interface Metric {
  readonly name: MetricName;
  readonly unit: (typeof MetricUnit)[keyof typeof MetricUnit];
  readonly value: number;
}

/** What alarms look for in every run of several in a row: written also where it is zero, for else there is no telling. */
const ALWAYS: readonly MetricName[] = [
  STOPPED_AT_DEADLINE,
  OBJECTS_NOT_DELETED,
  GITHUB_RUNNERS_UNKNOWN,
  outcomeMetric("deferred"),
];

/**
 * The metrics of one run. The duration is always there, so that its absence tells of a run that was not, and so is what GitHub
 * said of its limit, and what `ALWAYS` names; of the other counts only those that are not zero, since CloudWatch charges for each
 * series that is written to.
 */
export function metricsOf(summary: Summary, durationMilliseconds: number): Metric[] {
  const counts: [MetricName, number][] = [
    [STOPPED_AT_DEADLINE, summary.stopped === "deadline" ? 1 : 0],
    ...OUTCOMES.map((outcome): [MetricName, number] => [outcomeMetric(outcome), summary[outcome]]),
    ...QUARANTINE_REASONS.map((reason): [MetricName, number] => [
      quarantineMetric(reason),
      summary.quarantineReasons[reason],
    ]),
    ...DEFERRAL_REASONS.map((reason): [MetricName, number] => [
      deferralMetric(reason),
      summary.deferralReasons[reason],
    ]),
    ...(Object.keys(EVENT_SCHEMAS) as DetailType[]).flatMap((type): [MetricName, number][] => [
      [eventMetric(type, "accepted"), summary.events[type].accepted],
      [eventMetric(type, "failed"), summary.events[type].failed],
    ]),
    ...githubCounts(summary),
    [STRAY_OBJECTS, summary.strays],
    [OBJECTS_NOT_DELETED, summary.objects.denied + summary.objects.failed],
    [ACCESS_DENIED, accessDenied(summary)],
    [ACCOUNTING_LAW_BROKEN, brokenLaws(summary).length],
  ];
  const remaining = summary.github?.rateLimit?.remaining;
  return [
    { name: RUN_DURATION, unit: MetricUnit.Milliseconds, value: durationMilliseconds },
    ...(remaining === undefined
      ? []
      : [{ name: GITHUB_RATE_LIMIT_REMAINING, unit: MetricUnit.Count, value: remaining } as const]),
    ...counts
      .filter(([name, value]) => value > 0 || ALWAYS.includes(name))
      .map(([name, value]) => ({ name, unit: MetricUnit.Count, value })),
  ];
}

/** Where GitHub is not asked, it has no series. */
function githubCounts({ github, verifications, jobMetricsUnknown, runnersUnknown }: Summary): [MetricName, number][] {
  if (!github) return [];
  return [
    ...VERIFICATIONS.map((verification): [MetricName, number] => [
      verificationMetric(verification),
      verifications[verification],
    ]),
    ...JOB_METRICS_UNKNOWN.map((reason): [MetricName, number] => [
      jobMetricsUnknownMetric(reason),
      jobMetricsUnknown[reason],
    ]),
    [GITHUB_REQUESTS, github.requests],
    [GITHUB_RATE_LIMITED, github.rateLimited],
    [GITHUB_RUNNERS_UNKNOWN, runnersUnknown ? 1 : 0],
  ];
}
