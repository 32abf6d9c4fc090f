import { type Corrupt, corrupt, isCorrupt, METRICS_FILE_NAMES, type MetricsFileName } from "../metrics/files.ts";
import type { MetricsFile, MetricsFiles } from "../metrics/runner-metrics.ts";
import type { ListedObject, ObjectHead, ObjectStore, Refusal } from "../ports.ts";
import type { StorageLimits, StorageListing } from "./layout.ts";

/**
 * Classes whose objects are archived, or may be: a GET needs a restore first. No runner has a reason to ask for one.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/archived-objects.html
 */
const ARCHIVE_CLASSES = ["GLACIER", "DEEP_ARCHIVE", "INTELLIGENT_TIERING"];

/** Why nothing can be done with a storage now: its files have all gone, or are not what was listed, or are denied to us. */
export type NotNow = { readonly kind: "vanished" } | { readonly kind: "deferred"; readonly why: "changed" | "denied" };

export type ReadResult = { readonly kind: "files"; readonly files: MetricsFiles } | Corrupt | NotNow;

/**
 * Reads the metrics files that a listing shows: HEAD for each; then, unless a HEAD tells that one is too large or unreadable,
 * GET for each. Reads only the versions that were listed, so that what is deleted later is what was read. An empty file counts
 * as absent and costs nothing.
 */
export async function readStorage(
  store: ObjectStore,
  listing: StorageListing,
  limits: StorageLimits,
): Promise<ReadResult> {
  const listed = METRICS_FILE_NAMES.flatMap((name) => {
    const object = listing.objects.find(({ key }) => key === `${listing.prefix}${name}`);
    return object && object.size > 0 ? [{ name, object }] : [];
  });
  const heads = allOrNotNow(await allOf(listed.map((file) => head(store, file, limits))));
  if (!Array.isArray(heads)) return heads;
  const contents = allOrNotNow(await allOf(heads.map((file) => content(store, file, limits))));
  if (!Array.isArray(contents)) return contents;
  return { kind: "files", files: Object.fromEntries(contents.map(({ name, file }) => [name, file])) };
}

/**
 * Whether nobody's permissions would help to read an object that was refused: its uploader has seen to it. It is archived,
 * encrypted with the uploader's own key (SSE-C), or with a KMS key of another account that is not the bucket's. With any other key
 * the fault may be in our permissions, and nothing must be thrown away for that.
 */
export function isOutOfReach(head: ObjectHead | Refusal, { kmsKeyArn, accountId }: StorageLimits): boolean {
  if (typeof head === "string") return head === "unreadable";
  if (ARCHIVE_CLASSES.includes(head.storageClass)) return true;
  if (head.kmsKeyId === undefined || head.kmsKeyId === kmsKeyArn || accountId === undefined) return false;
  return accountOf(head.kmsKeyId) !== accountId;
}

/** `arn:aws:kms:<region>:<account>:key/<id>` */
function accountOf(arn: string): string | undefined {
  return arn.split(":")[4];
}

interface ListedFile {
  readonly name: MetricsFileName;
  readonly object: ListedObject;
}

/** Something was not to be had, or it was found to be corrupt. */
type Failure = Exclude<Refusal, "unreadable"> | Corrupt;

async function head(
  store: ObjectStore,
  { name, object }: ListedFile,
  limits: StorageLimits,
): Promise<(ListedFile & { head: ObjectHead }) | Failure> {
  const found = await store.head(object.key);
  if (found === "unreadable") return corrupt("unreadable-object", name);
  if (typeof found === "string") return found;
  if (found.etag !== object.etag) return "changed";
  if (found.size > limits.fileSizeBytesLimit) return corrupt("file-too-large", name);
  if (ARCHIVE_CLASSES.includes(found.storageClass)) return corrupt("unreadable-object", name);
  return { name, object, head: found };
}

async function content(
  store: ObjectStore,
  { name, object, head }: ListedFile & { head: ObjectHead },
  limits: StorageLimits,
): Promise<{ name: MetricsFileName; file: MetricsFile } | Failure> {
  const bytes = await store.get({ key: object.key, etag: head.etag }, head.size);
  if (bytes === "unreadable") return corrupt("unreadable-object", name);
  if (bytes === "denied" && isOutOfReach(head, limits)) return corrupt("unreadable-object", name);
  if (typeof bytes === "string") return bytes;
  return { name, file: { bytes, lastModified: head.lastModified } };
}

/** As `Promise.all`, but a failure waits for the others: no request outlives its runner. */
async function allOf<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

/** All results, or the first file that is corrupt, or why not now. */
function allOrNotNow<T extends object>(results: readonly (T | Failure)[]): T[] | Corrupt | NotNow {
  const found: T[] = [];
  const refusals = new Set<Failure>();
  for (const result of results) {
    if (isCorrupt(result)) return result;
    if (typeof result === "string") refusals.add(result);
    else found.push(result);
  }
  if (refusals.size === 0) return found;
  if (refusals.has("denied")) return { kind: "deferred", why: "denied" };
  const haveAllGone = found.length === 0 && !refusals.has("changed");
  return haveAllGone ? { kind: "vanished" } : { kind: "deferred", why: "changed" };
}
