import type * as z from "zod";
import { isSlot } from "../../contract/object-keys.ts";
import {
  POST_JOB_METRICS_FILE_NAME,
  type PostJobMetrics,
  PRE_JOB_METRICS_FILE_NAME,
  type PreJobMetrics,
  parseTimestamp,
  postJobMetrics,
  preJobMetrics,
  RUNNER_INSTALLATION_START_TS_FILE_NAME,
  RUNNER_INSTALLED_TS_FILE_NAME,
  type RunnerFileName,
} from "../../contract/runner-files.ts";
import { type Corrupt, corrupt, isCorrupt } from "./corrupt.ts";
import { decodeText, parseJson } from "./decode.ts";

/** A runner's clock may be ahead of S3's by this much, in seconds. A later timestamp is forged. */
const TIMESTAMP_LEEWAY_SECONDS = 24 * 60 * 60;

/** A file as it was read. */
export interface MetricsFile {
  readonly bytes: Uint8Array;
  /** When S3 stored it, in milliseconds since the epoch. A runner can't change this clock. */
  readonly lastModified: number;
}

export type MetricsFiles = Partial<Record<RunnerFileName, MetricsFile>>;

/** All that one runner recorded. Times are UNIX seconds by the runner's clock. */
export interface RunnerMetrics {
  readonly kind: "metrics";
  /** The name of the metrics storage under the flavor's prefix. */
  readonly storage: string;
  readonly installationStartTimestamp?: number;
  /** Absent if only the hooks were configured: then there is a `preJob`. */
  readonly installedTimestamp?: number;
  readonly preJob?: PreJobMetrics;
  readonly postJob?: PostJobMetrics;
  /** The bytes that the values above were made from; event ids are derived from them. */
  readonly files: MetricsFiles;
}

/** A file that another life of the runner left. The storage is read again when it is gone. */
export interface Leftover {
  readonly kind: "leftover";
  readonly file: RunnerFileName;
}

/** Nothing is wrong, but there are no metrics either: the runner was never installed and had no job, or there was no job in a slot. */
export interface Incomplete {
  readonly kind: "incomplete";
  /** Present if the storage shows nothing but an installation that started. */
  readonly unfinishedInstallation?: UnfinishedInstallation;
}

/** An installation that started, and nothing more is known. */
export interface UnfinishedInstallation {
  readonly storage: string;
  readonly installationStartTimestamp: number;
  readonly files: MetricsFiles;
}

/**
 * Checks every file that is present, even if another is missing; the first corrupt one makes the storage corrupt.
 * An empty file and a timestamp of 0 count as absent.
 */
export function runnerMetrics(storage: string, files: MetricsFiles): RunnerMetrics | Incomplete | Leftover | Corrupt {
  const start = timestampFile(files, RUNNER_INSTALLATION_START_TS_FILE_NAME);
  if (isCorrupt(start)) return start;
  const installed = timestampFile(files, RUNNER_INSTALLED_TS_FILE_NAME);
  if (isCorrupt(installed)) return installed;
  const preJob = jobFile(files, PRE_JOB_METRICS_FILE_NAME, preJobMetrics);
  if (isCorrupt(preJob)) return preJob;
  const postJob = jobFile(files, POST_JOB_METRICS_FILE_NAME, postJobMetrics);
  if (isCorrupt(postJob)) return postJob;

  if (preJob && postJob && (postJob.job_timestamp ?? preJob.timestamp) !== preJob.timestamp) {
    return { kind: "leftover", file: POST_JOB_METRICS_FILE_NAME };
  }
  // A persistent runner that waits for its next job is not unused.
  if (!preJob && isSlot(storage)) return { kind: "incomplete" };
  if (!installed && !preJob) {
    if (!start || postJob) return { kind: "incomplete" };
    return { kind: "incomplete", unfinishedInstallation: { storage, installationStartTimestamp: start, files } };
  }
  return {
    kind: "metrics",
    storage,
    ...(start && { installationStartTimestamp: start }),
    ...(installed && { installedTimestamp: installed }),
    ...(preJob && { preJob }),
    ...(postJob && { postJob }),
    files,
  };
}

function timestampFile(files: MetricsFiles, name: RunnerFileName): number | undefined | Corrupt {
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
  name: RunnerFileName,
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

/** At most one for each field, with names of our schemas and zod's codes only: a message of zod's may quote the input. */
function problems(error: z.ZodError): string[] {
  return error.issues.map((issue) => `${issue.path.join(".") || "document"}: ${issue.code}`);
}
