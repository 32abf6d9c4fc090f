import { isFileName, isSlot, isStorageName, storagePrefix } from "../../contract/object-keys.ts";
import type { QuarantineReason } from "../../contract/reasons.ts";
import {
  FILES_BY_IMPORTANCE,
  FILES_OF_COMPLETE_JOB,
  FILES_OF_COMPLETE_SLOT,
  FILES_OF_LIVE_STATES,
  FILES_THAT_MAKE_READY,
  FILES_TO_READ,
  type LiveState,
  type RunnerFileName,
} from "../../contract/runner-files.ts";
import type { ListedObject, ObjectStore, RunConfig } from "../ports.ts";

/** The metrics storages of one flavor: where they are, and how much of them is read. */
export interface StorageManager extends Pick<RunConfig, "maxObjectsPerRunner" | "kmsKeyArn" | "accountId"> {
  readonly store: ObjectStore;
  readonly flavor: string;
}

/** The metrics files that a storage holds. An empty object counts as absent. */
export type PresentFiles = Readonly<Partial<Record<RunnerFileName, ListedObject>>>;

/** A metrics storage as the listing shows it: everything that one runner has uploaded. */
export interface StorageListing {
  /** Its name as found, which may be invalid. */
  readonly name: string;
  /** Of all its keys: `storagePrefix` in contract/object-keys.ts. */
  readonly prefix: string;
  /** All its objects. If there are more than `maxObjectsPerRunner`, those on the pages that were read. */
  readonly objects: readonly ListedObject[];
  readonly files: PresentFiles;
  /** When it was listed, by S3's clock, in milliseconds since the epoch. */
  readonly listedAt: number;
}

/** A listing of the storage `name` with these objects. */
export function storageListing(
  flavor: string,
  name: string,
  objects: readonly ListedObject[],
  listedAt: number,
): StorageListing {
  const prefix = storagePrefix(flavor, name);
  const present = FILES_TO_READ.flatMap((file) => {
    const object = objects.find(({ key, size }) => size > 0 && key === prefix + file);
    return object ? [[file, object]] : [];
  });
  return { name, prefix, objects, files: Object.fromEntries(present), listedAt };
}

/** The listing with no other object than one metrics file. */
export function onlyFile(listing: StorageListing, name: RunnerFileName): StorageListing {
  const file = listing.files[name];
  return { ...listing, objects: file ? [file] : [], files: file ? { [name]: file } : {} };
}

/** When the storage's newest object was uploaded, in milliseconds since the epoch by S3's clock. */
export function lastUploadOf({ objects }: StorageListing): number {
  return objects.reduce((latest, { lastModified }) => Math.max(latest, lastModified), 0);
}

/** Whether the runner has reported its end. */
export function hasEnded({ files }: StorageListing): boolean {
  return FILES_THAT_MAKE_READY.some((file) => files[file]);
}

/** Whether every file of a complete job is there, so that nothing more is expected. */
export function hasCompleteJob({ name, files }: StorageListing): boolean {
  const complete = isSlot(name) ? FILES_OF_COMPLETE_SLOT : FILES_OF_COMPLETE_JOB;
  return complete.every((file) => files[file]);
}

/** The state of the storage's runner if it is alive, and since when it has it, in milliseconds since the epoch by S3's clock. */
export function liveState(listing: StorageListing): { state: LiveState; since: number } | undefined {
  if (hasEnded(listing)) return undefined;
  const states = FILES_OF_LIVE_STATES.flatMap(({ name, state }) => {
    const file = listing.files[name];
    return file ? [{ state, since: file.lastModified }] : [];
  });
  return states.at(-1);
}

/** The metrics file that tells most about the runner. Without it the others look like those of a lost or unused one. */
export function mostTellingFile({ files }: StorageListing): ListedObject | undefined {
  const present = FILES_BY_IMPORTANCE.flatMap((name) => files[name] ?? []);
  return present.at(-1);
}

/** What is wrong with a storage, as far as its listing shows it. */
export function listingProblem(listing: StorageListing, objectsMax: number): QuarantineReason | undefined {
  if (!isStorageName(listing.name)) return "invalid-key";
  if (!listing.objects.every((object) => isValidKey(object, listing.prefix))) return "invalid-key";
  return listing.objects.length > objectsMax ? "too-many-objects" : undefined;
}

function isValidKey({ key, size }: ListedObject, prefix: string): boolean {
  const name = key.slice(prefix.length);
  const isFolderMarker = name === "" && size === 0; // S3's console creates one for a folder
  return isFolderMarker || isFileName(name);
}
