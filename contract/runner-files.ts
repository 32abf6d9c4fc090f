/**
 * The files that a runner uploads. One row a file; every list of files in this project is derived from these rows, or from their names.
 * Names and size limit are the reference's (github-runner-manager, `metrics.runner`).
 */
import * as z from "zod";
import {
  FORBIDDEN_CHARACTERS,
  POST_JOB_METRICS_FILE_NAME,
  PRE_JOB_METRICS_FILE_NAME,
  parseTimestamp,
  REPOSITORY,
  RUNNER_FILE_NAMES,
  RUNNER_INSTALLATION_START_TS_FILE_NAME,
  RUNNER_INSTALLED_TS_FILE_NAME,
  type RunnerFileName,
  WORKFLOW_RUN_ID,
} from "./runner-file-grammar.ts";

export {
  FILE_SIZE_BYTES_LIMIT,
  POST_JOB_METRICS_FILE_NAME,
  PRE_JOB_METRICS_FILE_NAME,
  parseTimestamp,
  RUNNER_INSTALLATION_START_TS_FILE_NAME,
  RUNNER_INSTALLED_TS_FILE_NAME,
  type RunnerFileName,
} from "./runner-file-grammar.ts";

const text = z.string().refine((value) => value.isWellFormed() && !FORBIDDEN_CHARACTERS.test(value));

/** UNIX seconds: a non-negative number, or a string that `parseTimestamp` accepts. */
const timestamp = z
  .union([z.number(), z.string().transform((string) => parseTimestamp(string) ?? Number.NaN)])
  .pipe(z.number().nonnegative().transform(withoutNegativeZero));

/** Content of `pre-job-metrics.json`: what a runner records when its job starts. */
export const preJobMetrics = z.object({
  timestamp: timestamp.describe("UNIX seconds at which the job started"),
  workflow: text.describe("Name of the workflow"),
  workflow_run_id: z
    .union([z.string().regex(WORKFLOW_RUN_ID), z.int().nonnegative().transform(String)])
    .describe("GitHub's id of the workflow run"),
  repository: z.string().regex(REPOSITORY).describe("owner/name"),
  event: text.describe("Event that triggered the workflow, such as push"),
  job: text.optional().describe("Key of the job in the workflow file (GITHUB_JOB)"),
  run_attempt: z.int().min(1).optional().describe("From 1 (GITHUB_RUN_ATTEMPT)"),
  installed_timestamp: timestamp
    .optional()
    .describe("UNIX seconds in runner-installed.timestamp of the same life. If they differ, there is no idle"),
  program: text.optional().describe("Name and version of the program that wrote the file"),
});
export type PreJobMetrics = z.infer<typeof preJobMetrics>;

/** How a job ended, as the runner reports it. */
export const postJobStatus = z.enum(["normal", "abnormal", "repo-policy-check-failure"]);
export type PostJobStatus = z.infer<typeof postJobStatus>;

/** The exit code of the runner, or the HTTP status of the policy check. */
export const codeInformation = z.object({ code: z.int().transform(withoutNegativeZero) });
export type CodeInformation = z.infer<typeof codeInformation>;

/** Content of `post-job-metrics.json`: what a runner records when its job has ended. */
export const postJobMetrics = z.object({
  timestamp: timestamp.describe("UNIX seconds at which the job ended"),
  status: postJobStatus.describe("How it ended, as the runner knows it"),
  status_info: codeInformation.nullish().describe("Exit code of the runner, or HTTP status of the policy check"),
  job_timestamp: timestamp
    .optional()
    .describe("timestamp of the pre-job file of the same life. If they differ, this file belongs to another life"),
  program: text.optional().describe("Name and version of the program that wrote the file"),
});
export type PostJobMetrics = z.infer<typeof postJobMetrics>;

/** What a runner says with a file, and what the file's presence means. */
interface RunnerFile {
  /** `timestamp`: UNIX seconds as text. `json`: a JSON document. */
  readonly content: "timestamp" | "json";
  /**
   * Whether a runner that did a job and recorded its whole life has uploaded it: its first life, or each further one, in a slot. While one
   * is missing, it may still arrive.
   */
  readonly isPartOfCompleteJob: boolean;
  readonly isPartOfCompleteSlot: boolean;
  /** Whether the runner has ended when it is there: the storage is then ready to be collected. */
  readonly makesReady: boolean;
  /** State of a living runner whose latest file it is. */
  readonly state?: LiveState;
  /** What it records and what its presence means, for the documentation. */
  readonly meaning: string;
}

/** One row a file, in the order in which a runner uploads them. */
export const RUNNER_FILES = {
  [RUNNER_INSTALLATION_START_TS_FILE_NAME]: {
    content: "timestamp",
    isPartOfCompleteJob: true,
    isPartOfCompleteSlot: false,
    makesReady: false,
    state: "installing",
    meaning:
      "When the installation of the runner started. Optional; 0 counts as absent. Alone, it means that the runner is installing.",
  },
  [RUNNER_INSTALLED_TS_FILE_NAME]: {
    content: "timestamp",
    isPartOfCompleteJob: true,
    isPartOfCompleteSlot: true,
    makesReady: false,
    state: "idle",
    meaning: "When the runner was ready for a job. Its presence means that the runner is installed.",
  },
  [PRE_JOB_METRICS_FILE_NAME]: {
    content: "json",
    isPartOfCompleteJob: true,
    isPartOfCompleteSlot: true,
    makesReady: false,
    state: "busy",
    meaning: "When the job started, and which job it is. Its presence means that the runner is busy.",
  },
  [POST_JOB_METRICS_FILE_NAME]: {
    content: "json",
    isPartOfCompleteJob: true,
    isPartOfCompleteSlot: true,
    makesReady: true,
    meaning: "When and how the job ended. Its presence makes the storage ready.",
  },
} as const satisfies Readonly<Record<RunnerFileName, RunnerFile>>;

/** Files that the collector reads; it ignores and cleans up all others. */
export const FILES_TO_READ: readonly RunnerFileName[] = RUNNER_FILE_NAMES;

/** Files that a runner's role may upload. */
export const UPLOADABLE_FILES = FILES_TO_READ;

/** Files that a ticket has a form for. */
export const FILES_IN_TICKET = UPLOADABLE_FILES;

/** States of living runners, in the order of a runner's life. */
export const LIVE_STATES = ["installing", "idle", "busy"] as const;
export type LiveState = (typeof LIVE_STATES)[number];

/** Files whose presence shows the state of a living runner. */
export const FILES_OF_LIVE_STATES: readonly { name: RunnerFileName; state: LiveState }[] = FILES_TO_READ.flatMap(
  (name) => {
    const { state }: RunnerFile = RUNNER_FILES[name];
    return state ? [{ name, state }] : [];
  },
);

/** Files by how much they tell about a runner, the most telling last: it is deleted after the others. */
export const FILES_BY_IMPORTANCE = FILES_TO_READ;

/** Files of a complete job: with all of them there, nothing more is expected. */
export const FILES_OF_COMPLETE_JOB = FILES_TO_READ.filter((name) => RUNNER_FILES[name].isPartOfCompleteJob);

/** The same for a further job of a persistent runner. A slot has no installation. */
export const FILES_OF_COMPLETE_SLOT = FILES_TO_READ.filter((name) => RUNNER_FILES[name].isPartOfCompleteSlot);

/** Files that make a storage ready. */
export const FILES_THAT_MAKE_READY = FILES_TO_READ.filter((name) => RUNNER_FILES[name].makesReady);

/** JSON's `-0` is 0 to everybody but JavaScript. */
function withoutNegativeZero(value: number): number {
  return value + 0;
}
