/** The metrics of CloudWatch that alarms, dashboard and other stacks use: those of the runs, and those of the jobs. */
import { Duration } from "aws-cdk-lib";
import { Metric, type MetricOptions } from "aws-cdk-lib/aws-cloudwatch";
import type { z } from "zod";
import { type DetailType, EVENT_SCHEMAS } from "../contract/events.ts";
import { METRICS_SERVICE, type MetricName, RUN_METRICS } from "../contract/run-metrics.ts";

type Field<Type extends DetailType> = Extract<keyof z.infer<(typeof EVENT_SCHEMAS)[Type]>, string>;

/** A metric that CloudWatch makes of the events in the event log. */
export interface JobMetric {
  /** Value of the field `event` of the events that count. */
  readonly event: string;
  /** Field of the detail that is the value; without it, every event counts 1. */
  readonly field?: string;
  /** Field that is the second dimension, after `flavor`. Its values are a closed list, or GitHub's; never a runner's text. */
  readonly dimension?: "status" | "job_conclusion" | "cause";
}

/** The metrics of the jobs by name. Dimensions are `flavor` (the operator's) and at most one more. Durations are in seconds. */
export const JOB_METRICS = {
  InstallDuration: madeOf("RunnerInstalled", { field: "duration" }),
  IdleDuration: madeOf("RunnerStart", { field: "idle" }),
  QueueDuration: madeOf("RunnerStart", { field: "queue_duration" }),
  JobDuration: madeOf("RunnerStop", { field: "job_duration" }),
  JobsByStatus: madeOf("RunnerStop", { dimension: "status" }),
  JobsByConclusion: madeOf("RunnerStop", { dimension: "job_conclusion" }),
  LostRunners: madeOf("RunnerLost"),
  FailedInstallations: madeOf("RunnerInstallFailed"),
  UnusedRunners: madeOf("RunnerNeverUsed"),
  LostRunnersByCause: madeOf("RunnerLost", { dimension: "cause" }),
  FailedInstallationsByCause: madeOf("RunnerInstallFailed", { dimension: "cause" }),
  UnusedRunnersByCause: madeOf("RunnerNeverUsed", { dimension: "cause" }),
} as const satisfies Readonly<Record<string, JobMetric>>;

export type JobMetricName = keyof typeof JOB_METRICS;

const PERIOD = Duration.minutes(5);

/** A metric that the function writes for each run: the name is from its own catalogue. `flavor` does not matter for a metric of all flavors. */
export function runMetric(namespace: string, metricName: MetricName, flavor: string, options: MetricOptions): Metric {
  const dimensionsMap = { service: METRICS_SERVICE, ...(!RUN_METRICS[metricName].ofAllFlavors && { flavor }) };
  return new Metric({ namespace, metricName, dimensionsMap, period: PERIOD, ...options });
}

/** A metric of the jobs. `dimensionsMap` has the flavor, and the metric's own dimension if it has one. */
export function jobMetric(
  namespace: string,
  metricName: JobMetricName,
  dimensionsMap: Record<string, string>,
  options: MetricOptions,
): Metric {
  return new Metric({ namespace, metricName, dimensionsMap, period: PERIOD, ...options });
}

function madeOf<Type extends DetailType>(
  detailType: Type,
  value: { readonly field?: Field<Type> } | { readonly dimension: Field<Type> & JobMetric["dimension"] } = {},
): JobMetric {
  return { event: EVENT_SCHEMAS[detailType].shape.event.value, ...value };
}
