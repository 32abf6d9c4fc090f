/** GitHub's side of a job: what it says of the jobs of a workflow run, and what that tells of one runner. */
import { PRE_JOB_METRICS_FILE_NAME } from "./files.ts";
import type { RunnerMetrics } from "./runner-metrics.ts";

/**
 * Why what only GitHub knows is absent: of a job, or which runners live. Closed: these are also names of metrics.
 * - `not-configured`: GitHub is not asked at all; `owner-not-allowed`: not about this owner's repositories
 * - `no-credentials`: the secret is not to be had or GitHub does not take it; `denied`: the permission is missing
 * - `rate-limited`; `timeout`; `unavailable`: a server error, or no connection; `redirected`; `invalid-answer`
 * - `time-budget`, `request-budget`: this run has asked enough; `too-many-pages`: the answer is longer than is read
 * - `not-found`: there is no such workflow run or owner, or it is hidden from us; `job-not-found`: the run has no such job
 * - `no-value`: GitHub knows the job but not, or not yet, the value
 */
export const JOB_METRICS_UNKNOWN = [
  "not-configured",
  "owner-not-allowed",
  "no-credentials",
  "denied",
  "rate-limited",
  "timeout",
  "unavailable",
  "redirected",
  "invalid-answer",
  "time-budget",
  "request-budget",
  "too-many-pages",
  "not-found",
  "job-not-found",
  "no-value",
] as const;
export type JobMetricsUnknown = (typeof JOB_METRICS_UNKNOWN)[number];

/** What a runner's claim to a job is worth. Closed: these are also names of metrics. */
export const VERIFICATIONS = ["verified", "unverified", "mismatch"] as const;
export type Verification = (typeof VERIFICATIONS)[number];

/** What GitHub knows of a runner's job and the runner does not. That there is one verifies what the runner claims. */
export interface GithubJobMetrics {
  /** Seconds; negative where GitHub's times are. Absent where GitHub has no such times. */
  readonly queue_duration?: number;
  /** GitHub's word: `success`, `failure`, `cancelled`, …; absent while it has none. */
  readonly conclusion?: string;
}

/** GitHub's answer about a runner's job, or why there is none. */
export type JobAnswer =
  | GithubJobMetrics
  | {
      readonly unknown: JobMetricsUnknown;
      /** GitHub says that the runner has done no job of the run that it claims. */
      readonly isMismatch?: true;
    };

/** A job of a workflow run, as GitHub describes it. */
export interface GithubJob {
  /** Null until it has been given to a runner. */
  readonly runner_name: string | null;
  /** `queued`, `in_progress`, `completed`, … */
  readonly status: string;
  /** ISO 8601. */
  readonly created_at: string;
  /** ISO 8601; of a job that never ran, absent or a time before it was created. */
  readonly started_at: string | null;
  readonly conclusion: string | null;
}

/** GitHub lists a job under its runner's name a moment after it has begun; it is not missed before this, in milliseconds. */
const LISTED_WITHIN_MILLISECONDS = 5 * 60 * 1000;

/** Earlier than any job: where GitHub has no time it gives the year 1, or 1970. */
const NO_TIME_BEFORE_SECONDS = 24 * 60 * 60;

/** GitHub's conclusions are such words. It is also a metric's dimension, so nothing else passes. */
const CONCLUSION = /^[a-z][a-z_]{0,39}$/;

export function verificationOf(answer: JobAnswer): Verification {
  if (!("unknown" in answer)) return "verified";
  return answer.isMismatch ? "mismatch" : "unverified";
}

/**
 * What all jobs of the workflow run that a runner claims, of all attempts, tell of it. Of several jobs that it did, it is the one
 * that began closest to the time that the runner gives. None is a mismatch, unless it may be one that GitHub has yet to give to a
 * runner. `now` in milliseconds since the epoch.
 */
export function answerOf(
  jobs: readonly GithubJob[],
  { preJob, files }: RunnerMetrics,
  runnerName: string,
  now: number,
): JobAnswer {
  const distance = (job: GithubJob) => Math.abs((secondsOf(job.started_at) ?? 0) - (preJob?.timestamp ?? 0));
  const job = jobs
    .filter(({ runner_name }) => runner_name === runnerName)
    .reduce<GithubJob | undefined>((best, job) => (best && distance(best) <= distance(job) ? best : job), undefined);
  if (job) return metricsOf(job);
  // S3's clock: a runner can't make its claim look older than it is.
  const claimedAt = files[PRE_JOB_METRICS_FILE_NAME]?.lastModified ?? now;
  const mayBeListedYet = now - claimedAt < LISTED_WITHIN_MILLISECONDS && jobs.some(isUnassigned);
  return { unknown: "job-not-found", ...(!mayBeListedYet && { isMismatch: true }) };
}

function isUnassigned({ runner_name, status }: GithubJob): boolean {
  return !runner_name && status !== "completed";
}

function metricsOf({ created_at, started_at, conclusion }: GithubJob): GithubJobMetrics {
  const created = secondsOf(created_at);
  const started = secondsOf(started_at);
  return {
    ...(created !== undefined && started !== undefined && { queue_duration: started - created }),
    ...(conclusion !== null && CONCLUSION.test(conclusion) && { conclusion }),
  };
}

/** UNIX seconds, or undefined where GitHub has no time. */
function secondsOf(time: string | null): number | undefined {
  const seconds = Date.parse(time ?? "") / 1000;
  return seconds > NO_TIME_BEFORE_SECONDS ? seconds : undefined;
}
