/**
 * The events: the public contract. What a consumer receives as `detail`, with the reference's names and values
 * (github-runner-manager, `metrics.events`), and the fields that this project adds. The event reference and JSON Schema are generated
 * from these schemas.
 */
import { createHash } from "node:crypto";
import * as z from "zod";
import { CAUSES, GITHUB_REASONS, namesOf, QUARANTINE_REASONS, VERIFICATIONS } from "./reasons.ts";
import { codeInformation, postJobStatus } from "./runner-files.ts";

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

const implausibleSeconds = "absent if implausible";

const common = {
  timestamp: seconds.describe("When it happened by the runner's clock, in UNIX seconds"),
  flavor: z.string().describe("Flavor of the runner"),
  runner_name: z.string().describe("Name of the runner"),
  event_id: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .describe("The same for the same files, in every run: deduplicate on it"),
  schema_version: z.literal(SCHEMA_VERSION).describe("Version of this contract"),
  clamped: z
    .array(z.enum(DURATION_FIELDS))
    .min(1)
    .optional()
    .describe("Durations that came out negative (clocks differ) and were set to 0; absent if none"),
  implausible: z
    .array(z.enum(DURATION_FIELDS))
    .min(1)
    .optional()
    .describe("Durations of more than 400 days (a clock was wrong) that are left out; absent if none"),
};

const job = {
  workflow: z.string().describe("Name of the workflow. The job's author chose it: untrusted text"),
  workflow_run_id: z.string().describe("Id of the workflow run, decimal digits"),
  repo: z.string().describe("Repository, owner/name, as the runner claims"),
  github_event: z.string().describe("Event that triggered the workflow. Untrusted text"),
  job: z.string().optional().describe("Key of the job in the workflow file, as the runner claims. Untrusted text"),
  run_attempt: z.int().min(1).optional().describe("Attempt of the workflow run, as the runner claims"),
  job_id: z.string().optional().describe("GitHub's id of the job, decimal digits; absent if unknown"),
  job_name: z.string().optional().describe("GitHub's name of the job; absent if unknown. Untrusted text"),
  labels: z
    .array(z.string())
    .optional()
    .describe("Labels that the job asked for, according to GitHub; absent if unknown. Untrusted text"),
  verification: z
    .enum(namesOf(VERIFICATIONS))
    .optional()
    .describe(
      "Whether this runner did a job of this run in this repository: `verified` (GitHub says so), `mismatch` (GitHub says otherwise), `unverified` (GitHub was not asked or gave no answer). Absent only in events older than this field",
    ),
};

const jobMetricsUnknown = z
  .enum(namesOf(GITHUB_REASONS))
  .optional()
  .describe("Why a value that only GitHub knows is absent; absent if it is there");

const conclusion = z.string().optional().describe("GitHub's conclusion of the job; absent if unknown");

export const runnerInstalled = z
  .object({
    event: z.literal("runner_installed"),
    ...common,
    duration: seconds
      .optional()
      .describe(`Installation time in seconds: installed - installation start; ${implausibleSeconds}`),
  })
  .describe("A runner has been installed. Issued if the start of the installation is known");

export const runnerStart = z
  .object({
    event: z.literal("runner_start"),
    ...common,
    ...job,
    idle: seconds
      .optional()
      .describe(
        "Idle time in seconds: job start - installed; absent if the installed timestamp is unknown, or implausible",
      ),
    queue_duration: seconds
      .optional()
      .describe("How long the job was queued, in seconds, according to GitHub; absent if unknown"),
    jobs_cancelled_in_queue: z
      .int()
      .nonnegative()
      .optional()
      .describe(
        "How many jobs of the workflow run, of all its attempts, asked for the same labels and had been cancelled before they had a runner when GitHub was asked. Every Start of the run counts the same jobs: take the largest, not the sum. Absent if unknown",
      ),
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
    job_duration: seconds.optional().describe(`Job time in seconds: job end - job start; ${implausibleSeconds}`),
    job_conclusion: conclusion,
    post_steps_skipped: z
      .literal(true)
      .optional()
      .describe(
        "GitHub says that the job failed and that all its post steps were skipped: the runner was ended during the job, whatever `status` says. Absent otherwise, and if unknown",
      ),
    job_metrics_unknown: jobMetricsUnknown,
  })
  .describe("A runner has finished its job");

const detected = {
  ...common,
  timestamp: seconds.describe("When it was detected, in UNIX seconds"),
  installation_age: seconds
    .optional()
    .describe("Seconds since the installation started; absent if unknown or implausible"),
  cause: z
    .enum(namesOf(CAUSES))
    .optional()
    .describe(
      "What ended its EC2 instance: `spot-interruption`, `terminated`, `stopped`, or `unknown`. Absent only in events older than this field",
    ),
  ended_at: seconds
    .optional()
    .describe("When its EC2 instance was terminated or stopped, in UNIX seconds by EC2's clock; absent if unknown"),
};

export const runnerLost = z
  .object({
    event: z.literal("runner_lost"),
    ...detected,
    ...job,
    installed_age: seconds
      .optional()
      .describe("Seconds since the runner was installed; absent if unknown or implausible"),
    job_age: seconds.optional().describe(`Seconds since the job started; ${implausibleSeconds}`),
    job_conclusion: conclusion,
    job_metrics_unknown: jobMetricsUnknown,
  })
  .describe("A runner started a job, did not end it, and is presumed dead");

export const runnerInstallFailed = z
  .object({
    event: z.literal("runner_install_failed"),
    ...detected,
    installation_age: seconds.optional().describe(`Seconds since the installation started; ${implausibleSeconds}`),
  })
  .describe("The installation of a runner started, did not end, and is presumed to have failed");

export const runnerNeverUsed = z
  .object({
    event: z.literal("runner_never_used"),
    ...detected,
    installed_age: seconds.optional().describe(`Seconds since the runner was installed; ${implausibleSeconds}`),
  })
  .describe("A runner was installed, had no job, and is presumed dead");

export const metricsQuarantined = z
  .object({
    event: z.literal("metrics_quarantined"),
    ...common,
    timestamp: seconds.describe("When it was quarantined, in UNIX seconds"),
    reason: z.enum(namesOf(QUARANTINE_REASONS)).describe("What was wrong"),
    quarantine_prefix: z.string().describe("Where the objects and `manifest.json` are, in the same bucket"),
    objects: z.int().nonnegative().describe("How many objects were quarantined"),
    bytes: z.int().nonnegative().describe("Their size in bytes"),
  })
  .describe("Files of a runner were not trustworthy and have been moved to quarantine");

/** DetailType -> schema of the detail. Every list of event types is derived from it. */
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

export const DETAIL_TYPES = namesOf(EVENT_SCHEMAS);

/** An event before it is wrapped for EventBridge: one member for each DetailType. */
export type MetricsEvent = {
  [Type in DetailType]: { readonly detailType: Type; readonly detail: z.infer<(typeof EVENT_SCHEMAS)[Type]> };
}[DetailType];

/**
 * First 32 hex digits of SHA-256 over flavor, storage, kind of event, and the content that the event is made from. The length of each
 * part is hashed before it, so that no two lists of parts hash alike.
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
