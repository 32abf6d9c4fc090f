/** Whether a runner did the job that it claims, according to GitHub, and what GitHub knows about that job. */
import { runnerName } from "../../contract/object-keys.ts";
import type { GithubReason, Verification } from "../../contract/reasons.ts";
import { PRE_JOB_METRICS_FILE_NAME } from "../../contract/runner-files.ts";
import type { RunnerMetrics } from "./runner-metrics.ts";

/** What GitHub knows about a runner's job and the runner does not. It exists only if GitHub confirms the runner's claim. */
export interface GithubJobMetrics {
  /** Seconds; may be negative, as GitHub's times are. Absent if GitHub has no such times. */
  readonly queue_duration?: number;
  /** GitHub's `success`, `failure`, `cancelled`, …; absent until it has one. */
  readonly conclusion?: string;
}

/** GitHub's answer about a runner's job, or why there is none. */
export type JobAnswer =
  | GithubJobMetrics
  | {
      readonly unknown: GithubReason;
      /** GitHub says that the runner did no job of the run that it claims. */
      readonly isMismatch?: true;
    };

/** The jobs of a workflow run, of all attempts. With `unknown`, not all of them, and why. */
export interface WorkflowRunJobs {
  readonly jobs: readonly GithubJob[];
  readonly unknown?: GithubReason;
}

/** A job of a workflow run, as GitHub describes it. */
export interface GithubJob {
  /** Null until the job is assigned to a runner. */
  readonly runner_name: string | null;
  /** `queued`, `in_progress`, `completed`, … */
  readonly status: string;
  /** ISO 8601. */
  readonly created_at: string;
  /** ISO 8601; for a job that never ran, absent or a time before it was created. */
  readonly started_at: string | null;
  readonly conclusion: string | null;
}

/** GitHub lists a job under its runner's name a moment after it started; before this, in milliseconds, it is not missing. */
const LISTED_WITHIN_MILLISECONDS = 5 * 60 * 1000;

/** Earlier than any job: if GitHub has no time it gives the year 1, or 1970. */
const NO_TIME_BEFORE_MILLISECONDS = 24 * 60 * 60 * 1000;

/** GitHub's conclusions are such words. The conclusion is also a dimension of a metric, so nothing else passes. */
const CONCLUSION = /^[a-z][a-z_]{0,39}$/;

export function verificationOf(answer: JobAnswer): Verification {
  if (!("unknown" in answer)) return "verified";
  return answer.isMismatch ? "mismatch" : "unverified";
}

/**
 * Decides about a runner's claim from the jobs of the workflow run that it names. Of several jobs that the runner did, it is the one
 * that started closest to the time that the runner gives. No job is a mismatch, unless GitHub may still have to list it or its list is
 * incomplete. `now` in milliseconds since the epoch.
 */
export function verifyJob({ jobs, unknown }: WorkflowRunJobs, metrics: RunnerMetrics, now: number): JobAnswer {
  const { preJob, storage, files } = metrics;
  const distance = (job: GithubJob) =>
    Math.abs((millisecondsOf(job.started_at) ?? 0) - (preJob?.timestamp ?? 0) * 1000);
  const job = jobs
    .filter(({ runner_name }) => runner_name === runnerName(storage))
    .reduce<GithubJob | undefined>((best, job) => (best && distance(best) <= distance(job) ? best : job), undefined);
  if (job) return metricsOf(job);
  if (unknown) return { unknown };
  // S3's clock: a runner can't make its claim look older than it is.
  const claimedAt = files[PRE_JOB_METRICS_FILE_NAME]?.lastModified ?? now;
  const mayBeListedYet = now - claimedAt < LISTED_WITHIN_MILLISECONDS && jobs.some(isUnassigned);
  return { unknown: "job-not-found", ...(!mayBeListedYet && { isMismatch: true }) };
}

function isUnassigned({ runner_name, status }: GithubJob): boolean {
  return !runner_name && status !== "completed";
}

function metricsOf({ created_at, started_at, conclusion }: GithubJob): GithubJobMetrics {
  const created = millisecondsOf(created_at);
  const started = millisecondsOf(started_at);
  return {
    ...(created !== undefined && started !== undefined && { queue_duration: (started - created) / 1000 }),
    ...(conclusion !== null && CONCLUSION.test(conclusion) && { conclusion }),
  };
}

/** Milliseconds since the epoch, or undefined if GitHub has no time. */
function millisecondsOf(time: string | null): number | undefined {
  const milliseconds = Date.parse(time ?? "");
  return milliseconds > NO_TIME_BEFORE_MILLISECONDS ? milliseconds : undefined;
}
