import * as z from "zod";
import {
  type Corrupt,
  corrupt,
  decodeText,
  isCorrupt,
  type MetricsFileName,
  POST_JOB_METRICS_FILE_NAME,
  PRE_JOB_METRICS_FILE_NAME,
  parseJson,
  parseTimestamp,
  RUNNER_INSTALLATION_START_TS_FILE_NAME,
  RUNNER_INSTALLED_TS_FILE_NAME,
} from "./files.ts";

/** A runner's clock may be ahead of S3's by this much, in seconds. Later than that is made up. */
const TIMESTAMP_LEEWAY_SECONDS = 24 * 60 * 60;

// C0, DEL, C1, and the characters that reorder text on a screen (Unicode's Bidi_Control).
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const FORBIDDEN_CHARACTERS = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

const text = z.string().refine((value) => value.isWellFormed() && !FORBIDDEN_CHARACTERS.test(value));

/** UNIX seconds: a non-negative number, or a string that `parseTimestamp` takes. */
const timestamp = z
  .union([z.number(), z.string().transform((string) => parseTimestamp(string) ?? Number.NaN)])
  .pipe(z.number().nonnegative().transform(withoutNegativeZero));

/** What a runner records when its job begins. */
export const preJobMetrics = z.object({
  timestamp,
  workflow: text,
  workflow_run_id: z.union([z.string().regex(/^[0-9]+$/), z.int().nonnegative().transform(String)]),
  // GitHub's grammar of an owner and of a repository's name.
  repository: z.string().regex(/^[A-Za-z0-9_-]{1,39}\/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}$/),
  event: text,
});
export type PreJobMetrics = z.infer<typeof preJobMetrics>;

/** How a job ended, as the runner tells it. */
export const postJobStatus = z.enum(["normal", "abnormal", "repo-policy-check-failure"]);
export type PostJobStatus = z.infer<typeof postJobStatus>;

/** The exit code of the runner, or the HTTP status of the policy check. */
export const codeInformation = z.object({ code: z.int().transform(withoutNegativeZero) });
export type CodeInformation = z.infer<typeof codeInformation>;

/** What a runner records when its job has ended. */
export const postJobMetrics = z.object({
  timestamp,
  status: postJobStatus,
  status_info: codeInformation.nullish(),
});
export type PostJobMetrics = z.infer<typeof postJobMetrics>;

/** A file as it was read. */
export interface MetricsFile {
  readonly bytes: Uint8Array;
  /** When S3 stored it, in milliseconds since the epoch. A runner can't move this clock. */
  readonly lastModified: number;
}

export type MetricsFiles = Partial<Record<MetricsFileName, MetricsFile>>;

/** All that one runner recorded. Times are UNIX seconds by the runner's clock. */
export interface RunnerMetrics {
  readonly kind: "metrics";
  /** The name of the metrics storage under the flavor's prefix. */
  readonly storage: string;
  readonly installationStartTimestamp?: number;
  readonly installedTimestamp: number;
  readonly preJob?: PreJobMetrics;
  readonly postJob?: PostJobMetrics;
  /** The bytes that the values above were made from; event ids are derived from them. */
  readonly files: MetricsFiles;
}

/** Nothing is wrong, but there are no metrics either: the runner was never installed. */
export interface Incomplete {
  readonly kind: "incomplete";
  /** Where the storage tells of nothing but an installation that began. */
  readonly unfinishedInstallation?: UnfinishedInstallation;
}

/** An installation that began and of which nothing more is known. */
export interface UnfinishedInstallation {
  readonly storage: string;
  readonly installationStartTimestamp: number;
  readonly files: MetricsFiles;
}

/** On EC2 a storage may be named by the role's `aws:userid`, `AROA…:i-0abc…`: the runner is what follows the last colon. */
export function runnerName(storage: string): string {
  return storage.slice(storage.lastIndexOf(":") + 1) || storage;
}

/**
 * Checks every file that is there, also where another is missing; the first that is corrupt makes the storage corrupt.
 * An empty file and a timestamp of 0 count as absent.
 */
export function runnerMetrics(storage: string, files: MetricsFiles): RunnerMetrics | Incomplete | Corrupt {
  const start = timestampFile(files, RUNNER_INSTALLATION_START_TS_FILE_NAME);
  if (isCorrupt(start)) return start;
  const installed = timestampFile(files, RUNNER_INSTALLED_TS_FILE_NAME);
  if (isCorrupt(installed)) return installed;
  const preJob = jobFile(files, PRE_JOB_METRICS_FILE_NAME, preJobMetrics);
  if (isCorrupt(preJob)) return preJob;
  const postJob = jobFile(files, POST_JOB_METRICS_FILE_NAME, postJobMetrics);
  if (isCorrupt(postJob)) return postJob;

  if (!installed) {
    if (!start || preJob || postJob) return { kind: "incomplete" };
    return { kind: "incomplete", unfinishedInstallation: { storage, installationStartTimestamp: start, files } };
  }
  return {
    kind: "metrics",
    storage,
    ...(start && { installationStartTimestamp: start }),
    installedTimestamp: installed,
    ...(preJob && { preJob }),
    ...(postJob && { postJob }),
    files,
  };
}

function timestampFile(files: MetricsFiles, name: MetricsFileName): number | undefined | Corrupt {
  const file = files[name];
  if (!file?.bytes.length) return undefined;
  const content = decodeText(file.bytes);
  if (content === undefined) return corrupt("invalid-encoding", name);
  const seconds = parseTimestamp(content);
  if (seconds === undefined) return corrupt("invalid-timestamp", name);
  if (isInFuture(seconds, file)) return corrupt("timestamp-in-future", name);
  return seconds;
}

function jobFile<T extends { timestamp: number }>(
  files: MetricsFiles,
  name: MetricsFileName,
  schema: z.ZodType<T>,
): T | undefined | Corrupt {
  const file = files[name];
  if (!file?.bytes.length) return undefined;
  const content = decodeText(file.bytes);
  if (content === undefined) return corrupt("invalid-encoding", name);
  const json = parseJson(content);
  if (json === undefined) return corrupt("invalid-json", name);
  const parsed = schema.safeParse(json);
  if (!parsed.success) return corrupt("invalid-schema", name, problems(parsed.error));
  if (isInFuture(parsed.data.timestamp, file)) return corrupt("timestamp-in-future", name);
  return parsed.data;
}

function isInFuture(seconds: number, file: MetricsFile): boolean {
  return seconds > file.lastModified / 1000 + TIMESTAMP_LEEWAY_SECONDS;
}

/** One for each field at most: only fields of our schemas and zod's codes: a message of zod's may quote the input. */
function problems(error: z.ZodError): string[] {
  return error.issues.map((issue) => `${issue.path.join(".") || "document"}: ${issue.code}`);
}

/** JSON's `-0` is 0 to everybody but JavaScript. */
function withoutNegativeZero(value: number): number {
  return value + 0;
}
