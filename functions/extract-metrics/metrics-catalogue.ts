import { MetricUnit } from "@aws-lambda-powertools/metrics";
import { DEFERRAL_REASONS } from "../extract.ts";
import { type DetailType, EVENT_SCHEMAS } from "../metrics/events.ts";
import { QUARANTINE_REASONS } from "../metrics/files.ts";
import { accessDenied, isBalanced, OUTCOMES, type Summary } from "../summary.ts";

/** The CloudWatch namespace of everything here. */
export const METRICS_NAMESPACE = "RunnerMetrics";

/** The only dimensions: `service` is this constant, `flavor` the operator's. A runner's text never makes a metric series. */
export const METRICS_SERVICE = "extract-metrics";

/** Metrics that alarms and dashboards name. */
export const RUN_DURATION = "RunDuration";
export const ACCESS_DENIED = "AccessDenied";
export const ACCOUNTING_LAW_BROKEN = "AccountingLawBroken";
export const STRAY_OBJECTS = "StrayObjects";
export const OBJECTS_NOT_DELETED = "ObjectsNotDeleted";

export const outcomeMetric = (outcome: (typeof OUTCOMES)[number]) => `Runners.${outcome}` as const;
export const quarantineMetric = (reason: (typeof QUARANTINE_REASONS)[number]) => `Quarantined.${reason}` as const;
export const deferralMetric = (reason: (typeof DEFERRAL_REASONS)[number]) => `Deferred.${reason}` as const;
export const eventMetric = (type: DetailType, result: "accepted" | "failed") => `Events.${type}.${result}` as const;

export type MetricName =
  | typeof RUN_DURATION
  | typeof ACCESS_DENIED
  | typeof ACCOUNTING_LAW_BROKEN
  | typeof STRAY_OBJECTS
  | typeof OBJECTS_NOT_DELETED
  | ReturnType<typeof outcomeMetric | typeof quarantineMetric | typeof deferralMetric | typeof eventMetric>;

export interface Metric {
  readonly name: MetricName;
  readonly unit: (typeof MetricUnit)[keyof typeof MetricUnit];
  readonly value: number;
}

/**
 * The metrics of one run. The duration is always there, so that its absence tells of a run that was not; of the counts only
 * those that are not zero, since CloudWatch charges for each series that is written to.
 */
export function metricsOf(summary: Summary, durationMilliseconds: number): Metric[] {
  const counts: [MetricName, number][] = [
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
    [STRAY_OBJECTS, summary.strays],
    [OBJECTS_NOT_DELETED, summary.objects.denied + summary.objects.failed],
    [ACCESS_DENIED, accessDenied(summary)],
    [ACCOUNTING_LAW_BROKEN, isBalanced(summary) ? 0 : 1],
  ];
  return [
    { name: RUN_DURATION, unit: MetricUnit.Milliseconds, value: durationMilliseconds },
    ...counts.filter(([, value]) => value > 0).map(([name, value]) => ({ name, unit: MetricUnit.Count, value })),
  ];
}
