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
  /** Decimal digits. */
  readonly job_id?: string;
  readonly job_name?: string;
  /** That the job asked for. */
  readonly labels?: readonly string[];
  /** The job failed, and all its post steps were skipped. */
  readonly post_steps_skipped?: true;
  /** Jobs of the workflow run, of all attempts, that asked for the same labels and were cancelled before they had a runner. */
  readonly jobs_cancelled_in_queue?: number;
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
  /** Decimal digits. */
  readonly id?: string | undefined;
  readonly name?: string | undefined;
  readonly labels?: readonly string[] | undefined;
  /** Attempt of the workflow run, from 1. */
  readonly run_attempt?: number | undefined;
  /** Null or empty until the job is assigned to a runner; sometimes also later. */
  readonly runner_name: string | null;
  /** `queued`, `in_progress`, `completed`, … */
  readonly status: string;
  /** ISO 8601. */
  readonly created_at: string;
  /** ISO 8601; for a job that never ran, absent or a time before it was created. */
  readonly started_at: string | null;
  readonly conclusion: string | null;
  readonly steps?: StepsSummary | undefined;
}

/** A step of a job, as GitHub describes it. */
export interface GithubStep {
  /** The workflow's author chooses it. */
  readonly name: string;
  readonly conclusion: string | null;
}

/** What is kept of a job's steps, which are most of GitHub's answer. */
export type StepsSummary = "none" | "post-steps-skipped" | "some";

/** The steps in which GitHub's runner executes the hooks of a runner, and its last step. */
const JOB_STARTED_HOOK = "Set up runner";
const JOB_COMPLETED_HOOK = "Complete runner";
const LAST_STEP = "Complete job";

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
 * Decides about a runner's claim from the jobs of the workflow run that it names. The claim is verified if one of them has the runner's
 * name, and a mismatch if none has, unless GitHub may still have to name the runner or its list is incomplete. Values come from the runner's own job; if it is ambiguous which one that is, there are none. `now` in milliseconds since the epoch, by S3's clock.
 */
export function verifyJob({ jobs, unknown }: WorkflowRunJobs, metrics: RunnerMetrics, now: number): JobAnswer {
  const own = jobs.filter(({ runner_name }) => runner_name === runnerName(metrics.storage));
  if (own.length > 0) {
    const job = ownJob(own, metrics);
    return { ...metricsOf(job), ...(job && !unknown && cancelledInQueue(jobs, job)) };
  }
  if (unknown) return { unknown };
  // S3's clock: a runner can't make its claim look older than it is.
  const claimedAt = metrics.files[PRE_JOB_METRICS_FILE_NAME]?.lastModified ?? now;
  const mayBeListedYet = now - claimedAt < LISTED_WITHIN_MILLISECONDS && jobs.some(isUnassigned);
  const mayBeOurs = mayBeListedYet || jobs.some(ranOnUnnamedRunner);
  return { unknown: "job-not-found", ...(!mayBeOurs && { isMismatch: true }) };
}

/**
 * What the steps of a job that is over say about its end. A runner that is shut down skips all steps that are left, and one that is
 * killed never reports them. A step is a post step only if it is listed with its action: users name steps "Post …", too. Some actions
 * clean up only after a success, on a healthy machine as well: the hook and the last step tell that apart, since both are always executed there.
 */
export function summarizeSteps(steps: readonly GithubStep[]): StepsSummary {
  if (steps.length === 0) return "none";
  const names = new Set(steps.map(({ name }) => name));
  const hook = names.has(JOB_STARTED_HOOK) ? steps.filter(({ name }) => name === JOB_COMPLETED_HOOK) : [];
  const actions = steps.filter(({ name }) => name.startsWith("Post ") && names.has(name.slice("Post ".length)));
  const postSteps = [...actions, ...hook];
  const isEnded = steps.some(({ name, conclusion }) => name === LAST_STEP && conclusion === "success");
  const isTelling = hook.length > 0 || (actions.length > 0 && !isEnded);
  return isTelling && postSteps.every(({ conclusion }) => conclusion === "skipped") ? "post-steps-skipped" : "some";
}

/** Of a runner's jobs in one workflow run, the one that it claims; undefined if several fit. */
function ownJob(jobs: readonly GithubJob[], { preJob }: RunnerMetrics): GithubJob | undefined {
  const attempt = preJob?.run_attempt;
  const claimedAt = (preJob?.timestamp ?? 0) * 1000;
  const distance = (job: GithubJob) =>
    Math.abs((millisecondsOf(job.started_at) ?? Number.NEGATIVE_INFINITY) - claimedAt);
  const candidates = jobs
    .filter(({ run_attempt = attempt }) => attempt === undefined || run_attempt === attempt)
    // A re-run lists a finished job again, with a later `created_at`: the earliest is the real one.
    .toSorted((a, b) => distance(a) - distance(b) || a.created_at.localeCompare(b.created_at));
  const [best] = candidates;
  const next = candidates.find(({ started_at }) => started_at !== best?.started_at);
  // Clocks differ: another job that started nearly as close to the claim may be the one.
  return best && next && distance(next) < 2 * distance(best) ? undefined : best;
}

function isUnassigned({ runner_name, status }: GithubJob): boolean {
  return !runner_name && status !== "completed";
}

/** GitHub sometimes leaves out the name of the runner. Jobs that were cancelled in the queue or skipped had none. */
function ranOnUnnamedRunner({ runner_name, status, conclusion }: GithubJob): boolean {
  return !runner_name && status === "completed" && conclusion !== "cancelled" && conclusion !== "skipped";
}

/**
 * How many jobs that a runner like that of `own` could have done were cancelled before they had one. A re-run may list such a job again
 * under its own attempt: then it has the same name and start, and counts once. Absent if it is not known for which labels `own` asked.
 */
function cancelledInQueue(jobs: readonly GithubJob[], own: GithubJob): GithubJobMetrics {
  if (!own.labels) return {};
  const labels = labelsKey(own.labels);
  const counts = new Map<string, number>();
  const distinct = new Set<string>();
  for (const job of jobs) {
    const { runner_name, conclusion, steps, name, started_at, run_attempt } = job;
    // Without steps: GitHub sometimes leaves out the name of a runner that did some of them.
    if (runner_name || conclusion !== "cancelled" || steps !== "none") continue;
    if (!job.labels || labelsKey(job.labels) !== labels) continue;
    const inAttempt = JSON.stringify([run_attempt, name, started_at]);
    const place = (counts.get(inAttempt) ?? 0) + 1;
    counts.set(inAttempt, place);
    distinct.add(JSON.stringify([place, name, started_at]));
  }
  return { jobs_cancelled_in_queue: distinct.size };
}

/** Labels have no order and no case. */
function labelsKey(labels: readonly string[]): string {
  return JSON.stringify(labels.map((label) => label.toLowerCase()).toSorted());
}

function metricsOf(job: GithubJob | undefined): GithubJobMetrics {
  if (!job) return {};
  const { id, name, labels, created_at, started_at, conclusion, status, steps } = job;
  // Other conclusions say less: who cancels a job may also end it by force.
  const isWitness = status === "completed" && conclusion === "failure" && steps === "post-steps-skipped";
  const created = millisecondsOf(created_at);
  const started = millisecondsOf(started_at);
  return {
    ...(created !== undefined && started !== undefined && { queue_duration: (started - created) / 1000 }),
    ...(conclusion !== null && CONCLUSION.test(conclusion) && { conclusion }),
    ...(id !== undefined && { job_id: id }),
    ...(name !== undefined && { job_name: name }),
    ...(labels !== undefined && { labels }),
    ...(isWitness && { post_steps_skipped: true }),
  };
}

/** Milliseconds since the epoch, or undefined if GitHub has no time. */
function millisecondsOf(time: string | null): number | undefined {
  const milliseconds = Date.parse(time ?? "");
  return milliseconds > NO_TIME_BEFORE_MILLISECONDS ? milliseconds : undefined;
}
