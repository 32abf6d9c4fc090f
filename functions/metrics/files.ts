/**
 * The four files of a metrics storage: their names, their size limit, and the strict way from bytes to values.
 * Names and limit are the reference's (github-runner-manager, `metrics.runner`).
 */

/** UNIX seconds as text: when the runner's installation began. Optional; 0 counts as absent. */
export const RUNNER_INSTALLATION_START_TS_FILE_NAME = "runner-installation-start.timestamp";
/** UNIX seconds as text: when the runner was ready for a job. Without it nothing is extracted. */
export const RUNNER_INSTALLED_TS_FILE_NAME = "runner-installed.timestamp";
/** JSON: `PreJobMetrics`. */
export const PRE_JOB_METRICS_FILE_NAME = "pre-job-metrics.json";
/** JSON: `PostJobMetrics`. Its presence makes a storage ready. */
export const POST_JOB_METRICS_FILE_NAME = "post-job-metrics.json";

export const METRICS_FILE_NAMES = [
  RUNNER_INSTALLATION_START_TS_FILE_NAME,
  RUNNER_INSTALLED_TS_FILE_NAME,
  PRE_JOB_METRICS_FILE_NAME,
  POST_JOB_METRICS_FILE_NAME,
] as const;

export type MetricsFileName = (typeof METRICS_FILE_NAMES)[number];

/** Default of the largest size, in bytes, that a metrics file may have. The reference's value. */
export const FILE_SIZE_BYTES_LIMIT = 1024;

/** JSON nested this deep is corrupt; the reference falls over on it. Python's default recursion limit. */
const NESTING_LIMIT = 1000;

/** Why a storage is quarantined. Closed: these are also names of metrics. */
export const QUARANTINE_REASONS = [
  "invalid-key",
  "too-many-objects",
  "file-too-large",
  "unreadable-object",
  "invalid-encoding",
  "invalid-json",
  "invalid-schema",
  "invalid-timestamp",
  "timestamp-in-future",
  "job-mismatch",
] as const;

export type QuarantineReason = (typeof QUARANTINE_REASONS)[number];

/** A storage that is not to be trusted. Holds no text of the runner's. */
export interface Corrupt {
  readonly kind: "corrupt";
  readonly reason: QuarantineReason;
  /** The file that shows it, where it is one of the four. */
  readonly file?: MetricsFileName;
  /** Which fields are wrong, as `field: code`; at most 5, and only names of our own. */
  readonly problems?: readonly string[];
}

export function corrupt(reason: QuarantineReason, file?: MetricsFileName, problems: readonly string[] = []): Corrupt {
  return { kind: "corrupt", reason, ...(file && { file }), ...(problems.length > 0 && { problems }) };
}

export function isCorrupt(value: unknown): value is Corrupt {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "corrupt";
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of a file, or undefined where the bytes are not UTF-8 or begin with a byte order mark. */
export function decodeText(bytes: Uint8Array): string | undefined {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return undefined;
  }
  return text.startsWith("\uFEFF") ? undefined : text;
}

const TIMESTAMP = /^[\t-\r ]*(\+?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)[\t-\r ]*$/;

/** UNIX seconds from `[+]digits[.digits][e[+-]digits]` amid ASCII white space, or undefined. Never negative, always finite. */
export function parseTimestamp(text: string): number | undefined {
  const seconds = Number(TIMESTAMP.exec(text)?.[1]);
  return Number.isFinite(seconds) ? seconds : undefined;
}

/** The value of a JSON document, or undefined where it is not valid JSON or is nested 1,000 deep. */
export function parseJson(text: string): unknown {
  if (isNestedTooDeep(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isNestedTooDeep(text: string): boolean {
  let depth = 0;
  let insideString = false;
  for (let index = 0; index < text.length && depth < NESTING_LIMIT; index++) {
    const character = text[index];
    if (character === '"') insideString = !insideString;
    else if (insideString) index += character === "\\" ? 1 : 0;
    else if (character === "[" || character === "{") depth++;
    else if (character === "]" || character === "}") depth--;
  }
  return depth >= NESTING_LIMIT;
}
