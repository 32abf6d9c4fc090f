import { mapConcurrently } from "../concurrency.ts";
import { type Clock, type EntryResult, type EventEntry, ServiceError } from "../ports.ts";

/** Limits of one PutEvents. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html */
const ENTRIES_MAX = 10;
const REQUEST_BYTES_MAX = 256 * 1024;

/** PutEvents calls in progress at once. */
const CALL_CONCURRENCY = 4;

/** How often an entry is sent before it counts as failed, and the first pause; it doubles each time. */
const ATTEMPTS_MAX = 5;
const PAUSE_MILLISECONDS = 100;

/** In the last milliseconds before the deadline no call is started: acknowledged runners have yet to be cleaned up. */
const CLEAN_UP_MILLISECONDS = 2_000;

/** What PutEvents says about one entry. */
export type PutResult = "accepted" | { readonly code: string; readonly retryable: boolean };

/**
 * One PutEvents with at most 10 entries and 256 KB. Results are in the order of `entries`; an entry without one is not acknowledged.
 * Throws `ServiceError`.
 */
export type PutEvents = (entries: readonly EventEntry[]) => Promise<PutResult[]>;

/**
 * Publishes entries in as few calls as the limits allow, and reports on each whether EventBridge has acknowledged it, in their order.
 * An entry that fails inside a successful call is sent again if EventBridge says that this may help, together with others like it.
 */
export async function publishEntries(
  putEvents: PutEvents,
  entries: readonly EventEntry[],
  clock: Clock,
  deadline: number,
): Promise<EntryResult[]> {
  const results = new Map<EventEntry, PutResult>();
  const options = { putEvents, clock, deadline };
  for await (const sent of mapConcurrently(callsFor(entries), CALL_CONCURRENCY, (call) => send(call, options))) {
    for (const [entry, result] of sent) results.set(entry, result);
  }
  return entries.map((entry) => {
    const result = results.get(entry) ?? MISSING_RESULT;
    return result === "accepted" ? result : { code: result.code };
  });
}

interface SendOptions {
  readonly putEvents: PutEvents;
  readonly clock: Clock;
  readonly deadline: number;
}

/** As few calls as the limits allow, in order. */
function* callsFor(entries: readonly EventEntry[]): Generator<EventEntry[]> {
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

async function send(call: readonly EventEntry[], options: SendOptions): Promise<Map<EventEntry, PutResult>> {
  const results = new Map<EventEntry, PutResult>();
  let unsent = call;
  for (let attempt = 1; unsent.length > 0; attempt++) {
    const answer = await putOrFail(unsent, options);
    unsent.forEach((entry, index) => {
      results.set(entry, answer[index] ?? MISSING_RESULT);
    });
    unsent = unsent.filter((entry) => isRetryable(results.get(entry)));
    if (attempt === ATTEMPTS_MAX) break;
    if (unsent.length > 0) await options.clock.sleep(PAUSE_MILLISECONDS * 2 ** (attempt - 1));
  }
  return results;
}

/** EventBridge did not say what became of an entry. */
export const MISSING_RESULT: PutResult = { code: "MissingResult", retryable: true };
const TOO_LATE: PutResult = { code: "DeadlineReached", retryable: false };

/**
 * A call that fails as a whole (after several attempts of the SDK) fails each of its entries. Whether they arrived is unknown; the next
 * run sends them again with the same ids. If it was refused for good, one entry may be the cause: then each is sent separately, so that
 * it affects no other runner.
 */
async function putOrFail(entries: readonly EventEntry[], options: SendOptions): Promise<PutResult[]> {
  const { putEvents, clock, deadline } = options;
  if (clock.now() > deadline - CLEAN_UP_MILLISECONDS) return entries.map(() => TOO_LATE);
  try {
    return await putEvents(entries);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    if (!error.retryable && !error.isAccessDenied && entries.length > 1) {
      return (await Promise.all(entries.map((entry) => putOrFail([entry], options)))).flat();
    }
    return entries.map(() => ({ code: error.code, retryable: false }));
  }
}

function isRetryable(result: PutResult | undefined): boolean {
  return typeof result === "object" && result.retryable;
}
