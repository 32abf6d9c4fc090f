import { createHash } from "node:crypto";
import type { QuarantineReason } from "../metrics/files.ts";
import type { ListedObject } from "../ports.ts";

/** Where things are in the bucket. */
export interface Layout {
  /** `runners/`: what runners write, `<flavor>/<storage>/<file>`. */
  readonly runnersPrefix: string;
  /** `quarantine/`: what we write, `<flavor>/<storage>/<quarantine-id>/…`. */
  readonly quarantinePrefix: string;
  readonly flavor: string;
}

/** How much of what is there we take. */
export interface StorageLimits {
  readonly fileSizeBytesLimit: number;
  /** A storage with more objects is quarantined; of its objects, so many are copied. */
  readonly objectsMax: number;
  /** ARN of the bucket's own KMS key, where it has one. */
  readonly kmsKeyArn?: string | undefined;
  /** Our AWS account. */
  readonly accountId?: string | undefined;
}

/** A metrics storage as the listing shows it: all that one runner has uploaded. */
export interface StorageListing {
  /** Its name, as found: may be no valid name. */
  readonly name: string;
  /** `runners/<flavor>/<name>/` */
  readonly prefix: string;
  /** All its objects; of a flood, those on the pages that were read. */
  readonly objects: readonly ListedObject[];
}

/** S3's limit, in bytes of UTF-8. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html */
const KEY_BYTES_MAX = 1024;

const STORAGE_NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

// Printable ASCII without slashes: what no proxy, shell or XML parser reads in two ways.
const FILE_NAME = /^[ -.0-[\]-~]{1,255}$/;

export function flavorPrefix(layout: Layout): string {
  return `${layout.runnersPrefix}${layout.flavor}/`;
}

/** The name of the storage that holds a key under `flavorPrefix`, or undefined where the object lies beside the storages. */
export function storageName(key: string, flavorPrefix: string): string | undefined {
  const slash = key.indexOf("/", flavorPrefix.length);
  return slash < 0 ? undefined : key.slice(flavorPrefix.length, slash);
}

/** What is wrong with a storage by its listing alone. */
export function listingProblem(listing: StorageListing, objectsMax: number): QuarantineReason | undefined {
  if (!isStorageName(listing.name)) return "invalid-key";
  if (!listing.objects.every((object) => isFileKey(object, listing.prefix))) return "invalid-key";
  return listing.objects.length > objectsMax ? "too-many-objects" : undefined;
}

function isStorageName(name: string): boolean {
  return STORAGE_NAME.test(name) && !name.includes("..");
}

function isFileKey({ key, size }: ListedObject, prefix: string): boolean {
  const name = key.slice(prefix.length);
  const isFolderMarker = name === "" && size === 0; // what S3's console makes for a folder
  return isFolderMarker || (FILE_NAME.test(name) && name !== "." && name !== "..");
}

/** A storage's name in the quarantine: its own if it is a valid one, else one derived from it. */
export function quarantineName(name: string): string {
  return isStorageName(name) ? name : `invalid-${sha256(name).slice(0, 32)}`;
}

/**
 * `quarantine/<flavor>/<storage>/<id>/`; the id is derived from keys, ETags and times, so that a second try finds the first, and
 * other content does not, even where it has the same ETag (MD5 collisions can be made).
 */
export function quarantineLocation(layout: Layout, listing: StorageListing): { id: string; prefix: string } {
  const versions = listing.objects
    .map(({ key, etag, lastModified }) => JSON.stringify([key, etag, lastModified]))
    .sort();
  const id = sha256(versions.join("\n")).slice(0, 32);
  const { quarantinePrefix, flavor } = layout;
  return { id, prefix: `${quarantinePrefix}${flavor}/${quarantineName(listing.name)}/${id}/` };
}

/** Where in the quarantine an object's copy goes: under its own name if that is sane and not too long. */
export function quarantineKey(quarantinePrefix: string, key: string, storagePrefix: string): string {
  const name = key.slice(storagePrefix.length);
  const copy = `${quarantinePrefix}objects/${name}`;
  const isSane = FILE_NAME.test(name) && name !== "." && name !== "..";
  return isSane && Buffer.byteLength(copy) <= KEY_BYTES_MAX ? copy : `${quarantinePrefix}renamed/${sha256(key)}`;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
