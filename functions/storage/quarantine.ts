import {
  manifestKey,
  quarantineId,
  quarantineKey,
  quarantineName,
  quarantinePrefix,
} from "../../contract/object-keys.ts";
import type { NotCopied, QuarantinedObject, QuarantineManifest } from "../../contract/quarantine-manifest.ts";
import type { Corrupt } from "../domain/corrupt.ts";
import type { Quarantine } from "../domain/issue-events.ts";
import type { ListedObject, Refusal } from "../ports.ts";
import { denied, isOutOfReach, type Unavailable } from "./read.ts";
import type { StorageListing, StorageManager } from "./storage-listing.ts";

/** Larger objects are recorded, not copied. */
export const COPY_BYTES_MAX = 1024 * 1024;

/**
 * Moves a storage out of the runners' reach, except for the last step: copies the objects that are small enough, records the rest, and
 * writes the manifest last. The caller deletes the objects once the quarantine has been published. Always terminates, whatever the
 * objects are. A second attempt after a crash writes the same again and leaves an existing manifest as it is.
 */
export async function moveToQuarantine(
  storageManager: StorageManager,
  listing: StorageListing,
  { reason, file, problems }: Corrupt,
): Promise<({ readonly kind: "quarantine" } & Quarantine) | Unavailable> {
  const { store, flavor, maxObjectsPerRunner } = storageManager;
  const id = quarantineId(listing.objects);
  const prefix = quarantinePrefix(flavor, listing.name, id);
  const evidence: QuarantinedObject[] = [];
  for (const [index, object] of listing.objects.entries()) {
    const result = await tryCopy(object, index < maxObjectsPerRunner);
    if (result === "gone" || result === "changed") return { kind: "deferred", reason: "changed" };
    if (result === "denied") {
      return denied("COPY to quarantine", "s3:GetObject there and s3:PutObject in quarantine", storageManager);
    }
    evidence.push({ ...described(object), ...result });
  }
  const manifest: QuarantineManifest = {
    schema_version: 1,
    flavor,
    storage: listing.name,
    reason,
    ...(file && { file }),
    ...(problems && { problems: [...problems] }),
    quarantined_at: new Date(listing.listedAt).toISOString(),
    objects: evidence,
  };
  await store.putIfAbsent(manifestKey(prefix), JSON.stringify(manifest));
  const bytes = listing.objects.reduce((sum, { size }) => sum + size, 0);
  const storage = quarantineName(listing.name);
  return { kind: "quarantine", reason, storage, id, prefix, objects: listing.objects.length, bytes };

  async function tryCopy(object: ListedObject, mayCopy: boolean): Promise<CopyResult> {
    if (!mayCopy) return { not_copied: "too-many" };
    if (object.size > COPY_BYTES_MAX) return { not_copied: "too-large" };
    const copy = quarantineKey(prefix, object.key, listing.prefix);
    const result = await store.copy(object, copy);
    if (result === "copied") return { copied_to: copy };
    if (result !== "denied" && result !== "unreadable") return result;
    // A copy may also be refused because of its destination: a HEAD shows whether it is because of the object.
    return isOutOfReach(await store.head(object.key), storageManager) ? { not_copied: "unreadable" } : "denied";
  }
}

/** Where an object's copy is, or why there is none; or why it can't be copied now. */
type CopyResult = { readonly copied_to: string } | { readonly not_copied: NotCopied } | Exclude<Refusal, "unreadable">;

function described({ key, size, etag, lastModified, storageClass }: ListedObject) {
  return { key, size, etag, last_modified: new Date(lastModified).toISOString(), storage_class: storageClass };
}
