import { RUNNERS_PREFIX } from "../../contract/object-keys.ts";
import { FILE_SIZE_BYTES_LIMIT, type RunnerFileName } from "../../contract/runner-files.ts";
import { type Corrupt, corrupt, isCorrupt } from "../domain/corrupt.ts";
import type { MetricsFile, MetricsFiles } from "../domain/runner-metrics.ts";
import { type ListedObject, type ObjectHead, type ObjectStore, type Refusal, ServiceError } from "../ports.ts";
import type { StorageListing, StorageManager } from "./storage-listing.ts";

/**
 * Storage classes whose objects are archived, or may be: a GET needs a restore first. No runner has a reason to use them.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/archived-objects.html
 */
const ARCHIVE_CLASSES = ["GLACIER", "DEEP_ARCHIVE", "INTELLIGENT_TIERING"];

/** Why nothing can be done with a storage now: all its files are gone, or they are not the listed versions, or we are denied access. */
export type Unavailable =
  | { readonly kind: "vanished" }
  | { readonly kind: "deferred"; readonly reason: "changed" }
  | Denied;

interface Denied {
  readonly kind: "deferred";
  readonly reason: "denied";
  /** Which call was denied, for the operator. */
  readonly cause: ServiceError;
}

/** S3 denied a call about a storage. The cause names no storage: a run that is denied thousands has one error. */
export function denied(call: string, permission: string, { flavor }: Pick<StorageManager, "flavor">): Denied {
  const message = `${call} below ${RUNNERS_PREFIX}${flavor}/: AccessDenied (HTTP 403), needs ${permission}`;
  return { kind: "deferred", reason: "denied", cause: new ServiceError("AccessDenied", message, { retryable: false }) };
}

export type ReadResult = { readonly kind: "files"; readonly files: MetricsFiles } | Corrupt | Unavailable;

/**
 * Reads the metrics files that a listing shows: HEAD for each; then GET for each, unless a HEAD shows that one is too large or
 * unreadable. Reads only the listed versions, so that a later delete removes exactly what was read. An empty file counts as absent and
 * costs nothing.
 */
export async function readStorage(storageManager: StorageManager, listing: StorageListing): Promise<ReadResult> {
  const entries = Object.entries(listing.files) as [RunnerFileName, ListedObject][];
  const listed = entries.map(([name, object]): ListedFile => ({ name, object }));
  const heads = allOrUnavailable(await allOf(listed.map((file) => head(storageManager.store, file))), () =>
    denied("HEAD", "s3:GetObject", storageManager),
  );
  if (!Array.isArray(heads)) return heads;
  const contents = allOrUnavailable(await allOf(heads.map((file) => content(storageManager, file))), () =>
    denied("GET", "s3:GetObject, and kms:Decrypt for the key of the bucket", storageManager),
  );
  if (!Array.isArray(contents)) return contents;
  return { kind: "files", files: Object.fromEntries(contents.map(({ name, file }) => [name, file])) };
}

/**
 * Whether no permission would help to read an object that was refused, because of what its uploader did: it is archived, encrypted
 * with the uploader's own key (SSE-C), or with a KMS key of another account that is not the bucket's. With any other key our
 * permissions may be wrong, and nothing must be thrown away for that.
 */
export function isOutOfReach(
  head: ObjectHead | Refusal,
  { kmsKeyArn, accountId }: Pick<StorageManager, "kmsKeyArn" | "accountId">,
): boolean {
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
  readonly name: RunnerFileName;
  readonly object: ListedObject;
}

/** A file could not be read, or it was found to be corrupt. */
type Failure = Exclude<Refusal, "unreadable"> | Corrupt;

async function head(
  store: ObjectStore,
  { name, object }: ListedFile,
): Promise<(ListedFile & { head: ObjectHead }) | Failure> {
  const found = await store.head(object.key);
  if (found === "unreadable") return corrupt("unreadable-object", name);
  if (typeof found === "string") return found;
  if (found.etag !== object.etag) return "changed";
  if (found.size > FILE_SIZE_BYTES_LIMIT) return corrupt("file-too-large", name);
  if (ARCHIVE_CLASSES.includes(found.storageClass)) return corrupt("unreadable-object", name);
  return { name, object, head: found };
}

async function content(
  storageManager: StorageManager,
  { name, object, head }: ListedFile & { head: ObjectHead },
): Promise<{ name: RunnerFileName; file: MetricsFile } | Failure> {
  const bytes = await storageManager.store.get({ key: object.key, etag: head.etag }, head.size);
  if (bytes === "unreadable") return corrupt("unreadable-object", name);
  if (bytes === "denied" && isOutOfReach(head, storageManager)) return corrupt("unreadable-object", name);
  if (typeof bytes === "string") return bytes;
  return { name, file: { bytes, lastModified: head.lastModified } };
}

/** As `Promise.all`, but a failure waits for the others: no request outlives its runner. */
async function allOf<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

/** All results; or the first corrupt file; or why they are unavailable. */
function allOrUnavailable<T extends object>(
  results: readonly (T | Failure)[],
  ifDenied: () => Denied,
): T[] | Corrupt | Unavailable {
  const found: T[] = [];
  const refusals = new Set<Failure>();
  for (const result of results) {
    if (isCorrupt(result)) return result;
    if (typeof result === "string") refusals.add(result);
    else found.push(result);
  }
  if (refusals.size === 0) return found;
  if (refusals.has("denied")) return ifDenied();
  const areAllGone = found.length === 0 && !refusals.has("changed");
  return areAllGone ? { kind: "vanished" } : { kind: "deferred", reason: "changed" };
}
