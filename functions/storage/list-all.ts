import type { ListedObject, ListPage, ListPosition, ObjectStore } from "../ports.ts";
import { type StorageListing, storageName } from "./layout.ts";

/**
 * Every metrics storage under a flavor's prefix, from one flat listing, page by page. Keys come in byte order, so the objects
 * of a storage stand together. A storage that fills a page beyond `objectsMax` is skipped past: a flood costs one page.
 *
 * `onStray` is called for every object that lies beside the storages, where no runner may write.
 */
export async function* listAll(
  store: ObjectStore,
  flavorPrefix: string,
  objectsMax: number,
  onStray: () => void,
): AsyncGenerator<StorageListing> {
  let open: { name: string; prefix: string; objects: ListedObject[] } | undefined;
  let ahead: Promise<ListPage> | undefined = fetchAhead(store, flavorPrefix);
  while (ahead) {
    const page: ListPage = await ahead;
    const complete: StorageListing[] = [];
    for (const object of page.objects) {
      const name = storageName(object.key, flavorPrefix);
      if (name !== open?.name) {
        if (open) complete.push(open);
        open = name === undefined ? undefined : { name, prefix: `${flavorPrefix}${name}/`, objects: [] };
      }
      if (open) open.objects.push(object);
      else onStray();
    }

    let next = page.next;
    if (open && next && open.objects.length > objectsMax) {
      next = { after: behind(open.prefix) };
      complete.push(open);
      open = undefined;
    }
    ahead = next && fetchAhead(store, flavorPrefix, next);
    yield* complete;
  }
  if (open) yield open;
}

/** Whether a storage holds anything that its listing does not show. */
export async function hasGrown(store: ObjectStore, { prefix, objects }: StorageListing): Promise<boolean> {
  const known = new Set(objects.map(({ key, etag }) => JSON.stringify([key, etag])));
  // Any page may show fewer keys than there are, or none.
  for (let from: ListPosition | undefined = { after: "" }; from; ) {
    const page: ListPage = await store.list(prefix, from);
    if (page.objects.some(({ key, etag }) => !known.has(JSON.stringify([key, etag])))) return true;
    from = page.next;
  }
  return false;
}

/** Asks for a page while the one before it is worked on. If nobody comes for it, its failure is nobody's. */
function fetchAhead(store: ObjectStore, prefix: string, from?: ListPosition): Promise<ListPage> {
  const page = store.list(prefix, from);
  page.catch(() => {});
  return page;
}

/** Where to go on behind all keys of a storage: "0" is the byte after "/". (A stray object of just this name goes uncounted.) */
function behind(storagePrefix: string): string {
  return `${storagePrefix.slice(0, -1)}0`;
}
