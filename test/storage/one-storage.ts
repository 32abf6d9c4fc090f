/** One storage in memory, and a store that refuses a call: for the tests of this folder. */
import type { ObjectStore, Refusal } from "../../functions/ports.ts";
import { listAll } from "../../functions/storage/list-all.ts";
import type { StorageManager } from "../../functions/storage/storage-listing.ts";
import { CONFIG, createWorld, FILES } from "../worlds/memory.ts";

export const POST = "post-job-metrics.json";
export const OWN_KEY = "arn:aws:kms:us-east-1:111111111111:key/own";
export const FOREIGN_KEY = "arn:aws:kms:us-east-1:222222222222:key/foreign";

/** The storages of the flavor `large` in a store. */
export function managerOf(store: ObjectStore, changes: Partial<StorageManager> = {}): StorageManager {
  return { ...CONFIG, store, flavor: "large", ...changes };
}

/** All storages of a listing. */
export async function listed(manager: StorageManager) {
  return (await Array.fromAsync(listAll(manager))).flatMap(({ storages }) => storages);
}

export async function storage(
  files: Readonly<Record<string, string | Uint8Array>> = FILES,
  changes: Partial<ObjectStore> = {},
) {
  const world = createWorld();
  world.upload("r-1", files);
  const store = { ...world.dependencies.store, ...changes };
  const manager = managerOf(store);
  const [listing] = await listed(manager);
  if (!listing) throw new Error("There is no storage.");
  return { world, store, manager, listing };
}

const isPost = (key: string) => key.endsWith(POST);

/** A store whose HEAD, GET or COPY of the post-job file, or of all, is refused. */
export async function refusing(method: "head" | "get" | "copy", refusal: Refusal, ofAll = false, kmsKeyId?: string) {
  const { store } = createWorld().dependencies;
  const found = await storage();
  const real = found.world.dependencies.store;
  const changes: ObjectStore = {
    ...store,
    ...real,
    async head(key) {
      if (method === "head" && (ofAll || isPost(key))) return refusal;
      const head = await real.head(key);
      return typeof head === "string" || !kmsKeyId ? head : { ...head, kmsKeyId };
    },
    async get(object, size) {
      return method === "get" && (ofAll || isPost(object.key)) ? refusal : real.get(object, size);
    },
    async copy(object, to) {
      return method === "copy" && (ofAll || isPost(object.key)) ? refusal : real.copy(object, to);
    },
  };
  return { ...found, manager: managerOf(changes, { kmsKeyArn: OWN_KEY }) };
}
