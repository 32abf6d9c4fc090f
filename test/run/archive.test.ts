import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { type ObjectStore, ServiceError } from "../../functions/ports.ts";
import { archiveOf } from "../../functions/run/archive.ts";
import { createWorld, FILES, NOW } from "../worlds/memory.ts";

const { "post-job-metrics.json": _, ...UNFINISHED } = FILES;

const REFUSED = new ServiceError("InternalError", "InternalError (HTTP 500)", { retryable: true });

test("every event on the bus is archived as EventBridge delivers it, one object for a batch of runners", async () => {
  const world = createWorld();
  world.upload("r-1");
  world.upload("r-2", { ...FILES, "pre-job-metrics.json": "{" });
  const { archive } = await world.run({}, { runId: "0b9d" });
  expect(archive).toEqual({ events: 4, objects: 1, failed: 0 });
  expect(world.keys("events/")).toEqual(["events/dt=2023-11-16/flavor=large/0b9d-0.ndjson.gz"]);
  const time = new Date(NOW).toISOString();
  expect(world.archived()).toEqual(
    world.events().map(({ detailType, detail, ...event }) => ({ ...event, "detail-type": detailType, time, detail })),
  );
});

test("a run that publishes nothing archives nothing", async () => {
  const world = createWorld();
  world.upload("idle", UNFINISHED);
  const { archive } = await world.run();
  expect(archive).toEqual({ events: 0, objects: 0, failed: 0 });
  expect(world.keys("events/")).toEqual([]);
});

test("if the archive fails, the events are on the bus and the files stay for the next run", async () => {
  const world = createWorld();
  world.upload("r-1");
  const store = { ...world.dependencies.store, putIfAbsent: () => Promise.reject(REFUSED) };
  const summary = await world.run({}, { store });
  expect(summary).toMatchObject({ deferred: 1, deferralReasons: { unarchived: 1 }, stopped: "archive-failed" });
  expect(summary.archive).toEqual({ events: 0, objects: 0, failed: 1 });
  expect(summary.errors).toEqual(["ServiceError: InternalError (HTTP 500)"]);
  expect(world.keys()).toHaveLength(4);

  expect(await world.run()).toMatchObject({ extracted: 1, stopped: "done" });
  expect(world.keys()).toEqual([]);
  const ids = (events: readonly { detail: Record<string, unknown> }[]) => events.map(({ detail }) => detail.event_id);
  expect(ids(world.events())).toEqual([...ids(world.archived()), ...ids(world.archived())]);
});

test("if access to the archive is denied, the runners are deferred as denied", async () => {
  const world = createWorld();
  world.upload("r-1");
  const denied = new ServiceError("AccessDenied", "AccessDenied (HTTP 403)", { retryable: false });
  const store = { ...world.dependencies.store, putIfAbsent: () => Promise.reject(denied) };
  expect(await world.run({}, { store })).toMatchObject({ deferralReasons: { denied: 1 }, stopped: "archive-failed" });
});

test("after a failure of the archive no further storage is started", async () => {
  const world = createWorld();
  for (let number = 0; number < 1_200; number++) world.upload(`r-${number}`);
  const heads = new Set<string>();
  const store = {
    ...world.dependencies.store,
    putIfAbsent: () => Promise.reject(REFUSED),
    head(key: string) {
      heads.add(key.split("/")[2] ?? "");
      return world.dependencies.store.head(key);
    },
  };
  const summary = await world.run({}, { store });
  expect(summary.stopped).toBe("archive-failed");
  // Two batches of 250 runners in progress, those being read meanwhile, and no more.
  expect(heads.size).toBeLessThan(800);
  expect(world.keys()).toHaveLength(4_800);
});

test("an object holds a line for each event, in their order, with the time at which it was published", async () => {
  const { clock, store } = createWorld().dependencies;
  const stored: [string, string][] = [];
  const noting: ObjectStore = {
    ...store,
    async putIfAbsent(key, body) {
      stored.push([key, gunzipSync(body).toString()]);
      return "stored";
    },
  };
  const archive = archiveOf("large", { clock, store: noting, runId: "0b9d" });
  const resources = ["arn:aws:s3:::metrics/runners/large/r-1/"];
  const entry = (detailType: string, detail: string) => ({ source: "runner-metrics", detailType, resources, detail });
  await archive.store([entry("RunnerStart", '{"idle":1.50}'), entry("RunnerStop", "{}")]);
  await clock.sleep(86_400_000);
  await archive.store([entry("RunnerLost", "{}")]);
  const line = (type: string, day: number, detail: string) =>
    `{"source":"runner-metrics","detail-type":"${type}","resources":["arn:aws:s3:::metrics/runners/large/r-1/"],` +
    `"time":"2023-11-${day}T02:00:00.000Z","detail":${detail}}\n`;
  expect(stored).toEqual([
    [
      "events/dt=2023-11-16/flavor=large/0b9d-0.ndjson.gz",
      line("RunnerStart", 16, '{"idle":1.50}') + line("RunnerStop", 16, "{}"),
    ],
    ["events/dt=2023-11-17/flavor=large/0b9d-1.ndjson.gz", line("RunnerLost", 17, "{}")],
  ]);
});

test("no two objects of a run have the same name, also in the same millisecond", async () => {
  const world = createWorld();
  const archive = archiveOf("large", world.dependencies);
  const entry = { source: "runner-metrics", detailType: "RunnerStop", resources: [], detail: "{}" };
  await Promise.all([archive.store([entry]), archive.store([entry]), archive.store([])]);
  expect(world.keys("events/")).toHaveLength(2);
});
