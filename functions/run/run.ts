import type { GithubReason } from "../../contract/reasons.ts";
import type { RunInput } from "../../contract/schedule-input.ts";
import { mapConcurrently } from "../concurrency.ts";
import { type Dependencies, type EventBus, ServiceError } from "../ports.ts";
import { DELETE_OBJECTS_MAX } from "../storage/clean-up.ts";
import { endedInstances } from "../storage/ended-instances.ts";
import type { StorageListing } from "../storage/storage-listing.ts";
import { archiveOf } from "./archive.ts";
import { extract, type ListingReport, type RunnerResult } from "./extract.ts";
import { handOverTo } from "./hand-over.ts";
import { missingBus, objectsOf, publishAndDelete } from "./publish-and-delete.ts";
import { addBatch, addEnded, addErrors, addListing, emptySummary, type Summary } from "./summary.ts";
import { until } from "./until.ts";

/** In the last milliseconds before the deadline no runner is started: those in progress need time to be finished. */
export const FINISHING_MILLISECONDS = 10_000;

/** Batches being published and deleted while the next one is read. */
const BATCH_CONCURRENCY = 2;

/** What a worker collects, besides its flavor: of the storages of its message, those whose job has ended. Nothing else is ready. */
export const WORKER_FILTER = { include: false, orphanAfterSeconds: Number.POSITIVE_INFINITY };

/**
 * One run: lists the storages of a flavor, reads those that are ready, publishes their events, and deletes the acknowledged ones. With a
 * queue, it hands over what it may not finish. A worker's run has the storages of its message, `given`, instead of a listing of all.
 * Throws before anything is deleted if the bus is missing; after that, failures are in the summary.
 */
export async function run(
  input: RunInput,
  dependencies: Dependencies,
  given?: readonly StorageListing[],
): Promise<Summary> {
  const { clock, config, deadline, timeUp, queue } = dependencies;
  const startedAt = clock.now();
  const store = until(timeUp, dependencies.store);
  const bus = until(timeUp, dependencies.bus);
  // PutEvents to a missing bus reports success and loses the event.
  if (!(await busExists(bus, dependencies))) throw new Error(missingBus(config.eventBusName));

  // Before the listing: a runner that starts later is then in neither.
  const { alive, unknown } = await askForRunners(input, dependencies);
  const storageManager = { ...config, store, flavor: input.flavor };
  const ended = config.endedInstances && !given ? endedInstances(store) : undefined;
  const archive = archiveOf(input.flavor, { ...dependencies, store });
  const handOver =
    queue && !given
      ? handOverTo(until(timeUp, queue), { flavor: input.flavor, clock, startedAt, deadline })
      : undefined;
  let hasArchiveFailed = false;
  const results = extract(
    storageManager,
    { ...input, alive },
    {
      ...config,
      ...dependencies,
      ended,
      given,
      handsOver: handOver?.isFor,
      mayStart: () => !hasArchiveFailed && clock.now() < deadline - FINISHING_MILLISECONDS,
    },
  );
  const reports = mapConcurrently(inBatches(results), BATCH_CONCURRENCY, async (batch) => {
    const own = handOver ? await handOver.send(batch) : batch;
    const report = await publishAndDelete(own, { ...dependencies, store, bus, storageManager, archive });
    hasArchiveFailed ||= report.archived.some(({ isStored }) => !isStored);
    return report;
  });
  let summary = emptySummary(input.flavor, unknown);
  for (;;) {
    const next = await reports.next();
    if (next.done) {
      const report: ListingReport = hasArchiveFailed ? { ...next.value, stopped: "archive-failed" } : next.value;
      const listed = addErrors(addListing(summary, report), handOver?.errors ?? []);
      return addEnded(listed, await ended?.unknown());
    }
    summary = addBatch(summary, next.value);
  }
}

/** Attempts to find out whether the bus exists, and the first pause between them in milliseconds; it doubles each time. */
const ATTEMPTS_MAX = 5;
const PAUSE_MILLISECONDS = 1_000;

/** Whether the bus exists. Tries again while EventBridge fails or throttles and time remains for a run; then throws `ServiceError`. */
async function busExists(bus: EventBus, { clock, deadline }: Dependencies): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await bus.exists();
    } catch (error) {
      const pause = PAUSE_MILLISECONDS * 2 ** (attempt - 1);
      const mayRetry = error instanceof ServiceError && error.retryable && attempt < ATTEMPTS_MAX;
      if (!mayRetry || clock.now() + pause > deadline - FINISHING_MILLISECONDS) throw error;
      await clock.sleep(pause);
    }
  }
}

/** Which runners are online or busy, if the schedule asks GitHub. Without a complete answer, only the listing decides about readiness. */
async function askForRunners(
  { githubRunners }: RunInput,
  { runners }: Dependencies,
): Promise<{ alive?: ReadonlySet<string>; unknown?: GithubReason }> {
  if (!githubRunners || !runners) return {};
  const alive = await runners.alive(githubRunners);
  return "unknown" in alive ? alive : { alive };
}

/** Batches with at most as many objects as one DeleteObjects takes, unless a single storage has more. */
async function* inBatches(
  results: AsyncGenerator<RunnerResult, ListingReport>,
): AsyncGenerator<RunnerResult[], ListingReport> {
  let batch: RunnerResult[] = [];
  let weight = 0;
  try {
    for (;;) {
      const next = await results.next();
      if (next.done) {
        yield batch;
        return next.value;
      }
      const itsWeight = Math.max(1, objectsOf(next.value).length);
      if (weight + itsWeight > DELETE_OBJECTS_MAX) {
        yield batch;
        batch = [];
        weight = 0;
      }
      batch.push(next.value);
      weight += itsWeight;
    }
  } finally {
    // If the consumer stopped early, no runner in progress is left running.
    await results.return(undefined as never);
  }
}
