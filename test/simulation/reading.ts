/** A history, read once and put in order for the checker: what each run saw, did and was told, and what was where and when. */

import type { JobAnswer } from "../../functions/domain/verify-job.ts";
import type { ListedObject } from "../../functions/ports.ts";
import type { FaultName } from "./faults.ts";
import type { History, Operation, RunBegins, RunEnds, Upload, UploadedVersion, WorldEnds } from "./history.ts";

/** Where the ends of instances are recorded. */
export const ENDED = "ended/";

export const BUCKET_ARN = "arn:aws:s3:::metrics/";

/** One run as the history shows it. */
export interface RunRead {
  readonly id: number;
  readonly begins: RunBegins;
  ends?: RunEnds;
  readonly operations: Operation[];
  /** What the run's listing showed of each storage, by key. */
  readonly listings: Map<string, Map<string, ListedObject>>;
  /** With a message: what it last saw of a storage that it has not acted on yet, by key. */
  readonly seen: Map<string, Map<string, ListedObject>>;
  /** With a message: storages of which it had a listing of its own, whatever the message says. */
  readonly relisted: Set<string>;
  /** With a message: key and ETag of each object that HEAD showed it. */
  readonly confirmed: Set<string>;
  /** Storages that it has handed over, or has tried to. */
  readonly handedOver: Set<string>;
  /** The steps at which it looked at one storage again. */
  readonly looks: Map<string, number[]>;
  /** Event id -> the step at which the run was told that it is accepted. */
  readonly acknowledged: Map<string, number>;
  /** Event id -> the step at which the run was told that it is in the archive. */
  readonly archived: Map<string, number>;
  /** Storage -> where it went, and when the run was told that this is known on the bus. */
  readonly quarantined: Map<string, { readonly prefix: string; readonly id: string; readonly step: number }>;
  /** Storages that a fault befell in this run. */
  readonly faultsOn: Set<string>;
  isListingDisturbed: boolean;
  /** Runs that were in progress at the same time. */
  readonly overlapping: Set<number>;
  /** What GitHub said of each storage's job. */
  readonly jobs: Map<string, JobAnswer | undefined>;
  /** Who lives, as GitHub said. */
  alive?: ReadonlySet<string>;
  /** Keys of the records of ended instances that it was shown. */
  readonly ended: Set<string>;
}

/** How long an object was in place, in steps. */
export interface Presence {
  readonly etag: string;
  readonly from: number;
  /** When it was last modified, as S3 tells it. */
  readonly time: number;
  to?: number;
  /** The run that removed it; absent where its uploader did, or where it is still there. */
  removedBy?: number;
}

export interface Manifest {
  readonly storage: string;
  readonly reason: string;
  readonly objects: readonly {
    key: string;
    etag: string;
    size: number;
    last_modified: string;
    copied_to?: string;
    not_copied?: string;
  }[];
  readonly step: number;
}

export interface Reading {
  readonly history: History;
  readonly flavorPrefix: string;
  readonly runs: Map<number, RunRead>;
  /** Uploads that nobody can read. */
  readonly unreadable: readonly Upload[];
  /** Key -> when which version was there. */
  readonly presences: Map<string, Presence[]>;
  /** Storage -> its keys, ever. */
  readonly keysOf: Map<string, Set<string>>;
  /** Storage -> steps at which its uploader changed something. */
  readonly changes: Map<string, number[]>;
  readonly honest: ReadonlySet<string>;
  readonly finished: ReadonlySet<string>;
  /** Quarantine prefix -> its manifest. */
  readonly manifests: Map<string, Manifest>;
  /** Event id -> the first step at which it was delivered. */
  readonly delivered: Map<string, number>;
  /** Event id -> the first step at which it was in the archive. */
  readonly archived: Map<string, number>;
  readonly end: WorldEnds | undefined;
  versionsOf(key: string, etag: string): readonly UploadedVersion[];
}

/** Faults that change nothing for the storages concerned. */
const HARMLESS: readonly (FaultName | undefined)[] = [undefined, "short-page", "empty-page", "repeated", "no-answer"];

export function read(history: History, flavorPrefix: string): Reading {
  const versions = new Map<string, UploadedVersion[]>();
  const unreadable: Upload[] = [];
  const running = new Set<RunRead>();
  const honest = new Set<string>();
  const finished = new Set<string>();
  const reading = {
    history,
    flavorPrefix,
    runs: new Map<number, RunRead>(),
    unreadable,
    presences: new Map<string, Presence[]>(),
    keysOf: new Map<string, Set<string>>(),
    changes: new Map<string, number[]>(),
    honest,
    finished,
    manifests: new Map<string, Manifest>(),
    delivered: new Map<string, number>(),
    archived: new Map<string, number>(),
    end: undefined as WorldEnds | undefined,
    versionsOf: (key: string, etag: string) => versions.get(`${key}\n${etag}`) ?? [],
  } satisfies Reading;

  for (const event of history) {
    switch (event.type) {
      case "upload":
        if (event.version?.meaning.kind === "unreadable") unreadable.push(event);
        if (event.by === "honest") honest.add(event.storage);
        if (event.version) add(versions, `${event.key}\n${event.version.etag}`, event.version);
        readUpload(reading, event);
        break;
      case "runner-finished":
        finished.add(event.storage);
        break;
      case "run-begins": {
        const run = newRun(event);
        for (const other of running) {
          other.overlapping.add(run.id);
          run.overlapping.add(other.id);
        }
        running.add(run);
        reading.runs.set(run.id, run);
        for (const object of event.given ?? []) readListed(run, object, flavorPrefix);
        break;
      }
      case "run-ends": {
        const run = reading.runs.get(event.run);
        if (!run) break;
        run.ends = event;
        running.delete(run);
        break;
      }
      case "operation":
        readOperation(reading, event);
        break;
      case "end":
        reading.end = event;
        break;
      case "recorded":
      case "bus":
      case "message":
        break;
    }
  }
  return reading;
}

/** The storage of a key under the flavor's prefix. All that a runner has behind its `~` and in no slot is one storage. */
export function storageOf(key: string, flavorPrefix: string): string {
  const name = key.startsWith(flavorPrefix) ? (key.slice(flavorPrefix.length).split("/", 1)[0] ?? "") : "";
  return !name.includes("~") || isValidName(name) ? name : `${name.split("~", 1)[0]}~`;
}

/** The storage without its slot: `r-1` of `r-1~07`. */
export function withoutSlot(storage: string): string {
  return storage.split("~", 1)[0] ?? "";
}

/** Whether a storage has a name of a runner's, alone or with a slot. */
export function isValidName(storage: string): boolean {
  const [runner = "", ...slots] = storage.split("~");
  const isMadeOfTheseOnly = [...runner].every((character) => NAME_CHARACTERS.includes(character));
  const isBegunWell = runner !== "" && !"._:-".includes(runner.charAt(0));
  const isName = isMadeOfTheseOnly && isBegunWell && runner.length <= 128 && !runner.includes("..");
  return isName && (slots.length === 0 || (slots.length === 1 && SLOTS.includes(slots[0] ?? "")));
}

const NAME_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-";
const SLOTS = Array.from({ length: 100 }, (_, number) => (number < 10 ? `0${number}` : `${number}`));

/** The storage that an entry tells of: by its ARN, or by the manifest there. */
export function storageOfEntry(reading: Reading, resources: readonly string[]): string | undefined {
  const location = resources[0]?.slice(BUCKET_ARN.length) ?? "";
  if (location.startsWith(reading.flavorPrefix)) return storageOf(location, reading.flavorPrefix);
  return reading.manifests.get(location)?.storage;
}

function newRun(begins: RunBegins): RunRead {
  return {
    id: begins.run,
    begins,
    operations: [],
    listings: new Map(),
    seen: new Map(),
    relisted: new Set(),
    confirmed: new Set(),
    handedOver: new Set(),
    looks: new Map(),
    acknowledged: new Map(),
    archived: new Map(),
    quarantined: new Map(),
    faultsOn: new Set(),
    isListingDisturbed: false,
    overlapping: new Set(),
    jobs: new Map(),
    ended: new Set(),
  };
}

function readUpload(reading: Reading, { key, outcome, version, step, time }: Upload): void {
  const storage = storageOf(key, reading.flavorPrefix);
  if (outcome !== "stored" && outcome !== "removed") return;
  add(reading.changes, storage, step);
  close(reading, key, step);
  if (!version) return;
  add(reading.presences, key, { etag: version.etag, from: step, time: Math.floor(time / 1000) * 1000 });
  const keys = reading.keysOf.get(storage) ?? new Set();
  reading.keysOf.set(storage, keys.add(key));
}

/** The object at a key, if there was one, is gone or replaced. */
function close(reading: Reading, key: string, step: number, removedBy?: number): void {
  const presence = reading.presences.get(key)?.at(-1);
  if (!presence || presence.to !== undefined) return;
  presence.to = step;
  if (removedBy !== undefined) presence.removedBy = removedBy;
}

function readOperation(reading: Reading, operation: Operation): void {
  const run = reading.runs.get(operation.run);
  if (!run) return;
  const { flavorPrefix } = reading;
  const { step, heard } = operation;
  run.operations.push(operation);
  const befallen = HARMLESS.includes(operation.fault) ? () => {} : (storage: string) => void run.faultsOn.add(storage);
  switch (operation.kind) {
    case "exists":
    case "isEmpty":
      break;
    case "send":
      for (const storage of handedOverBy(operation)) {
        befallen(storage);
        run.handedOver.add(storage);
      }
      break;
    case "jobs":
      befallen(operation.storage);
      if (heard) run.jobs.set(operation.storage, operation.answer);
      break;
    case "alive":
      if (heard && operation.answer) run.alive = operation.answer;
      break;
    case "list": {
      if (operation.prefix === ENDED) {
        for (const { key } of (heard && operation.answer) || []) run.ended.add(key);
        break;
      }
      const storage = storageOf(operation.prefix, flavorPrefix);
      if (operation.prefix !== flavorPrefix) {
        befallen(storage);
        if (heard && operation.isFirstPage && operation.prefix.endsWith("/")) add(run.looks, storage, step);
        if (heard && run.begins.given) readSeen(run, storage, operation);
      } else if (!HARMLESS.includes(operation.fault)) run.isListingDisturbed = true;
      else if (heard) for (const object of operation.answer ?? []) readListed(run, object, flavorPrefix);
      break;
    }
    case "head":
    case "get":
      befallen(storageOf(operation.key, flavorPrefix));
      believe(run, storageOf(operation.key, flavorPrefix));
      if (operation.kind === "head" && heard) run.confirmed.add(`${operation.key}\n${operation.answer}`);
      break;
    case "putIfAbsent": {
      const manifest = { ...(JSON.parse(operation.json) as Omit<Manifest, "step">), step };
      befallen(manifest.storage);
      believe(run, manifest.storage);
      if (operation.hasWritten) reading.manifests.set(operation.key.slice(0, -"manifest.json".length), manifest);
      break;
    }
    case "archive":
      for (const { resources, detail } of operation.entries) {
        befallen(storageOfEntry(reading, resources) ?? "");
        if (operation.hasWritten && !reading.archived.has(detail.event_id)) reading.archived.set(detail.event_id, step);
        if (heard && !run.archived.has(detail.event_id)) run.archived.set(detail.event_id, step);
      }
      break;
    case "copy":
      befallen(storageOf(operation.from.key, flavorPrefix));
      believe(run, storageOf(operation.from.key, flavorPrefix));
      break;
    case "delete":
      for (const { key } of operation.objects) {
        befallen(storageOf(key, flavorPrefix));
        run.seen.delete(storageOf(key, flavorPrefix));
      }
      for (const { key } of operation.removed) close(reading, key, step, run.id);
      break;
    case "put":
      for (const entry of operation.entries) {
        befallen(storageOfEntry(reading, entry.resources) ?? "");
        run.seen.delete(storageOfEntry(reading, entry.resources) ?? "");
      }
      for (const { detail } of operation.delivered) {
        const id = idOf(detail);
        if (!reading.delivered.has(id)) reading.delivered.set(id, step);
      }
      if (heard) readAcknowledged(reading, run, operation);
      break;
  }
}

function readSeen(run: RunRead, storage: string, { isFirstPage, answer = [] }: Operation & { kind: "list" }): void {
  const seen = isFirstPage ? new Map<string, ListedObject>() : (run.seen.get(storage) ?? new Map());
  for (const object of answer) seen.set(object.key, object);
  run.seen.set(storage, seen);
}

/** A run with a message that reads, copies or records after it has listed a storage goes by that listing. */
function believe(run: RunRead, storage: string): void {
  const seen = run.seen.get(storage);
  if (!seen) return;
  run.seen.delete(storage);
  run.relisted.add(storage);
  run.listings.set(storage, seen);
}

function readListed(run: RunRead, object: ListedObject, flavorPrefix: string): void {
  const storage = storageOf(object.key, flavorPrefix);
  const listing = run.listings.get(storage) ?? new Map<string, ListedObject>();
  run.listings.set(storage, listing.set(object.key, object));
}

function readAcknowledged(reading: Reading, run: RunRead, operation: Operation & { kind: "put" }): void {
  for (const [index, { detail, resources }] of operation.entries.entries()) {
    if (operation.answer?.[index] !== "accepted") continue;
    const id = idOf(detail);
    if (!run.acknowledged.has(id)) run.acknowledged.set(id, operation.step);
    const prefix = resources[0]?.slice(BUCKET_ARN.length) ?? "";
    const storage = reading.manifests.get(prefix)?.storage;
    if (storage !== undefined) run.quarantined.set(storage, { prefix, id, step: operation.step });
  }
}

/** Names of the storages in a message. */
function handedOverBy({ body }: Operation & { kind: "send" }): string[] {
  return (JSON.parse(body) as { storages: { name: string }[] }).storages.map(({ name }) => name);
}

export function idOf(detail: string): string {
  return String((JSON.parse(detail) as { event_id?: unknown }).event_id);
}

export function add<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}
