/** A bucket of very many objects that takes no memory for them: what is where is computed, and only what has gone is remembered. */

import { createHash } from "node:crypto";
import {
  FILES_TO_READ,
  RUNNER_INSTALLATION_START_TS_FILE_NAME as FIRST_FILE,
  type RunnerFileName,
} from "../../contract/runner-files.ts";
import type { EventBus, ListedObject, ListPosition, ObjectStore } from "../../functions/ports.ts";
import { FILES, NOW } from "../worlds/memory.ts";

/** In the order of a listing. */
const FILE_NAMES = FILES_TO_READ.toSorted();
const PAGE_KEYS = 1_000;

export interface VastBucket {
  readonly store: ObjectStore;
  readonly bus: EventBus;
  /** What was asked, by kind. */
  readonly requests: Map<string, number>;
  junkLeft(): number;
  filesLeft(): number;
  /** Events of honest runners by number of copies, and of quarantines. */
  readonly events: { once: number; again: number; quarantined: number };
}

/** `junk` objects in one storage, which sorts first, then `runners` of four files each, all of one flavor. */
export function createVastBucket({
  flavor = "large",
  junk,
  runners,
}: {
  flavor?: string;
  junk: number;
  runners: number;
}): VastBucket {
  const prefix = `runners/${flavor}/`;
  const flood = `${prefix}000-flood/`;
  const gone = new Uint8Array(junk + runners * FILE_NAMES.length);
  const seen = new Uint8Array(runners * 3);
  const requests = new Map<string, number>();
  const events = { once: 0, again: 0, quarantined: 0 };
  const etags = new Map(FILE_NAMES.map((name) => [name, etagOf(FILES[name])]));
  const manifests = new Set<string>();
  const count = (kind: string, by = 1) => requests.set(kind, (requests.get(kind) ?? 0) + by);

  const keyAt = (index: number) => {
    if (index < junk) return `${flood}${String(index).padStart(7, "0")}`;
    const file = (index - junk) % FILE_NAMES.length;
    return `${prefix}r-${String((index - junk - file) / FILE_NAMES.length).padStart(6, "0")}/${FILE_NAMES[file]}`;
  };
  const etagAt = (index: number) =>
    index < junk ? '"junk"' : (etags.get(FILE_NAMES[(index - junk) % FILE_NAMES.length] ?? FIRST_FILE) ?? "");
  const listedAt = (index: number): ListedObject => ({
    key: keyAt(index),
    size: index < junk ? 4 : Buffer.byteLength(FILES[fileNameAt(index)]),
    etag: etagAt(index),
    lastModified: NOW,
    storageClass: "STANDARD",
  });
  const fileNameAt = (index: number): RunnerFileName => FILE_NAMES[(index - junk) % FILE_NAMES.length] ?? FIRST_FILE;
  /** The first index whose key is after `key`. */
  function indexAfter(key: string): number {
    let [low, high] = [0, gone.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (keyAt(middle) > key) high = middle;
      else low = middle + 1;
    }
    return low;
  }
  const fileIndex = new Map<string, number>(FILE_NAMES.map((name, index) => [name, index]));
  function indexOf(key: string): number {
    const file = fileIndex.get(key.slice(prefix.length + "r-000000/".length));
    if (key.startsWith(flood) || file === undefined) return indexAfter(key) - 1;
    return junk + Number(key.slice(prefix.length + 2, prefix.length + 8)) * FILE_NAMES.length + file;
  }
  let filesLeft = runners * FILE_NAMES.length;

  return {
    requests,
    events,
    junkLeft: () => junk - gone.subarray(0, junk).reduce((sum, one) => sum + one, 0),
    filesLeft: () => filesLeft,
    bus: {
      exists: async () => true,
      async publish(entries) {
        count("put");
        for (const { detailType, detail } of entries) {
          if (detailType === "MetricsQuarantined") {
            events.quarantined += 1;
            continue;
          }
          const { runner_name } = JSON.parse(detail) as { runner_name: string };
          const kind = ["RunnerInstalled", "RunnerStart", "RunnerStop"].indexOf(detailType);
          const at = Number(runner_name.slice(2)) * 3 + kind;
          if (seen[at]) events.again += 1;
          else events.once += 1;
          seen[at] = 1;
        }
        return entries.map(() => "accepted" as const);
      },
    },
    store: {
      async list(within, from: ListPosition = { after: "" }) {
        count("list");
        const objects: ListedObject[] = [];
        const isIn = (index: number) => index < gone.length && keyAt(index).startsWith(within);
        let index = "token" in from ? Number(from.token) : indexAfter(from.after < within ? within : from.after);
        for (; objects.length < PAGE_KEYS && isIn(index); index++) if (!gone[index]) objects.push(listedAt(index));
        while (isIn(index) && gone[index]) index++;
        return { date: NOW, objects, ...(isIn(index) && { next: { token: String(index) } }) };
      },
      async head(key) {
        count("head");
        const index = indexOf(key);
        return gone[index] ? "gone" : listedAt(index);
      },
      async get({ key }) {
        count("get");
        return Buffer.from(FILES[fileNameAt(indexOf(key))]);
      },
      async putIfAbsent(key) {
        count("putIfAbsent");
        if (manifests.has(key)) return "exists";
        manifests.add(key);
        return "stored";
      },
      async copy() {
        count("copy");
        return "copied";
      },
      async delete(objects) {
        count("delete");
        return objects.map(({ key }) => {
          const index = indexOf(key);
          if (gone[index]) return "gone";
          gone[index] = 1;
          if (index >= junk) filesLeft -= 1;
          return "deleted";
        });
      },
    },
  };
}

function etagOf(text: string): string {
  return `"${createHash("md5").update(text).digest("hex")}"`;
}
