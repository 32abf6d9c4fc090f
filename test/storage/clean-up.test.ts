import { describe, expect, it } from "vitest";
import type { DeleteResult } from "../../contract/reasons.ts";
import { type ObjectStore, type ObjectVersion, ServiceError } from "../../functions/ports.ts";
import { cleanUp, DELETE_OBJECTS_MAX } from "../../functions/storage/clean-up.ts";
import { createWorld } from "../worlds/memory.ts";

const version = (key: string): ObjectVersion => ({ key, etag: '"a"' });
const storage = (name: string, ...files: string[]) => {
  const objects = files.map((file) => version(`${name}/${file}`));
  return { objects, last: objects.slice(-1) };
};

/** A store whose deletes have these results, and the keys of each call. */
function storeThat(answer: (key: string, call: number) => DeleteResult) {
  const calls: string[][] = [];
  const store: ObjectStore = {
    ...createWorld().dependencies.store,
    async delete(objects) {
      calls.push(objects.map(({ key }) => key));
      return objects.map(({ key }) => answer(key, calls.length));
    },
  };
  return { store, calls };
}

describe("cleaning up", () => {
  it("deletes the last file of each storage in a second call, when the others are gone, which it repeats", async () => {
    const { store, calls } = storeThat((_, call) => (call === 1 ? "deleted" : "gone"));
    const { counts, errors } = await cleanUp(store, [storage("r-1", "a", "b"), storage("r-2", "c", "d")]);
    expect(calls).toEqual([
      ["r-1/a", "r-2/c"],
      ["r-1/a", "r-1/b", "r-2/c", "r-2/d"],
    ]);
    expect(counts).toEqual({ deleted: 2, gone: 2, changed: 0, denied: 0, failed: 0 });
    expect(errors).toEqual([]);
  });

  it.each(["changed", "denied", "failed"] as const)("keeps the last file if another one is %s", async (result) => {
    const { store, calls } = storeThat((key) => (key === "r-1/a" ? result : "deleted"));
    const storages = [storage("r-1", "a", "b"), storage("r-2", "c", "d")];
    const { counts, gone } = await cleanUp(store, storages);
    expect(calls[1]).toEqual(["r-2/c", "r-2/d"]);
    // The second call repeats a deletion that this store confirms once more.
    expect(counts).toMatchObject({ deleted: 3, [result]: 1 });
    expect([...gone]).toEqual(storages.slice(1));
  });

  it("a storage that the runner changed meanwhile is not gone", async () => {
    const { store } = storeThat((key, call) => (call === 2 && key === "r-1/a" ? "changed" : "deleted"));
    expect((await cleanUp(store, [storage("r-1", "a", "b")])).gone.size).toBe(0);
  });

  it("a call that fails fails its objects, and the last files stay", async () => {
    const failure = new ServiceError("AccessDenied", "no", { retryable: false });
    const store = { ...createWorld().dependencies.store, delete: () => Promise.reject(failure) };
    const { counts, errors } = await cleanUp(store, [storage("r-1", "a", "b")]);
    expect(counts).toEqual({ deleted: 0, gone: 0, changed: 0, denied: 1, failed: 0 });
    expect(errors).toEqual([failure]);
  });

  it("asks for as many deletes as S3's limit needs, and none for nothing", async () => {
    const { store, calls } = storeThat(() => "deleted");
    const many = (count: number) => Array.from({ length: count }, (_, number) => storage(`r-${number}`, "a"));
    expect((await cleanUp(store, [])).counts.deleted).toBe(0);
    expect(calls).toEqual([]);
    expect((await cleanUp(store, many(DELETE_OBJECTS_MAX + 1))).counts.deleted).toBe(1_001);
    expect(calls.map(({ length }) => length)).toEqual([1_000, 1]);
  });
});
