import { expect, test } from "vitest";
import type { Dependencies, EntryResult } from "../../functions/ports.ts";
import { ServiceError } from "../../functions/ports.ts";
import { archiveOf } from "../../functions/run/archive.ts";
import { extract, type RunnerResult } from "../../functions/run/extract.ts";
import { publishAndDelete } from "../../functions/run/publish-and-delete.ts";
import { managerOf } from "../storage/one-storage.ts";
import { BUS, createWorld, FILES } from "../worlds/memory.ts";

const { "post-job-metrics.json": POST, ...UNFINISHED } = FILES;

/** The results of an extraction, and how to publish and delete them. */
async function batchOf(world: ReturnType<typeof createWorld>) {
  const storageManager = managerOf(world.dependencies.store);
  const filter = { include: false, orphanAfterSeconds: 86_400 };
  const batch: RunnerResult[] = [];
  const options = { concurrency: 1, mayStart: () => true };
  for await (const result of extract(storageManager, filter, options)) batch.push(result);
  const finish = (changes: Partial<Dependencies> = {}) =>
    publishAndDelete(batch, {
      ...world.dependencies,
      storageManager,
      archive: archiveOf("large", { ...world.dependencies, ...changes }),
      ...changes,
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
  const { finish } = await batchOf(world);
  const { results, events, deletes, errors } = await finish();
  expect(results.map(({ outcome }) => outcome)).toEqual(["extracted", "quarantined"]);
  expect(events.map(({ type, result }) => `${type} ${result}`)).toEqual([
    "RunnerInstalled accepted",
    "RunnerStart accepted",
    "RunnerStop accepted",
    "MetricsQuarantined accepted",
  ]);
  expect(deletes).toMatchObject([{ deleted: 8 }]);
  expect(errors).toEqual([]);
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
