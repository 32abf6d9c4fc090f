import type { Corrupt, QuarantineReason } from "../metrics/files.ts";
import type { Quarantine } from "../metrics/issue-events.ts";
import type { Clock, ObjectStore, ObjectVersion } from "../ports.ts";
import { type CleanUpCounts, cleanUp } from "./clean-up.ts";
import { flavorPrefix, type Layout, listingProblem, type StorageLimits, type StorageListing } from "./layout.ts";
import { hasGrown, listAll } from "./list-all.ts";
import { moveToQuarantine } from "./quarantine.ts";
import { type NotNow, type ReadResult, readStorage } from "./read.ts";

/** The metrics storages of one flavor in the bucket. */
export interface StorageManager {
  /** Every storage; `onStray` is called for every object beside them. */
  listAll(onStray: () => void): AsyncIterable<StorageListing>;
  /** What is wrong with a storage by its listing alone. */
  problem(listing: StorageListing): QuarantineReason | undefined;
  read(listing: StorageListing): Promise<ReadResult>;
  moveToQuarantine(listing: StorageListing, corrupt: Corrupt): Promise<({ kind: "quarantine" } & Quarantine) | NotNow>;
  /** Whether the storage holds anything that the listing does not show. */
  hasGrown(listing: StorageListing): Promise<boolean>;
  /** Deletes exactly these versions. */
  cleanUp(objects: readonly ObjectVersion[]): Promise<CleanUpCounts>;
}

export function createStorageManager(
  store: ObjectStore,
  layout: Layout,
  limits: StorageLimits,
  clock: Clock,
): StorageManager {
  return {
    listAll: (onStray) => listAll(store, flavorPrefix(layout), limits.objectsMax, onStray),
    problem: (listing) => listingProblem(listing, limits.objectsMax),
    read: (listing) => readStorage(store, listing, limits),
    moveToQuarantine: (listing, corrupt) => moveToQuarantine(store, layout, listing, corrupt, limits, clock.now()),
    hasGrown: (listing) => hasGrown(store, listing),
    cleanUp: (objects) => cleanUp(store, objects),
  };
}
