import { expect, test } from "vitest";
import { type ObjectStore, ServiceError } from "../../functions/ports.ts";
import { type ExtractOptions, extract, type ListingReport, type RunnerResult } from "../../functions/run/extract.ts";
import { managerOf } from "../storage/one-storage.ts";
import { createWorld, FILES } from "../worlds/memory.ts";
import { jobsThatSay } from "../worlds/model-ports.ts";

const EVERY_RUNNER = { include: false, orphanAfterSeconds: 86_400 };

/** All results in the order of storages' names, and how far the listing came. */
async function extracted(
  world: ReturnType<typeof createWorld>,
  options: Partial<ExtractOptions> = {},
  changes: Partial<ObjectStore> = {},
): Promise<{ results: RunnerResult[]; listing: ListingReport }> {
  const manager = managerOf({ ...world.dependencies.store, ...changes });
  const all = { concurrency: 1, mayStart: () => true, ...options };
  const generator = extract(manager, EVERY_RUNNER, all);
  const results: RunnerResult[] = [];
  for (;;) {
    const next = await generator.next();
    if (next.done) return { results, listing: next.value };
    results.push(next.value);
  }
}

test("yields the metrics of every finished runner, and deletes nothing", async () => {
  const world = createWorld();
  world.upload("r-1");
  world.upload("r-2", { "runner-installed.timestamp": "1" });
  const { results, listing } = await extracted(world);
  expect(results).toMatchObject([
    { outcome: "extracted", isLost: false, metrics: { storage: "r-1", installedTimestamp: 1_700_000_060 } },
    { outcome: "notReady" },
  ]);
  expect(listing).toEqual({ listed: 2, strays: 0, stopped: "done", isAliveContradicted: false });
  expect(world.keys("runners/")).toHaveLength(5);
});

test("a failure of one storage defers that one, and the others go on", async () => {
  const world = createWorld();
  for (const name of ["a", "b", "c"]) world.upload(name);
  const refuse = (code: string) => async (key: string) => {
    if (key.includes("/b/")) throw new ServiceError(code, code, { retryable: true });
    return world.dependencies.store.head(key);
  };
  const failed = await extracted(world, {}, { head: refuse("SlowDown") });
  expect(failed.results).toMatchObject([
    { outcome: "extracted" },
    { outcome: "deferred", reason: "failed", cause: { code: "SlowDown" } },
    { outcome: "extracted" },
  ]);
  const denied = await extracted(world, {}, { head: refuse("AccessDenied") });
  expect(denied.results[1]).toMatchObject({ outcome: "deferred", reason: "denied" });
});

test("a listing that fails ends the extraction after the storages that it listed", async () => {
  const world = createWorld();
  const failure = new ServiceError("InternalError", "no", { retryable: true });
  const { results, listing } = await extracted(world, {}, { list: () => Promise.reject(failure) });
  expect(results).toEqual([]);
  expect(listing).toEqual({ listed: 0, strays: 0, stopped: "listing-failed", failure, isAliveContradicted: false });
});

test("a storage that is not started in time is not listed, and waits for the next run", async () => {
  const world = createWorld();
  for (const name of ["a", "b", "c"]) world.upload(name);
  // Asked for the page, and for each storage.
  let asked = 0;
  const { results, listing } = await extracted(world, { mayStart: () => asked++ < 3 });
  expect(results).toHaveLength(2);
  expect(listing).toEqual({ listed: 2, strays: 0, stopped: "deadline", isAliveContradicted: false });
});

test("objects outside any storage are counted, and never read", async () => {
  const world = createWorld();
  world.s3.putObject("metrics", "runners/large/stray", { body: Buffer.from("x") });
  expect(await extracted(world)).toEqual({
    results: [],
    listing: { listed: 0, strays: 1, stopped: "done", isAliveContradicted: false },
  });
});

test("a runner whose claim GitHub contradicts is flagged, or quarantined if it is configured so", async () => {
  const world = createWorld();
  world.upload("r-1");
  const mismatch = { unknown: "job-not-found", isMismatch: true } as const;
  const jobs = { jobsOf: async () => jobsThatSay(mismatch, "r-1") };
  const flagged = await extracted(world, { jobs });
  expect(flagged.results).toMatchObject([{ outcome: "extracted", job: mismatch }]);
  const quarantined = await extracted(world, { jobs, quarantineMismatches: true });
  expect(quarantined.results).toMatchObject([
    { outcome: "quarantined", quarantine: { reason: "job-mismatch", objects: 4 } },
  ]);
});

test("GitHub is asked only about runners with a job", async () => {
  const world = createWorld();
  const { "pre-job-metrics.json": _, ...noJob } = FILES;
  world.upload("r-1", noJob);
  const jobs = { jobsOf: () => Promise.reject(new Error("asked")) };
  expect((await extracted(world, { jobs })).results).toMatchObject([{ outcome: "extracted", job: undefined }]);
});

test("a runner that was silent for too long is lost, unless the caller named the runners", async () => {
  const world = createWorld();
  const { "post-job-metrics.json": _, ...unfinished } = FILES;
  world.upload("r-1", unfinished);
  world.clock.time += 86_401_000;
  expect((await extracted(world)).results).toMatchObject([{ outcome: "extracted", isLost: true }]);
  const manager = managerOf(world.dependencies.store);
  const named = extract(manager, { ...EVERY_RUNNER, runners: new Set() }, { concurrency: 1, mayStart: () => true });
  expect((await named.next()).value).toMatchObject({ outcome: "extracted", isLost: false });
});
