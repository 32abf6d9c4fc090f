import { mapConcurrently } from "./concurrency.ts";
import { type Extraction, objectsOf } from "./extract.ts";
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
  const settled = await deferGrown(published, settling);
  await cleanUp(settled, settling);
  return settled;
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
  for (const { event, entry } of all) {
    const result = results.get(entry);
    summary.events[event.detailType][result === "accepted" ? "accepted" : "failed"]++;
    if (typeof result === "object") noteError(summary, new Error(`PutEvents: ${result.code}`));
  }
  return issued.map(({ extraction, entries }) => {
    const isAcknowledged = entries.every(({ entry }) => results.get(entry) === "accepted");
    return isAcknowledged ? extraction : { outcome: "deferred", why: "unpublished" };
  });
}

/**
 * A storage without a post-job file may belong to a runner that lives after all, and is ending its job just now; one with
 * that file but not the others, to such a runner that is just sending the others again. If anything came in since the listing,
 * what is deleted now would be missing there: so where not all of a job is there, it is looked at again.
 */
async function deferGrown(
  extractions: readonly Extraction[],
  { storageManager, config }: Settling,
): Promise<Extraction[]> {
  const checked = mapConcurrently(extractions, config.concurrency, async (extraction): Promise<Extraction> => {
    const isToBeDeleted = extraction.outcome === "extracted" || extraction.outcome === "incomplete";
    if (!isToBeDeleted || hasWholeJob(extraction.listing)) return extraction;
    try {
      const hasGrown = await storageManager.hasGrown(extraction.listing);
      return hasGrown ? { outcome: "deferred", why: "changed" } : extraction;
    } catch (cause) {
      return { outcome: "deferred", why: "failed", cause };
    }
  });
  return Array.fromAsync(checked);
}

async function cleanUp(extractions: readonly Extraction[], { storageManager, summary }: Settling): Promise<void> {
  const objects = extractions.flatMap(objectsOf);
  try {
    const counts = await storageManager.cleanUp(objects);
    for (const result of DELETE_RESULTS) summary.objects[result] += counts[result];
  } catch (cause) {
    if (!(cause instanceof ServiceError)) throw cause;
    summary.objects.failed += objects.length;
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

function entryOf({ detailType, detail }: MetricsEvent, resource: string): EventEntry {
  return { source: EVENT_SOURCE, detailType, resources: [resource], detail: JSON.stringify(detail) };
}

/** Where its objects are: of a quarantined one, where they went, since the keys they had are not to be repeated anywhere. */
function locationOf(extraction: Extraction): string {
  if (extraction.outcome === "quarantined") return extraction.quarantine.prefix;
  return "listing" in extraction ? extraction.listing.prefix : "";
}
