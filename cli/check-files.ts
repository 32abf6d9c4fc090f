import type { Dirent } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { RUN_SETTINGS } from "../contract/environment.ts";
import { isFileName, isStorageName } from "../contract/object-keys.ts";
import type { Outcome, QuarantineReason } from "../contract/reasons.ts";
import { FILE_SIZE_BYTES_LIMIT, FILES_TO_READ, RUNNER_FILES, type RunnerFileName } from "../contract/runner-files.ts";
import { issueEvents } from "../functions/domain/issue-events.ts";
import { type MetricsFiles, runnerMetrics } from "../functions/domain/runner-metrics.ts";

/** What a stack has that does not set it. */
const OBJECTS_MAX = RUN_SETTINGS.maxObjectsPerRunner.default;

export interface CheckFilesOptions {
  /** Name of the storage that the files are for; the runner's name. */
  readonly storage?: string;
  readonly flavor?: string;
  /** When the files are uploaded, in milliseconds since the epoch. */
  readonly now?: number;
}

/** What the collector would decide about a storage with these files. */
export interface FilesReport {
  /** Whether a run collects it now. Otherwise only when its runner is presumed dead. */
  readonly isReady: boolean;
  readonly outcome: Extract<Outcome, "extracted" | "incomplete" | "quarantined" | "deferred">;
  /** Of a storage that would be quarantined. */
  readonly reason?: QuarantineReason;
  /** The file that is wrong; or the post-job file that belongs to another life and would be deleted alone. */
  readonly file?: string;
  /** Fields of it that are wrong, as `field: code`. */
  readonly problems: readonly string[];
  /** Detail types of the events, in order. Those of a runner that is presumed dead (`RunnerLost`, …) are not among them. */
  readonly events: readonly string[];
  /** Names that the collector does not read, but deletes with the storage. */
  readonly ignored: readonly string[];
}

/**
 * Reports what the collector would decide about the files of a directory, as if they had just been uploaded. It is the collector's own code.
 * Rejects if the directory can't be read.
 */
export async function checkFiles(directory: string, options: CheckFilesOptions = {}): Promise<FilesReport> {
  const { storage = "runner", flavor = "flavor", now = Date.now() } = options;
  const entries = await readdir(directory, { withFileTypes: true });
  const names = entries.map(({ name }) => name).sort();
  const isReady = FILES_TO_READ.some((name) => RUNNER_FILES[name].makesReady && names.includes(name));
  const ignored = names.filter((name) => !FILES_TO_READ.some((file) => file === name));
  const report = { isReady, problems: [], events: [], ignored } as const;

  const unsuitable = unsuitableReason(storage, entries);
  if (unsuitable) return { ...report, outcome: "quarantined", ...unsuitable };
  const files: MetricsFiles = {};
  for (const name of FILES_TO_READ.filter((file) => names.includes(file))) {
    const bytes = await readUpTo(join(directory, name), FILE_SIZE_BYTES_LIMIT);
    if (!bytes) return { ...report, outcome: "quarantined", reason: "file-too-large", file: name };
    files[name] = { bytes, lastModified: now };
  }
  return { ...report, ...decide(storage, flavor, files) };
}

function unsuitableReason(
  storage: string,
  entries: readonly Dirent[],
): { reason: QuarantineReason; file?: string } | undefined {
  if (!isStorageName(storage)) return { reason: "invalid-key" };
  if (entries.length > OBJECTS_MAX) return { reason: "too-many-objects" };
  const odd = entries.find((entry) => !entry.isFile() || !isFileName(entry.name));
  return odd && { reason: "invalid-key", file: odd.name };
}

function decide(storage: string, flavor: string, files: MetricsFiles) {
  const found = runnerMetrics(storage, files);
  switch (found.kind) {
    case "metrics":
      return { outcome: "extracted", events: issueEvents(found, flavor).map(({ detailType }) => detailType) } as const;
    case "incomplete":
      return { outcome: "incomplete" } as const;
    case "leftover":
      return { outcome: "deferred", file: found.file satisfies RunnerFileName } as const;
    case "corrupt": {
      const { reason, file, problems = [] } = found;
      return { outcome: "quarantined", reason, ...(file && { file }), problems } as const;
    }
  }
}

/** Undefined if the file is larger. */
async function readUpTo(path: string, bytesMax: number): Promise<Uint8Array | undefined> {
  if ((await stat(path)).size > bytesMax) return undefined;
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(bytesMax + 1), 0, bytesMax + 1, 0);
    return bytesRead > bytesMax ? undefined : buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
