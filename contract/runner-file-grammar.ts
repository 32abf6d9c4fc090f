/**
 * Names, size and grammar of the files that a runner uploads, without zod: the program on the runner loads this in each hook. The schemas
 * in `runner-files.ts` are made of it.
 */

/** Largest size of each file, in bytes. The reference's constant. */
export const FILE_SIZE_BYTES_LIMIT = 1024;

export const RUNNER_INSTALLATION_START_TS_FILE_NAME = "runner-installation-start.timestamp";
export const RUNNER_INSTALLED_TS_FILE_NAME = "runner-installed.timestamp";
export const PRE_JOB_METRICS_FILE_NAME = "pre-job-metrics.json";
export const POST_JOB_METRICS_FILE_NAME = "post-job-metrics.json";

/** All of them, in the order in which a runner records and uploads them, and the collector deletes them. */
export const RUNNER_FILE_NAMES = [
  RUNNER_INSTALLATION_START_TS_FILE_NAME,
  RUNNER_INSTALLED_TS_FILE_NAME,
  PRE_JOB_METRICS_FILE_NAME,
  POST_JOB_METRICS_FILE_NAME,
] as const;
export type RunnerFileName = (typeof RUNNER_FILE_NAMES)[number];

/** C0, DEL, C1, and the characters that reorder text on a screen (Unicode's Bidi_Control): no text in a job file has any. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
export const FORBIDDEN_CHARACTERS = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

/** GitHub's grammar of an owner and of a repository's name. */
export const REPOSITORY = /^[A-Za-z0-9_-]{1,39}\/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}$/;

/** GitHub's id of a workflow run. */
export const WORKFLOW_RUN_ID = /^[0-9]+$/;

/** UNIX seconds as text: what `parseTimestamp` accepts. */
export const TIMESTAMP = /^[\t-\r ]*(\+?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)[\t-\r ]*$/;

/** UNIX seconds from `[+]digits[.digits][e[+-]digits]` with ASCII white space around it, or undefined. Never negative, always finite. */
export function parseTimestamp(text: string): number | undefined {
  const seconds = Number(TIMESTAMP.exec(text)?.[1]);
  return Number.isFinite(seconds) ? seconds : undefined;
}
