import type { DeferralReason, StopReason } from "../../contract/reasons.ts";
import { PRE_JOB_METRICS_FILE_NAME } from "../../contract/runner-files.ts";
import { mapConcurrently } from "../concurrency.ts";
import { type Corrupt, corrupt } from "../domain/corrupt.ts";
import type { Quarantine } from "../domain/issue-events.ts";
import {
  type Incomplete,
  type RunnerMetrics,
  runnerMetrics,
  type UnfinishedInstallation,
} from "../domain/runner-metrics.ts";
import { type JobAnswer, verificationOf, verifyJob } from "../domain/verify-job.ts";
import { type Clock, type JobLookup, ServiceError } from "../ports.ts";
import { listAll } from "../storage/list-all.ts";
import { moveToQuarantine } from "../storage/quarantine.ts";
import { readStorage, type Unavailable } from "../storage/read.ts";
import { type Filter, select } from "../storage/select.ts";
import { hasEnded, listingProblem, type StorageListing, type StorageManager } from "../storage/storage-listing.ts";

/** What became of one storage. For the outcomes, see `OUTCOMES` in contract/reasons.ts. */
export type RunnerResult =
  | ({
      readonly outcome: "extracted";
      readonly metrics: RunnerMetrics;
      /** Absent if there was no job, or GitHub is not configured. */
      readonly job: JobAnswer | undefined;
    } & Collected)
  | ({ readonly outcome: "incomplete"; readonly installation: UnfinishedInstallation | undefined } & Collected)
  | { readonly outcome: "quarantined"; readonly listing: StorageListing; readonly quarantine: Quarantine }
  | { readonly outcome: "excluded" | "notReady" | "vanished" }
  | { readonly outcome: "deferred"; readonly reason: DeferralReason; readonly cause?: unknown };

interface Collected {
  readonly listing: StorageListing;
  /** Its runner is presumed dead and did not report its end. */
  readonly isLost: boolean;
}

/** How far the listing came. */
export interface ListingReport {
  /** Storages listed. */
  readonly listed: number;
  /** Objects outside any storage. */
  readonly strays: number;
  readonly stopped: StopReason;
  /** Why the listing failed. */
  readonly failure?: unknown;
}

export interface ExtractOptions {
  readonly clock: Pick<Clock, "now">;
  /** Absent if GitHub is not configured. */
  readonly jobs?: JobLookup | undefined;
  readonly quarantineMismatches?: boolean | undefined;
  /** Runners in progress. */
  readonly concurrency: number;
  /** Called before each runner is started: false ends the extraction, and the rest waits for the next run. */
  readonly mayStart: () => boolean;
}

/**
 * Extracts the metrics of every storage that the filter selects. Deletes nothing: the consumer does, after the yielded metrics have
 * reached their destination. Never throws: if something fails for one storage, that one is deferred and the others go on.
 */
export async function* extract(
  storageManager: StorageManager,
  filter: Filter,
  options: ExtractOptions,
): AsyncGenerator<RunnerResult, ListingReport> {
  return yield* mapConcurrently(storagesInTime(storageManager, options), options.concurrency, (listing) =>
    extractOrDefer(storageManager, listing, filter, options),
  );
}

async function* storagesInTime(
  storageManager: StorageManager,
  { mayStart }: ExtractOptions,
): AsyncGenerator<StorageListing, ListingReport> {
  let listed = 0;
  let strays = 0;
  try {
    for await (const page of listAll(storageManager)) {
      strays += page.strays;
      for (const listing of page.storages) {
        if (!mayStart()) return { listed, strays, stopped: "deadline" };
        listed++;
        yield listing;
      }
    }
  } catch (failure) {
    return { listed, strays, stopped: "listing-failed", failure };
  }
  return { listed, strays, stopped: "done" };
}

/** The boundary around one runner: the one place where a failure becomes "deferred". */
async function extractOrDefer(
  storageManager: StorageManager,
  listing: StorageListing,
  filter: Filter,
  options: ExtractOptions,
): Promise<RunnerResult> {
  const selected = select(listing, filter, options.clock.now());
  if (selected === "excluded") return { outcome: "excluded" };
  const problem = listingProblem(listing, storageManager.maxObjectsPerRunner);
  if (selected === "notReady" && !problem) return { outcome: "notReady" };
  try {
    const read = problem ? corrupt(problem) : await readMetrics(storageManager, listing);
    const job = read.kind === "metrics" ? await askForJob(read, options) : undefined;
    const quarantineAsMismatch = options.quarantineMismatches && job && verificationOf(job) === "mismatch";
    const found = quarantineAsMismatch ? corrupt("job-mismatch", PRE_JOB_METRICS_FILE_NAME) : read;
    // With `runners` given, the caller knows which runners are dead: that is not a finding of ours.
    const isLost = !filter.runners && !hasEnded(listing);
    return await resolve(storageManager, { listing, isLost }, found, job);
  } catch (cause) {
    return deferral(cause);
  }
}

/** The result for a storage for which something failed. */
export function deferral(cause: unknown): RunnerResult {
  const isDenied = cause instanceof ServiceError && cause.isAccessDenied;
  return { outcome: "deferred", reason: isDenied ? "denied" : "failed", cause };
}

async function readMetrics(
  storageManager: StorageManager,
  listing: StorageListing,
): Promise<RunnerMetrics | Incomplete | Corrupt | Unavailable> {
  const read = await readStorage(storageManager, listing);
  return read.kind === "files" ? runnerMetrics(listing.name, read.files) : read;
}

async function askForJob(metrics: RunnerMetrics, { jobs, clock }: ExtractOptions): Promise<JobAnswer | undefined> {
  if (!jobs || !metrics.preJob) return undefined;
  return verifyJob(await jobs.jobsOf(metrics), metrics, clock.now());
}

async function resolve(
  storageManager: StorageManager,
  collected: Collected,
  found: RunnerMetrics | Incomplete | Corrupt | Unavailable,
  job: JobAnswer | undefined,
): Promise<RunnerResult> {
  const { listing } = collected;
  switch (found.kind) {
    case "metrics":
      return { outcome: "extracted", ...collected, metrics: found, job };
    case "incomplete":
      return { outcome: "incomplete", ...collected, installation: found.unfinishedInstallation };
    case "vanished":
      return { outcome: "vanished" };
    case "deferred":
      return { outcome: "deferred", reason: found.reason };
    case "corrupt": {
      const moved = await moveToQuarantine(storageManager, listing, found);
      if (moved.kind === "vanished") return { outcome: "vanished" };
      if (moved.kind === "deferred") return { outcome: "deferred", reason: moved.reason };
      return { outcome: "quarantined", listing, quarantine: moved };
    }
  }
}
