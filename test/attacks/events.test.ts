import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { EventBus } from "../../functions/ports.ts";
import { violatedInvariants } from "../../functions/run/summary.ts";
import type { Fault, FaultRequest } from "../../local/faults.ts";
import { effort } from "../effort.ts";
import { IMPATIENT_MILLISECONDS, startHttpWorld } from "../worlds/http.ts";
import { BUS, createWorld, FILES } from "../worlds/memory.ts";

describe("over HTTP", () => {
  let world: Awaited<ReturnType<typeof startHttpWorld>>;
  const start = async (timeoutMilliseconds?: number) => {
    world = await startHttpWorld(timeoutMilliseconds);
    world.upload("a");
    world.upload("b");
  };
  const startImpatient = () => world.close().then(() => start(IMPATIENT_MILLISECONDS));
  beforeEach(() => start());
  afterEach(() => world.close());

  const ids = () => world.events().map(({ detail }) => detail.event_id);
  const failing = (fault: Fault, when: (request: FaultRequest) => boolean) =>
    world.faults.use((request) => (when(request) ? fault : undefined));

  test("A40 of entries that fail inside a 200 only these are sent again, under the same ids", async () => {
    const codes = { 1: "InternalFailure", 4: "ThrottlingException" };
    failing({ kind: "failed-entries", codes }, ({ operation, attempt }) => operation === "PutEvents" && attempt === 1);
    expect(await world.run()).toMatchObject({ extracted: 2, deferred: 0 });
    expect(ids()).toHaveLength(6);
    expect(new Set(ids()).size).toBe(6);
    expect(world.requests.count("PutEvents")).toBe(2);
    expect(world.keys()).toEqual([]);
  });

  test("A40 an entry that is refused for good defers its runner, and only that one", async () => {
    failing({ kind: "failed-entries", codes: { 1: "MalformedDetail" } }, ({ operation }) => operation === "PutEvents");
    expect(await world.run()).toMatchObject({ extracted: 1, deferred: 1, deferralReasons: { unpublished: 1 } });
    expect(world.requests.count("PutEvents")).toBe(1);
    expect(world.keys("runners/large/a/")).toHaveLength(4);
    expect(world.keys("runners/large/b/")).toEqual([]);
    world.faults.clear();
    await world.run();
    expect(world.keys()).toEqual([]);
    expect(new Set(ids()).size).toBe(6);
  });

  test("A40 an entry that keeps failing is not tried for ever", async () => {
    failing({ kind: "failed-entries", codes: { 0: "InternalFailure" } }, ({ operation }) => operation === "PutEvents");
    expect(await world.run()).toMatchObject({
      extracted: 1,
      deferred: 1,
      errors: ["Error: PutEvents: InternalFailure"],
    });
    expect(world.requests.count("PutEvents")).toBe(5);
  });

  const lost: [string, Fault][] = [
    ["throttling", { kind: "error", status: 400, code: "ThrottlingException" }],
    ["a 500", { kind: "error", status: 500, code: "InternalException" }],
    ["a time-out after the effect", { kind: "stall", afterEffect: true }],
    ["a connection lost after the effect", { kind: "reset", afterEffect: true }],
  ];
  test.each(lost)(
    "A40 %s of every PutEvents deletes nothing, and what comes again has the same ids",
    async (_, fault) => {
      if (fault.kind === "stall") await startImpatient();
      failing(fault, ({ operation }) => operation === "PutEvents");
      expect(await world.run()).toMatchObject({ extracted: 0, deferred: 2, deferralReasons: { unpublished: 2 } });
      expect(world.keys("runners/")).toHaveLength(8);
      world.faults.clear();
      expect(await world.run()).toMatchObject({ extracted: 2 });
      expect(new Set(ids()).size).toBe(6);
      expect(world.keys()).toEqual([]);
    },
  );

  test("A41 without its bus a run fails before any delete, and says which bus", async () => {
    world.eventBridge.deleteBus(BUS);
    await expect(world.run()).rejects.toThrow(`The event bus "${BUS}" (EVENT_BUS_NAME) does not exist`);
    expect(world.keys("runners/")).toHaveLength(8);
    expect(world.eventBridge.lost()).toEqual([]);
    expect(world.requests.counts()).toEqual({ DescribeEventBus: 1 });
  });

  test("A41 a bus that goes away in the middle of a run loses nothing: what it swallowed is deferred with its files", async () => {
    let reads = 0;
    world.faults.use(({ operation }) => {
      if (operation === "GetObject" && ++reads === 5) world.eventBridge.deleteBus(BUS);
      return undefined;
    });
    const summary = await world.run();
    expect(summary).toMatchObject({ extracted: 0, deferred: 2, deferralReasons: { unpublished: 2 } });
    expect(summary.errors[0]).toContain(`The event bus "${BUS}" (EVENT_BUS_NAME) does not exist`);
    expect(world.keys("runners/")).toHaveLength(8);
    world.faults.clear();
    world.eventBridge.createBus(BUS);
    expect(await world.run()).toMatchObject({ extracted: 2 });
  });

  test.each(effort(["PutEvents"], ["ListObjectsV2", "CopyObject", "DeleteObjects", "PutEvents", "PutObject"]))(
    "A18 the answer to %s that stalls in its body ends in time, and loses nothing",
    async (stalled) => {
      await startImpatient();
      world.upload("a", { "pre-job-metrics.json": "{" });
      failing({ kind: "stalled-body" }, ({ operation }) => operation === stalled);
      const summary = await world.run();
      expect(violatedInvariants(summary)).toEqual([]);
      world.faults.clear();
      await world.run();
      expect(world.keys("runners/")).toEqual([]);
      // Files of a quarantine that could be deleted only in part are quarantined again.
      expect(new Set(ids()).size).toBe(stalled === "DeleteObjects" ? 5 : 4);
    },
  );

  const refusals: [string, Fault, string][] = [
    ["503 SlowDown", { kind: "error", status: 503, code: "SlowDown" }, "failed"],
    ["500", { kind: "error", status: 500, code: "InternalError" }, "failed"],
    ["409", { kind: "error", status: 409, code: "ConditionalRequestConflict" }, "changed"],
    ["expired credentials", { kind: "error", status: 400, code: "ExpiredToken" }, "failed"],
    ["AccessDenied", { kind: "error", status: 403, code: "AccessDenied" }, "denied"],
  ];
  test.each(refusals.flatMap((refusal) => ["HeadObject", "GetObject"].map((on) => [...refusal, on] as const)))(
    "A45 %s on one object defers that runner, and the run goes on (%#: %s)",
    async (_, fault, why, on) => {
      failing(fault, ({ operation, key }) => operation === on && key === "runners/large/a/pre-job-metrics.json");
      const summary = await world.run();
      expect(violatedInvariants(summary)).toEqual([]);
      expect(summary).toMatchObject({ extracted: 1, deferred: 1, deferralReasons: { [why]: 1 } });
      // The operator has to know which permission is missing, and where.
      const call = on === "HeadObject" ? "HEAD" : "GET";
      if (why === "denied")
        expect(summary.errors.join()).toContain(`${call} below runners/large/: AccessDenied (HTTP 403)`);
      expect(world.keys("runners/")).toHaveLength(4);
      world.faults.clear();
      await world.run();
      expect(world.keys()).toEqual([]);
    },
  );

  test.each(["AccessDenied", "InternalError"])(
    "A45 %s on a delete leaves the files, and the events come again",
    async (code) => {
      const status = code === "AccessDenied" ? 403 : 500;
      failing({ kind: "error", status, code }, ({ operation }) => operation === "DeleteObjects");
      const counted = code === "AccessDenied" ? { denied: 6, failed: 0 } : { denied: 0, failed: 6 };
      expect(await world.run()).toMatchObject({ extracted: 2, objects: { deleted: 0, ...counted } });
      world.faults.clear();
      await world.run();
      expect(world.keys()).toEqual([]);
      expect(ids()).toHaveLength(12);
      expect(new Set(ids()).size).toBe(6);
    },
  );

  test("A45 a listing that fails half way: what was listed is finished, and the summary says so", async () => {
    world.upload("a");
    for (let number = 0; number < 1_000; number++) world.upload(`b-${number}`, { "runner-installed.timestamp": "1" });
    failing(
      { kind: "error", status: 503, code: "SlowDown" },
      ({ operation, attempt }) => operation === "ListObjectsV2" && attempt > 1,
    );
    const summary = await world.run();
    expect(summary).toMatchObject({ stopped: "listing-failed", extracted: 1, listed: 996 });
    expect(summary.errors[0]).toContain("SlowDown");
    expect(violatedInvariants(summary)).toEqual([]);
  });

  test("A46 a CopyObject that answers 200 with an error has copied nothing, so nothing is deleted", async () => {
    world.upload("a", { "pre-job-metrics.json": "{" });
    failing({ kind: "error-inside-success", code: "InternalError" }, ({ operation }) => operation === "CopyObject");
    expect(await world.run()).toMatchObject({ extracted: 1, quarantined: 0, deferred: 1 });
    expect(world.keys("runners/large/a/")).toHaveLength(4);
    expect(world.manifests()).toEqual([]);
    world.faults.clear();
    expect(await world.run()).toMatchObject({ quarantined: 1 });
  });
});

test("A42 the same files, uploaded again after they were collected, have the same ids", async () => {
  const world = createWorld();
  world.upload("r");
  await world.run();
  world.clock.time += 3_600_000;
  world.upload("r");
  await world.run();
  expect(world.events()).toHaveLength(6);
  expect(new Set(world.events().map(({ detail }) => detail.event_id)).size).toBe(3);
});

test("A42 the same files of another runner or flavor have other ids", async () => {
  const world = createWorld();
  world.upload("r");
  world.upload("s");
  world.upload("r", FILES, "small");
  await world.run();
  await world.run({ flavor: "small" });
  expect(new Set(world.events().map(({ detail }) => detail.event_id)).size).toBe(9);
});

test("A43 two runs at once lose nothing, and what they both issue has the same ids", async () => {
  const world = createWorld();
  for (let number = 0; number < 50; number++) world.upload(`r-${number}`);
  world.upload("corrupt", { ...FILES, "pre-job-metrics.json": "{" });
  const summaries = await Promise.all([world.run(), world.run()]);
  expect(summaries.flatMap(violatedInvariants)).toEqual([]);
  await world.run();
  expect(world.keys("runners/")).toEqual([]);
  expect(new Set(world.events().map(({ detail }) => detail.event_id)).size).toBe(151);
  expect(world.manifests()).toHaveLength(1);
});

test("A44 no runner is begun in the last 10 seconds, and the rest waits for the next run", async () => {
  const world = createWorld();
  for (let number = 0; number < 20; number++) world.upload(`r-${String(number).padStart(2, "0")}`);
  const bus: EventBus = world.dependencies.bus;
  const head = async (key: string) => {
    world.clock.time += 1_000;
    return world.dependencies.store.head(key);
  };
  const store = { ...world.dependencies.store, head };
  const config = { ...world.dependencies.config, concurrency: 1 };
  const deadline = world.clock.time + 50_000;
  const summary = await world.run({}, { store, bus, config, deadline });
  expect(summary).toMatchObject({ stopped: "deadline", extracted: 10, listed: 10 });
  expect(world.keys("runners/")).toHaveLength(40);
  expect(await world.run()).toMatchObject({ stopped: "done", extracted: 10 });
});
