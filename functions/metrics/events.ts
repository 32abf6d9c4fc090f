/**
 * The events: the public contract. What a consumer receives as `detail`, with the reference's names and values
 * (github-runner-manager, `metrics.events`), and what this project adds. docs/events.md and JSON Schema are generated from these
 * schemas.
 */
import { createHash } from "node:crypto";
import * as z from "zod";
import { QUARANTINE_REASONS } from "./files.ts";
import { JOB_METRICS_UNKNOWN, VERIFICATIONS } from "./github-job.ts";
import { codeInformation, postJobStatus } from "./runner-metrics.ts";

/** `Source` of every event. A constant, never input. */
export const EVENT_SOURCE = "runner-metrics";

/** Raised when a field is removed or changes its meaning; new optional fields don't raise it. */
export const SCHEMA_VERSION = 1 as const;

const DURATION_FIELDS = [
  "duration",
  "idle",
  "queue_duration",
  "job_duration",
  "installation_age",
  "installed_age",
  "job_age",
] as const;
export type DurationField = (typeof DURATION_FIELDS)[number];

const seconds = z.number().nonnegative();

const common = {
  timestamp: seconds.describe("When it happened by the runner's clock, in UNIX seconds"),
  flavor: z.string().describe("Flavor of the runner"),
  runner_name: z.string().describe("Name of the runner"),
  event_id: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .describe("The same for the same files, in every run: dedupe on it"),
  schema_version: z.literal(SCHEMA_VERSION).describe("Version of this contract"),
  clamped: z
    .array(z.enum(DURATION_FIELDS))
    .min(1)
    .optional()
    .describe("Durations that came out negative (clocks differ) and were set to 0; absent if none"),
};

const job = {
  workflow: z.string().describe("Name of the workflow. The job's author chose it: untrusted text"),
  workflow_run_id: z.string().describe("Id of the workflow run, decimal digits"),
  repo: z.string().describe("Repository, owner/name, as the runner claims"),
  github_event: z.string().describe("Event that triggered the workflow. Untrusted text"),
  verification: z
    .enum(VERIFICATIONS)
    .optional()
    .describe(
      "Whether this runner did a job of this run in this repository: `verified` (GitHub says so), `mismatch` (GitHub says otherwise), `unverified` (GitHub was not asked or gave no answer). Absent only on events from before this field",
    ),
};

const jobMetricsUnknown = z
  .enum(JOB_METRICS_UNKNOWN)
  .optional()
  .describe("Why what only GitHub knows is absent; absent if it is there");

const conclusion = z.string().optional().describe("GitHub's conclusion of the job; absent if unknown");

export const runnerInstalled = z
  .object({
    event: z.literal("runner_installed"),
    ...common,
    duration: seconds.describe("Installation time in seconds: installed - installation start"),
  })
  .describe("A runner has been installed. Issued where the start of the installation is known");

export const runnerStart = z
  .object({
    event: z.literal("runner_start"),
    ...common,
    ...job,
    idle: seconds.describe("Idle time in seconds: job start - installed"),
    queue_duration: seconds
      .optional()
      .describe("How long the job was queued, in seconds, as GitHub says; absent if unknown"),
    job_metrics_unknown: jobMetricsUnknown,
  })
  .describe("A runner has started a job");

export const runnerStop = z
  .object({
    event: z.literal("runner_stop"),
    ...common,
    ...job,
    status: postJobStatus.describe("How the job ended for the runner"),
    status_info: codeInformation.optional().describe("Exit code, or status of the policy check; absent if unknown"),
    job_duration: seconds.describe("Job time in seconds: job end - job start"),
    job_conclusion: conclusion,
    job_metrics_unknown: jobMetricsUnknown,
  })
  .describe("A runner has finished its job");

const found = {
  ...common,
  timestamp: seconds.describe("When it was found, in UNIX seconds"),
  installation_age: seconds.optional().describe("Seconds since the installation began; absent if that is unknown"),
};

export const runnerLost = z
  .object({
    event: z.literal("runner_lost"),
    ...found,
    ...job,
    installed_age: seconds.describe("Seconds since the runner was installed"),
    job_age: seconds.describe("Seconds since the job began"),
    job_conclusion: conclusion,
    job_metrics_unknown: jobMetricsUnknown,
  })
  .describe("A runner has started a job, has not ended it, and is taken for dead");

export const runnerInstallFailed = z
  .object({
    event: z.literal("runner_install_failed"),
    ...found,
    installation_age: seconds.describe("Seconds since the installation began"),
  })
  .describe("A runner's installation has begun, has not ended, and is taken to have failed");

export const runnerNeverUsed = z
  .object({
    event: z.literal("runner_never_used"),
    ...found,
    installed_age: seconds.describe("Seconds since the runner was installed"),
  })
  .describe("A runner was installed, has had no job, and is taken for dead");

export const metricsQuarantined = z
  .object({
    event: z.literal("metrics_quarantined"),
    ...common,
    timestamp: seconds.describe("When it was quarantined, in UNIX seconds"),
    reason: z.enum(QUARANTINE_REASONS).describe("What was wrong"),
    quarantine_prefix: z.string().describe("Where the objects and `manifest.json` are, in the same bucket"),
    objects: z.int().nonnegative().describe("How many objects were quarantined"),
    bytes: z.int().nonnegative().describe("Their size in bytes"),
  })
  .describe("Files of a runner were not to be trusted and have been moved to quarantine");

/** DetailType -> schema of the detail. */
export const EVENT_SCHEMAS = {
  RunnerInstalled: runnerInstalled,
  RunnerStart: runnerStart,
  RunnerStop: runnerStop,
  RunnerLost: runnerLost,
  RunnerInstallFailed: runnerInstallFailed,
  RunnerNeverUsed: runnerNeverUsed,
  MetricsQuarantined: metricsQuarantined,
} as const;

export type DetailType = keyof typeof EVENT_SCHEMAS;

/** An event before it is wrapped for EventBridge: one member for each DetailType. */
export type MetricsEvent = {
  [Type in DetailType]: { readonly detailType: Type; readonly detail: z.infer<(typeof EVENT_SCHEMAS)[Type]> };
}[DetailType];

/**
 * First 32 hex digits of SHA-256 over flavor, storage, kind of event, and the content that the event is made from. Each part
 * is preceded by its length, so that no two lists of parts hash alike.
 */
export function eventId(
  flavor: string,
  storage: string,
  event: MetricsEvent["detail"]["event"],
  content: readonly Uint8Array[],
): string {
  const hash = createHash("sha256");
  for (const part of [flavor, storage, event, ...content]) {
    hash.update(`${Buffer.byteLength(part)}:`).update(part);
  }
  return hash.digest("hex").slice(0, 32);
}
