import {
  POST_JOB_METRICS_FILE_NAME,
  PRE_JOB_METRICS_FILE_NAME,
  RUNNER_INSTALLATION_START_TS_FILE_NAME,
  RUNNER_INSTALLED_TS_FILE_NAME,
  type RunnerFileName,
} from "../../contract/runner-files.ts";
import type { RunnerLife } from "./fleet.ts";

/** A file that a runner uploaded, and when, in UNIX seconds. */
export interface LifeFile {
  readonly name: RunnerFileName;
  readonly body: string;
  readonly at: number;
}

/** The files of a life, in the order of their upload. */
export function filesOf({ installationStart, installed, job, isForged }: RunnerLife): LifeFile[] {
  const files: LifeFile[] = [
    { name: RUNNER_INSTALLATION_START_TS_FILE_NAME, body: `${installationStart}\n`, at: installationStart },
  ];
  if (installed !== undefined)
    files.push({ name: RUNNER_INSTALLED_TS_FILE_NAME, body: `${installed}\n`, at: installed });
  if (!job) return files;
  const preJob = {
    timestamp: job.began,
    workflow: job.workflow,
    workflow_run_id: job.runId,
    repository: isForged ? "../../orgs/evil" : job.repository,
    event: job.event,
    job: job.job,
    run_attempt: 1,
  };
  files.push({ name: PRE_JOB_METRICS_FILE_NAME, body: JSON.stringify(preJob), at: job.began });
  if (job.ended === undefined) return files;
  const postJob = {
    timestamp: job.ended,
    status: job.status,
    ...(job.status === "abnormal" && { status_info: { code: 137 } }),
  };
  files.push({ name: POST_JOB_METRICS_FILE_NAME, body: JSON.stringify(postJob), at: job.ended });
  return files;
}
