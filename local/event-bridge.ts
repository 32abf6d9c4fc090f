/** One entry of PutEvents, as a client sends it. */
export interface PutEventsEntry {
  readonly EventBusName?: string | undefined;
  readonly Source?: string | undefined;
  readonly DetailType?: string | undefined;
  readonly Detail?: string | undefined;
  readonly Resources?: readonly string[] | undefined;
  /** Seconds since the epoch. */
  readonly Time?: number | undefined;
}

/** What PutEvents says of one entry, at the entry's index. */
export type PutEventsResult =
  | { readonly EventId: string }
  | { readonly ErrorCode: string; readonly ErrorMessage: string };

/** An event that a bus took. */
export interface BusEvent {
  readonly id: string;
  readonly bus: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly source: string;
  readonly detailType: string;
  readonly resources: readonly string[];
  /** A JSON object, serialised, as it was sent. */
  readonly detail: string;
}

/** What EventBridge answers instead of doing what was asked. */
export interface EventBridgeError {
  readonly code: string;
  readonly httpStatus: number;
  readonly message: string;
}

/** EventBridge in memory, without HTTP, rules or targets: events are kept, and told to subscribers. */
export interface EventBridgeModel {
  createBus(name: string): EventBridgeError | undefined;
  /** The bus's ARN. */
  describeBus(nameOrArn: string): string | EventBridgeError;
  /** Also succeeds where there is no such bus. */
  deleteBus(name: string): void;
  busNames(): readonly string[];
  /** Results by index. An entry for which `fail` gives an error code fails with it, and has no effect. */
  putEvents(
    entries: readonly PutEventsEntry[],
    fail?: (index: number) => string | undefined,
  ): readonly PutEventsResult[] | EventBridgeError;
  /** The events that were taken by a bus, in order. */
  events(): readonly BusEvent[];
  /** The events that EventBridge acknowledged and lost, because there is no such bus. */
  lost(): readonly BusEvent[];
  /** Calls `listener` for every event that a bus takes from now on. Gives the function that ends this. */
  subscribe(listener: (event: BusEvent) => void): () => void;
  /** Forgets all events; buses and subscribers stay. */
  clear(): void;
}

/** https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html */
const ENTRIES_MAX = 10;
/** https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html */
const REQUEST_BYTES_MAX = 256 * 1024;
const BUS_ARN = "arn:aws:events:us-east-1:000000000000:event-bus/";

/** Makes an EventBridge with nothing but the default bus. `now` gives milliseconds since the epoch. */
export function createEventBridgeModel({ now = Date.now }: { now?: () => number } = {}): EventBridgeModel {
  const buses = new Set(["default"]);
  const listeners = new Set<(event: BusEvent) => void>();
  let taken: BusEvent[] = [];
  let lost: BusEvent[] = [];
  let ids = 0;

  function accept(entry: PutEventsEntry): PutEventsResult {
    ids += 1;
    const event = toEvent(entry, `00000000-0000-4000-8000-${ids.toString(16).padStart(12, "0")}`, now());
    // There is no error for this: PutEvents reports success, and the event is gone.
    if (!buses.has(event.bus)) lost.push(event);
    else {
      taken.push(event);
      for (const listener of listeners) listener(event);
    }
    return { EventId: event.id };
  }

  return {
    createBus(name) {
      if (buses.has(name))
        return eventBridgeError("ResourceAlreadyExistsException", `Event bus ${name} already exists.`);
      buses.add(name);
      return undefined;
    },
    describeBus(nameOrArn) {
      const name = busName(nameOrArn);
      if (buses.has(name)) return BUS_ARN + name;
      return eventBridgeError("ResourceNotFoundException", `Event bus ${name} does not exist.`);
    },
    deleteBus: (name) => void buses.delete(busName(name)),
    busNames: () => [...buses],
    putEvents(entries, fail = () => undefined) {
      const refusal = requestRefusal(entries);
      if (refusal !== undefined) return refusal;
      return entries.map((entry, index) => {
        const code = fail(index);
        if (code !== undefined) return { ErrorCode: code, ErrorMessage: `${code} was asked for.` };
        return entryRefusal(entry) ?? accept(entry);
      });
    },
    events: () => taken,
    lost: () => lost,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    clear() {
      taken = [];
      lost = [];
    },
  };
}

/** Whether an operation was refused as a whole. */
export function isEventBridgeError(outcome: unknown): outcome is EventBridgeError {
  return typeof outcome === "object" && outcome !== null && "httpStatus" in outcome;
}

/** Makes an answer that is a refusal. */
export function eventBridgeError(code: string, message: string, httpStatus = 400): EventBridgeError {
  return { code, httpStatus, message };
}

function toEvent(entry: PutEventsEntry, id: string, now: number): BusEvent {
  return {
    id,
    bus: busName(entry.EventBusName ?? "default"),
    time: entry.Time === undefined ? now : entry.Time * 1000,
    source: entry.Source ?? "",
    detailType: entry.DetailType ?? "",
    resources: entry.Resources ?? [],
    detail: entry.Detail ?? "",
  };
}

/** A bus may be named by its ARN. */
function busName(nameOrArn: string): string {
  return nameOrArn.startsWith("arn:") ? nameOrArn.slice(nameOrArn.indexOf("/") + 1) : nameOrArn;
}

function requestRefusal(entries: readonly PutEventsEntry[]): EventBridgeError | undefined {
  if (entries.length < 1 || entries.length > ENTRIES_MAX) {
    const bound = entries.length < 1 ? "greater than or equal to 1" : `less than or equal to ${ENTRIES_MAX}`;
    const message = `1 validation error detected: 'entries' failed to satisfy constraint: Member must have length ${bound}`;
    return eventBridgeError("ValidationException", message);
  }
  const bytes = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
  if (bytes <= REQUEST_BYTES_MAX) return undefined;
  return eventBridgeError("ValidationException", "Total size of the entries in the request is over the limit.");
}

/** https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html */
function entryBytes({ Time, Source = "", DetailType = "", Detail = "", Resources = [] }: PutEventsEntry): number {
  const texts = [Source, DetailType, Detail, ...Resources];
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), Time === undefined ? 0 : 14);
}

function entryRefusal(entry: PutEventsEntry): PutEventsResult | undefined {
  for (const name of ["Source", "DetailType", "Detail"] as const) {
    if (!entry[name]) {
      const ErrorMessage = `Parameter ${name} is not valid. Reason: ${name} is a required argument.`;
      return { ErrorCode: "InvalidArgument", ErrorMessage };
    }
  }
  if (entry.Source?.startsWith("aws.")) {
    return { ErrorCode: "NotAuthorizedForSourceException", ErrorMessage: "Not authorized for the source." };
  }
  return isJsonObject(entry.Detail ?? "")
    ? undefined
    : { ErrorCode: "MalformedDetail", ErrorMessage: "Detail is malformed." };
}

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
