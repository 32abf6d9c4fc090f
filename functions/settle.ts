import { mapConcurrently } from "./concurrency.ts";
import { deferral, type Extraction, objectsOf } from "./extract.ts";
import { EVENT_SOURCE, type MetricsEvent } from "./metrics/events.ts";
import { installFailedEvent, issueEvents, lostRunnerEvent, quarantineEvent } from "./metrics/issue-events.ts";
import { DELETE_RESULTS, type Dependencies, type EventEntry, ServiceError } from "./ports.ts";
import { publish } from "./publish.ts";
import { hasWholeJob } from "./storage/select.ts";
import type { StorageManager } from "./storage/storage-manager.ts";
import { noteError, type Summary } from "./summary.ts";

export interface Settling extends Dependencies {
  readonly flavor: string;
  readonly storageManager: StorageManager;
  readonly summary: Summary;
}

/**
 * Brings a batch of extractions to its end: publishes, then deletes. Returns what became of each: one that was not acknowledged,
 * or has grown meanwhile, is deferred with its files in place.
 */
export async function settle(batch: readonly Extraction[], settling: Settling): Promise<Extraction[]> {
  const published = await publishEvents(batch, settling);
  const certain = published.filter((extraction) => !needsSecondLook(extraction));
  await cleanUp(certain, settling);
  const doubtful = published.filter(needsSecondLook);
  const looked = mapConcurrently(doubtful, settling.config.concurrency, async (extraction) => {
    const settled = await deferGrown(extraction, settling);
    await cleanUp([settled], settling);
    return settled;
  });
  return [...certain, ...(await Array.fromAsync(looked))];
}

async function publishEvents(batch: readonly Extraction[], settling: Settling): Promise<Extraction[]> {
  const { bus, config, clock, deadline, summary } = settling;
  const issued = batch.map((extraction) => {
    const resource = `arn:${config.partition}:s3:::${config.bucketName}/${locationOf(extraction)}`;
    const events = eventsOf(extraction, settling);
    return { extraction, entries: events.map((event) => ({ event, entry: entryOf(event, resource) })) };
  });
  const all = issued.flatMap(({ entries }) => entries);
  const results = await publish(
    bus,
    all.map(({ entry }) => entry),
    { clock, deadline },
  );
  // A bus that went away in the meantime has acknowledged the events, and lost them.
  const isBusThere = all.length === 0 || (await isStillThere(settling));
  for (const { event, entry } of all) {
    const result = results.get(entry);
    summary.events[event.detailType][result === "accepted" ? "accepted" : "failed"]++;
    if (typeof result === "object") noteError(summary, new Error(`PutEvents: ${result.code}`));
  }
  return issued.map(({ extraction, entries }) => {
    const failed = entries.map(({ entry }) => results.get(entry)).filter((result) => result !== "accepted");
    if (entries.length === 0 || (failed.length === 0 && isBusThere)) return extraction;
    const isDenied = failed.some((result) => result?.code.startsWith("AccessDenied"));
    return { outcome: "deferred", why: isDenied ? "denied" : "unpublished" };
  });
}

async function isStillThere({ bus, config, summary }: Settling): Promise<boolean> {
  try {
    if (await bus.exists()) return true;
    noteError(summary, new Error(missingBus(config.eventBusName)));
    return false;
  } catch (cause) {
    if (!(cause instanceof ServiceError)) throw cause;
    // Not known: then the events come once more, under the same ids, which costs less than to lose them.
    noteError(summary, cause);
    return false;
  }
}

/**
 * A storage without a post-job file may belong to a runner that lives after all, and is ending its job just now; one with
 * that file but not the others, to such a runner that is just sending the others again. If anything came in since the listing,
 * what is deleted now would be missing there: so where not all of a job is there, it is looked at again, just before the delete.
 */
function needsSecondLook(extraction: Extraction): boolean {
  const isCollected = extraction.outcome === "extracted" || extraction.outcome === "incomplete";
  return isCollected && !hasWholeJob(extraction.listing);
}

async function deferGrown(extraction: Extraction, { storageManager }: Settling): Promise<Extraction> {
  if (!("listing" in extraction)) return extraction;
  try {
    const hasGrown = await storageManager.hasGrown(extraction.listing);
    return hasGrown ? { outcome: "deferred", why: "changed" } : extraction;
  } catch (cause) {
    return deferral(cause);
  }
}

async function cleanUp(extractions: readonly Extraction[], { storageManager, summary }: Settling): Promise<void> {
  const objects = extractions.flatMap(objectsOf);
  if (objects.length === 0) return;
  try {
    const counts = await storageManager.cleanUp(objects);
    for (const result of DELETE_RESULTS) summary.objects[result] += counts[result];
  } catch (cause) {
    if (!(cause instanceof ServiceError)) throw cause;
    summary.objects[cause.isAccessDenied ? "denied" : "failed"] += objects.length;
    noteError(summary, cause);
  }
}

function eventsOf(extraction: Extraction, { flavor, clock }: Settling): MetricsEvent[] {
  const now = clock.now();
  switch (extraction.outcome) {
    case "quarantined":
      return [quarantineEvent(extraction.quarantine, flavor, now)];
    case "extracted": {
      const { metrics, job, isLost } = extraction;
      return [...issueEvents(metrics, flavor, job), ...(isLost ? [lostRunnerEvent(metrics, flavor, now, job)] : [])];
    }
    case "incomplete": {
      const { installation, isLost } = extraction;
      return isLost && installation ? [installFailedEvent(installation, flavor, now)] : [];
    }
    default:
      return [];
  }
}

/** What a run says when it stops before it deletes anything. */
export function missingBus(name: string): string {
  return `The event bus "${name}" (EVENT_BUS_NAME) does not exist. Nothing was deleted that it has not taken.`;
}

function entryOf({ detailType, detail }: MetricsEvent, resource: string): EventEntry {
  return { source: EVENT_SOURCE, detailType, resources: [resource], detail: JSON.stringify(detail) };
}

/** Where its objects are: of a quarantined one, where they went, since the keys they had are not to be repeated anywhere. */
function locationOf(extraction: Extraction): string {
  if (extraction.outcome === "quarantined") return extraction.quarantine.prefix;
  return "listing" in extraction ? extraction.listing.prefix : "";
}
