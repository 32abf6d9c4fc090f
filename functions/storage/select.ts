import { runnerName } from "../../contract/object-keys.ts";
import type { RunInput } from "../../contract/schedule-input.ts";
import { hasEnded, type StorageListing } from "./storage-listing.ts";

/** Which storages a run collects. */
export interface Filter extends Pick<RunInput, "runners" | "include" | "orphanAfterSeconds"> {
  /** Without `runners`: names of all runners that are online or busy, if GitHub said so. All others are ready. */
  readonly alive?: ReadonlySet<string> | undefined;
}

/**
 * For this long after its last upload, in seconds, a runner that GitHub does not name may still be about to register there: it
 * starts to record its life before GitHub knows about it.
 */
const REGISTERING_SECONDS = 15 * 60;

/** Decides by the listing alone, so that an unfinished runner costs no request. `now` in milliseconds since the epoch. */
export function select(listing: StorageListing, filter: Filter, now: number): "selected" | "excluded" | "notReady" {
  if (filter.runners) return isNamed(listing, filter.runners) === filter.include ? "selected" : "excluded";
  if (filter.alive && isNamed(listing, filter.alive)) return "excluded";
  const silentSeconds = filter.alive
    ? Math.min(filter.orphanAfterSeconds, REGISTERING_SECONDS)
    : filter.orphanAfterSeconds;
  return hasEnded(listing) || isOrphan(listing, silentSeconds, now) ? "selected" : "notReady";
}

function isNamed({ name }: StorageListing, runners: ReadonlySet<string>): boolean {
  return runners.has(name) || runners.has(runnerName(name));
}

function isOrphan({ objects }: StorageListing, orphanAfterSeconds: number, now: number): boolean {
  const newest = objects.reduce((latest, { lastModified }) => Math.max(latest, lastModified), 0);
  return now - newest > orphanAfterSeconds * 1000;
}
