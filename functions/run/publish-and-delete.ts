import { type DetailType, EVENT_SOURCE, type MetricsEvent } from "../../contract/events.ts";
import type { EventResult } from "../../contract/run-metrics.ts";
import { mapConcurrently } from "../concurrency.ts";
import { installFailedEvent, issueEvents, lostRunnerEvent, quarantineEvent } from "../domain/issue-events.ts";
import { type Dependencies, type EventEntry, ServiceError } from "../ports.ts";
import { cleanUp, type DeleteCounts } from "../storage/clean-up.ts";
import { hasGrown } from "../storage/list-all.ts";
import { hasCompleteJob, type StorageListing, type StorageManager } from "../storage/storage-listing.ts";
import { deferral, type RunnerResult } from "./extract.ts";

/** What a batch needs. */
export interface BatchContext extends Dependencies {
  readonly storageManager: StorageManager;
}

/** What happened to a batch of runners. */
export interface BatchReport {
  /** One for each runner of the batch, in any order. A runner that could not be finished is deferred now. */
  readonly results: readonly RunnerResult[];
  /** One for each event. */
  readonly events: readonly { readonly type: DetailType; readonly result: EventResult }[];
  /** One for each delete that was tried. */
  readonly deletes: readonly Partial<DeleteCounts>[];
  /** What failed, apart from the causes in `results`. */
  readonly errors: readonly unknown[];
}

/**
 * Publishes the events of a batch, then deletes the objects of those whose events were all acknowledged. A runner that was not
 * acknowledged, or whose storage has grown meanwhile, is deferred with its files in place.
 */
export async function publishAndDelete(batch: readonly RunnerResult[], context: BatchContext): Promise<BatchReport> {
  const published = await publish(batch, context);
  const certain = published.results.filter((result) => !mayGrow(result));
  const uncertain = published.results.filter(mayGrow);
  const deletions = [
    await deleteObjects(certain, context),
    ...(await Array.fromAsync(
      mapConcurrently(uncertain, context.config.concurrency, async (result) =>
        deleteObjects([await deferIfGrown(result, context)], context),
      ),
    )),
  ];
  return {
    results: deletions.flatMap(({ results }) => results),
    events: published.events,
    deletes: deletions.map(({ counts }) => counts),
    errors: [...published.errors, ...deletions.flatMap(({ errors }) => errors)],
  };
}

/** The objects that are deleted once the events of a runner are acknowledged. */
export function objectsOf(result: RunnerResult): StorageListing["objects"] {
  return "listing" in result ? result.listing.objects : [];
}

/** What a run says if it stops before it deletes anything. */
export function missingBus(name: string): string {
  return `The event bus "${name}" (EVENT_BUS_NAME) does not exist. Only files whose events it had acknowledged were deleted.`;
}

async function publish(
  batch: readonly RunnerResult[],
  context: BatchContext,
): Promise<Pick<BatchReport, "results" | "events" | "errors">> {
  const issued = batch.map((runner) => ({ runner, events: eventsOf(runner, context) }));
  const entries = issued.flatMap(({ runner, events }) => events.map((event) => entryOf(event, runner, context)));
  if (entries.length === 0) return { results: batch, events: [], errors: [] };
  const answers = await context.bus.publish(entries, context.deadline);
  // A bus that was deleted meanwhile has acknowledged the events, and lost them.
  const doubt = await doubtAboutBus(context);

  const types = issued.flatMap(({ events }) => events.map(({ detailType }) => detailType));
  const unclaimed = [...answers];
  const results = issued.map(({ runner, events }): RunnerResult => {
    const failed = unclaimed.splice(0, events.length).flatMap((answer) => (answer === "accepted" ? [] : [answer.code]));
    if (events.length === 0 || (failed.length === 0 && doubt === undefined)) return runner;
    const isDenied = failed.some((code) => code.startsWith("AccessDenied"));
    return { outcome: "deferred", reason: isDenied ? "denied" : "unpublished" };
  });
  const codes = new Set(answers.flatMap((answer) => (answer === "accepted" ? [] : [answer.code])));
  return {
    results,
    events: types.map((type, index) => ({ type, result: answers[index] === "accepted" ? "accepted" : "failed" })),
    errors: [...(doubt ? [doubt] : []), ...[...codes].map((code) => new Error(`PutEvents: ${code}`))],
  };
}

/** Why the bus may have lost what it acknowledged; undefined if it still exists. */
async function doubtAboutBus({ bus, config }: BatchContext): Promise<unknown> {
  try {
    return (await bus.exists()) ? undefined : new Error(missingBus(config.eventBusName));
  } catch (cause) {
    if (!(cause instanceof ServiceError)) throw cause;
    // Unknown: the events then repeat with the same ids, which costs less than losing them.
    return cause;
  }
}

/**
 * A storage without a post-job file may belong to a runner that is alive after all, and is ending its job at this moment; one that
 * has this file but not the others may belong to such a runner that is uploading the others again. Deleting would remove what the
 * newly arrived files need. So a storage without a complete job is listed again just before the delete.
 */
function mayGrow(result: RunnerResult): boolean {
  const isCollected = result.outcome === "extracted" || result.outcome === "incomplete";
  return isCollected && !hasCompleteJob(result.listing);
}

async function deferIfGrown(result: RunnerResult, { storageManager }: BatchContext): Promise<RunnerResult> {
  if (!("listing" in result)) return result;
  try {
    return (await hasGrown(storageManager.store, result.listing)) ? { outcome: "deferred", reason: "changed" } : result;
  } catch (cause) {
    return deferral(cause);
  }
}

async function deleteObjects(results: readonly RunnerResult[], { store }: BatchContext) {
  const objects = results.flatMap(objectsOf);
  if (objects.length === 0) return { results, counts: {}, errors: [] };
  try {
    return { results, counts: await cleanUp(store, objects), errors: [] };
  } catch (cause) {
    if (!(cause instanceof ServiceError)) throw cause;
    const counts = { [cause.isAccessDenied ? "denied" : "failed"]: objects.length };
    return { results, counts, errors: [cause] };
  }
}

function eventsOf(result: RunnerResult, { storageManager: { flavor }, clock }: BatchContext): MetricsEvent[] {
  const now = clock.now();
  switch (result.outcome) {
    case "quarantined":
      return [quarantineEvent(result.quarantine, flavor, now)];
    case "extracted": {
      const { metrics, job, isLost } = result;
      return [...issueEvents(metrics, flavor, job), ...(isLost ? [lostRunnerEvent(metrics, flavor, now, job)] : [])];
    }
    case "incomplete": {
      const { installation, isLost } = result;
      return isLost && installation ? [installFailedEvent(installation, flavor, now)] : [];
    }
    default:
      return [];
  }
}

function entryOf({ detailType, detail }: MetricsEvent, result: RunnerResult, { config }: BatchContext): EventEntry {
  const resource = `arn:${config.partition}:s3:::${config.bucketName}/${locationOf(result)}`;
  return { source: EVENT_SOURCE, detailType, resources: [resource], detail: JSON.stringify(detail) };
}

/** Where a runner's objects are. For a quarantined one, where they were moved, since its original keys must not be repeated anywhere. */
function locationOf(result: RunnerResult): string {
  if (result.outcome === "quarantined") return result.quarantine.prefix;
  return "listing" in result ? result.listing.prefix : "";
}
