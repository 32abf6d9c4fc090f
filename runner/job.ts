import { FILE_SIZE_BYTES_LIMIT, REPOSITORY } from "../contract/runner-file-grammar.ts";
import { cleanText } from "./clean-text.ts";
import type { JobIdentity } from "./life.ts";
import { PROGRAM } from "./program.ts";
import type { Environment } from "./settings.ts";

/** A job as GitHub's environment describes it. */
export interface Job {
  readonly identity: JobIdentity;
  readonly repository: string;
  readonly workflow: string;
  readonly event: string;
}

/** Bytes of JSON that the event and the job's key may take; the workflow's name gets the rest. */
const EVENT_BYTES_MAX = 128;
const JOB_BYTES_MAX = 128;

/** An id from GitHub, with room to grow. */
const RUN_ID = /^[0-9]{1,20}$/;
const RUN_ATTEMPT = /^[1-9][0-9]{0,8}$/;
const IDENTITY_LENGTH_MAX = 256;

/** The job that a hook's environment describes; undefined if it lacks a repository or a run id of GitHub's form. */
export function jobOf(environment: Environment): Job | undefined {
  const { GITHUB_REPOSITORY: repository = "", GITHUB_RUN_ID: runId = "" } = environment;
  if (!REPOSITORY.test(repository) || !RUN_ID.test(runId)) return undefined;
  const optional = (name: string, value: string | undefined) =>
    value ? { [name]: value.slice(0, IDENTITY_LENGTH_MAX) } : {};
  return {
    identity: {
      runId,
      ...optional("attempt", environment.GITHUB_RUN_ATTEMPT),
      ...optional("job", environment.GITHUB_JOB),
      ...optional("runner", environment.RUNNER_NAME),
      ...optional("tracking", environment.RUNNER_TRACKING_ID),
    },
    repository,
    workflow: environment.GITHUB_WORKFLOW ?? "",
    event: environment.GITHUB_EVENT_NAME ?? "",
  };
}

/** Whether these are certainly two jobs: something that both know differs. */
export function isOtherJob(one: JobIdentity, other: JobIdentity): boolean {
  return (["runId", "attempt", "job", "runner", "tracking"] as const).some(
    (name) => one[name] !== undefined && other[name] !== undefined && one[name] !== other[name],
  );
}

/** Content of `pre-job-metrics.json`. Times in seconds. */
export function preJobContent(
  { identity: { runId, attempt, job }, repository, workflow, event }: Job,
  timestamp: number,
  installedTimestamp: number | undefined,
): string {
  const content = (workflowText: string) =>
    `${JSON.stringify({
      timestamp,
      workflow: workflowText,
      workflow_run_id: runId,
      repository,
      event: cleanText(event, EVENT_BYTES_MAX),
      ...(job !== undefined && { job: cleanText(job, JOB_BYTES_MAX) }),
      ...(attempt !== undefined && RUN_ATTEMPT.test(attempt) && { run_attempt: Number(attempt) }),
      ...(installedTimestamp !== undefined && { installed_timestamp: installedTimestamp }),
      program: PROGRAM,
    })}\n`;
  return content(cleanText(workflow, FILE_SIZE_BYTES_LIMIT - Buffer.byteLength(content(""))));
}

/** How a job ended, as far as this machine knows. */
export type End =
  | { readonly status: "normal" }
  | { readonly status: "abnormal" | "repo-policy-check-failure"; readonly code?: number | undefined };

/** Content of `post-job-metrics.json`. Times in seconds; `jobTimestamp` is that of the pre-job file of the same life. */
export function postJobContent(end: End, timestamp: number, jobTimestamp: number | undefined): string {
  const { code } = { code: undefined, ...end };
  return `${JSON.stringify({
    timestamp,
    status: end.status,
    ...(code !== undefined && { status_info: { code } }),
    ...(jobTimestamp !== undefined && { job_timestamp: jobTimestamp }),
    program: PROGRAM,
  })}\n`;
}
