import { mapConcurrently } from "./concurrency.ts";
import { type Corrupt, corrupt } from "./metrics/files.ts";
import type { Quarantine } from "./metrics/issue-events.ts";
import { type Incomplete, type RunnerMetrics, runnerMetrics } from "./metrics/runner-metrics.ts";
import type { Clock } from "./ports.ts";
import type { StorageListing } from "./storage/layout.ts";
import type { NotNow } from "./storage/read.ts";
import { type Filter, select } from "./storage/select.ts";
import type { StorageManager } from "./storage/storage-manager.ts";

/**
 * What became of one storage:
 * - `extracted`: its metrics, to be published; `incomplete`: nothing to publish. Its objects are then to be deleted
 * - `quarantined`: copied or recorded; to be made known, then its objects are to be deleted
 * - `excluded` by the filter; `notReady`: its runner is not done; `vanished`: another run was faster
 * - `deferred`: this was not the time; the next run tries again
 */
export type Extraction =
  | { readonly outcome: "extracted"; readonly listing: StorageListing; readonly metrics: RunnerMetrics }
  | { readonly outcome: "incomplete"; readonly listing: StorageListing }
  | { readonly outcome: "quarantined"; readonly listing: StorageListing; readonly quarantine: Quarantine }
  | { readonly outcome: "excluded" | "notReady" | "vanished" }
  | { readonly outcome: "deferred"; readonly why: DeferralReason; readonly cause?: unknown };

/** Why the next run has to see to a storage: `failed` is S3's or our own failure, `unpublished` EventBridge's. Closed. */
export const DEFERRAL_REASONS = ["changed", "denied", "failed", "unpublished"] as const;
export type DeferralReason = (typeof DEFERRAL_REASONS)[number];

/** The objects that go once an extraction has been made known. */
export function objectsOf(extraction: Extraction): StorageListing["objects"] {
  return "listing" in extraction ? extraction.listing.objects : [];
}

export interface ExtractOptions {
  readonly clock: Clock;
  /** Runners in progress. */
  readonly concurrency: number;
  /** Asked before each runner is begun: false ends the extraction, and the rest waits for the next run. */
  readonly mayBegin: () => boolean;
  readonly onListed: () => void;
  /** An object lies beside the storages, where no runner may write. */
  readonly onStray: () => void;
  /** The listing can't go on: what has been listed is finished, the rest waits for the next run. */
  readonly onListingFailed: (cause: unknown) => void;
}

/**
 * Extracts the metrics of every storage that the filter takes. Nothing is deleted here: that is its consumer's to do, once what
 * was yielded has reached its destination. Never throws: whatever goes wrong with one storage, that one is deferred and the
 * others go on.
 */
export async function* extract(
  storageManager: StorageManager,
  filter: Filter,
  options: ExtractOptions,
): AsyncGenerator<Extraction> {
  yield* mapConcurrently(listed(storageManager, options), options.concurrency, (listing) =>
    extractOrDefer(storageManager, listing, filter, options.clock.now()),
  );
}

async function* listed(storageManager: StorageManager, options: ExtractOptions): AsyncGenerator<StorageListing> {
  try {
    for await (const listing of storageManager.listAll(options.onStray)) {
      if (!options.mayBegin()) return;
      options.onListed();
      yield listing;
    }
  } catch (cause) {
    options.onListingFailed(cause);
  }
}

/** The boundary around one runner: the one place where a failure becomes "deferred". */
async function extractOrDefer(
  storageManager: StorageManager,
  listing: StorageListing,
  filter: Filter,
  now: number,
): Promise<Extraction> {
  const selected = select(listing, filter, now);
  if (selected === "excluded") return { outcome: "excluded" };
  const problem = storageManager.problem(listing);
  if (selected === "notReady" && !problem) return { outcome: "notReady" };
  try {
    const found = problem ? corrupt(problem) : await readMetrics(storageManager, listing);
    return await extraction(storageManager, listing, found);
  } catch (cause) {
    return { outcome: "deferred", why: "failed", cause };
  }
}

async function readMetrics(
  storageManager: StorageManager,
  listing: StorageListing,
): Promise<RunnerMetrics | Incomplete | Corrupt | NotNow> {
  const read = await storageManager.read(listing);
  return read.kind === "files" ? runnerMetrics(listing.name, read.files) : read;
}

async function extraction(
  storageManager: StorageManager,
  listing: StorageListing,
  found: RunnerMetrics | Incomplete | Corrupt | NotNow,
): Promise<Extraction> {
  switch (found.kind) {
    case "metrics":
      return { outcome: "extracted", listing, metrics: found };
    case "incomplete":
      return { outcome: "incomplete", listing };
    case "vanished":
      return { outcome: "vanished" };
    case "deferred":
      return { outcome: "deferred", why: found.why };
    case "corrupt": {
      const moved = await storageManager.moveToQuarantine(listing, found);
      if (moved.kind === "vanished") return { outcome: "vanished" };
      if (moved.kind === "deferred") return { outcome: "deferred", why: moved.why };
      return { outcome: "quarantined", listing, quarantine: moved };
    }
  }
}
