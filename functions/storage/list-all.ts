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
 * adjacent. A storage that fills a page and has more objects than allowed is skipped: a flood costs one page.
 */
export async function* listAll(storageManager: StorageManager): AsyncGenerator<ListedStorages> {
  const { store, flavor, maxObjectsPerRunner } = storageManager;
  const prefix = flavorPrefix(flavor);
  let open: { name: string; objects: ListedObject[] } | undefined;
  let date = 0;
  let pageAhead: Promise<ListPage> | undefined = fetchAhead(store, prefix);
  while (pageAhead) {
    const page: ListPage = await pageAhead;
    date = page.date;
    const storages: StorageListing[] = [];
    let strays = 0;
    for (const object of page.objects) {
      const name = storageOfKey(object.key, flavor);
      if (name !== open?.name) {
        if (open) storages.push(storageListing(flavor, open.name, open.objects, date));
        open = name === undefined ? undefined : { name, objects: [] };
      }
      if (open) open.objects.push(object);
      else if (!isFolderMarker(object)) strays++;
    }

    let next = page.next;
    if (open && next && open.objects.length > maxObjectsPerRunner) {
      const flood = storageListing(flavor, open.name, open.objects, date);
      next = { after: afterPrefix(flood.prefix) };
      storages.push(flood);
      open = undefined;
    }
    pageAhead = next && fetchAhead(store, prefix, next);
    yield { storages, strays };
  }
  if (open) yield { storages: [storageListing(flavor, open.name, open.objects, date)], strays: 0 };
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

/** The position after all keys of a storage: "0" is the byte after "/". (A stray object of exactly this name is not counted.) */
function afterPrefix(storagePrefix: string): string {
  return `${storagePrefix.slice(0, -1)}0`;
}
