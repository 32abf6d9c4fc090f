import { mapConcurrently } from "./concurrency.ts";
import { type Corrupt, corrupt, PRE_JOB_METRICS_FILE_NAME } from "./metrics/files.ts";
import { type JobAnswer, verificationOf } from "./metrics/github-job.ts";
import type { Quarantine } from "./metrics/issue-events.ts";
import {
  type Incomplete,
  type RunnerMetrics,
  runnerMetrics,
  type UnfinishedInstallation,
} from "./metrics/runner-metrics.ts";
import { type Clock, type JobLookup, ServiceError } from "./ports.ts";
import type { StorageListing } from "./storage/layout.ts";
import type { NotNow } from "./storage/read.ts";
import { type Filter, hasPostJob, select } from "./storage/select.ts";
import type { StorageManager } from "./storage/storage-manager.ts";

/**
 * What became of one storage:
 * - `extracted`: its metrics, to be published; `incomplete`: it has none. Its objects are then to be deleted
 * - `quarantined`: copied or recorded; to be made known, then its objects are to be deleted
 * - `excluded` by the filter; `notReady`: its runner is not done; `vanished`: another run was faster
 * - `deferred`: this was not the time; the next run tries again
 */
export type Extraction =
  | ({
      readonly outcome: "extracted";
      readonly metrics: RunnerMetrics;
      readonly job: JobAnswer | undefined;
    } & Collected)
  | ({ readonly outcome: "incomplete"; readonly installation: UnfinishedInstallation | undefined } & Collected)
  | { readonly outcome: "quarantined"; readonly listing: StorageListing; readonly quarantine: Quarantine }
  | { readonly outcome: "excluded" | "notReady" | "vanished" }
  | { readonly outcome: "deferred"; readonly why: DeferralReason; readonly cause?: unknown };

interface Collected {
  readonly listing: StorageListing;
  /** Its runner is taken for dead, and has left no word of its end. */
  readonly isLost: boolean;
}

/** Why the next run has to see to a storage: `failed` is S3's or our own failure, `unpublished` EventBridge's. Closed. */
export const DEFERRAL_REASONS = ["changed", "denied", "failed", "unpublished"] as const;
export type DeferralReason = (typeof DEFERRAL_REASONS)[number];

/** The objects that go once an extraction has been made known. */
export function objectsOf(extraction: Extraction): StorageListing["objects"] {
  return "listing" in extraction ? extraction.listing.objects : [];
}

export interface ExtractOptions {
  readonly clock: Clock;
  /** Absent where GitHub is not configured. */
  readonly jobs?: JobLookup | undefined;
  readonly quarantineMismatches?: boolean | undefined;
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
    extractOrDefer(storageManager, listing, filter, options),
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
  { clock, jobs, quarantineMismatches }: ExtractOptions,
): Promise<Extraction> {
  const selected = select(listing, filter, clock.now());
  if (selected === "excluded") return { outcome: "excluded" };
  const problem = storageManager.problem(listing);
  if (selected === "notReady" && !problem) return { outcome: "notReady" };
  try {
    const read = problem ? corrupt(problem) : await readMetrics(storageManager, listing);
    const job = read.kind === "metrics" && read.preJob ? await jobs?.find(read) : undefined;
    const isToBeDoubted = quarantineMismatches && job && verificationOf(job) === "mismatch";
    const found = isToBeDoubted ? corrupt("job-mismatch", PRE_JOB_METRICS_FILE_NAME) : read;
    // With `runners` given, who is dead is the caller's knowledge and not a finding of ours.
    const isLost = !filter.runners && !hasPostJob(listing);
    return await extraction(storageManager, { listing, isLost }, found, job);
  } catch (cause) {
    return deferral(cause);
  }
}

/** What becomes of a storage at which something failed. */
export function deferral(cause: unknown): Extraction {
  const isDenied = cause instanceof ServiceError && cause.isAccessDenied;
  return { outcome: "deferred", why: isDenied ? "denied" : "failed", cause };
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
  collected: Collected,
  found: RunnerMetrics | Incomplete | Corrupt | NotNow,
  job: JobAnswer | undefined,
): Promise<Extraction> {
  const { listing } = collected;
  switch (found.kind) {
    case "metrics":
      return { outcome: "extracted", ...collected, metrics: found, job };
    case "incomplete":
      return { outcome: "incomplete", ...collected, installation: found.unfinishedInstallation };
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
