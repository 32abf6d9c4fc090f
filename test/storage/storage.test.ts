/** What a storage manager makes of each answer that S3 may give. */

import { describe, expect, it } from "vitest";
import { corrupt } from "../../functions/metrics/files.ts";
import type { ListPage, ListPosition, ObjectStore, Refusal } from "../../functions/ports.ts";
import { DELETE_OBJECTS_MAX } from "../../functions/storage/clean-up.ts";
import { createStorageManager } from "../../functions/storage/storage-manager.ts";
import { BUCKET, CONFIG, createWorld, FILES, NOW } from "../harness.ts";
import { modelObjectStore } from "../model-ports.ts";

const LAYOUT = { ...CONFIG, flavor: "large" };
const POST = "post-job-metrics.json";
const OWN_KEY = "arn:aws:kms:us-east-1:111111111111:key/own";
const FOREIGN_KEY = "arn:aws:kms:us-east-1:222222222222:key/foreign";

async function storage(
  files: Readonly<Record<string, string | Uint8Array>> = FILES,
  changes: Partial<ObjectStore> = {},
) {
  const world = createWorld();
  world.upload("r-1", files);
  const store = { ...world.dependencies.store, ...changes };
  const limits = { ...CONFIG, objectsMax: CONFIG.maxObjectsPerRunner };
  const manager = createStorageManager(store, LAYOUT, limits, world.clock);
  const [listing] = await Array.fromAsync(manager.listAll(() => {}));
  if (!listing) throw new Error("There is no storage.");
  return { world, store, manager, listing };
}

const isPost = (key: string) => key.endsWith(POST);

/** A store whose HEAD, GET or COPY of the post-job file, or of all, is refused. */
async function refusing(method: "head" | "get" | "copy", refusal: Refusal, ofAll = false, kmsKeyId?: string) {
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
  const limits = { ...CONFIG, kmsKeyArn: OWN_KEY, objectsMax: CONFIG.maxObjectsPerRunner };
  return { ...found, manager: createStorageManager(changes, LAYOUT, limits, found.world.clock) };
}

describe("reading", () => {
  it.each<["head" | "get", Refusal, boolean, object]>([
    ["head", "gone", false, { kind: "deferred", why: "changed" }],
    ["head", "gone", true, { kind: "vanished" }],
    ["head", "changed", true, { kind: "deferred", why: "changed" }],
    ["head", "denied", false, { kind: "deferred", why: "denied" }],
    ["head", "unreadable", false, corrupt("unreadable-object", POST)],
    ["get", "gone", false, { kind: "deferred", why: "changed" }],
    ["get", "gone", true, { kind: "vanished" }],
    ["get", "changed", false, { kind: "deferred", why: "changed" }],
    ["get", "denied", true, { kind: "deferred", why: "denied" }],
    ["get", "unreadable", false, corrupt("unreadable-object", POST)],
  ])("a %s that is answered with %s (of all: %s) comes to this", async (method, refusal, ofAll, expected) => {
    const { manager, listing } = await refusing(method, refusal, ofAll);
    expect(await manager.read(listing)).toEqual(expected);
  });

  it("a denial is the uploader's doing only with a key of another account that is not the bucket's", async () => {
    const corruptOne = corrupt("unreadable-object", POST);
    const denied = { kind: "deferred", why: "denied" };
    const read = async (kmsKeyId?: string) => {
      const { manager, listing } = await refusing("get", "denied", false, kmsKeyId);
      return manager.read(listing);
    };
    expect(await read(FOREIGN_KEY)).toEqual(corruptOne);
    expect(await read(OWN_KEY.replace("own", "yesterday's"))).toEqual(denied);
    expect(await read(OWN_KEY)).toEqual(denied);
    expect(await read()).toEqual(denied);
  });

  it("another refusal than a denial does not ask whose key it is", async () => {
    const { manager, listing } = await refusing("get", "changed", false, FOREIGN_KEY);
    expect(await manager.read(listing)).toEqual({ kind: "deferred", why: "changed" });
  });

  it("without knowing our account, no key is foreign; with the bucket's, no account is", async () => {
    const { world, listing } = await refusing("get", "denied", false, FOREIGN_KEY);
    const store: ObjectStore = {
      ...world.dependencies.store,
      async head(key) {
        const head = await world.dependencies.store.head(key);
        return typeof head === "string" ? head : { ...head, kmsKeyId: FOREIGN_KEY };
      },
      get: async () => "denied",
    };
    const read = (changes: { accountId?: string | undefined; kmsKeyArn?: string }) => {
      const limits = { ...CONFIG, objectsMax: 32, ...changes };
      return createStorageManager(store, LAYOUT, limits, world.clock).read(listing);
    };
    expect(await read({ accountId: undefined })).toEqual({ kind: "deferred", why: "denied" });
    expect(await read({ kmsKeyArn: FOREIGN_KEY })).toEqual({ kind: "deferred", why: "denied" });
    expect(await read({})).toMatchObject({ reason: "unreadable-object" });
  });

  it("a version other than the listed one is not read", async () => {
    const { world, manager, listing } = await storage();
    world.upload("r-1", { [POST]: '{"timestamp": 1700000721, "status": "normal"}' });
    expect(await manager.read(listing)).toEqual({ kind: "deferred", why: "changed" });
  });

  it("files that have all changed have not vanished", async () => {
    const { world, manager, listing } = await storage();
    world.upload("r-1", Object.fromEntries(Object.keys(FILES).map((name) => [name, "1700000001"])));
    expect(await manager.read(listing)).toEqual({ kind: "deferred", why: "changed" });
  });
});

describe("moving to quarantine", () => {
  it.each<[Refusal, object]>([
    ["gone", { kind: "deferred", why: "changed" }],
    ["changed", { kind: "deferred", why: "changed" }],
    ["denied", { kind: "deferred", why: "denied" }],
  ])("a copy that is answered with %s defers it, without a manifest", async (refusal, expected) => {
    const { world, manager, listing } = await refusing("copy", refusal);
    expect(await manager.moveToQuarantine(listing, corrupt("invalid-json", POST))).toEqual(expected);
    expect(world.manifests()).toEqual([]);
  });

  it("a denied copy of an object that has gone defers it: nobody can say any more whose fault it was", async () => {
    const { world, listing } = await storage();
    const store: ObjectStore = { ...world.dependencies.store, copy: async () => "denied", head: async () => "gone" };
    const manager = createStorageManager(store, LAYOUT, { ...CONFIG, objectsMax: 32 }, world.clock);
    expect(await manager.moveToQuarantine(listing, corrupt("invalid-json"))).toEqual({
      kind: "deferred",
      why: "denied",
    });
  });

  it("the manifest says what, why, when and where; the file and its fields only where there are some", async () => {
    const { world, manager, listing } = await storage();
    const found = corrupt("invalid-schema", POST, ["status: invalid_value"]);
    const moved = await manager.moveToQuarantine(listing, found);
    expect(moved).toMatchObject({ kind: "quarantine", reason: "invalid-schema", storage: "r-1", objects: 4 });
    expect(world.manifests()).toEqual([
      {
        schema_version: 1,
        flavor: "large",
        storage: "r-1",
        reason: "invalid-schema",
        file: POST,
        problems: ["status: invalid_value"],
        quarantined_at: new Date(NOW).toISOString(),
        objects: listing.objects.map(({ key, size, etag }) => ({
          key,
          size,
          etag,
          last_modified: new Date(NOW).toISOString(),
          storage_class: "STANDARD",
          copied_to: expect.stringMatching(/^quarantine\/large\/r-1\/[0-9a-f]{32}\/objects\//),
        })),
      },
    ]);
    const other = await storage();
    await other.manager.moveToQuarantine(other.listing, corrupt("too-many-objects"));
    expect(Object.keys(other.world.manifests()[0])).toEqual(
      Object.keys(world.manifests()[0]).filter((name) => name !== "file" && name !== "problems"),
    );
  });
});

describe("listing", () => {
  it("an object beside the storages ends the one before it, and is nobody's", async () => {
    const world = createWorld();
    world.upload("r-1", { a: "1" });
    world.s3.plant(BUCKET, "runners/large/r-1x", { body: Buffer.from("x") });
    world.upload("r-2", { b: "2" });
    let strays = 0;
    for (const pageSize of [1, 2, 1000]) {
      const store = modelObjectStore(world.s3, BUCKET, { pageSize });
      const manager = createStorageManager(store, LAYOUT, { ...CONFIG, objectsMax: 32 }, world.clock);
      const listings = await Array.fromAsync(manager.listAll(() => strays++));
      expect(listings.map(({ name, objects }) => [name, objects.length])).toEqual([
        ["r-1", 1],
        ["r-2", 1],
      ]);
    }
    expect(strays).toBe(3);
  });

  it("a flood is yielded once, as far as it was listed, and its neighbours whole", async () => {
    const world = createWorld();
    for (let number = 0; number < 20; number++)
      world.upload("flood", { [`junk-${String(number).padStart(2, "0")}`]: "x" });
    world.upload("flood0");
    const asked: ListPosition[] = [];
    const paged = modelObjectStore(world.s3, BUCKET, { pageSize: 4 });
    const store: ObjectStore = {
      ...paged,
      list(prefix, from) {
        if (from) asked.push(from);
        return paged.list(prefix, from);
      },
    };
    const manager = createStorageManager(store, LAYOUT, { ...CONFIG, objectsMax: 6 }, world.clock);
    const listings = await Array.fromAsync(manager.listAll(() => {}));
    expect(listings.map(({ name, objects }) => [name, objects.length])).toEqual([
      ["flood", 8],
      ["flood0", 4],
    ]);
    expect(asked).toEqual([{ token: expect.any(String) }, { after: "runners/large/flood0" }]);
  });

  it("behind a flood, a page without keys is no reason to begin there again", async () => {
    const world = createWorld();
    world.upload("flood", Object.fromEntries(Array.from({ length: 7 }, (_, number) => [`junk-${number}`, "x"])));
    world.upload("r-1");
    const paged = modelObjectStore(world.s3, BUCKET, { pageSize: 7 });
    const asked: (ListPosition | undefined)[] = [];
    const list = async (prefix: string, from?: ListPosition): Promise<ListPage> => {
      asked.push(from);
      if (asked.length > 3) throw new Error("asked too often");
      if (from && "after" in from) return { objects: [], next: { token: "behind the empty page" } };
      return paged.list(prefix, from && { after: "runners/large/flood0" });
    };
    const manager = createStorageManager({ ...paged, list }, LAYOUT, { ...CONFIG, objectsMax: 6 }, world.clock);
    const listings = await Array.fromAsync(manager.listAll(() => {}));
    expect(listings.map(({ name, objects }) => [name, objects.length])).toEqual([
      ["flood", 7],
      ["r-1", 4],
    ]);
    expect(asked).toEqual([undefined, { after: "runners/large/flood0" }, { token: "behind the empty page" }]);
  });

  it("a page that was asked for ahead, and that nobody comes for, fails without an echo", async () => {
    const echoes: unknown[] = [];
    const listen = (reason: unknown) => echoes.push(reason);
    process.on("unhandledRejection", listen);
    const { world } = await storage();
    world.upload("r-2");
    const paged = modelObjectStore(world.s3, BUCKET, { pageSize: 6 });
    const list = async (prefix: string, from?: ListPosition): Promise<ListPage> => {
      if (from) throw new Error("a page ahead");
      return paged.list(prefix);
    };
    const manager = createStorageManager({ ...paged, list }, LAYOUT, { ...CONFIG, objectsMax: 32 }, world.clock);
    for await (const _ of manager.listAll(() => {})) break;
    await new Promise((resolve) => setTimeout(resolve, 5));
    process.off("unhandledRejection", listen);
    expect(echoes).toEqual([]);
  });

  it("a second look begins at the storage's first key", async () => {
    const asked: (ListPosition | undefined)[] = [];
    const found = await storage();
    const store: ObjectStore = {
      ...found.store,
      list(prefix, from) {
        asked.push(from);
        return found.store.list(prefix, from);
      },
    };
    const manager = createStorageManager(store, LAYOUT, { ...CONFIG, objectsMax: 32 }, found.world.clock);
    expect(await manager.hasGrown(found.listing)).toBe(false);
    expect(asked).toEqual([{ after: "" }]);
    found.world.upload("r-1", { "!": "sorts first" });
    expect(await manager.hasGrown(found.listing)).toBe(true);
  });
});

describe("cleaning up", () => {
  it("asks for as many deletes as S3's limit needs, and none for nothing", async () => {
    const batches: number[] = [];
    const { manager, listing } = await storage(FILES, {
      async delete(objects) {
        batches.push(objects.length);
        return objects.map(() => "deleted" as const);
      },
    });
    const [object] = listing.objects;
    const many = (count: number) => Array.from({ length: count }, () => object ?? { key: "", etag: "" });
    expect(await manager.cleanUp(many(0))).toMatchObject({ deleted: 0 });
    expect(await manager.cleanUp(many(DELETE_OBJECTS_MAX))).toMatchObject({ deleted: 1_000 });
    expect(await manager.cleanUp(many(DELETE_OBJECTS_MAX + 1))).toMatchObject({ deleted: 1_001 });
    expect(batches).toEqual([1_000, 1_000, 1]);
  });
});
