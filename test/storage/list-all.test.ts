import { describe, expect, it } from "vitest";
import type { ListPage, ListPosition, ObjectStore } from "../../functions/ports.ts";
import { hasChanged, listAll } from "../../functions/storage/list-all.ts";
import { BUCKET, createWorld } from "../worlds/memory.ts";
import { modelObjectStore } from "../worlds/model-ports.ts";
import { listed, managerOf, storage } from "./one-storage.ts";

describe("listing", () => {
  it("an object beside the storages ends the one before it, and is nobody's", async () => {
    const world = createWorld();
    world.upload("r-1", { a: "1" });
    world.s3.plant(BUCKET, "runners/large/r-1x", { body: Buffer.from("x") });
    world.upload("r-2", { b: "2" });
    let strays = 0;
    for (const pageSize of [1, 2, 1000]) {
      const store = modelObjectStore(world.s3, BUCKET, { pageSize });
      const manager = managerOf(store);
      const pages = await Array.fromAsync(listAll(manager));
      const listings = pages.flatMap(({ storages }) => storages);
      strays += pages.reduce((sum, page) => sum + page.strays, 0);
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
    const manager = managerOf(store, { maxObjectsPerRunner: 6 });
    const listings = await listed(manager);
    expect(listings.map(({ name, objects }) => [name, objects.length])).toEqual([
      ["flood", 8],
      ["flood0", 4],
    ]);
    expect(asked).toEqual([{ token: expect.any(String) }, { after: "runners/large/flood0" }]);
  });

  it("whatever a persistent runner makes beside its slots is one storage, one skip, and hides nobody else's", async () => {
    const world = createWorld();
    world.upload("r-1");
    for (const slot of ["00", "07", "99"]) world.upload(`r-1~${slot}`, { "post-job-metrics.json": "{}" });
    for (const odd of ["0x", "00x", "1", "é9", "~0"]) world.upload(`r-1~${odd}`, { a: "1", b: "2" });
    world.upload("r-1~/x", { a: "1" });
    world.upload("r-2");
    for (const pageSize of [1, 2, 3, 5, 1000]) {
      const manager = managerOf(modelObjectStore(world.s3, BUCKET, { pageSize }));
      const found = (await listed(manager)).map(({ name, prefix, objects }) => [name, prefix, objects.length]);
      expect(found.toSorted(), String(pageSize)).toEqual([
        ["r-1", "runners/large/r-1/", 4],
        ["r-1~", "runners/large/r-1~", 11],
        ["r-1~00", "runners/large/r-1~00/", 1],
        ["r-1~07", "runners/large/r-1~07/", 1],
        ["r-1~99", "runners/large/r-1~99/", 1],
        ["r-2", "runners/large/r-2/", 4],
      ]);
    }
    const store = modelObjectStore(world.s3, BUCKET, { pageSize: 4 });
    const asked: ListPosition[] = [];
    const watched: ObjectStore = {
      ...store,
      list(prefix, from) {
        if (from && "after" in from) asked.push(from);
        return store.list(prefix, from);
      },
    };
    const names = (await listed(managerOf(watched, { maxObjectsPerRunner: 4 }))).map(({ name }) => name);
    expect(names.filter((name) => name === "r-1~")).toHaveLength(1);
    expect(names).toContain("r-2");
    expect(asked).toEqual([{ after: "runners/large/r-1\u007f" }]);
  });

  // Seed 361242 of the simulator: what followed the slot was listed, quarantined and counted twice.
  it("a flooded slot that ends before its page does is no reason to list again what follows it", async () => {
    const world = createWorld();
    world.upload("r-1~/x", { a: "1" });
    world.upload("r-1~07", Object.fromEntries(Array.from({ length: 5 }, (_, number) => [`junk-${number}`, "x"])));
    world.upload("r-1~x", { a: "1", b: "2" });
    world.upload("r-2");
    const store = modelObjectStore(world.s3, BUCKET, { pageSize: 7 });
    const listings = await listed(managerOf(store, { maxObjectsPerRunner: 4 }));
    expect(listings.map(({ name, objects }) => [name, objects.length])).toEqual([
      ["r-1~07", 5],
      ["r-1~", 3],
      ["r-2", 4],
    ]);
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
      if (from && "after" in from) return { date: 0, objects: [], next: { token: "behind the empty page" } };
      return paged.list(prefix, from && { after: "runners/large/flood0" });
    };
    const manager = managerOf({ ...paged, list }, { maxObjectsPerRunner: 6 });
    const listings = await listed(manager);
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
    const manager = managerOf({ ...paged, list });
    for await (const _ of listAll(manager)) break;
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
    expect(await hasChanged(managerOf(store), found.listing)).toBe(false);
    expect(asked).toEqual([{ after: "" }]);
    found.world.upload("r-1", { "!": "sorts first" });
    expect(await hasChanged(managerOf(store), found.listing)).toBe(true);
  });
});
