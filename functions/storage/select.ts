import { type InstanceEnd, isNamed, isSlot } from "../../contract/object-keys.ts";
import type { RunInput } from "../../contract/schedule-input.ts";
import { isTerminated } from "../domain/instance-ends.ts";
import { hasEnded, lastUploadOf, liveState, type StorageListing } from "./storage-listing.ts";

/** Which storages a run collects. */
export interface Filter extends Pick<RunInput, "runners" | "include" | "orphanAfterSeconds"> {
  /** Without `runners`: names of all runners that are online or busy, if GitHub said so. What they have not finished is left alone. */
  readonly alive?: ReadonlySet<string> | undefined;
}

/**
 * For this long after its last upload, in seconds, a runner that GitHub does not name may still be about to register there: it
 * starts to record its life before GitHub knows about it. A runner uploads its earlier files again after 45 minutes of silence.
 */
const REGISTERING_SECONDS = 60 * 60;

/**
 * Decides by the listing, and by what happened to the storage's EC2 instance, so that an unfinished runner costs no request. Time is S3's.
 * A terminated instance has no runner, even if GitHub still lists it.
 */
export function select(
  listing: StorageListing,
  filter: Filter,
  ends: readonly InstanceEnd[] = [],
): "selected" | "excluded" | "notReady" {
  const isEnded = hasEnded(listing);
  if (filter.runners) {
    // A persistent runner is alive, but this job of it has ended. The reference's filter knows no slots.
    if (!filter.include && isEnded && isSlot(listing.name)) return "selected";
    return isOneOf(listing, filter.runners) === filter.include ? "selected" : "excluded";
  }
  if (isEnded || isTerminated(ends, listing.listedAt)) return "selected";
  if (filter.alive && isOneOf(listing, filter.alive)) return "excluded";
  const silentSeconds = filter.alive
    ? Math.min(filter.orphanAfterSeconds, REGISTERING_SECONDS)
    : filter.orphanAfterSeconds;
  return isOrphan(listing, silentSeconds) ? "selected" : "notReady";
}

function isOneOf({ name }: StorageListing, runners: ReadonlySet<string>): boolean {
  return isNamed(name, (known) => runners.has(known));
}

function isOrphan(listing: StorageListing, orphanAfterSeconds: number): boolean {
  return listing.listedAt - lastUploadOf(listing) > orphanAfterSeconds * 1000;
}

/** A runner that started a job within these milliseconds is surely known to GitHub. */
const SURELY_BUSY_MILLISECONDS = 15 * 60 * 1000;

/** Whether GitHub's list lacks most of the runners that have just started a job: then it is not used. */
export function contradicts(alive: ReadonlySet<string>, listings: readonly StorageListing[]): boolean {
  const busy = listings.filter((listing) => {
    const live = liveState(listing);
    return live?.state === "busy" && listing.listedAt - live.since < SURELY_BUSY_MILLISECONDS;
  });
  return busy.filter((listing) => isOneOf(listing, alive)).length < busy.length / 2;
}
