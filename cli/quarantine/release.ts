import { storagePrefix } from "../../contract/object-keys.ts";
import { type Action, type ActionRecord, actionKey } from "../../contract/quarantine-manifest.ts";
import { FILES_THAT_MAKE_READY } from "../../contract/runner-files.ts";
import type { Bucket } from "../bucket.ts";
import { type Assessment, assess } from "./assess.ts";
import type { DescribedQuarantine } from "./list.ts";

/** What a release needs, apart from the bucket. */
export interface ReleaseOptions {
  /** ARN of the caller. */
  readonly by: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Also if a run will quarantine the files again. */
  readonly anyway?: boolean | undefined;
  /** Also if the files were released before. */
  readonly repeat?: boolean | undefined;
  /** Say what would happen, and change nothing. */
  readonly dryRun?: boolean | undefined;
}

/** What became of a release. */
export type ReleaseResult = { readonly assessment: Assessment } & (
  | { readonly result: "released" | "would-release" }
  | { readonly result: "refused"; readonly because: string }
);

/**
 * Puts the metrics files of a quarantine back as the runner would have: in its order, only where no object is, and the post-job file, for
 * which the collector waits, last. Only into a storage that holds nothing else. After an interruption, it can be repeated: files that it has
 * put back have the same content.
 *
 * If the runner uploads to its storage in the same moment, the files that were put back are deleted again, so that files of two lives are
 * never mixed.
 */
export async function release(
  bucket: Bucket,
  quarantine: DescribedQuarantine,
  options: ReleaseOptions,
): Promise<ReleaseResult> {
  const assessment = await assess(bucket, quarantine);
  const { manifest, state } = quarantine;
  const refused = (because: string): ReleaseResult => ({ result: "refused", because, assessment });
  if (!manifest || assessment.impossible) return refused(assessment.impossible ?? "It has no manifest.");
  if (state === "released" && !options.repeat) return refused("It was released before. Use --repeat to do it again.");
  if (assessment.again && !options.anyway) {
    return refused(
      `The next run would quarantine it again: ${assessment.again.reason}. Use --anyway to release it all the same.`,
    );
  }
  const storage = storagePrefix(manifest.flavor, manifest.storage);
  const present = await otherObjects(bucket, storage, assessment);
  if (present.length > 0) return refused(notEmpty(storage));
  if (options.dryRun) return { result: "would-release", assessment };

  await record(bucket, quarantine.prefix, "release-started", options);
  const conflict = await putBack(bucket, storage, assessment);
  if (conflict) return refused(conflict);
  await record(bucket, quarantine.prefix, "released", options);
  return { result: "released", assessment };
}

/** Writes who did what next to the manifest. */
export async function record(
  bucket: Bucket,
  prefix: string,
  action: Action,
  { by, now }: Pick<ReleaseOptions, "by" | "now">,
): Promise<void> {
  const at = now();
  const content: ActionRecord = { schema_version: 1, action, by, at: new Date(at).toISOString() };
  await bucket.putIfAbsent(actionKey(prefix, action, at), Buffer.from(JSON.stringify(content)));
}

function notEmpty(storage: string): string {
  return `The storage ${storage} holds other objects: its runner is alive, or they wait for the next run.`;
}

/** Keys in the storage that are not a file of this quarantine with the same content. */
async function otherObjects(bucket: Bucket, storage: string, { files }: Assessment): Promise<string[]> {
  const others: string[] = [];
  for await (const { key, size } of bucket.list(storage)) {
    const file = files.find((one) => one.key === key);
    const isSame = file && size === file.bytes.length && isEqual(await bucket.get(key, size), file.bytes);
    if (!isSame) others.push(key);
  }
  return others;
}

function isEqual(one: Uint8Array | undefined, other: Uint8Array): boolean {
  return one !== undefined && Buffer.compare(one, other) === 0;
}

/** Undefined if all files are there; otherwise why they are not. */
async function putBack(bucket: Bucket, storage: string, assessment: Assessment): Promise<string | undefined> {
  const put: { key: string; etag: string }[] = [];
  for (const { name, key, bytes } of assessment.files) {
    const mayPut =
      !FILES_THAT_MAKE_READY.includes(name) || (await otherObjects(bucket, storage, assessment)).length === 0;
    const etag = mayPut ? await bucket.putIfAbsent(key, bytes) : undefined;
    if (etag !== undefined) put.push({ key, etag });
    else if ((await otherObjects(bucket, storage, assessment)).length > 0) {
      await Promise.all(put.map((file) => bucket.deleteVersion(file.key, file.etag)));
      return `${notEmpty(storage)} What had been put back was deleted again.`;
    }
  }
  return undefined;
}
