import { METRICS_FILE_NAMES, type MetricsFileName, POST_JOB_METRICS_FILE_NAME } from "../metrics/files.ts";
import { runnerName } from "../metrics/runner-metrics.ts";
import type { StorageListing } from "./layout.ts";

/** Which storages a run is after. */
export interface Filter {
  /** Names of runners: the caller knows the fleet, and readiness does not matter. */
  readonly runners?: ReadonlySet<string> | undefined;
  /** Take only those named, or (the reference's default) all but those named: they are alive. */
  readonly include: boolean;
  /** Without `runners`: a storage whose newest object is older than this is ready, though its job never ended. */
  readonly orphanAfterSeconds: number;
  /** Without `runners`: names of all runners that live, where GitHub told them. All others are ready. */
  readonly alive?: ReadonlySet<string> | undefined;
}

/**
 * So long after its last upload, in seconds, a runner that GitHub does not name may still be about to register there: it begins
 * to record its life before GitHub knows of it.
 */
const REGISTERING_SECONDS = 15 * 60;

/** Decides by the listing alone, so that a runner that is not done costs no request. `now` in milliseconds since the epoch. */
export function select(listing: StorageListing, filter: Filter, now: number): "taken" | "excluded" | "notReady" {
  if (filter.runners) return isNamed(listing, filter.runners) === filter.include ? "taken" : "excluded";
  if (filter.alive && isNamed(listing, filter.alive)) return "excluded";
  const silentSeconds = filter.alive
    ? Math.min(filter.orphanAfterSeconds, REGISTERING_SECONDS)
    : filter.orphanAfterSeconds;
  return hasPostJob(listing) || isOrphan(listing, silentSeconds, now) ? "taken" : "notReady";
}

function isNamed({ name }: StorageListing, runners: ReadonlySet<string>): boolean {
  return runners.has(name) || runners.has(runnerName(name));
}

/** Whether the runner has said its last word. */
export function hasPostJob(listing: StorageListing): boolean {
  return hasFile(listing, POST_JOB_METRICS_FILE_NAME);
}

/** Whether nothing is missing that a runner leaves which did a job. */
export function hasWholeJob(listing: StorageListing): boolean {
  return METRICS_FILE_NAMES.every((name) => hasFile(listing, name));
}

function hasFile({ objects, prefix }: StorageListing, name: MetricsFileName): boolean {
  return objects.some(({ key, size }) => size > 0 && key === prefix + name);
}

function isOrphan({ objects }: StorageListing, orphanAfterSeconds: number, now: number): boolean {
  const newest = objects.reduce((latest, { lastModified }) => Math.max(latest, lastModified), 0);
  return now - newest > orphanAfterSeconds * 1000;
}
