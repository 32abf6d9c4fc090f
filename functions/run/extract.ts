import type { DeferralReason, StopReason } from "../../contract/reasons.ts";
import { FILES_TO_READ, PRE_JOB_METRICS_FILE_NAME, type RunnerFileName } from "../../contract/runner-files.ts";
import { mapConcurrently } from "../concurrency.ts";
import { type Corrupt, corrupt } from "../domain/corrupt.ts";
import { type Death, deathOf } from "../domain/instance-ends.ts";
import type { Quarantine } from "../domain/issue-events.ts";
import {
  type Incomplete,
  type Leftover,
  type RunnerMetrics,
  runnerMetrics,
  type UnfinishedInstallation,
} from "../domain/runner-metrics.ts";
import { type JobAnswer, verificationOf, verifyJob } from "../domain/verify-job.ts";
import { type JobLookup, ServiceError } from "../ports.ts";
import type { EndedInstances } from "../storage/ended-instances.ts";
import { listAll, listStorage } from "../storage/list-all.ts";
import { moveToQuarantine } from "../storage/quarantine.ts";
import { readStorage, type Unavailable } from "../storage/read.ts";
import { contradicts, type Filter, select } from "../storage/select.ts";
import {
  hasEnded,
  lastUploadOf,
  listingProblem,
  liveState,
  onlyFile,
  type StorageListing,
  type StorageManager,
} from "../storage/storage-listing.ts";
import { DEADLINE_REACHED } from "./until.ts";

/** What became of one storage. For the outcomes, see `OUTCOMES` in contract/reasons.ts. */
export type RunnerResult =
  | ({
      readonly outcome: "extracted";
      readonly metrics: RunnerMetrics;
      /** Absent if there was no job, or GitHub is not configured. */
      readonly job: JobAnswer | undefined;
    } & Collected)
  | ({ readonly outcome: "incomplete"; readonly installation: UnfinishedInstallation | undefined } & Collected)
  | {
      readonly outcome: "quarantined";
      readonly listing: StorageListing;
      readonly quarantine: Quarantine;
      /** The metrics file that is corrupt, if one is. */
      readonly file: RunnerFileName | undefined;
    }
  | {
      readonly outcome: "excluded" | "notReady";
      readonly live: ReturnType<typeof liveState>;
      readonly listedAt: number;
    }
  | { readonly outcome: "vanished" }
  | { readonly outcome: "handedOver"; readonly handedOver: StorageListing }
  | { readonly outcome: "deferred"; readonly reason: Exclude<DeferralReason, "leftover">; readonly cause?: unknown }
  | { readonly outcome: "deferred"; readonly reason: "leftover"; readonly listing: StorageListing };

interface Collected {
  readonly listing: StorageListing;
  /** Its runner is presumed dead and did not report its end. */
  readonly isLost: boolean;
  /** How it died, if it is lost. */
  readonly death?: Death | undefined;
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
  /** GitHub's list of runners was not used, or not to the end, because uploads contradict it. */
  readonly isAliveContradicted: boolean;
}

export interface ExtractOptions {
  /** Absent if GitHub is not configured. */
  readonly jobs?: JobLookup | undefined;
  readonly quarantineMismatches?: boolean | undefined;
  /** Absent if the bucket does not record how EC2 instances end. */
  readonly ended?: EndedInstances | undefined;
  /** Runners in progress. */
  readonly concurrency: number;
  /** Called before each page and each runner: false ends the extraction, and the rest waits for the next run. */
  readonly mayStart: () => boolean;
  /** Whether a storage that is ready and sound is left to the workers. */
  readonly handsOver?: ((listing: StorageListing) => Promise<boolean>) | undefined;
  /** The storages of a message, which are used as far as the bucket confirms them. Otherwise all of the flavor are listed. */
  readonly given?: readonly StorageListing[] | undefined;
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
  return yield* mapConcurrently(storagesInTime(storageManager, filter, options), options.concurrency, (listed) =>
    extractOrDefer(storageManager, listed, options),
  );
}

/** A storage, and the filter for it. */
interface Listed {
  readonly listing: StorageListing;
  readonly filter: Filter;
}

async function* storagesInTime(
  storageManager: StorageManager,
  filter: Filter,
  { mayStart, given }: ExtractOptions,
): AsyncGenerator<Listed, ListingReport> {
  let report: ListingReport = { listed: 0, strays: 0, stopped: "done", isAliveContradicted: false };
  try {
    for await (const { storages, strays } of given ? [{ storages: given, strays: 0 }] : listAll(storageManager)) {
      const isContradicted = filter.alive !== undefined && contradicts(filter.alive, storages);
      report = {
        ...report,
        strays: report.strays + strays,
        isAliveContradicted: report.isAliveContradicted || isContradicted,
      };
      const trusted = report.isAliveContradicted ? { ...filter, alive: undefined } : filter;
      if (!mayStart()) return { ...report, stopped: "deadline" };
      for (const listing of storages) {
        if (!mayStart()) return { ...report, stopped: "deadline" };
        report = { ...report, listed: report.listed + 1 };
        yield { listing, filter: trusted };
      }
    }
  } catch (failure) {
    const isTimeUp = failure instanceof ServiceError && failure.code === DEADLINE_REACHED;
    return isTimeUp ? { ...report, stopped: "deadline" } : { ...report, stopped: "listing-failed", failure };
  }
  return report;
}

/** The boundary around one runner: the one place where a failure becomes "deferred". */
async function extractOrDefer(
  storageManager: StorageManager,
  { listing, filter }: Listed,
  options: ExtractOptions,
): Promise<RunnerResult> {
  // A runner that has reported its end needs no other sign of it; a caller that names runners knows them.
  const ends = filter.runners || hasEnded(listing) ? [] : ((await options.ended?.endsOf(listing.name)) ?? []);
  const selected = select(listing, filter, ends);
  const alive = { live: liveState(listing), listedAt: listing.listedAt };
  if (selected === "excluded") return { outcome: "excluded", ...alive };
  const problem = listingProblem(listing, storageManager.maxObjectsPerRunner);
  if (selected === "notReady" && !problem) return { outcome: "notReady", ...alive };
  // The list of ended instances may have taken a while.
  if (options.ended && !options.mayStart()) return { outcome: "deferred", reason: "deadline" };
  try {
    if (!problem && options.handsOver) {
      if (await options.handsOver(listing)) return { outcome: "handedOver", handedOver: listing };
      // Asking SQS may have taken the rest of the time.
      if (!options.mayStart()) return { outcome: "deferred", reason: "deadline" };
    }
    const read = problem ? corrupt(problem) : await readMetrics(storageManager, listing);
    const job = read.kind === "metrics" ? await askForJob(read, listing, options) : undefined;
    const quarantineAsMismatch = options.quarantineMismatches && job && verificationOf(job) === "mismatch";
    const found = quarantineAsMismatch ? corrupt("job-mismatch", PRE_JOB_METRICS_FILE_NAME) : read;
    if (options.given && !confirms(found, listing))
      return await extractAsListed(storageManager, listing.name, filter, options);
    // With `runners` given, the caller knows which runners are dead: that is not a finding of ours.
    const isLost = !filter.runners && !hasEnded(listing);
    const death = isLost ? deathOf(ends, lastUploadOf(listing)) : undefined;
    return await resolve(storageManager, { listing, isLost, death }, found, job);
  } catch (cause) {
    return deferral(cause);
  }
}

/** Whether what was read confirms what a message says: its metrics files are there, unchanged and sound. */
function confirms(
  found: RunnerMetrics | Incomplete | Leftover | Corrupt | Unavailable,
  { files }: StorageListing,
): boolean {
  if (found.kind !== "metrics") return false;
  // HEAD has whole seconds.
  const seconds = (file: { lastModified: number } | undefined) => file && Math.floor(file.lastModified / 1000);
  return FILES_TO_READ.every((name) => seconds(files[name]) === seconds(found.files[name]));
}

/** Extracts a storage as the bucket shows it now, whatever a message says. */
async function extractAsListed(
  storageManager: StorageManager,
  name: string,
  filter: Filter,
  options: ExtractOptions,
): Promise<RunnerResult> {
  const listing = await listStorage(storageManager, name);
  if (listing.objects.length === 0) return { outcome: "vanished" };
  return extractOrDefer(storageManager, { listing, filter }, { ...options, given: undefined });
}

/** The result for a storage for which something failed. */
export function deferral(cause: unknown): RunnerResult {
  if (!(cause instanceof ServiceError)) return { outcome: "deferred", reason: "failed", cause };
  if (cause.code === DEADLINE_REACHED) return { outcome: "deferred", reason: "deadline" };
  return { outcome: "deferred", reason: cause.isAccessDenied ? "denied" : "failed", cause };
}

function unavailable(found: Unavailable): RunnerResult {
  if (found.kind === "vanished") return { outcome: "vanished" };
  const { kind: _, ...why } = found;
  return { outcome: "deferred", ...why };
}

/** Reads and parses the metrics files of a storage. */
export async function readMetrics(
  storageManager: StorageManager,
  listing: StorageListing,
): Promise<RunnerMetrics | Incomplete | Leftover | Corrupt | Unavailable> {
  const read = await readStorage(storageManager, listing);
  return read.kind === "files" ? runnerMetrics(listing.name, read.files) : read;
}

async function askForJob(
  metrics: RunnerMetrics,
  { listedAt }: StorageListing,
  { jobs }: ExtractOptions,
): Promise<JobAnswer | undefined> {
  if (!jobs || !metrics.preJob) return undefined;
  return verifyJob(await jobs.jobsOf(metrics), metrics, listedAt);
}

async function resolve(
  storageManager: StorageManager,
  collected: Collected,
  found: RunnerMetrics | Incomplete | Leftover | Corrupt | Unavailable,
  job: JobAnswer | undefined,
): Promise<RunnerResult> {
  const { listing } = collected;
  switch (found.kind) {
    case "metrics":
      return { outcome: "extracted", ...collected, metrics: found, job };
    case "incomplete":
      return { outcome: "incomplete", ...collected, installation: found.unfinishedInstallation };
    case "leftover":
      return { outcome: "deferred", reason: "leftover", listing: onlyFile(listing, found.file) };
    case "vanished":
    case "deferred":
      return unavailable(found);
    case "corrupt": {
      const moved = await moveToQuarantine(storageManager, listing, found);
      if (moved.kind !== "quarantine") return unavailable(moved);
      return { outcome: "quarantined", listing, quarantine: moved, file: found.file };
    }
  }
}
