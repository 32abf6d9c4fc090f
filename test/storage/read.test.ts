import { describe, expect, it } from "vitest";
import { corrupt } from "../../functions/domain/corrupt.ts";
import type { ObjectStore, Refusal } from "../../functions/ports.ts";
import { denied, readStorage } from "../../functions/storage/read.ts";
import { FILES } from "../worlds/memory.ts";
import { FOREIGN_KEY, managerOf, OWN_KEY, POST, refusing, storage } from "./one-storage.ts";

const DENIED_HEAD = denied("HEAD", "s3:GetObject", { flavor: "large" });
const DENIED_GET = denied("GET", "s3:GetObject, and kms:Decrypt for the key of the bucket", { flavor: "large" });

describe("reading", () => {
  it.each<["head" | "get", Refusal, boolean, object]>([
    ["head", "gone", false, { kind: "deferred", reason: "changed" }],
    ["head", "gone", true, { kind: "vanished" }],
    ["head", "changed", true, { kind: "deferred", reason: "changed" }],
    ["head", "denied", false, DENIED_HEAD],
    ["head", "unreadable", false, corrupt("unreadable-object", POST)],
    ["get", "gone", false, { kind: "deferred", reason: "changed" }],
    ["get", "gone", true, { kind: "vanished" }],
    ["get", "changed", false, { kind: "deferred", reason: "changed" }],
    ["get", "denied", true, DENIED_GET],
    ["get", "unreadable", false, corrupt("unreadable-object", POST)],
  ])("a %s that is answered with %s (of all: %s) comes to this", async (method, refusal, ofAll, expected) => {
    const { manager, listing } = await refusing(method, refusal, ofAll);
    expect(await readStorage(manager, listing)).toEqual(expected);
  });

  it("a denial is the uploader's doing only with a key of another account that is not the bucket's", async () => {
    const corruptOne = corrupt("unreadable-object", POST);
    const read = async (kmsKeyId?: string) => {
      const { manager, listing } = await refusing("get", "denied", false, kmsKeyId);
      return readStorage(manager, listing);
    };
    expect(await read(FOREIGN_KEY)).toEqual(corruptOne);
    expect(await read(OWN_KEY.replace("own", "yesterday's"))).toEqual(DENIED_GET);
    expect(await read(OWN_KEY)).toEqual(DENIED_GET);
    expect(await read()).toEqual(DENIED_GET);
  });

  it("another refusal than a denial does not ask whose key it is", async () => {
    const { manager, listing } = await refusing("get", "changed", false, FOREIGN_KEY);
    expect(await readStorage(manager, listing)).toEqual({ kind: "deferred", reason: "changed" });
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
    const read = (changes: { accountId?: string | undefined; kmsKeyArn?: string }) =>
      readStorage(managerOf(store, changes), listing);
    expect(await read({ accountId: undefined })).toEqual(DENIED_GET);
    expect(await read({ kmsKeyArn: FOREIGN_KEY })).toEqual(DENIED_GET);
    expect(await read({})).toMatchObject({ reason: "unreadable-object" });
  });

  it("a version other than the listed one is not read", async () => {
    const { world, manager, listing } = await storage();
    world.upload("r-1", { [POST]: '{"timestamp": 1700000721, "status": "normal"}' });
    expect(await readStorage(manager, listing)).toEqual({ kind: "deferred", reason: "changed" });
  });

  it("files that have all changed have not vanished", async () => {
    const { world, manager, listing } = await storage();
    world.upload("r-1", Object.fromEntries(Object.keys(FILES).map((name) => [name, "1700000001"])));
    expect(await readStorage(manager, listing)).toEqual({ kind: "deferred", reason: "changed" });
  });
});
