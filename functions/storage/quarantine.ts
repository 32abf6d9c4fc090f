import type { Corrupt } from "../metrics/files.ts";
import type { Quarantine } from "../metrics/issue-events.ts";
import type { ListedObject, ObjectStore, Refusal } from "../ports.ts";
import {
  type Layout,
  quarantineKey,
  quarantineLocation,
  quarantineName,
  type StorageLimits,
  type StorageListing,
} from "./layout.ts";
import { isOutOfReach, type NotNow } from "./read.ts";

/** Larger objects are recorded, not copied. */
export const COPY_BYTES_MAX = 1024 * 1024;

/**
 * Moves a storage out of the runners' reach, but for the last step: copies what is small enough, records the rest, and writes
 * `manifest.json` last. The caller deletes the objects once the quarantine has been made known. Always comes to an end, whatever
 * the objects are; a second try after a crash writes the same again, and an existing manifest is left as it is.
 */
export async function moveToQuarantine(
  store: ObjectStore,
  layout: Layout,
  listing: StorageListing,
  { reason, file, problems }: Corrupt,
  limits: StorageLimits,
  now: number,
): Promise<({ readonly kind: "quarantine" } & Quarantine) | NotNow> {
  const { id, prefix } = quarantineLocation(layout, listing);
  const evidence = [];
  for (const [index, object] of listing.objects.entries()) {
    const fate = await copyOrReason(object, index < limits.objectsMax);
    if (fate === "gone" || fate === "changed") return { kind: "deferred", why: "changed" };
    if (fate === "denied") return { kind: "deferred", why: "denied" };
    evidence.push({ ...described(object), ...fate });
  }
  const manifest = {
    schema_version: 1,
    flavor: layout.flavor,
    storage: listing.name,
    reason,
    ...(file && { file }),
    ...(problems && { problems }),
    quarantined_at: new Date(now).toISOString(),
    objects: evidence,
  };
  await store.putIfAbsent(`${prefix}manifest.json`, JSON.stringify(manifest));
  const bytes = listing.objects.reduce((sum, { size }) => sum + size, 0);
  const storage = quarantineName(listing.name);
  return { kind: "quarantine", reason, storage, id, prefix, objects: listing.objects.length, bytes };

  async function copyOrReason(object: ListedObject, mayCopy: boolean): Promise<Fate> {
    if (!mayCopy) return { not_copied: "too-many" };
    if (object.size > COPY_BYTES_MAX) return { not_copied: "too-large" };
    const copy = quarantineKey(prefix, object.key, listing.prefix);
    const result = await store.copy(object, copy);
    if (result === "copied") return { copied_to: copy };
    if (result !== "denied" && result !== "unreadable") return result;
    // A copy may also be refused for its destination: a HEAD says whether it is the object's fault.
    return isOutOfReach(await store.head(object.key), limits) ? { not_copied: "unreadable" } : "denied";
  }
}

/** Where an object's copy is, or why there is none; or that it can't be said now. */
type Fate =
  | { readonly copied_to: string }
  | { readonly not_copied: "too-large" | "too-many" | "unreadable" }
  | Exclude<Refusal, "unreadable">;

function described({ key, size, etag, lastModified, storageClass }: ListedObject) {
  return { key, size, etag, last_modified: new Date(lastModified).toISOString(), storage_class: storageClass };
}
