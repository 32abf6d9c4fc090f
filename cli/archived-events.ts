import { gunzipSync } from "node:zlib";
import { EVENTS_PREFIX } from "../contract/object-keys.ts";
import type { Bucket } from "./bucket.ts";

/** An event of the archive. */
export interface ArchivedEvent {
  /** When it was published, in ISO 8601. */
  readonly time: string;
  readonly type: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

const DAY_MILLISECONDS = 86_400_000;

/** Objects that are read at once. */
const READS = 16;

/** Larger objects are not ours: a batch of runners has less than a megabyte of events. */
const OBJECT_BYTES_MAX = 16 * 1024 * 1024;
const LINES_BYTES_MAX = 8 * OBJECT_BYTES_MAX;

/**
 * The events of one runner since a day, the oldest first, each id once: of several lines with one id, the one with the most fields, or the
 * last of these. `progress` is called with the number of objects read so far.
 */
export async function eventsOfRunner(
  bucket: Pick<Bucket, "list" | "get">,
  runner: string,
  { since, now, progress }: { since: number; now: number; progress: (read: number) => void },
): Promise<ArchivedEvent[]> {
  const found = new Map<string, ArchivedEvent>();
  let read = 0;
  const readAll = async (keys: readonly string[]) => {
    for (const line of (await Promise.all(keys.map((key) => linesOf(bucket, key)))).flat()) {
      const event = parseLine(line, runner);
      if (event) addBest(found, event);
    }
    read += keys.length;
    progress(read);
  };
  for (let day = since; dayOf(day) <= dayOf(now); day += DAY_MILLISECONDS) {
    let keys: string[] = [];
    for await (const { key } of bucket.list(`${EVENTS_PREFIX}dt=${dayOf(day)}/`)) {
      keys.push(key);
      if (keys.length < READS) continue;
      await readAll(keys);
      keys = [];
    }
    await readAll(keys);
  }
  return [...found.values()].toSorted((one, other) => one.time.localeCompare(other.time));
}

function dayOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 10);
}

async function linesOf(bucket: Pick<Bucket, "get">, key: string): Promise<string[]> {
  const bytes = await bucket.get(key, OBJECT_BYTES_MAX);
  // It may have expired since the listing.
  if (!bytes) return [];
  return gunzipSync(bytes, { maxOutputLength: LINES_BYTES_MAX }).toString().split("\n");
}

function parseLine(line: string, runner: string): ArchivedEvent | undefined {
  if (!line.includes(JSON.stringify(runner))) return undefined;
  const { time, "detail-type": type, detail } = JSON.parse(line);
  return detail.runner_name === runner ? { time, type, detail } : undefined;
}

function addBest(found: Map<string, ArchivedEvent>, event: ArchivedEvent): void {
  const id = String(event.detail.event_id);
  const known = found.get(id);
  if (!known || Object.keys(event.detail).length >= Object.keys(known.detail).length) found.set(id, event);
}
