import type { z } from "zod";
import { type DetailType, EVENT_SCHEMAS } from "../contract/events.ts";

type Detail<Type extends DetailType> = z.infer<(typeof EVENT_SCHEMAS)[Type]>;
type Field<Type extends DetailType> = Extract<keyof Detail<Type>, string>;

/** A metric that CloudWatch makes of the events in the event log. */
export interface JobMetric {
  /** Value of the field `event` of the events that count. */
  readonly event: string;
  /** Field of the detail that is the value; without it, every event counts 1. */
  readonly field?: string;
  /** Field that is the second dimension, after `flavor`. Its values are a closed list, or GitHub's; never a runner's text. */
  readonly dimension?: "status" | "job_conclusion";
}

/**
 * The metrics of the jobs themselves, by name. Dimensions are `flavor` (the operator's) and at most one more.
 * Durations are in seconds.
 */
export const JOB_METRICS = {
  InstallDuration: jobMetric("RunnerInstalled", { field: "duration" }),
  IdleDuration: jobMetric("RunnerStart", { field: "idle" }),
  QueueDuration: jobMetric("RunnerStart", { field: "queue_duration" }),
  JobDuration: jobMetric("RunnerStop", { field: "job_duration" }),
  JobsByStatus: jobMetric("RunnerStop", { dimension: "status" }),
  JobsByConclusion: jobMetric("RunnerStop", { dimension: "job_conclusion" }),
} as const satisfies Readonly<Record<string, JobMetric>>;

export type JobMetricName = keyof typeof JOB_METRICS;

function jobMetric<Type extends DetailType>(
  detailType: Type,
  value: { readonly field: Field<Type> } | { readonly dimension: Field<Type> & JobMetric["dimension"] },
): JobMetric {
  return { event: EVENT_SCHEMAS[detailType].shape.event.value, ...value };
}
