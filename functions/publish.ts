import { mapConcurrently } from "./concurrency.ts";
import { type Clock, type EntryResult, type EventBus, type EventEntry, ServiceError } from "./ports.ts";

/** Limits of one PutEvents. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html */
const ENTRIES_MAX = 10;
const REQUEST_BYTES_MAX = 256 * 1024;

/** PutEvents calls in progress for one batch of runners. */
const CALL_CONCURRENCY = 4;

/** How often an entry is sent before its runner is left for the next run, and the first pause; it doubles each time. */
const ATTEMPTS_MAX = 5;
const PAUSE_MILLISECONDS = 100;

/** So long before the deadline no call is begun any more: what has been acknowledged has yet to be cleaned up. */
const CLEANING_MILLISECONDS = 2_000;

export interface PublishOptions {
  readonly clock: Clock;
  /** When this process will be stopped, in milliseconds since the epoch. */
  readonly deadline: number;
}

/**
 * Publishes entries, several in one call, and tells of each whether EventBridge has acknowledged it. An entry that fails inside
 * of a successful call is sent again, alone with those that share its fate, as long as EventBridge says that this may help.
 */
export async function publish(
  bus: EventBus,
  entries: readonly EventEntry[],
  options: PublishOptions,
): Promise<Map<EventEntry, EntryResult>> {
  const results = new Map<EventEntry, EntryResult>();
  for await (const sent of mapConcurrently(calls(entries), CALL_CONCURRENCY, (call) => send(bus, call, options))) {
    for (const [entry, result] of sent) results.set(entry, result);
  }
  return results;
}

/** As few calls as the limits allow, in order. */
function* calls(entries: readonly EventEntry[]): Generator<EventEntry[]> {
  let call: EventEntry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const size = entryBytes(entry);
    if (call.length === ENTRIES_MAX || (call.length > 0 && bytes + size > REQUEST_BYTES_MAX)) {
      yield call;
      call = [];
      bytes = 0;
    }
    call.push(entry);
    bytes += size;
  }
  if (call.length > 0) yield call;
}

/** As EventBridge counts. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html */
function entryBytes({ source, detailType, detail, resources }: EventEntry): number {
  return [source, detailType, detail, ...resources].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}

async function send(
  bus: EventBus,
  call: readonly EventEntry[],
  options: PublishOptions,
): Promise<Map<EventEntry, EntryResult>> {
  const results = new Map<EventEntry, EntryResult>();
  let unsent = call;
  for (let attempt = 1; unsent.length > 0; attempt++) {
    const outcome = await putOrFail(bus, unsent, options);
    unsent.forEach((entry, index) => {
      results.set(entry, outcome[index] ?? { code: "MissingResult", retryable: true });
    });
    unsent = unsent.filter((entry) => isRetryable(results.get(entry)));
    if (attempt === ATTEMPTS_MAX) break;
    if (unsent.length > 0) await options.clock.sleep(PAUSE_MILLISECONDS * 2 ** (attempt - 1));
  }
  return results;
}

const TOO_LATE: EntryResult = { code: "DeadlineReached", retryable: false };

/**
 * A call that fails as a whole (the SDK has tried it several times by then) fails each of its entries. Whether they arrived is
 * unknown; the next run sends them again under the same ids. If it was refused for good, one of them may be to blame: then each is
 * sent by itself, so that it takes no other runner along.
 */
async function putOrFail(
  bus: EventBus,
  entries: readonly EventEntry[],
  options: PublishOptions,
): Promise<EntryResult[]> {
  if (options.clock.now() > options.deadline - CLEANING_MILLISECONDS) return entries.map(() => TOO_LATE);
  try {
    return await bus.put(entries);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    if (!error.retryable && !error.isAccessDenied && entries.length > 1) {
      return (await Promise.all(entries.map((entry) => putOrFail(bus, [entry], options)))).flat();
    }
    return entries.map(() => ({ code: error.code, retryable: false }));
  }
}

function isRetryable(result: EntryResult | undefined): boolean {
  return typeof result === "object" && result.retryable;
}
