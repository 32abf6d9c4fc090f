import { describe, expect, test } from "vitest";
import { EVENT_SCHEMAS } from "../../contract/events.ts";
import { type EventBus, type ObjectStore, ServiceError } from "../../functions/ports.ts";
import { FINISHING_MILLISECONDS } from "../../functions/run/run.ts";
import { BUS, createWorld, FILES } from "../worlds/memory.ts";

const DAY = 86_400_000;

/** Counts the calls to a store, by method. */
function counted(store: ObjectStore) {
  const calls = new Map<string, number>();
  const counting = Object.entries(store).map(([name, method]) => [
    name,
    (...args: unknown[]) => {
      calls.set(name, (calls.get(name) ?? 0) + 1);
      return (method as (...args: unknown[]) => unknown)(...args);
    },
  ]);
  return { calls, store: Object.fromEntries(counting) as ObjectStore };
}

test("a finished runner becomes three events, and its files are deleted", async () => {
  const world = createWorld();
  world.upload("r-1");
  expect(await world.run()).toMatchObject({ listed: 1, extracted: 1, stopped: "done", objects: { deleted: 4 } });
  expect(world.events().map(({ detailType }) => detailType)).toEqual(["RunnerInstalled", "RunnerStart", "RunnerStop"]);
  expect(world.events()[2]).toMatchObject({
    source: "runner-metrics",
    resources: ["arn:aws:s3:::metrics/runners/large/r-1/"],
    detail: { runner_name: "r-1", status: "normal", job_duration: 600 },
  });
  expect(world.keys("runners/")).toEqual([]);
});

// A new type of event needs a runner here that leads to it, and a place that issues it: functions/domain/issue-events.ts makes the events,
// functions/run/publish-and-delete.ts decides which.
test("runs of a fleet with every kind of end issue every type of event", async () => {
  const world = createWorld();
  const { "post-job-metrics.json": _, ...lost } = FILES;
  world.upload("lost", lost);
  world.upload("never-installed", { "runner-installation-start.timestamp": "1700000000" });
  world.upload("never-used", { "runner-installed.timestamp": "1700000060" });
  world.clock.time += 2 * DAY;
  world.upload("done");
  world.upload("corrupt", { ...FILES, "pre-job-metrics.json": "{" });
  await world.run();
  expect(new Set(world.events().map(({ detailType }) => detailType))).toEqual(new Set(Object.keys(EVENT_SCHEMAS)));
});

test("100 finished runners cost one LIST, one PUT to the archive, two DeleteObjects, and a HEAD and a GET for each file", async () => {
  const world = createWorld();
  for (let number = 0; number < 100; number++) world.upload(`r-${number}`);
  const { calls, store } = counted(world.dependencies.store);
  expect(await world.run({}, { store })).toMatchObject({ extracted: 100 });
  expect(Object.fromEntries(calls)).toEqual({ list: 1, head: 400, get: 400, putIfAbsent: 1, delete: 2 });
});

test("100 unfinished runners cost one LIST, and an empty prefix too", async () => {
  const world = createWorld();
  const { calls, store } = counted(world.dependencies.store);
  await world.run({}, { store });
  for (let number = 0; number < 100; number++) world.upload(`r-${number}`, { "runner-installed.timestamp": "1" });
  expect(await world.run({}, { store })).toMatchObject({ notReady: 100 });
  expect(Object.fromEntries(calls)).toEqual({ list: 2 });
});

test("of a mixed fleet, each storage has the outcome that fits it", async () => {
  const world = createWorld();
  const { "post-job-metrics.json": _, ...unfinished } = FILES;
  world.upload("died-in-job", unfinished);
  world.upload("died-installing", { "runner-installation-start.timestamp": "1700000000" });
  world.clock.time += 2 * DAY;
  world.upload("done");
  world.upload("busy", unfinished);
  world.upload("corrupt", { ...FILES, "pre-job-metrics.json": "{" });
  expect(await world.run()).toMatchObject({
    listed: 5,
    extracted: 2,
    incomplete: 1,
    notReady: 1,
    quarantined: 1,
    quarantineReasons: { "invalid-json": 1 },
    events: { RunnerLost: { accepted: 1 }, RunnerInstallFailed: { accepted: 1 }, MetricsQuarantined: { accepted: 1 } },
  });
});

test("without a bus, a run throws before it deletes anything", async () => {
  const world = createWorld();
  world.upload("r-1");
  world.eventBridge.deleteBus(BUS);
  await expect(world.run()).rejects.toThrow(`The event bus "${BUS}" (EVENT_BUS_NAME) does not exist.`);
  expect(world.keys("runners/")).toHaveLength(4);
});

test("no runner is started in the last 10 s before the deadline", async () => {
  const world = createWorld();
  world.upload("r-1");
  world.upload("r-2");
  const late = world.clock.time + FINISHING_MILLISECONDS;
  expect(await world.run({}, { deadline: late })).toMatchObject({ listed: 0, stopped: "deadline" });
  expect(await world.run({}, { deadline: late + 1 })).toMatchObject({ listed: 2, stopped: "done" });
});

test("runners that GitHub lists as online are excluded; without an answer, only the listing counts", async () => {
  const world = createWorld();
  const { "post-job-metrics.json": post = "", ...unfinished } = FILES;
  world.upload("r-1", unfinished);
  world.clock.time += 2 * DAY;
  const alive = async () => new Set(["r-1"]);
  const githubRunners = "acme";
  expect(await world.run({ githubRunners }, { runners: { alive } })).toMatchObject({ excluded: 1 });
  world.upload("r-1", { "post-job-metrics.json": post });
  const unknown = async () => ({ unknown: "timeout" as const });
  expect(await world.run({ githubRunners }, { runners: { alive: unknown } })).toMatchObject({
    extracted: 1,
    runnersUnknown: "timeout",
  });
});

test("a slot without a job issues nothing; one whose job did not end is a lost runner; what is no slot is one quarantine", async () => {
  const world = createWorld();
  const { "runner-installed.timestamp": installed = "", "pre-job-metrics.json": pre = "" } = FILES;
  world.upload("AROA:i-1~00", { "runner-installed.timestamp": installed });
  world.upload("AROA:i-1~01", { "runner-installed.timestamp": installed, "pre-job-metrics.json": pre });
  for (const odd of ["0x", "é", "~"]) world.upload(`AROA:i-1~${odd}`);
  world.clock.time += 2 * DAY;
  expect(await world.run()).toMatchObject({ listed: 3, incomplete: 1, extracted: 1, quarantined: 1 });
  expect(world.keys("runners/")).toEqual([]);
  expect(world.eventsOf("i-1").map(({ detailType }) => detailType)).toEqual(["RunnerStart", "RunnerLost"]);
  expect(world.manifests()).toEqual([expect.objectContaining({ storage: "AROA:i-1~", reason: "invalid-key" })]);
});

describe("whether the bus exists is asked", () => {
  const throttled = new ServiceError("ThrottlingException", "Rate exceeded", { retryable: true });

  /** A run whose bus fails so often: how often it was asked, and after which pauses. */
  async function asked(failures: number, error: Error = throttled, milliseconds = 60_000) {
    const world = createWorld();
    world.upload("r-1");
    const begun = world.clock.time;
    const times: number[] = [];
    const exists: EventBus["exists"] = async () => {
      times.push(world.clock.time - begun);
      if (times.length <= failures) throw error;
      return true;
    };
    const deadline = begun + milliseconds;
    const bus = { ...world.dependencies.bus, exists };
    const result = await world.run({}, { bus, deadline }).then(
      ({ extracted }) => extracted,
      (thrown: unknown) => thrown,
    );
    // Publishing asks once more.
    return { result, times: result === 1 ? times.slice(0, -1) : times, left: world.keys("runners/").length };
  }

  test.each([
    [0, [0]],
    [1, [0, 1_000]],
    [4, [0, 1_000, 3_000, 7_000, 15_000]],
  ])("again while EventBridge throttles: %i times", async (failures, times) => {
    expect(await asked(failures)).toEqual({ result: 1, times, left: 0 });
  });

  test("five times at most", async () => {
    expect(await asked(5)).toEqual({ result: throttled, times: [0, 1_000, 3_000, 7_000, 15_000], left: 4 });
  });

  test.each([
    new ServiceError("AccessDeniedException", "no", { retryable: false }),
    Object.assign(new TypeError("fault"), { retryable: true }),
  ])("once if the answer is %o", async (error) => {
    expect(await asked(1, error)).toEqual({ result: error, times: [0], left: 4 });
  });

  test.each([
    [12_999, { result: throttled, times: [0, 1_000], left: 4 }],
    [13_000, { result: throttled, times: [0, 1_000, 3_000], left: 4 }],
  ])("as long as ten seconds remain after the pause, of %i ms", async (milliseconds, expected) => {
    expect(await asked(9, throttled, milliseconds)).toEqual(expected);
  });
});

describe("GitHub is asked which runners are online", () => {
  test.each([
    ["with the owner that the schedule names", { githubRunners: "acme" }, ["acme"]],
    ["not if the schedule names none", {}, []],
  ])("%s", async (_, payload, expected) => {
    const world = createWorld();
    const owners: string[] = [];
    const alive = async (owner: string) => {
      owners.push(owner);
      return new Set<string>();
    };
    expect(await world.run(payload, { runners: { alive } })).not.toHaveProperty("runnersUnknown");
    expect(owners).toEqual(expected);
  });

  test("not if GitHub is not configured", async () => {
    const world = createWorld();
    world.upload("r-1");
    expect(await world.run({ githubRunners: "acme" })).toMatchObject({ extracted: 1 });
  });
});

describe("a run publishes in batches of at most 1,000 objects", () => {
  /** The number of events of each call to the bus. */
  async function batchesOf(...storages: readonly Readonly<Record<string, string>>[]) {
    const world = createWorld();
    storages.forEach((files, number) => {
      world.upload(`r-${String(number).padStart(4, "0")}`, files);
    });
    const sizes: number[] = [];
    const publish: EventBus["publish"] = async (entries, deadline) => {
      sizes.push(entries.length);
      return world.dependencies.bus.publish(entries, deadline);
    };
    const config = { ...world.dependencies.config, concurrency: 1, maxObjectsPerRunner: 2_000 };
    const summary = await world.run({}, { bus: { ...world.dependencies.bus, publish }, config });
    expect(summary).toMatchObject({ listed: storages.length, stopped: "done" });
    return sizes;
  }
  const runners = (count: number) => Array<typeof FILES>(count).fill(FILES);
  const junk = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, number) => [`junk-${number}`, "x"]));
  const { "pre-job-metrics.json": _pre, ...noJob } = FILES;

  test.each([
    ["250 runners of 4", runners(250), [750]],
    ["251 runners of 4", runners(251), [750, 3]],
    ["one of 1,002 between two of 4", [FILES, { ...noJob, ...junk(999) }, FILES], [3, 1, 3]],
    // One more that is alive counts as one.
    ["250 runners of 4, and one that is alive", [{ "runner-installed.timestamp": "1" }, ...runners(250)], [747, 3]],
  ])("%s", async (_, storages, sizes) => {
    expect(await batchesOf(...storages)).toEqual(sizes);
  });
});

test("a fault of ours ends the run when no call for another runner is in progress any more", async () => {
  const world = createWorld();
  for (let number = 0; number < 600; number++) world.upload(`r-${number}`);
  let inProgress = 0;
  const { store, bus } = world.dependencies;
  const head: ObjectStore["head"] = async (key) => {
    inProgress++;
    await new Promise((resolve) => setImmediate(resolve));
    inProgress--;
    return store.head(key);
  };
  const publish = () => Promise.reject(new TypeError("fault"));
  await expect(world.run({}, { store: { ...store, head }, bus: { ...bus, publish } })).rejects.toThrow("fault");
  expect(inProgress).toBe(0);
  expect(world.keys("runners/")).toHaveLength(2_400);
});
