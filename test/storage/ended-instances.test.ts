import { expect, test } from "vitest";
import { endedKey, type InstanceEnd } from "../../contract/object-keys.ts";
import { type ListPage, type ObjectStore, ServiceError } from "../../functions/ports.ts";
import { ENDED_PAGES_MAX, endedInstances } from "../../functions/storage/ended-instances.ts";
import { BUCKET, createWorld } from "../worlds/memory.ts";

const INSTANCE = "i-0123456789abcdef0";
const OTHER = "i-0123456789abcdef1";

function worldWith(keys: readonly string[]) {
  const world = createWorld();
  for (const key of keys) world.s3.putObject(BUCKET, key, { body: Buffer.alloc(0) });
  const prefixes: string[] = [];
  const list: ObjectStore["list"] = (prefix, from) => {
    prefixes.push(prefix);
    return world.dependencies.store.list(prefix, from);
  };
  return { ended: endedInstances({ ...world.dependencies.store, list }), prefixes };
}
const end = (what: InstanceEnd["what"], time: number, instance = INSTANCE) => ({ instance, what, time });

test("a storage has the ends of the instance that it is named after, in all its slots", async () => {
  const ends = [end("spot-interruption", 1_700_000_000), end("terminated", 1_700_000_120)];
  const { ended } = worldWith([...ends, end("terminated", 1, OTHER)].map(endedKey));
  for (const storage of [INSTANCE, `AROAEXAMPLE:${INSTANCE}`, `${INSTANCE}~00`, `AROAEXAMPLE:${INSTANCE}~17`]) {
    expect(await ended.endsOf(storage), storage).toEqual(ends);
  }
  expect(await ended.endsOf("i-0123456789abcdef2")).toEqual([]);
  expect(await ended.unknown()).toBeUndefined();
});

test("the records are listed once, and not at all without a storage that is named after an instance", async () => {
  const { ended, prefixes } = worldWith([endedKey(end("terminated", 1))]);
  for (const storage of ["r-1", "i-0abc", `${INSTANCE}.x`, "x"]) expect(await ended.endsOf(storage)).toEqual([]);
  expect(await ended.unknown()).toBeUndefined();
  expect(prefixes).toEqual([]);
  await Promise.all([ended.endsOf(INSTANCE), ended.endsOf(OTHER), ended.endsOf(INSTANCE)]);
  expect(prefixes).toEqual(["ended/"]);
});

test("a key of another form is ignored", async () => {
  const { ended } = worldWith([
    `ended/${INSTANCE}/17-running`,
    `ended/${INSTANCE}/-17-stopped`,
    `ended/${INSTANCE}/12345678901-stopped`,
    `ended/${INSTANCE}/17-stopped/x`,
    `ended/${INSTANCE}`,
    "ended/r-1/17-stopped",
  ]);
  expect(await ended.endsOf(INSTANCE)).toEqual([]);
});

test("after fifty pages it stops, and says so; what was read counts", async () => {
  let pages = 0;
  const list = async (): Promise<ListPage> => {
    pages += 1;
    const key = endedKey(end("terminated", pages));
    return {
      date: 0,
      objects: [{ key, size: 0, etag: '"e"', lastModified: 0, storageClass: "STANDARD" }],
      next: { token: "t" },
    };
  };
  const ended = endedInstances({ ...createWorld().dependencies.store, list });
  expect(await ended.endsOf(INSTANCE)).toHaveLength(ENDED_PAGES_MAX);
  expect(pages).toBe(ENDED_PAGES_MAX);
  expect(await ended.unknown()).toEqual({ reason: "too-many" });
});

test.each([
  ["AccessDenied", "denied"],
  ["SlowDown", "failed"],
])("if S3 answers %s, nothing is known, and it says so", async (code, reason) => {
  const failure = new ServiceError(code, code, { retryable: false });
  const ended = endedInstances({ ...createWorld().dependencies.store, list: () => Promise.reject(failure) });
  expect(await ended.endsOf(INSTANCE)).toEqual([]);
  expect(await ended.unknown()).toEqual({ reason, failure });
});
