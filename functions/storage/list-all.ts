import { flavorPrefix, storageOfKey, storagePrefix } from "../../contract/object-keys.ts";
import type { RunnerFileName } from "../../contract/runner-files.ts";
import type { ListedObject, ListPage, ListPosition, ObjectStore } from "../ports.ts";
import { type StorageListing, type StorageManager, storageListing } from "./storage-listing.ts";

/** What a page of the listing completes. */
export interface ListedStorages {
  readonly storages: readonly StorageListing[];
  /** Objects outside any storage, where no runner may write. */
  readonly strays: number;
}

/**
 * Every metrics storage of the flavor, from one flat listing, page by page. Keys come in byte order, so the objects of a storage are
 * adjacent; only what is in no valid slot of a persistent runner lies around and between its slots. A storage that fills a page and has
 * more objects than allowed is skipped, and with it what lies in between: a flood costs one page.
 */
export async function* listAll(storageManager: StorageManager): AsyncGenerator<ListedStorages> {
  const { store, flavor, maxObjectsPerRunner } = storageManager;
  const prefix = flavorPrefix(flavor);
  let open: OpenStorage[] = [];
  let storage: OpenStorage | undefined;
  let date = 0;
  let pageAhead: Promise<ListPage> | undefined = fetchAhead(store, prefix);
  while (pageAhead) {
    const page: ListPage = await pageAhead;
    date = page.date;
    const storages: StorageListing[] = [];
    let strays = 0;
    const close = (isEnded: (one: OpenStorage) => boolean) => {
      const ended = open.filter(isEnded);
      open = open.filter((one) => !ended.includes(one));
      storages.push(...ended.map(({ name, objects }) => storageListing(flavor, name, objects, date)));
    };
    for (const object of page.objects) {
      const name = storageOfKey(object.key, flavor);
      if (name !== storage?.name) {
        close((one) => !object.key.startsWith(one.prefix));
        storage = open.find((one) => one.name === name);
        if (!storage && name !== undefined) {
          storage = { name, prefix: storagePrefix(flavor, name), objects: [] };
          open.push(storage);
        }
      }
      if (storage) storage.objects.push(object);
      else if (!isFolderMarker(object)) strays++;
    }

    let next = page.next;
    const flood = next && open.find(({ objects }) => objects.length > maxObjectsPerRunner);
    if (flood) {
      next = { after: afterPrefix(flood.prefix) };
      // A slot in between may not have been listed to its end: the second look at it sees that.
      close((one) => one.prefix.startsWith(flood.prefix));
      storage = undefined;
    }
    pageAhead = next && fetchAhead(store, prefix, next);
    yield { storages, strays };
  }
  if (open.length > 0) {
    yield { storages: open.map(({ name, objects }) => storageListing(flavor, name, objects, date)), strays: 0 };
  }
}

/** A storage of which the next page may show more. */
interface OpenStorage {
  readonly name: string;
  readonly prefix: string;
  readonly objects: ListedObject[];
}

/** Whether an object was added to a storage, changed or removed since it was listed. However much was added, it needs no more pages. */
export async function hasChanged({ store }: StorageManager, { prefix, objects }: StorageListing): Promise<boolean> {
  const known = new Set(objects.map(({ key, etag }) => JSON.stringify([key, etag])));
  let unchanged = 0;
  // A page may show fewer keys than there are, or none, and still have a next one.
  for (let from: ListPosition | undefined = { after: "" }; from; ) {
    const page: ListPage = await store.list(prefix, from);
    if (page.objects.some(({ key, etag }) => !known.has(JSON.stringify([key, etag])))) return true;
    unchanged += page.objects.length;
    from = page.next;
  }
  return unchanged < known.size;
}

/** One storage as it is now, without objects if it has gone. If there are more than allowed, those on the pages that were read. */
export async function listStorage(
  { store, flavor, maxObjectsPerRunner }: StorageManager,
  name: string,
): Promise<StorageListing> {
  const objects: ListedObject[] = [];
  let date = 0;
  for (let from: ListPosition | undefined = { after: "" }; from; ) {
    const page: ListPage = await store.list(storagePrefix(flavor, name), from);
    date = page.date;
    objects.push(...page.objects);
    from = objects.length > maxObjectsPerRunner ? undefined : page.next;
  }
  return storageListing(flavor, name, objects, date);
}

/** A metrics file of a storage as it is now: a listing with no other object than this file, or with none. */
export async function listFile(
  { store, flavor }: StorageManager,
  storage: string,
  file: RunnerFileName,
): Promise<StorageListing> {
  const key = storagePrefix(flavor, storage) + file;
  // No other key that begins so sorts before it.
  let page = await store.list(key);
  while (page.objects.length === 0 && page.next) page = await store.list(key, page.next);
  const objects = page.objects.filter((object) => object.key === key);
  return storageListing(flavor, storage, objects, page.date);
}

/** What S3's console, rclone and s3fs create for a folder. */
function isFolderMarker({ key, size }: ListedObject): boolean {
  return size === 0 && key.endsWith("/");
}

/** Requests a page while the one before it is processed. If the consumer stops before it is needed, its failure has no effect. */
function fetchAhead(store: ObjectStore, prefix: string, from?: ListPosition): Promise<ListPage> {
  const page = store.list(prefix, from);
  page.catch(() => {});
  return page;
}

/** The position after all keys of a storage: its prefix with the next byte at the end. (A stray object of exactly this name is not counted.) */
function afterPrefix(storagePrefix: string): string {
  const last = storagePrefix.length - 1;
  return storagePrefix.slice(0, last) + String.fromCharCode(storagePrefix.charCodeAt(last) + 1);
}
