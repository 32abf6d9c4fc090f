/** Keys in the bucket: which prefixes there are, who writes there, and how names are put together and taken apart. */
import { createHash } from "node:crypto";

/** `runners/<flavor>/<storage>/<file>`: written by runners, emptied by the collector. */
export const RUNNERS_PREFIX = "runners/";

/** `quarantine/<flavor>/<storage>/<quarantine-id>/…`: written by the collector, expires. */
export const QUARANTINE_PREFIX = "quarantine/";

/** `events/dt=<YYYY-MM-DD>/flavor=<flavor>/<run>-<n>.ndjson.gz`: the archive of all events, written by the collector, expires. */
export const EVENTS_PREFIX = "events/";

/**
 * `ended/<instance-id>/<time>-<what>`: what happened to an EC2 instance, as empty objects. Written by the function that receives EC2's
 * events, expires. `time` is that of the event in UNIX seconds; `what` is a name in `INSTANCE_ENDS`.
 */
export const ENDED_PREFIX = "ended/";

/** What can happen to an instance so that its runner dies. All are causes in events, too. */
export const INSTANCE_ENDS = ["spot-interruption", "stopped", "terminated"] as const;

/** Something that happened to an EC2 instance. */
export interface InstanceEnd {
  /** `i-0abc…` */
  readonly instance: string;
  /** UNIX seconds, by EC2's clock. */
  readonly time: number;
  readonly what: (typeof INSTANCE_ENDS)[number];
}

/** Ids of EC2 instances have 17 hexadecimal digits, and had 8. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html */
const INSTANCE_ID = /^i-(?:[0-9a-f]{8}|[0-9a-f]{17})$/;

/** Grammar of a flavor: the operator's name for a kind of runner. */
export const FLAVOR = /^[a-z0-9][a-z0-9-]{0,31}$/;

const STORAGE = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

// Printable ASCII without slashes: what no proxy, shell or XML parser reads in two ways.
const FILE = /^[ -.0-[\]-~]{1,255}$/;

/** S3's limit, in bytes of UTF-8. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html */
const KEY_BYTES_MAX = 1024;

/** A persistent runner has this many slots for further jobs, `<storage>~00` to `~99`, and then begins again. */
export const SLOTS = 100;

const SLOT = /~[0-9]{2}$/;

/** Whether a runner may have this name, and its first storage with it. */
export function isRunnerStorageName(name: string): boolean {
  return STORAGE.test(name) && !name.includes("..");
}

/** Whether there may be a storage of this name: a runner's first one, or a slot for a further job. */
export function isStorageName(name: string): boolean {
  return isRunnerStorageName(name.replace(SLOT, ""));
}

/** The storage for a further job of a persistent runner: `<storage>~07`. */
export function slotStorage(storage: string, slot: number): string {
  return `${storage}~${String(slot).padStart(2, "0")}`;
}

/** Whether a storage is a slot. */
export function isSlot(name: string): boolean {
  return SLOT.test(name);
}

/** Whether a runner is meant by a name that an operator or GitHub gives it: its own, or that of its storage, with or without the slot. */
export function isNamed(storage: string, isName: (name: string) => boolean): boolean {
  return isName(storage) || isName(storage.replace(SLOT, "")) || isName(runnerName(storage));
}

/** Whether an object in a storage may have this name, which has no slash. Any object with such a name is cleaned up with the storage. */
export function isFileName(name: string): boolean {
  return FILE.test(name) && name !== "." && name !== "..";
}

/** `runners/<flavor>/` */
export function flavorPrefix(flavor: string): string {
  return `${RUNNERS_PREFIX}${flavor}/`;
}

/** `runners/<flavor>/<storage>/`; of all that are no slots of a runner, `runners/<flavor>/<storage>~`. */
export function storagePrefix(flavor: string, storage: string): string {
  return `${flavorPrefix(flavor)}${storage}${storage.endsWith(NO_SLOTS) ? "" : "/"}`;
}

/** Ends the name of the one storage that has everything under `<storage>~` that is in no valid slot. */
const NO_SLOTS = "~";

/**
 * The name of the storage that holds a key under `runners/<flavor>/`, or undefined for an object outside any storage. A persistent runner
 * may write to `<storage>~??`, where IAM's `?` matches any character. So everything there that is in no valid slot counts as one storage,
 * `<storage>~`: otherwise one runner could make a million of them.
 */
export function storageOfKey(key: string, flavor: string): string | undefined {
  const { length } = flavorPrefix(flavor);
  const slash = key.indexOf("/", length);
  if (slash < 0) return undefined;
  const name = key.slice(length, slash);
  const end = name.indexOf(NO_SLOTS);
  return end < 0 || isStorageName(name) ? name : name.slice(0, end + 1);
}

/** The runner's name. On EC2 a storage may be named by the role's `aws:userid`, `AROA…:i-0abc…`: the runner is the part after the last colon, without the slot. */
export function runnerName(storage: string): string {
  const runner = storage.replace(SLOT, "");
  return runner.slice(runner.lastIndexOf(":") + 1) || runner;
}

/** The id of the EC2 instance that a storage, or a slot, is named after: `AROA…:i-0abc…` or `i-0abc…`. Otherwise undefined. */
export function instanceOf(storage: string): string | undefined {
  const name = runnerName(storage);
  return isInstanceId(name) ? name : undefined;
}

/** Whether EC2 may have given an instance this id. */
export function isInstanceId(id: string): boolean {
  return INSTANCE_ID.test(id);
}

/** Key of the record of something that happened to an EC2 instance. The same event has the same key, however often it is delivered. */
export function endedKey({ instance, time, what }: InstanceEnd): string {
  return `${ENDED_PREFIX}${instance}/${time}-${what}`;
}

/** What a key under `ended/` records, or undefined if it is not one of ours. */
export function parseEndedKey(key: string): InstanceEnd | undefined {
  const [, instance = "", time = "", name] = /^ended\/([^/]+)\/([0-9]{1,10})-([a-z-]+)$/.exec(key) ?? [];
  const what = INSTANCE_ENDS.find((end) => end === name);
  return what && isInstanceId(instance) ? { instance, time: Number(time), what } : undefined;
}

/** A storage's name in quarantine: its own if that is valid, otherwise one derived from it. */
export function quarantineName(storage: string): string {
  return isStorageName(storage) ? storage : `invalid-${sha256(storage).slice(0, 32)}`;
}

/** A version of an object, as it is identified in quarantine. */
export interface QuarantinedVersion {
  readonly key: string;
  readonly etag: string;
  /** Milliseconds since the epoch, by S3's clock. */
  readonly lastModified: number;
}

/**
 * Id of a quarantine, derived from keys, ETags and times: a second attempt has the id of the first, and other content another one, even
 * where it has the same ETag (MD5 collisions can be made).
 */
export function quarantineId(versions: readonly QuarantinedVersion[]): string {
  const lines = versions.map(({ key, etag, lastModified }) => JSON.stringify([key, etag, lastModified])).sort();
  return sha256(lines.join("\n")).slice(0, 32);
}

/** `quarantine/<flavor>/<storage>/<id>/` */
export function quarantinePrefix(flavor: string, storage: string, id: string): string {
  return `${QUARANTINE_PREFIX}${flavor}/${quarantineName(storage)}/${id}/`;
}

/** Key of the document that describes a quarantine and is written last. */
export function manifestKey(quarantinePrefix: string): string {
  return `${quarantinePrefix}manifest.json`;
}

/** Key of a quarantined object's copy: under its own name if that is valid and short enough, otherwise under a derived one. */
export function quarantineKey(quarantinePrefix: string, key: string, storagePrefix: string): string {
  const name = key.slice(storagePrefix.length);
  const copy = `${quarantinePrefix}objects/${name}`;
  return isFileName(name) && Buffer.byteLength(copy) <= KEY_BYTES_MAX
    ? copy
    : `${quarantinePrefix}renamed/${sha256(key)}`;
}

/**
 * Key of an object of the archive: JSON lines, gzipped. `run` is a UUID of the invocation and `number` counts its objects, so that no name
 * is used twice. `time` is that of publication, in milliseconds since the epoch; the date is in UTC.
 */
export function archiveKey(time: number, flavor: string, run: string, number: number): string {
  const date = new Date(time).toISOString().slice(0, 10);
  return `${EVENTS_PREFIX}dt=${date}/flavor=${flavor}/${run}-${number}.ndjson.gz`;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
