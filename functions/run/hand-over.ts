import { isFileName } from "../../contract/object-keys.ts";
import {
  OBJECTS_PER_STORAGE_MAX,
  type WorkMessage,
  type WorkStorage,
  workMessages,
} from "../../contract/work-message.ts";
import { type Clock, ServiceError, type WorkQueue } from "../ports.ts";
import { hasEnded, type StorageListing, storageListing } from "../storage/storage-listing.ts";
import { deferral, type RunnerResult } from "./extract.ts";

/** A run that is not at the end of its listing after this share of its time may not finish: it hands over what it lists from then on. */
export const OWN_TIME_SHARE = 1 / 5;

/** While messages of an earlier run wait, a run asks again after this many milliseconds. */
const ASK_AGAIN_MILLISECONDS = 10_000;

/** How one run hands storages over to workers. */
export interface HandOver {
  /** Whether the run leaves this ready and sound storage to the workers. Not if SQS does not say whether messages wait. */
  isFor(listing: StorageListing): Promise<boolean>;
  /** Sends those of a batch that are to be handed over. One whose message SQS did not accept is deferred. */
  send(batch: readonly RunnerResult[]): Promise<RunnerResult[]>;
  /** Why SQS did not say whether messages wait. */
  readonly errors: readonly unknown[];
}

/** `startedAt` and `deadline` of the run in milliseconds since the epoch. */
export function handOverTo(
  queue: WorkQueue,
  { flavor, clock, startedAt, deadline }: { flavor: string; clock: Clock; startedAt: number; deadline: number },
): HandOver {
  const errors: unknown[] = [];
  let hasFailed = false;
  let askedAt = Number.NEGATIVE_INFINITY;
  let isEmpty: Promise<boolean> = Promise.resolve(false);
  /** Messages that wait are of an earlier run until the queue was empty once. */
  async function mayBegin(): Promise<boolean> {
    if (!(await isEmpty) && clock.now() - askedAt >= ASK_AGAIN_MILLISECONDS) {
      askedAt = clock.now();
      isEmpty = queue.isEmpty().catch((error: unknown) => {
        if (!(error instanceof ServiceError)) throw error;
        errors.push(error);
        return false;
      });
    }
    return isEmpty;
  }

  async function sendOne(body: string): Promise<unknown> {
    try {
      await queue.send(body);
      return undefined;
    } catch (error) {
      // The run does the rest itself, as far as its time allows.
      hasFailed = true;
      return error;
    }
  }

  return {
    errors,
    async isFor(listing) {
      const isLate = mayNotFinish(clock.now(), startedAt, deadline);
      return isLate && !hasFailed && fitsMessage(listing) && (await mayBegin());
    },
    async send(batch) {
      const listings = batch.flatMap((result) => (result.outcome === "handedOver" ? [result.handedOver] : []));
      const results: RunnerResult[] = batch.filter(({ outcome }) => outcome !== "handedOver");
      for (const { body, count } of workMessages(flavor, listings.map(toMessage))) {
        const error = await sendOne(body);
        const sent = listings.splice(0, count);
        results.push(
          ...sent.map((handedOver) => (error ? deferral(error) : ({ outcome: "handedOver", handedOver } as const))),
        );
      }
      return results;
    },
  };
}

/** The rule when a run hands over. Times in milliseconds since the epoch. */
export function mayNotFinish(now: number, startedAt: number, deadline: number): boolean {
  return now - startedAt >= (deadline - startedAt) * OWN_TIME_SHARE;
}

/** Whether a message can hold the storage: its job has ended, and it has none but files, and not too many. */
export function fitsMessage(listing: StorageListing): boolean {
  const { objects, prefix } = listing;
  const areFiles = objects.every(({ key }) => isFileName(key.slice(prefix.length)));
  return hasEnded(listing) && areFiles && objects.length <= OBJECTS_PER_STORAGE_MAX;
}

function toMessage({ name, prefix, listedAt, objects }: StorageListing): WorkStorage {
  const inMessage = objects.map(({ key, size, etag, lastModified }): WorkStorage["objects"][number] => {
    return [key.slice(prefix.length), size, etag, lastModified];
  });
  return { name, listedAt, objects: inMessage };
}

/** The listings of a message. It does not have the storage class of objects: that is HEAD's to say. */
export function listingsOf({ flavor, storages }: WorkMessage): StorageListing[] {
  return storages.map(({ name, listedAt, objects }) => {
    const { prefix } = storageListing(flavor, name, [], listedAt);
    const listed = objects.map(([file, size, etag, lastModified]) => {
      return { key: prefix + file, size, etag, lastModified, storageClass: "STANDARD" };
    });
    return storageListing(flavor, name, listed, listedAt);
  });
}
