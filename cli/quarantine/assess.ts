import { isStorageName, storagePrefix } from "../../contract/object-keys.ts";
import type { NotCopied, QuarantinedObject, QuarantineManifest } from "../../contract/quarantine-manifest.ts";
import type { QuarantineReason } from "../../contract/reasons.ts";
import {
  FILE_SIZE_BYTES_LIMIT,
  FILES_BY_IMPORTANCE,
  FILES_THAT_MAKE_READY,
  type RunnerFileName,
} from "../../contract/runner-files.ts";
import { issueEvents } from "../../functions/domain/issue-events.ts";
import { type MetricsFiles, runnerMetrics } from "../../functions/domain/runner-metrics.ts";
import type { Bucket } from "../bucket.ts";
import type { DescribedQuarantine } from "./list.ts";

/** A metrics file that is in quarantine. */
export interface ReleasableFile {
  readonly name: RunnerFileName;
  /** Key that it had, and gets again. */
  readonly key: string;
  readonly bytes: Uint8Array;
}

/** What a release would do. */
export interface Assessment {
  /** The metrics files, in the order in which a runner uploads them. */
  readonly files: readonly ReleasableFile[];
  /** Why nothing can be put back, whatever an operator wants. */
  readonly impossible?: string;
  /** Why a run would quarantine the files again. */
  readonly again?: { readonly reason: QuarantineReason; readonly file?: string; readonly problems?: readonly string[] };
  /** The events that a run issues for them, without what GitHub says. */
  readonly events: readonly { readonly type: string; readonly event_id: string }[];
  /** Whether the next run collects them. Otherwise they wait until the runner is presumed dead. */
  readonly isReady: boolean;
}

/** What a run copies at most. */
const COPY_BYTES_MAX = 1024 * 1024;

/**
 * Reads what is in a quarantine and says what would become of it after a release, by the collector's own rules. Timestamps are checked
 * against the time of the original upload: S3 gives a released file a new one, and a timestamp that was in the future would pass.
 */
export async function assess(bucket: Bucket, { manifest, prefix, state }: DescribedQuarantine): Promise<Assessment> {
  const nothing = (impossible: string): Assessment => ({ files: [], impossible, events: [], isReady: false });
  if (!manifest) return nothing("It has no manifest that this version understands.");
  if (state === "dropped") return nothing("Its copies were dropped.");
  if (!isStorageName(manifest.storage))
    return nothing("The name of the storage is not valid: no runner may write there.");
  const files: (ReleasableFile & { object: QuarantinedObject })[] = [];
  for (const name of FILES_BY_IMPORTANCE) {
    const key = storagePrefix(manifest.flavor, manifest.storage) + name;
    const object = manifest.objects.find((one) => one.key === key && one.size > 0);
    if (!object) continue;
    if (!object.copied_to?.startsWith(prefix))
      return nothing(`${name} is not in quarantine, only its description${why(object.not_copied)}.`);
    const bytes = await bucket.get(object.copied_to, COPY_BYTES_MAX);
    if (!bytes) return nothing(`The copy of ${name} is gone.`);
    if (bytes.length !== object.size) return nothing(`The copy of ${name} is not what the manifest says.`);
    files.push({ name, key, bytes, object });
  }
  if (files.length === 0) return nothing("None of its objects is a metrics file.");
  return { files: files.map(({ name, key, bytes }) => ({ name, key, bytes })), ...outcome(manifest, files) };
}

function why(reason: NotCopied | undefined): string {
  return reason ? ` (${reason})` : "";
}

function outcome(
  manifest: QuarantineManifest,
  files: readonly (ReleasableFile & { object: QuarantinedObject })[],
): Omit<Assessment, "files"> {
  const isReady = files.some(({ name }) => FILES_THAT_MAKE_READY.includes(name));
  const tooLarge = files.find(({ bytes }) => bytes.length > FILE_SIZE_BYTES_LIMIT);
  if (tooLarge) return { again: { reason: "file-too-large", file: tooLarge.name }, events: [], isReady };
  const found = runnerMetrics(
    manifest.storage,
    Object.fromEntries(
      files.map(({ name, bytes, object }) => [name, { bytes, lastModified: Date.parse(object.last_modified) }]),
    ) as MetricsFiles,
  );
  if (found.kind === "corrupt") {
    const { reason, file, problems } = found;
    const again = { reason, ...(file && { file }), ...(problems && { problems }) };
    const impossible =
      "A timestamp is later than the upload of its file by more than a day. After a release it would pass, since S3 gives the file a new time.";
    return { again, ...(reason === "timestamp-in-future" && { impossible }), events: [], isReady };
  }
  const metrics = found.kind === "metrics" ? issueEvents(found, manifest.flavor) : [];
  const events = metrics.map(({ detailType, detail }) => ({ type: detailType, event_id: detail.event_id }));
  // Only GitHub knows whether it says the same again.
  if (manifest.reason === "job-mismatch") return { again: { reason: "job-mismatch" }, events, isReady };
  return { events, isReady };
}
