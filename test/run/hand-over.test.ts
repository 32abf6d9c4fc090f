import { describe, expect, test } from "vitest";
import { readWorkMessage } from "../../contract/work-message.ts";
import { type Dependencies, type ObjectStore, ServiceError, type WorkQueue } from "../../functions/ports.ts";
import type { RunnerResult } from "../../functions/run/extract.ts";
import { fitsMessage, handOverTo, listingsOf, mayNotFinish, OWN_TIME_SHARE } from "../../functions/run/hand-over.ts";
import { run, WORKER_FILTER } from "../../functions/run/run.ts";
import { storageListing } from "../../functions/storage/storage-listing.ts";
import { createWorld, EVERY_RUNNER, FILES, NOW } from "../worlds/memory.ts";

const MINUTE = 60_000;
const REFUSED = new ServiceError("InternalError", "InternalError (HTTP 500)", { retryable: true });

/** A queue in memory. `waiting` counts messages of an earlier run. */
function memoryQueue(waiting = 0) {
  const bodies: string[] = [];
  const queue = {
    waiting,
    asked: 0,
    bodies,
    async isEmpty() {
      queue.asked += 1;
      return queue.waiting === 0;
    },
    async send(body: string) {
      bodies.push(body);
    },
  };
  return queue satisfies WorkQueue;
}

/** A world in which each HEAD takes a second, and a run five minutes: its first minute is its own. */
function slowWorld() {
  const world = createWorld();
  const { store } = world.dependencies;
  const slow: ObjectStore = {
    ...store,
    async head(key) {
      world.clock.time += 1_000;
      return store.head(key);
    },
  };
  const config = { ...world.dependencies.config, concurrency: 1 };
  const runWith = (queue: WorkQueue, changes: Partial<Dependencies> = {}) =>
    world.run({}, { store: slow, queue, config, deadline: world.clock.time + 5 * MINUTE, ...changes });
  const work = (body: string, changes: Partial<Dependencies> = {}) => {
    const message = readWorkMessage(body);
    const input = { ...EVERY_RUNNER, ...WORKER_FILTER, flavor: message.flavor };
    const dependencies = { ...world.dependencies, runId: crypto.randomUUID(), ...changes };
    return run(input, dependencies, listingsOf(message));
  };
  return { ...world, runWith, work };
}

/** A store, and the prefixes that were listed in it. */
function noting(store: ObjectStore) {
  const listed: string[] = [];
  const list: ObjectStore["list"] = (prefix, from) => {
    listed.push(prefix);
    return store.list(prefix, from);
  };
  return { listed, store: { ...store, list } };
}

const names = (count: number) => Array.from({ length: count }, (_, index) => `r-${String(index).padStart(3, "0")}`);

describe("a run", () => {
  test("may not finish after a fifth of its time", () => {
    expect(OWN_TIME_SHARE).toBe(0.2);
    expect(mayNotFinish(NOW + MINUTE - 1, NOW, NOW + 5 * MINUTE)).toBe(false);
    expect(mayNotFinish(NOW + MINUTE, NOW, NOW + 5 * MINUTE)).toBe(true);
  });

  test("hands over what it lists after that: keys, ETags and times, and deletes nothing of it", async () => {
    const world = slowWorld();
    for (const name of names(40)) world.upload(name);
    const queue = memoryQueue();
    const summary = await world.runWith(queue);
    // 15 runners of four seconds each, and the one that is being started.
    expect(summary).toMatchObject({ listed: 40, extracted: 15, handedOver: 25, deferred: 0, stopped: "done" });
    const [body = "", ...others] = queue.bodies;
    expect(others).toEqual([]);
    const { flavor, storages } = readWorkMessage(body);
    expect(flavor).toBe("large");
    expect(storages.map(({ name }) => name).toSorted()).toEqual(names(40).slice(15));
    expect(storages[0]?.objects.map(([file]) => file).toSorted()).toEqual(Object.keys(FILES).toSorted());
    expect(world.keys("runners/")).toHaveLength(25 * 4);
    expect(queue.asked).toBe(1);
  });

  test("that finishes in time sends nothing, and does not ask the queue", async () => {
    const world = slowWorld();
    for (const name of names(10)) world.upload(name);
    const queue = memoryQueue();
    expect(await world.runWith(queue)).toMatchObject({ extracted: 10, handedOver: 0 });
    expect(queue).toMatchObject({ asked: 0, bodies: [] });
  });

  test("without a queue does all by itself", async () => {
    const world = slowWorld();
    for (const name of names(40)) world.upload(name);
    expect(await world.run()).toMatchObject({ extracted: 40, handedOver: 0 });
  });

  test("keeps what has no post-job file, is corrupt as listed, or has a folder's marker", async () => {
    const world = slowWorld();
    for (const name of names(15)) world.upload(name);
    const { "post-job-metrics.json": _, ...unfinished } = FILES;
    world.upload("x-busy", unfinished);
    world.upload("x-empty", { ...FILES, "post-job-metrics.json": "" });
    world.upload("x-folder", { ...FILES, "": "" });
    world.upload("x-many", Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`f-${index}`, "x"])));
    const queue = memoryQueue();
    expect(await world.runWith(queue)).toMatchObject({ extracted: 16, notReady: 2, quarantined: 1, handedOver: 0 });
    expect(queue.bodies).toEqual([]);
  });

  test("hands over nothing while messages wait, and begins as soon as they are gone", async () => {
    const world = slowWorld();
    for (const name of names(40)) world.upload(name);
    const queue = memoryQueue(1);
    const seen = async () => {
      queue.asked += 1;
      return queue.asked > 2;
    };
    const summary = await world.runWith({ ...queue, isEmpty: seen });
    // Asked after 60, 72 and 84 s: it looks again after ten seconds, at the next runner.
    expect(summary).toMatchObject({ extracted: 21, handedOver: 19 });
    const all = slowWorld();
    for (const name of names(40)) all.upload(name);
    const full = memoryQueue(1);
    expect(await all.runWith(full)).toMatchObject({ extracted: 40, handedOver: 0 });
    expect(full.bodies).toEqual([]);
  });

  test("does all by itself if SQS does not say whether messages wait, and says so", async () => {
    const world = slowWorld();
    for (const name of names(20)) world.upload(name);
    const summary = await world.runWith({ ...memoryQueue(), isEmpty: () => Promise.reject(REFUSED) });
    expect(summary).toMatchObject({ extracted: 20, handedOver: 0, errors: ["ServiceError: InternalError (HTTP 500)"] });
  });

  test("defers what SQS did not accept, and hands over nothing more", async () => {
    const world = slowWorld();
    for (const name of names(40)) world.upload(name);
    const denied = new ServiceError("AccessDenied", "AccessDenied (HTTP 403)", { retryable: false });
    const summary = await world.runWith({ ...memoryQueue(), send: () => Promise.reject(denied) });
    expect(summary).toMatchObject({ extracted: 15, handedOver: 0, deferred: 25, deferralReasons: { denied: 25 } });
    expect(world.keys("runners/")).toHaveLength(25 * 4);
  });
});

describe("a worker", () => {
  async function handedOver(count = 3) {
    const world = slowWorld();
    for (const name of names(15 + count)) world.upload(name);
    const queue = memoryQueue();
    await world.runWith(queue);
    const [body = ""] = queue.bodies;
    return { ...world, body, before: world.events().length };
  }

  test("publishes, archives and deletes what its message names, without listing anything", async () => {
    const world = await handedOver();
    const { listed, store } = noting(world.dependencies.store);
    const summary = await world.work(world.body, { store });
    expect(summary).toMatchObject({ listed: 3, extracted: 3, stopped: "done", archive: { events: 9, objects: 1 } });
    expect(listed).toEqual([]);
    expect(world.keys("runners/")).toEqual([]);
    expect(world.archived()).toHaveLength(world.events().length);
  });

  test("issues the same events as the run would have", async () => {
    const world = await handedOver();
    await world.work(world.body);
    const own = slowWorld();
    for (const name of names(18)) own.upload(name);
    await own.run();
    const ids = (of: typeof own) =>
      of
        .events()
        .map(({ detail }) => detail.event_id)
        .toSorted();
    expect(ids(world)).toEqual(ids(own));
  });

  test("does no harm with a message that comes twice, or late", async () => {
    const world = await handedOver();
    await world.work(world.body);
    const events = world.events().length;
    expect(await world.work(world.body)).toMatchObject({ listed: 3, vanished: 3 });
    expect(world.events()).toHaveLength(events);
  });

  test("lists a storage again whose file has another ETag, and does what the bucket says", async () => {
    const world = await handedOver();
    world.upload("r-015", { "post-job-metrics.json": '{"timestamp": 1700000721, "status": "abnormal"}' });
    expect(await world.work(world.body)).toMatchObject({ extracted: 3 });
    const [stop] = world.eventsOf("r-015").filter(({ detailType }) => detailType === "RunnerStop");
    expect(stop?.detail).toMatchObject({ status: "abnormal", job_duration: 601 });
    expect(world.keys("runners/")).toEqual([]);
  });

  test("lists a storage again whose file was uploaded again, byte for byte", async () => {
    const world = await handedOver(1);
    world.clock.time += 2_000;
    world.upload("r-015");
    const { listed, store } = noting(world.dependencies.store);
    expect(await world.work(world.body, { store })).toMatchObject({ extracted: 1 });
    expect(listed).toEqual(["runners/large/r-015/"]);
  });

  test("leaves alone a storage whose job has not ended any more: its name has a new life", async () => {
    const world = await handedOver(1);
    for (const key of world.keys("runners/")) world.s3.deleteObject("metrics", key);
    const { "post-job-metrics.json": _, ...unfinished } = FILES;
    world.upload("r-015", unfinished);
    expect(await world.work(world.body)).toMatchObject({ listed: 1, notReady: 1 });
    world.clock.time += 1_000 * 24 * 60 * MINUTE;
    expect(await world.work(world.body)).toMatchObject({ listed: 1, notReady: 1 });
    expect(world.keys("runners/")).toHaveLength(3);
    expect(world.events()).toHaveLength(world.before);
  });

  test("quarantines by a new listing, never by what the message says", async () => {
    const world = await handedOver(1);
    world.upload("r-015", { "pre-job-metrics.json": "{", "new-file": "x" });
    expect(await world.work(world.body)).toMatchObject({ quarantined: 1 });
    const [manifest] = world.manifests();
    expect(manifest.objects).toHaveLength(5);
    expect(world.keys("runners/")).toEqual([]);
  });

  test("never deletes what it has not read: a message that lies about a version does nothing to it", async () => {
    const world = await handedOver(1);
    const message = readWorkMessage(world.body);
    const lie = structuredClone(message);
    for (const storage of lie.storages) storage.objects.push(["planted", 1, '"00000000000000000000000000000000"', NOW]);
    world.upload("r-015", { planted: "y" });
    await world.work(JSON.stringify(lie));
    // The post-job file goes after the others, and one of those did not.
    const left = ["runners/large/r-015/planted", "runners/large/r-015/post-job-metrics.json"];
    expect(world.keys("runners/")).toEqual(left);
  });

  test("starts nothing in its last ten seconds, and leaves it to the next run", async () => {
    const world = await handedOver();
    expect(await world.work(world.body, { deadline: world.clock.time + 10_000 })).toMatchObject({
      listed: 0,
      stopped: "deadline",
    });
    expect(world.keys("runners/")).toHaveLength(12);
    expect(await world.run()).toMatchObject({ extracted: 3 });
  });
});

/** A storage with these files, as it was listed. */
function listingOf(name: string, files: readonly string[], size = 3) {
  const objects = files.map((file) => {
    const key = `runners/large/${name}/${file}`;
    return { key, size, etag: '"a"', lastModified: NOW - 1_000, storageClass: "STANDARD" };
  });
  return storageListing("large", name, objects, NOW);
}

const POST = "post-job-metrics.json";
const ENDED = listingOf("r-1", [POST]);
const many = (count: number) => Array.from({ length: count }, (_, index) => `f-${index}`);

test.each([
  ["whose job has ended", true, ENDED],
  ["with all files of a job", true, listingOf("r-1", Object.keys(FILES))],
  ["with 150 objects", true, listingOf("r-1", [POST, ...many(149)])],
  ["with 151 objects", false, listingOf("r-1", [POST, ...many(150)])],
  ["whose job has not ended", false, listingOf("r-1", ["pre-job-metrics.json"])],
  ["whose post-job file is empty", false, listingOf("r-1", [POST], 0)],
  ["with a folder's marker", false, listingOf("r-1", [POST, ""])],
  ["with a folder", false, listingOf("r-1", ["a/b", POST])],
])("whether a message can hold a storage %s: %s", (_, fits, listing) => {
  expect(fitsMessage(listing)).toBe(fits);
});

describe("what is handed over", () => {
  /** A run of five minutes, of which a minute has passed. */
  function handingOver(queue: WorkQueue = memoryQueue()) {
    const { clock } = createWorld();
    const times = { startedAt: clock.time - MINUTE, deadline: clock.time + 4 * MINUTE };
    return { clock, handOver: handOverTo(queue, { flavor: "large", clock, ...times }) };
  }
  const handedOver = (listing: typeof ENDED): RunnerResult => ({ outcome: "handedOver", handedOver: listing });

  test("is what a worker then has", async () => {
    const queue = memoryQueue();
    const { handOver } = handingOver(queue);
    const listings = [listingOf("r-1", Object.keys(FILES)), listingOf("AROA:i-1~07", [POST, "x"], 1)];
    await handOver.send(listings.map(handedOver));
    expect(queue.bodies.map((body) => listingsOf(readWorkMessage(body)))).toEqual([listings]);
  });

  test("has passed a fifth of the run's time", async () => {
    const queue = memoryQueue();
    const { clock, handOver } = handingOver(queue);
    clock.time -= 1;
    expect(await handOver.isFor(ENDED)).toBe(false);
    expect(queue.asked).toBe(0);
    clock.time += 1;
    expect(await handOver.isFor(ENDED)).toBe(true);
    expect(await handOver.isFor(listingOf("r-1", ["pre-job-metrics.json"]))).toBe(false);
    clock.time += MINUTE;
    expect(await handOver.isFor(ENDED)).toBe(true);
    expect(queue.asked).toBe(1);
  });

  test("waits for messages of an earlier run, asked for every ten seconds", async () => {
    const queue = memoryQueue(1);
    const { clock, handOver } = handingOver(queue);
    expect(await Promise.all([handOver.isFor(ENDED), handOver.isFor(ENDED)])).toEqual([false, false]);
    queue.waiting = 0;
    clock.time += 9_999;
    expect(await handOver.isFor(ENDED)).toBe(false);
    expect(queue.asked).toBe(1);
    clock.time += 1;
    expect(await handOver.isFor(ENDED)).toBe(true);
    expect(queue.asked).toBe(2);
  });

  test("is nothing while SQS does not say whether messages wait; the run knows each time", async () => {
    const queue = { ...memoryQueue(), isEmpty: () => Promise.reject(REFUSED) };
    const { clock, handOver } = handingOver(queue);
    expect(await handOver.isFor(ENDED)).toBe(false);
    clock.time += 10_000;
    expect(await handOver.isFor(ENDED)).toBe(false);
    expect(handOver.errors).toEqual([REFUSED, REFUSED]);
  });

  test("is not decided by a fault of ours", async () => {
    const fault = new TypeError("fault");
    const { handOver } = handingOver({ ...memoryQueue(), isEmpty: () => Promise.reject(fault) });
    await expect(handOver.isFor(ENDED)).rejects.toBe(fault);
    expect(handOver.errors).toEqual([]);
  });

  test("goes in as few messages as hold it; of those that SQS refuses, the storages are deferred, and no more are meant", async () => {
    // Each with a sixth of what a message holds.
    const long = [POST, ...many(149).map((name) => name.padEnd(250, "x"))];
    const listings = names(14).map((name) => listingOf(name, long));
    const bodies: string[] = [];
    const send = async (body: string) => {
      bodies.push(body);
      if (bodies.length === 2) throw REFUSED;
    };
    const { handOver } = handingOver({ ...memoryQueue(), send });
    expect(await handOver.isFor(ENDED)).toBe(true);
    const vanished: RunnerResult = { outcome: "vanished" };
    const batch = [vanished, ...listings.map(handedOver), { outcome: "deferred", reason: "changed" } as const];
    const results = await handOver.send(batch);
    const counts = bodies.map((body) => readWorkMessage(body).storages.length);
    expect(counts.length).toBeGreaterThan(2);
    const [first = 0, second = 0] = counts;
    const refused = { outcome: "deferred", reason: "failed", cause: REFUSED };
    expect(results).toEqual([
      vanished,
      { outcome: "deferred", reason: "changed" },
      ...listings.slice(0, first).map(handedOver),
      ...Array.from({ length: second }, () => refused),
      ...listings.slice(first + second).map(handedOver),
    ]);
    expect(await handOver.isFor(ENDED)).toBe(false);
  });

  test("is nothing without a storage: no message is sent", async () => {
    const queue = memoryQueue();
    const { handOver } = handingOver(queue);
    expect(await handOver.send([{ outcome: "vanished" }])).toEqual([{ outcome: "vanished" }]);
    expect(queue.bodies).toEqual([]);
  });
});
