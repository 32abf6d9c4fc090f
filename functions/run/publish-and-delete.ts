import { type DetailType, EVENT_SOURCE, type MetricsEvent } from "../../contract/events.ts";
import type { EventResult } from "../../contract/run-metrics.ts";
import { POST_JOB_METRICS_FILE_NAME } from "../../contract/runner-files.ts";
import { mapConcurrently } from "../concurrency.ts";
import {
  installFailedEvent,
  issueEvents,
  lostRunnerEvent,
  quarantineEvent,
  stopEvents,
} from "../domain/issue-events.ts";
import { runnerMetrics } from "../domain/runner-metrics.ts";
import { type Dependencies, type EntryResult, type EventBus, type EventEntry, ServiceError } from "../ports.ts";
import { type CleanUpReport, cleanUp, type StorageToDelete } from "../storage/clean-up.ts";
import { hasChanged, listFile } from "../storage/list-all.ts";
import { readStorage } from "../storage/read.ts";
import {
  hasCompleteJob,
  mostTellingFile,
  type StorageListing,
  type StorageManager,
} from "../storage/storage-listing.ts";
import type { Archive } from "./archive.ts";
import { deferral, type RunnerResult } from "./extract.ts";

/** What a batch needs. */
export interface BatchContext extends Dependencies {
  readonly storageManager: StorageManager;
  readonly archive: Archive;
}

/** What happened to a batch of runners. */
export interface BatchReport {
  /** One for each runner of the batch, in any order. A runner that could not be finished is deferred now. */
  readonly results: readonly RunnerResult[];
  /** One for each event. */
  readonly events: readonly { readonly type: DetailType; readonly result: EventResult }[];
  /** One for each delete that was tried. */
  readonly deletes: readonly CleanUpReport["counts"][];
  /** Whether the events of each call to the archive were stored, and how many events that were. */
  readonly archived: readonly { readonly events: number; readonly isStored: boolean }[];
  /** Runners whose Lost and whose late Stop were both acknowledged. */
  readonly lostThenStopped: number;
  /** What failed, apart from the causes in `results`. */
  readonly errors: readonly unknown[];
}

/**
 * Publishes the events of a batch, then archives them, then deletes the objects of those whose events were all acknowledged and archived.
 * A runner for which that failed, or whose storage changed meanwhile, is deferred with its files in place.
 */
export async function publishAndDelete(batch: readonly RunnerResult[], context: BatchContext): Promise<BatchReport> {
  const published = await publish(await deferChanged(batch, context), context);
  const certain = published.results.filter((result) => !mayChange(result));
  const uncertain = published.results.filter(mayChange);
  const finish = async (result: RunnerResult) => finishUncertain(await deferIfChanged(result, context), context);
  const reports: BatchReport[] = [
    { ...published, results: [] },
    await deleteRunners(certain, context),
    ...(await Array.fromAsync(mapConcurrently(uncertain, context.config.concurrency, finish))),
  ];
  return {
    results: reports.flatMap(({ results }) => results),
    events: reports.flatMap(({ events }) => events),
    deletes: reports.flatMap(({ deletes }) => deletes),
    archived: reports.flatMap(({ archived }) => archived),
    lostThenStopped: reports.reduce((sum, { lostThenStopped }) => sum + lostThenStopped, 0),
    errors: reports.flatMap(({ errors }) => errors),
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

async function publish(batch: readonly RunnerResult[], context: BatchContext): Promise<BatchReport> {
  const issued = batch.map((runner) => ({ runner, events: eventsOf(runner, context) }));
  const sent = await send(
    issued.flatMap(({ runner, events }) => events.map((event) => entryOf(event, runner, context))),
    context,
  );
  const answers = [...sent.answers];
  const results = issued.map(({ runner, events }): RunnerResult => {
    const failed = answers.splice(0, events.length).flatMap((answer) => (answer === "accepted" ? [] : [answer.code]));
    if (failed.length === 0) return runner;
    if (failed.some((code) => code.startsWith("AccessDenied"))) return { outcome: "deferred", reason: "denied" };
    return { outcome: "deferred", reason: failed.includes(UNARCHIVED) ? "unarchived" : "unpublished" };
  });
  const types = issued.flatMap(({ events }) => events.map(({ detailType }) => detailType));
  return { ...NOTHING, ...sent, results, events: reported(types, sent) };
}

/** What happened to a batch, without its runners. */
type Effects = Omit<BatchReport, "results">;

const NOTHING: Effects = { events: [], deletes: [], archived: [], lostThenStopped: 0, errors: [] };

/** What became of entries, in their order. */
interface Sent extends Pick<BatchReport, "archived" | "errors"> {
  /** `accepted` if it is on the bus and in the archive. */
  readonly answers: readonly EntryResult[];
  /** Whether EventBridge has accepted it. */
  readonly accepted: readonly boolean[];
}

/** Publishes entries, and archives those that the bus has acknowledged. */
async function send(entries: readonly EventEntry[], context: BatchContext): Promise<Sent> {
  const published = await put(entries, context);
  const acknowledged = entries.filter((_, index) => published.answers[index] === "accepted");
  if (acknowledged.length === 0) return published;
  const events = acknowledged.length;
  try {
    await context.archive.store(acknowledged);
    return { ...published, archived: [{ events, isStored: true }] };
  } catch (cause) {
    if (!(cause instanceof ServiceError)) throw cause;
    const code = cause.isAccessDenied ? cause.code : UNARCHIVED;
    const answers = published.answers.map((answer) => (answer === "accepted" ? { code } : answer));
    return { ...published, answers, archived: [{ events, isStored: false }], errors: [...published.errors, cause] };
  }
}

/** Code of an entry that the bus has acknowledged, and the archive lacks. */
const UNARCHIVED = "Unarchived";

async function put(entries: readonly EventEntry[], { bus, config, deadline }: BatchContext): Promise<Sent> {
  if (entries.length === 0) return { answers: [], accepted: [], archived: [], errors: [] };
  const answers = await bus.publish(entries, deadline).catch((error: unknown): EntryResult[] => {
    // The time of the run was up while the call was in progress.
    if (!(error instanceof ServiceError)) throw error;
    return entries.map(() => ({ code: error.code }));
  });
  const accepted = entries.map((_, index) => answers[index] === "accepted");
  const codes = new Set(answers.flatMap((answer) => (answer === "accepted" ? [] : [answer.code])));
  const errors = [...codes].map((code) => new Error(`PutEvents: ${code}`));
  // A bus that was deleted meanwhile has acknowledged the events, and lost them.
  const doubt = await doubtAboutBus(bus, config.eventBusName);
  const doubtful = entries.map((_, index) => (accepted[index] && !doubt ? "accepted" : failureOf(answers[index])));
  return { answers: doubtful, accepted, archived: [], errors: doubt ? [doubt, ...errors] : errors };
}

function failureOf(answer: EntryResult | undefined): { code: string } {
  return typeof answer === "object" ? answer : { code: "Unacknowledged" };
}

function reported(types: readonly DetailType[], { accepted }: { accepted: readonly boolean[] }): BatchReport["events"] {
  return types.map((type, index) => ({ type, result: accepted[index] ? "accepted" : "failed" }));
}

/** Why the bus may have lost what it acknowledged; undefined if it still exists. */
async function doubtAboutBus(bus: EventBus, name: string): Promise<unknown> {
  try {
    return (await bus.exists()) ? undefined : new Error(missingBus(name));
  } catch (cause) {
    if (!(cause instanceof ServiceError)) throw cause;
    // Unknown: the events then repeat with the same ids, which costs less than losing them.
    return cause;
  }
}

/**
 * A storage without a post-job file may belong to a runner that is alive after all, and is ending its job at this moment; one that
 * has this file but not the others may belong to such a runner that is uploading the others again, or to another run that is deleting
 * them. Its events would be wrong, and deleting would remove what the new files need. So a storage without a complete job is listed
 * again just before its events are published and just before the delete.
 */
function mayChange(result: RunnerResult): boolean {
  const isCollected = result.outcome === "extracted" || result.outcome === "incomplete";
  return isCollected && !hasCompleteJob(result.listing);
}

async function deferChanged(batch: readonly RunnerResult[], context: BatchContext): Promise<RunnerResult[]> {
  const uncertain = batch.filter((result) => mayChange(result) && eventsOf(result, context).length > 0);
  const looked = mapConcurrently(uncertain, context.config.concurrency, (result) => deferIfChanged(result, context));
  return [...batch.filter((result) => !uncertain.includes(result)), ...(await Array.fromAsync(looked))];
}

async function deferIfChanged(result: RunnerResult, { storageManager }: BatchContext): Promise<RunnerResult> {
  if (!("listing" in result)) return result;
  try {
    const isChanged = await hasChanged(storageManager, result.listing);
    return isChanged ? { outcome: "deferred", reason: "changed" } : result;
  } catch (cause) {
    return deferral(cause);
  }
}

async function finishUncertain(result: RunnerResult, context: BatchContext): Promise<BatchReport> {
  const report = await deleteRunners([result], context);
  const [counts] = report.deletes;
  const isGone = counts !== undefined && counts.deleted + counts.gone >= objectsOf(result).length;
  if (!isGone || result.outcome !== "extracted" || !result.isLost || !result.metrics.preJob) return report;
  try {
    const late = await publishLateStop(result, context);
    return {
      ...report,
      events: late.events,
      archived: late.archived,
      lostThenStopped: late.lostThenStopped,
      deletes: [...report.deletes, ...late.deletes],
      errors: [...report.errors, ...late.errors],
    };
  } catch (cause) {
    if (!(cause instanceof ServiceError)) throw cause;
    return { ...report, errors: [...report.errors, cause] };
  }
}

/**
 * The end of a job that was uploaded while its runner was being deleted as lost: issued from the pre-job file in memory, which is no
 * longer in the bucket.
 */
async function publishLateStop(
  lost: Extract<RunnerResult, { outcome: "extracted" }>,
  context: BatchContext,
): Promise<Effects> {
  const { storageManager } = context;
  const { name } = lost.listing;
  const listing = await listFile(storageManager, name, POST_JOB_METRICS_FILE_NAME);
  const read = await readStorage(storageManager, listing);
  if (read.kind !== "files") return NOTHING;
  const metrics = runnerMetrics(name, { ...lost.metrics.files, ...read.files });
  if (metrics.kind !== "metrics") return NOTHING;
  const events = stopEvents(metrics, storageManager.flavor, lost.job);
  const result = { ...lost, listing, metrics };
  const sent = await send(
    events.map((event) => entryOf(event, result, context)),
    context,
  );
  const isSent = sent.answers[0] === "accepted";
  const { deletes, errors } = isSent ? await deleteRunners([result], context) : NOTHING;
  const types = events.map(({ detailType }) => detailType);
  return {
    ...NOTHING,
    ...sent,
    events: reported(types, sent),
    deletes,
    lostThenStopped: isSent ? 1 : 0,
    errors: [...sent.errors, ...errors],
  };
}

async function deleteRunners(results: readonly RunnerResult[], { store }: BatchContext): Promise<BatchReport> {
  const storages = results.flatMap((result) => ("listing" in result ? [storageToDelete(result)] : []));
  if (storages.length === 0) return { ...NOTHING, results };
  const { counts, errors } = await cleanUp(store, storages);
  return { ...NOTHING, results, deletes: [counts], errors };
}

/** A quarantined storage also keeps its corrupt file to the last, so that a partial delete leaves nothing that looks valid. */
function storageToDelete(result: Extract<RunnerResult, { listing: StorageListing }>): StorageToDelete {
  const corrupt = result.outcome === "quarantined" && result.file ? result.listing.files[result.file] : undefined;
  return {
    objects: result.listing.objects,
    last: [corrupt, mostTellingFile(result.listing)].filter((file) => file !== undefined),
  };
}

function eventsOf(result: RunnerResult, { storageManager: { flavor } }: BatchContext): MetricsEvent[] {
  switch (result.outcome) {
    case "quarantined":
      return [quarantineEvent(result.quarantine, flavor, result.listing.listedAt)];
    case "extracted": {
      const { metrics, job, isLost, death, listing } = result;
      const lost = isLost ? [lostRunnerEvent(metrics, flavor, listing.listedAt, job, death)] : [];
      return [...issueEvents(metrics, flavor, job), ...lost];
    }
    case "incomplete": {
      const { installation, isLost, death, listing } = result;
      return isLost && installation ? [installFailedEvent(installation, flavor, listing.listedAt, death)] : [];
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
