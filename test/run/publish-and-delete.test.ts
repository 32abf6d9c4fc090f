import { describe, expect, test } from "vitest";
import { type Dependencies, type EntryResult, type ObjectStore, ServiceError } from "../../functions/ports.ts";
import { archiveOf } from "../../functions/run/archive.ts";
import { extract, type RunnerResult } from "../../functions/run/extract.ts";
import { publishAndDelete } from "../../functions/run/publish-and-delete.ts";
import type { Filter } from "../../functions/storage/select.ts";
import { managerOf } from "../storage/one-storage.ts";
import { BUS, createWorld, FILES, NOW } from "../worlds/memory.ts";

const POST_FILE = "post-job-metrics.json";
const { [POST_FILE]: POST, ...UNFINISHED } = FILES;

const REFUSED = new ServiceError("InternalError", "no", { retryable: true });
const DENIED = new ServiceError("AccessDenied", "no", { retryable: false });
const FAULT = new TypeError("fault");
const NONE = { deleted: 0, gone: 0, changed: 0, denied: 0, failed: 0 };

type World = ReturnType<typeof createWorld>;

/** The results of an extraction, and how to publish and delete them. */
async function batchOf(world: World, named: Partial<Filter> = {}) {
  const storageManager = managerOf(world.dependencies.store);
  const filter = { include: false, orphanAfterSeconds: 86_400, ...named };
  const batch: RunnerResult[] = [];
  const options = { concurrency: 1, mayStart: () => true };
  for await (const result of extract(storageManager, filter, options)) batch.push(result);
  const finish = (changes: Partial<Dependencies> = {}) =>
    publishAndDelete(batch, {
      ...world.dependencies,
      ...changes,
      storageManager: managerOf(changes.store ?? world.dependencies.store),
      archive: archiveOf("large", { ...world.dependencies, ...changes }),
    });
  return { batch, finish };
}

test("an event names its storage in the partition of AWS in which the function runs", async () => {
  const world = createWorld();
  world.upload("r-1");
  const { finish } = await batchOf(world);
  await finish({ config: { ...world.dependencies.config, partition: "aws-cn" } });
  expect(new Set(world.events().flatMap(({ resources }) => resources))).toEqual(
    new Set(["arn:aws-cn:s3:::metrics/runners/large/r-1/"]),
  );
});

test("publishes all events of a batch, then deletes its objects", async () => {
  const world = createWorld();
  world.upload("r-1");
  world.upload("r-2", { ...FILES, "pre-job-metrics.json": "{" });
  const { batch, finish } = await batchOf(world);
  expect(await finish()).toEqual({
    results: batch,
    events: ["RunnerInstalled", "RunnerStart", "RunnerStop", "MetricsQuarantined"].map((type) => {
      return { type, result: "accepted" };
    }),
    deletes: [{ ...NONE, deleted: 8 }],
    archived: [{ events: 4, isStored: true }],
    lostThenStopped: 0,
    errors: [],
  });
  expect(world.keys("runners/")).toEqual([]);
});

test.each<[EntryResult, string]>([
  [{ code: "ThrottlingException" }, "unpublished"],
  [{ code: "AccessDeniedException" }, "denied"],
])(
  "a runner with one event that failed with %o is deferred as %s, and the others are deleted",
  async (failed, reason) => {
    const world = createWorld();
    world.upload("r-1");
    world.upload("r-2");
    const { finish } = await batchOf(world);
    const publish = async (): Promise<EntryResult[]> => [...Array<"accepted">(5).fill("accepted"), failed];
    const { results, events, errors } = await finish({ bus: { ...world.dependencies.bus, publish } });
    expect(results).toMatchObject([{ outcome: "extracted" }, { outcome: "deferred", reason }]);
    expect(events.filter(({ result }) => result === "failed")).toEqual([{ type: "RunnerStop", result: "failed" }]);
    expect(errors).toEqual([new Error(`PutEvents: ${failed === "accepted" ? "" : failed.code}`)]);
    expect(world.keys("runners/").every((key) => key.startsWith("runners/large/r-2/"))).toBe(true);
    expect(world.keys("runners/")).toHaveLength(4);
  },
);

test.each([
  ["was deleted meanwhile", async () => false],
  ["gives no answer", () => Promise.reject(new ServiceError("TimeoutError", "no", { retryable: true }))],
])("if the bus %s, nothing counts as published and nothing is deleted", async (_, exists) => {
  const world = createWorld();
  world.upload("r-1");
  const { finish } = await batchOf(world);
  const { results, errors } = await finish({ bus: { ...world.dependencies.bus, exists } });
  expect(results).toMatchObject([{ outcome: "deferred", reason: "unpublished" }]);
  expect(errors).toHaveLength(1);
  expect(world.keys("runners/")).toHaveLength(4);
});

test.each([
  ["uploaded another file", { "post-job-metrics.json": POST }, 4],
  ["replaced a file, as a ticket lets it do,", { "runner-installed.timestamp": "1700000061" }, 3],
])("a runner without a complete job that %s meanwhile is deferred with its files in place", async (_, files, left) => {
  const world = createWorld();
  world.upload("r-1", UNFINISHED);
  world.clock.time += 86_401_000;
  const { finish } = await batchOf(world);
  world.upload("r-1", files);
  expect((await finish()).results).toEqual([{ outcome: "deferred", reason: "changed" }]);
  expect(world.keys("runners/")).toHaveLength(left);
});

test("a failed delete is counted and reported, and its events stay published", async () => {
  const world = createWorld();
  world.upload("r-1");
  const { finish } = await batchOf(world);
  const failure = new ServiceError("AccessDenied", "no", { retryable: false });
  const store = { ...world.dependencies.store, delete: () => Promise.reject(failure) };
  expect(await finish({ store })).toMatchObject({
    results: [{ outcome: "extracted" }],
    deletes: [{ denied: 3 }],
    errors: [failure],
  });
});

test("a batch without events asks the bus nothing", async () => {
  const world = createWorld();
  world.upload("busy", UNFINISHED);
  world.eventBridge.deleteBus(BUS);
  const { finish } = await batchOf(world);
  expect(await finish()).toMatchObject({ results: [{ outcome: "notReady" }], events: [], errors: [] });
});

/** A world with a runner that has done its job and one whose files are corrupt. */
function twoRunners() {
  const world = createWorld();
  world.upload("r-1");
  world.upload("r-2", { ...FILES, "pre-job-metrics.json": "{" });
  return world;
}

/** A store, and its calls: the method, and the keys or the prefix. */
function noting(store: ObjectStore) {
  const calls: (string | string[])[][] = [];
  const noted: ObjectStore = {
    ...store,
    list(prefix, from) {
      calls.push(["list", prefix]);
      return store.list(prefix, from);
    },
    delete(objects) {
      calls.push(["delete", objects.map(({ key }) => key.replace("runners/large/", ""))]);
      return store.delete(objects);
    },
  };
  return { calls, store: noted };
}

describe("an event", () => {
  test("names where the objects of its runner are, and where those of a quarantined one were moved", async () => {
    const world = twoRunners();
    const { batch, finish } = await batchOf(world);
    await finish();
    const prefixes = batch.map((result) => (result.outcome === "quarantined" ? result.quarantine.prefix : ""));
    const own = "arn:aws:s3:::metrics/runners/large/r-1/";
    expect(world.events().map(({ source, resources }) => [source, ...resources])).toEqual(
      [own, own, own, `arn:aws:s3:::metrics/${prefixes[1]}`].map((resource) => ["runner-metrics", resource]),
    );
    expect(prefixes[1]).toMatch(/^quarantine\/large\/r-2\//);
  });

  test("of a quarantine has the time of the listing", async () => {
    const world = twoRunners();
    const { finish } = await batchOf(world);
    world.clock.time += 5_000;
    await finish();
    expect(world.eventsOf("r-2").map(({ detail }) => detail.timestamp)).toEqual([NOW / 1000]);
  });
});

describe("a runner whose events the bus did not answer for", () => {
  const unpublished = { outcome: "deferred", reason: "unpublished" };
  const failed = ["RunnerInstalled", "RunnerStart", "RunnerStop"].map((type) => ({ type, result: "failed" }));
  const accepted = failed.map(({ type }) => ({ type, result: "accepted" }));
  const nothing = { deletes: [], archived: [], lostThenStopped: 0 };

  async function published(bus: Partial<Dependencies["bus"]>) {
    const world = createWorld();
    world.upload("r-1");
    const { finish } = await batchOf(world);
    const report = await finish({ bus: { ...world.dependencies.bus, ...bus } });
    expect(world.keys("runners/")).toHaveLength(4);
    expect(world.keys("events/")).toEqual([]);
    return report;
  }

  test("since the call failed is deferred, and the code is reported once", async () => {
    const report = await published({ publish: () => Promise.reject(REFUSED) });
    expect(report).toEqual({
      ...nothing,
      results: [unpublished],
      events: failed,
      errors: [new Error("PutEvents: InternalError")],
    });
  });

  test("is deferred where there are fewer answers than events", async () => {
    const report = await published({ publish: async () => [] });
    expect(report).toEqual({ ...nothing, results: [unpublished], events: failed, errors: [] });
  });

  test("since the bus was deleted is deferred with the code of each event that failed before", async () => {
    const report = await published({ exists: async () => false, publish: async () => [{ code: "AccessDenied" }] });
    expect(report).toEqual({
      ...nothing,
      results: [{ outcome: "deferred", reason: "denied" }],
      events: failed,
      errors: [
        new Error(
          `The event bus "${BUS}" (EVENT_BUS_NAME) does not exist. Only files whose events it had acknowledged were deleted.`,
        ),
        new Error("PutEvents: AccessDenied"),
      ],
    });
  });

  test("since nobody knows whether the bus exists is deferred with why", async () => {
    const report = await published({ exists: () => Promise.reject(REFUSED) });
    expect(report).toEqual({ ...nothing, results: [unpublished], events: accepted, errors: [REFUSED] });
  });

  test.each(["publish", "exists"] as const)("since %s has a fault of ours ends the run", async (method) => {
    const world = createWorld();
    world.upload("r-1");
    const { finish } = await batchOf(world);
    const bus = { ...world.dependencies.bus, [method]: () => Promise.reject(FAULT) };
    await expect(finish({ bus })).rejects.toBe(FAULT);
    expect(world.keys("runners/")).toHaveLength(4);
  });
});

describe("if the archive fails", () => {
  const archiveThat = (world: World, failure: Error) => {
    const store = { ...world.dependencies.store, putIfAbsent: () => Promise.reject(failure) };
    return { store };
  };

  test.each([
    [REFUSED, "unarchived"],
    [DENIED, "denied"],
  ])("with %o, its runners are deferred as %s, though the bus has their events", async (failure, reason) => {
    const world = twoRunners();
    const { finish } = await batchOf(world);
    const { results, ...report } = await finish(archiveThat(world, failure));
    expect(results).toEqual([
      { outcome: "deferred", reason },
      { outcome: "deferred", reason },
    ]);
    expect(report).toEqual({
      events: ["RunnerInstalled", "RunnerStart", "RunnerStop", "MetricsQuarantined"].map((type) => {
        return { type, result: "accepted" };
      }),
      deletes: [],
      archived: [{ events: 4, isStored: false }],
      lostThenStopped: 0,
      errors: [failure],
    });
    expect(world.keys("runners/")).toHaveLength(8);
  });

  test("what the bus has refused stays unpublished", async () => {
    const world = twoRunners();
    const { finish } = await batchOf(world);
    const answers: EntryResult[] = [...Array<"accepted">(3).fill("accepted"), { code: "InternalFailure" }];
    const bus = { ...world.dependencies.bus, publish: async () => answers };
    const { results, archived, errors } = await finish({ bus, ...archiveThat(world, REFUSED) });
    expect(results).toEqual([
      { outcome: "deferred", reason: "unarchived" },
      { outcome: "deferred", reason: "unpublished" },
    ]);
    expect(archived).toEqual([{ events: 3, isStored: false }]);
    expect(errors).toEqual([new Error("PutEvents: InternalFailure"), REFUSED]);
  });

  test("by a fault of ours, the run ends", async () => {
    const world = twoRunners();
    const { finish } = await batchOf(world);
    await expect(finish(archiveThat(world, FAULT))).rejects.toBe(FAULT);
    expect(world.keys("runners/")).toHaveLength(8);
  });
});

describe("before its events and before its delete", () => {
  const installing = { "runner-installation-start.timestamp": "1700000000" };

  test.each<[string, Readonly<Record<string, string>>, string[]]>([
    ["a runner with a complete job is not listed", FILES, []],
    ["one that is lost is listed each time, and its post-job file afterwards", UNFINISHED, ["", "", POST_FILE]],
    ["one that was never used is listed each time", { "runner-installed.timestamp": "1700000060" }, ["", ""]],
    ["one whose installation failed is listed each time", installing, ["", ""]],
    ["one without events is listed once", { "runner-installation-start.timestamp": "0" }, [""]],
  ])("%s", async (_, files, listed) => {
    const world = createWorld();
    world.upload("r-1", files);
    world.clock.time += 86_401_000;
    const { finish } = await batchOf(world);
    const { calls, store } = noting(world.dependencies.store);
    expect((await finish({ store })).results).not.toMatchObject([{ outcome: "deferred" }]);
    const lists = calls.filter(([method]) => method === "list");
    expect(lists).toEqual(listed.map((file) => ["list", `runners/large/r-1/${file}`]));
    expect(world.keys("runners/")).toEqual([]);
  });

  test.each([
    ["before its events", 1, 0],
    ["before its delete", 2, 3],
  ])("a runner that can't be listed %s is deferred with its files in place", async (_, failingCall, events) => {
    const world = createWorld();
    world.upload("r-1", UNFINISHED);
    world.clock.time += 86_401_000;
    const { finish } = await batchOf(world);
    let calls = 0;
    const { store } = world.dependencies;
    const list: ObjectStore["list"] = (prefix, from) => {
      calls += 1;
      return calls === failingCall ? Promise.reject(DENIED) : store.list(prefix, from);
    };
    const report = await finish({ store: { ...store, list } });
    expect(report.results).toEqual([{ outcome: "deferred", reason: "denied", cause: DENIED }]);
    expect(report).toMatchObject({ deletes: [], lostThenStopped: 0, errors: [] });
    expect(report.events).toHaveLength(events);
    expect(world.keys("runners/")).toHaveLength(3);
  });
});

describe("deletes", () => {
  test("the corrupt file of a quarantined runner, and the file that tells most of each, after the others", async () => {
    const world = createWorld();
    world.upload("r-1");
    world.upload("r-2", { ...FILES, "runner-installed.timestamp": "?" });
    const { finish } = await batchOf(world);
    const { calls, store } = noting(world.dependencies.store);
    await finish({ store });
    const [post, pre, start, installed] = Object.keys(FILES).toSorted();
    const of = (runner: string, ...files: (string | undefined)[]) => files.map((file) => `${runner}/${file}`);
    expect(calls).toEqual([
      ["delete", [...of("r-1", pre, start, installed), ...of("r-2", pre, start)]],
      // The second call repeats the others.
      ["delete", [...of("r-1", post, pre, start, installed), ...of("r-2", post, pre, start, installed)]],
    ]);
  });

  test("nothing of a storage that is alive, or was deferred", async () => {
    const world = createWorld();
    world.upload("busy", UNFINISHED);
    const { batch, finish } = await batchOf(world);
    const { calls, store } = noting(world.dependencies.store);
    const report = await finish({ store });
    expect(report).toEqual({ results: batch, events: [], deletes: [], archived: [], lostThenStopped: 0, errors: [] });
    expect(calls).toEqual([]);
  });
});

describe("the end of a job that is uploaded while its runner is deleted as lost", () => {
  const PREFIX = "runners/large/r-1/";
  const lostEvents = ["RunnerInstalled", "RunnerStart", "RunnerLost"].map((type) => ({ type, result: "accepted" }));
  const lost = { events: lostEvents, archived: [{ events: 3, isStored: true }], deletes: [{ ...NONE, deleted: 3 }] };

  /** A runner that is lost. When its files are gone, it uploads `post`. */
  async function late(post: string = POST, named: Partial<Filter> = {}) {
    const world = createWorld();
    world.upload("r-1", UNFINISHED);
    world.clock.time += 86_401_000;
    const { batch, finish } = await batchOf(world, named);
    let uploads = 0;
    const store: ObjectStore = {
      ...world.dependencies.store,
      async delete(objects) {
        const results = await world.dependencies.store.delete(objects);
        if (world.keys(PREFIX).length === 0 && uploads++ === 0) world.upload("r-1", { [POST_FILE]: post });
        return results;
      },
    };
    const left = () => world.keys("runners/").map((key) => key.replace(PREFIX, ""));
    const finishWith = (changes: Partial<ObjectStore> = {}, bus = world.dependencies.bus) =>
      finish({ store: { ...store, ...changes }, bus });
    return { world, store, batch, left, finish: finishWith };
  }

  test("is issued from the files that were read, and deleted", async () => {
    const { world, batch, left, finish } = await late();
    expect(await finish()).toEqual({
      results: batch,
      events: [...lost.events, { type: "RunnerStop", result: "accepted" }],
      archived: [...lost.archived, { events: 1, isStored: true }],
      deletes: [...lost.deletes, { ...NONE, deleted: 1 }],
      lostThenStopped: 1,
      errors: [],
    });
    expect(world.eventsOf("r-1").at(-1)).toMatchObject({
      resources: [`arn:aws:s3:::metrics/${PREFIX}`],
      detail: { event: "runner_stop", status: "normal", job_duration: 600 },
    });
    expect(left()).toEqual([]);
  });

  test("is issued where another run deleted the files", async () => {
    const { left, store, finish } = await late();
    const report = await finish({
      async delete(objects) {
        const results = await store.delete(objects);
        return results.map((result) => (result === "deleted" ? "gone" : result));
      },
    });
    expect(report).toMatchObject({ lostThenStopped: 1, deletes: [{ gone: 3 }, { gone: 1 }] });
    expect(left()).toEqual([]);
  });

  test.each([
    ["is corrupt", "{"],
    ["is empty", ""],
    ["belongs to another life", '{"timestamp": 1700000720, "status": "normal", "job_timestamp": 1}'],
  ])("stays for the next run if it %s", async (_, post) => {
    const { batch, left, finish } = await late(post);
    expect(await finish()).toEqual({ ...lost, results: batch, lostThenStopped: 0, errors: [] });
    expect(left()).toEqual([POST_FILE]);
  });

  test("stays for the next run if it changes while it is read", async () => {
    const { batch, left, finish } = await late();
    const report = await finish({ head: async () => "changed" });
    expect(report).toEqual({ ...lost, results: batch, lostThenStopped: 0, errors: [] });
    expect(left()).toEqual([POST_FILE]);
  });

  test("stays for the next run if the bus refuses its event", async () => {
    const { world, batch, left, finish } = await late();
    const { bus } = world.dependencies;
    const publish: typeof bus.publish = async (entries, deadline) =>
      entries.length > 1 ? bus.publish(entries, deadline) : [{ code: "InternalFailure" }];
    expect(await finish({}, { ...bus, publish })).toEqual({
      ...lost,
      results: batch,
      events: [...lost.events, { type: "RunnerStop", result: "failed" }],
      lostThenStopped: 0,
      errors: [new Error("PutEvents: InternalFailure")],
    });
    expect(left()).toEqual([POST_FILE]);
  });

  test("stays for the next run if it can't be looked for, and the run says so", async () => {
    const { store, batch, left, finish } = await late();
    const list: ObjectStore["list"] = (prefix, from) =>
      prefix.endsWith(POST_FILE) ? Promise.reject(REFUSED) : store.list(prefix, from);
    expect(await finish({ list })).toEqual({ ...lost, results: batch, lostThenStopped: 0, errors: [REFUSED] });
    expect(left()).toEqual([POST_FILE]);
  });

  test("counts though it can't be deleted, and the run says so", async () => {
    const { store, left, finish } = await late();
    const remove: ObjectStore["delete"] = (objects) =>
      objects.some(({ key }) => key.endsWith(POST_FILE)) ? Promise.reject(REFUSED) : store.delete(objects);
    const report = await finish({ delete: remove });
    expect(report).toMatchObject({ deletes: [{ deleted: 3 }, { failed: 1 }], lostThenStopped: 1, errors: [REFUSED] });
    expect(left()).toEqual([POST_FILE]);
  });

  test("ends the run if a fault of ours prevents it", async () => {
    const { store, finish } = await late();
    const list: ObjectStore["list"] = (prefix, from) =>
      prefix.endsWith(POST_FILE) ? Promise.reject(FAULT) : store.list(prefix, from);
    await expect(finish({ list })).rejects.toBe(FAULT);
  });

  test("is not looked for while files of the runner are left", async () => {
    const { world, store, finish } = await late();
    const { calls, store: noted } = noting(store);
    const report = await finish({ list: noted.list, delete: async (objects) => objects.map(() => "changed" as const) });
    expect(report).toMatchObject({ deletes: [{ changed: 2 }], lostThenStopped: 0 });
    expect(calls).toEqual([
      ["list", PREFIX],
      ["list", PREFIX],
    ]);
    expect(world.keys(PREFIX)).toHaveLength(3);
  });

  test("is not looked for if the caller said which runners have ended: the runner is not lost", async () => {
    const { store, left, finish } = await late(POST, { runners: new Set() });
    const { calls, store: noted } = noting(store);
    expect(await finish({ list: noted.list })).toMatchObject({ deletes: [{ deleted: 3 }], lostThenStopped: 0 });
    expect(calls).toEqual([
      ["list", PREFIX],
      ["list", PREFIX],
    ]);
    expect(left()).toEqual([POST_FILE]);
  });
});
