import { mapConcurrently } from "./concurrency.ts";
import { type Extraction, extract, objectsOf } from "./extract.ts";
import type { Dependencies } from "./ports.ts";
import { missingBus, settle } from "./settle.ts";
import { DELETE_OBJECTS_MAX } from "./storage/clean-up.ts";
import type { Filter } from "./storage/select.ts";
import { createStorageManager } from "./storage/storage-manager.ts";
import { count, createSummary, noteError, type Summary } from "./summary.ts";

/** What a schedule asks for. */
export interface Payload extends Omit<Filter, "alive"> {
  readonly flavor: string;
  /** Organisation (`acme`) or repository (`acme/widgets`) whose self-hosted runners GitHub is asked for: those live. */
  readonly githubRunners?: string | undefined;
}

/** So long before the deadline no runner is begun any more, in milliseconds: what has been begun needs time to be finished. */
export const FINISHING_MILLISECONDS = 10_000;

/** Batches being settled while the next one is read. */
const SETTLE_CONCURRENCY = 2;

/**
 * One scheduled run: lists the storages of a flavor, reads those that are ready, publishes their events, and deletes what has
 * been acknowledged. Throws before anything is deleted if the bus is missing; after that, what goes wrong is in the summary.
 */
export async function run(payload: Payload, dependencies: Dependencies): Promise<Summary> {
  const { bus, store, clock, config, deadline } = dependencies;
  // PutEvents to a missing bus reports success and loses the event.
  if (!(await bus.exists())) {
    throw new Error(missingBus(config.eventBusName));
  }
  const layout = { ...config, flavor: payload.flavor };
  const limits = { ...config, objectsMax: config.maxObjectsPerRunner };
  const storageManager = createStorageManager(store, layout, limits, clock);
  const summary = createSummary(payload.flavor);

  const filter = await filterOf(payload, dependencies, summary);
  const extractions = extract(storageManager, filter, {
    clock,
    jobs: dependencies.jobs,
    quarantineMismatches: config.quarantineMismatches,
    concurrency: config.concurrency,
    mayBegin() {
      const isInTime = clock.now() < deadline - FINISHING_MILLISECONDS;
      if (!isInTime) summary.stopped = "deadline";
      return isInTime;
    },
    onListed: () => summary.listed++,
    onStray: () => summary.strays++,
    onListingFailed(cause) {
      summary.stopped = "listing-failed";
      noteError(summary, cause);
    },
  });
  const settled = mapConcurrently(inBatches(extractions), SETTLE_CONCURRENCY, (batch) =>
    settle(batch, { ...dependencies, flavor: payload.flavor, storageManager, summary }),
  );
  for await (const batch of settled) {
    for (const extraction of batch) count(summary, extraction);
  }
  return summary;
}

/**
 * Asks GitHub which runners live, where the schedule says so. Before anything is listed: a runner that begins later is then in
 * neither. Without an answer in full, readiness is told by the listing alone.
 */
async function filterOf(payload: Payload, { runners }: Dependencies, summary: Summary): Promise<Filter> {
  if (!payload.githubRunners || !runners) return payload;
  const alive = await runners.alive(payload.githubRunners);
  if (!("unknown" in alive)) return { ...payload, alive };
  summary.runnersUnknown = alive.unknown;
  return payload;
}

/** Batches of no more objects than one DeleteObjects takes, unless one storage alone has more. */
async function* inBatches(extractions: AsyncIterable<Extraction>): AsyncGenerator<Extraction[]> {
  let batch: Extraction[] = [];
  let weight = 0;
  for await (const extraction of extractions) {
    const itsWeight = Math.max(1, objectsOf(extraction).length);
    if (weight + itsWeight > DELETE_OBJECTS_MAX) {
      yield batch;
      batch = [];
      weight = 0;
    }
    batch.push(extraction);
    weight += itsWeight;
  }
  yield batch;
}
