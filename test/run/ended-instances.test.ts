/** What a run does with runners whose EC2 instance has ended. */
import { describe, expect, test } from "vitest";
import { endedKey, type InstanceEnd } from "../../contract/object-keys.ts";
import { metricsOf } from "../../functions/extract-metrics/report.ts";
import { type Dependencies, ServiceError } from "../../functions/ports.ts";
import { BUCKET, CONFIG, createWorld, FILES } from "../worlds/memory.ts";

const INSTANCE = "i-0123456789abcdef0";
const STORAGE = `AROAEXAMPLE:${INSTANCE}`;
const { "post-job-metrics.json": POST, ...STARTED } = FILES;
const { "pre-job-metrics.json": _, ...INSTALLED } = STARTED;
const { "runner-installed.timestamp": __, ...INSTALLING } = INSTALLED;
const ON = { config: { ...CONFIG, endedInstances: true } };
const DAY = 86_400;

type World = ReturnType<typeof createWorld>;
const seconds = (world: World) => world.clock.time / 1000;

function record(world: World, what: InstanceEnd["what"], time = seconds(world), instance = INSTANCE) {
  world.s3.putObject(BUCKET, endedKey({ instance, what, time }), { body: Buffer.alloc(0) });
}
function pass(world: World, passed: number) {
  world.clock.time += passed * 1000;
}
/** The keys of prefixes that a run lists. */
function listing(world: World): { prefixes: string[]; changes: Partial<Dependencies> } {
  const prefixes: string[] = [];
  const { store } = world.dependencies;
  const list: typeof store.list = (prefix, from) => {
    prefixes.push(prefix);
    return store.list(prefix, from);
  };
  return { prefixes, changes: { ...ON, store: { ...store, list } } };
}

describe("a runner whose instance was terminated", () => {
  test.each([
    ["RunnerLost", STARTED, ["RunnerInstalled", "RunnerStart", "RunnerLost"]],
    ["RunnerNeverUsed", INSTALLED, ["RunnerInstalled", "RunnerNeverUsed"]],
    ["RunnerInstallFailed", INSTALLING, ["RunnerInstallFailed"]],
  ])("is collected after two minutes, and its %s says why and when it ended", async (_, files, types) => {
    const world = createWorld();
    world.upload(STORAGE, files);
    pass(world, 600);
    record(world, "spot-interruption");
    pass(world, 120);
    const endedAt = seconds(world);
    record(world, "terminated");
    pass(world, 119);
    expect(await world.run({}, ON)).toMatchObject({ notReady: 1 });
    pass(world, 1);
    expect(await world.run({}, ON)).toMatchObject({ notReady: 0, listed: 1 });
    const events = world.eventsOf(INSTANCE);
    expect(events.map(({ detailType }) => detailType)).toEqual(types);
    expect(events.at(-1)?.detail).toMatchObject({ cause: "spot-interruption", ended_at: endedAt });
    expect(world.archived().map(({ detail }) => detail)).toEqual(events.map(({ detail }) => detail));
    expect(world.keys("runners/")).toEqual([]);
    expect(world.keys("ended/")).toHaveLength(2);
  });

  test("is collected in all its slots", async () => {
    const world = createWorld();
    for (const storage of [STORAGE, `${STORAGE}~00`]) world.upload(storage, STARTED);
    record(world, "terminated");
    pass(world, 120);
    expect(await world.run({}, ON)).toMatchObject({ listed: 2, extracted: 2 });
  });

  test("is collected even if GitHub still says that it is online", async () => {
    const world = createWorld();
    world.upload(STORAGE, STARTED);
    record(world, "terminated");
    pass(world, 120);
    const runners = { alive: async () => new Set([INSTANCE]) };
    expect(await world.run({ githubRunners: "acme" }, { ...ON, runners })).toMatchObject({ extracted: 1 });
  });

  test("that reported the end of its job is not lost", async () => {
    const world = createWorld();
    world.upload(STORAGE);
    record(world, "terminated");
    pass(world, 120);
    await world.run({}, ON);
    const types = world.eventsOf(INSTANCE).map(({ detailType }) => detailType);
    expect(types).toEqual(["RunnerInstalled", "RunnerStart", "RunnerStop"]);
  });

  test("has the same ids as one of which the cause is not known", async () => {
    const ids = await Promise.all(
      [ON, {}].map(async (changes) => {
        const world = createWorld();
        world.upload(STORAGE, STARTED);
        record(world, "terminated");
        pass(world, 2 * DAY);
        await world.run({}, changes);
        return world.eventsOf(INSTANCE).map(({ detail }) => detail.event_id);
      }),
    );
    expect(ids[0]).toEqual(ids[1]);
  });

  test("does not make a runner of another instance ready", async () => {
    const world = createWorld();
    world.upload("AROAEXAMPLE:i-0123456789abcdef1", STARTED);
    record(world, "terminated");
    pass(world, 600);
    expect(await world.run({}, ON)).toMatchObject({ notReady: 1 });
  });
});

test("a runner whose instance was stopped is left alone, and may go on after a start", async () => {
  const world = createWorld();
  world.upload(STORAGE, INSTALLED);
  pass(world, 60);
  record(world, "stopped");
  pass(world, 3_600);
  expect(await world.run({}, ON)).toMatchObject({ notReady: 1 });
  world.upload(STORAGE, { "pre-job-metrics.json": FILES["pre-job-metrics.json"], "post-job-metrics.json": POST });
  await world.run({}, ON);
  expect(world.eventsOf(INSTANCE).map(({ detailType }) => detailType)).toEqual([
    "RunnerInstalled",
    "RunnerStart",
    "RunnerStop",
  ]);
});

test("an orphan whose instance was stopped says so, and one about which nothing is known says unknown", async () => {
  const world = createWorld();
  world.upload(STORAGE, STARTED);
  world.upload("r-1", STARTED);
  pass(world, 60);
  record(world, "stopped");
  const stoppedAt = seconds(world);
  pass(world, 2 * DAY);
  await world.run({}, ON);
  expect(world.eventsOf(INSTANCE).at(-1)?.detail).toMatchObject({ cause: "stopped", ended_at: stoppedAt });
  const { detail } = world.eventsOf("r-1").at(-1) ?? {};
  expect(detail).toMatchObject({ event: "runner_lost", cause: "unknown" });
  expect(detail).not.toHaveProperty("ended_at");
});

describe("the list of ended instances is read", () => {
  test("once in a run, however many runners there are, and without any other request for them", async () => {
    const world = createWorld();
    for (let number = 0; number < 16; number++) world.upload(`i-0123456789abcde${number.toString(16)}0`, STARTED);
    const { prefixes, changes } = listing(world);
    expect(await world.run({}, changes)).toMatchObject({ notReady: 16 });
    expect(prefixes.sort()).toEqual(["ended/", "runners/large/"]);
  });

  test.each<[string, string, Partial<typeof FILES>, object, Partial<Dependencies>]>([
    ["the setting is off", STORAGE, STARTED, {}, { config: CONFIG }],
    ["no runner is named after an instance", "r-1", STARTED, {}, {}],
    ["all runners have reported their end", STORAGE, FILES, {}, {}],
    ["the caller names runners", STORAGE, STARTED, { runners: new Set(["r-1"]) }, {}],
  ])("not if %s", async (_, storage, files, payload, off) => {
    const world = createWorld();
    world.upload(storage, files);
    const { prefixes, changes } = listing(world);
    await world.run(payload, { ...changes, ...off });
    expect(prefixes).not.toContain("ended/");
  });

  test("and if that fails, orphans are collected with an unknown cause, others stay, and the summary says why", async () => {
    const world = createWorld();
    world.upload(STORAGE, STARTED);
    record(world, "terminated");
    pass(world, 2 * DAY);
    world.upload("i-0123456789abcdef1", STARTED);
    const { store } = world.dependencies;
    const list: typeof store.list = async (prefix, from) => {
      if (prefix === "ended/") throw new ServiceError("AccessDenied", "AccessDenied (HTTP 403)", { retryable: false });
      return store.list(prefix, from);
    };
    const summary = await world.run({}, { ...ON, store: { ...store, list } });
    expect(summary).toMatchObject({
      extracted: 1,
      notReady: 1,
      stopped: "done",
      endedUnknown: "denied",
      errors: ["ServiceError: AccessDenied (HTTP 403)"],
    });
    expect(world.eventsOf(INSTANCE).at(-1)?.detail).toMatchObject({ cause: "unknown" });
    const metrics = metricsOf(summary, 0).map(({ name, value }) => [name, value]);
    expect(metrics).toContainEqual(["EndedInstancesUnknown", 1]);
    expect(metrics).toContainEqual(["AccessDenied", 1]);
  });
});

test("a runner that was lost and then stopped after all is counted", async () => {
  const world = createWorld();
  world.upload(STORAGE, STARTED);
  record(world, "terminated");
  pass(world, 120);
  const { store } = world.dependencies;
  const remove: typeof store.delete = async (objects) => {
    const results = await store.delete(objects);
    if (world.keys(`runners/large/${STORAGE}/`).length === 0 && world.eventsOf(INSTANCE).length === 3)
      world.upload(STORAGE, { "post-job-metrics.json": POST });
    return results;
  };
  const summary = await world.run({}, { ...ON, store: { ...store, delete: remove } });
  const types = world.eventsOf(INSTANCE).map(({ detailType }) => detailType);
  expect(types).toEqual(["RunnerInstalled", "RunnerStart", "RunnerLost", "RunnerStop"]);
  expect(summary.lostThenStopped).toBe(1);
  expect(metricsOf(summary, 0)).toContainEqual({ name: "LostThenStopped", unit: "Count", value: 1 });
});
