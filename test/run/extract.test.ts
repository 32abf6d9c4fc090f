import { describe, expect, test } from "vitest";
import type { InstanceEnd } from "../../contract/object-keys.ts";
import { type JobLookup, type ObjectStore, ServiceError } from "../../functions/ports.ts";
import {
  deferral,
  type ExtractOptions,
  extract,
  type ListingReport,
  type RunnerResult,
} from "../../functions/run/extract.ts";
import type { EndedInstances } from "../../functions/storage/ended-instances.ts";
import type { Filter } from "../../functions/storage/select.ts";
import { type StorageListing, storageListing } from "../../functions/storage/storage-listing.ts";
import { listed, managerOf } from "../storage/one-storage.ts";
import { createWorld, FILES, NOW } from "../worlds/memory.ts";
import { jobsThatSay, modelObjectStore } from "../worlds/model-ports.ts";

const EVERY_RUNNER = { include: false, orphanAfterSeconds: 86_400 };
const { "post-job-metrics.json": POST, ...UNFINISHED } = FILES;
const { "pre-job-metrics.json": PRE, ...INSTALLED } = UNFINISHED;
const REFUSED = new ServiceError("SlowDown", "no", { retryable: true });
const DENIED = new ServiceError("AccessDenied", "no", { retryable: false });
const TIME_IS_UP = new ServiceError("DeadlineReached", "no", { retryable: true });

type World = ReturnType<typeof createWorld>;

/** All results in the order of storages' names, and how far the listing came. */
async function extracted(
  world: World,
  options: Partial<ExtractOptions> = {},
  changes: Partial<ObjectStore> = {},
  filter: Partial<Filter> = {},
): Promise<{ results: RunnerResult[]; listing: ListingReport }> {
  const manager = managerOf({ ...world.dependencies.store, ...changes });
  const all = { concurrency: 1, mayStart: () => true, ...options };
  const generator = extract(manager, { ...EVERY_RUNNER, ...filter }, all);
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

test.each([0, 1, 2])(
  "what is not started in time is not listed, and waits for the next run: after %i storages",
  async (time) => {
    const world = createWorld();
    for (const name of ["a", "b", "c"]) world.upload(name);
    // Asked for the page, and for each storage.
    let asked = 0;
    const { results, listing } = await extracted(world, { mayStart: () => asked++ <= time });
    expect(results).toHaveLength(time);
    expect(listing).toEqual({ listed: time, strays: 0, stopped: "deadline", isAliveContradicted: false });
  },
);

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

describe("how far the listing came", () => {
  const ALL = { listed: 0, strays: 0, stopped: "done", isAliveContradicted: false };

  test("counts storages and strays of all its pages", async () => {
    const world = createWorld();
    for (const name of ["a", "b"]) {
      world.upload(name, { "runner-installed.timestamp": "1" });
      world.s3.putObject("metrics", `runners/large/${name}-stray`, { body: Buffer.from("x") });
    }
    const { list } = modelObjectStore(world.s3, "metrics", { pageSize: 1 });
    const { listing } = await extracted(world, {}, { list });
    expect(listing).toStrictEqual({ ...ALL, listed: 2, strays: 2 });
  });

  test.each([
    ["S3's failure", REFUSED, { stopped: "listing-failed", failure: REFUSED }],
    ["the end of the run's time", TIME_IS_UP, { stopped: "deadline" }],
    ["a fault of ours", Object.assign(new Error("no"), { code: "DeadlineReached" }), { stopped: "listing-failed" }],
  ])("is told after %s", async (_, failure, told) => {
    const world = createWorld();
    for (const name of ["a", "b", "c"]) world.upload(name, { "runner-installed.timestamp": "1" });
    const { list } = modelObjectStore(world.s3, "metrics", { pageSize: 1 });
    let pages = 0;
    const { results, listing } = await extracted(
      world,
      {},
      {
        list: (prefix, from) => (pages++ < 2 ? list(prefix, from) : Promise.reject(failure)),
      },
    );
    expect(results).toHaveLength(1);
    expect(listing).toStrictEqual({ ...ALL, listed: 1, ...(told.stopped !== "deadline" && { failure }), ...told });
  });

  test("is the number of given storages if there are some, and nothing is listed", async () => {
    const world = createWorld();
    for (const name of ["a", "b", "c"]) world.upload(name);
    const given = (await listed(managerOf(world.dependencies.store))).slice(0, 2);
    const refuse = () => Promise.reject(REFUSED);
    const { results, listing } = await extracted(world, { given }, { list: refuse });
    expect(results).toMatchObject([{ listing: given[0] }, { listing: given[1] }]);
    expect(listing).toStrictEqual({ ...ALL, listed: 2 });
  });

  test("is no further than to a page that comes too late", async () => {
    const world = createWorld();
    for (const name of ["a", "b"]) world.upload(name);
    const { results, listing } = await extracted(world, { mayStart: () => false });
    expect([results, listing]).toStrictEqual([[], { ...ALL, stopped: "deadline" }]);
  });

  test("says that GitHub's list was not used from the first page that contradicts it", async () => {
    const world = createWorld();
    world.upload("b-silent", UNFINISHED);
    world.upload("d-silent", UNFINISHED);
    world.clock.time += 86_401_000;
    for (const name of ["a-busy", "c-busy"]) world.upload(name, UNFINISHED);
    const pages = modelObjectStore(world.s3, "metrics", { pageSize: 6 });
    const alive = new Set(["a-busy", "b-silent", "d-silent"]);
    const all = await extracted(world, {}, { list: pages.list }, { alive });
    expect(all.listing).toStrictEqual({ ...ALL, listed: 4, isAliveContradicted: true });
    const outcomes = (results: RunnerResult[]) => results.map(({ outcome }) => outcome);
    // The first page completes the first storage, the second page two more.
    expect(outcomes(all.results)).toEqual(["excluded", "extracted", "notReady", "extracted"]);
    const early = await extracted(
      world,
      {},
      { list: pages.list },
      { alive: new Set(["b-silent", "c-busy", "d-silent"]) },
    );
    expect(early.listing.isAliveContradicted).toBe(true);
    expect(outcomes(early.results)).toEqual(["notReady", "extracted", "notReady", "extracted"]);
  });
});

interface Situation {
  readonly name?: string;
  /** Seconds since its upload. */
  readonly silent?: number;
  readonly options?: Partial<ExtractOptions>;
  readonly changes?: Partial<ObjectStore>;
  readonly filter?: Partial<Filter>;
}

/** The only storage: how it was listed, and what became of it. */
async function resultOf(files: Readonly<Record<string, string>>, situation: Situation = {}) {
  const { name = "r-1", silent = 0, options, changes, filter } = situation;
  const world = createWorld();
  world.upload(name, files);
  world.clock.time += silent * 1000;
  const [listing] = await listed(managerOf(world.dependencies.store));
  if (!listing) throw new Error("There is no storage.");
  const { results } = await extracted(world, options, changes, filter);
  expect(results).toHaveLength(1);
  return { world, listing, result: results[0] };
}

const metricsOf = (storage: string, ...names: string[]) => ({
  kind: "metrics",
  storage,
  installationStartTimestamp: 1_700_000_000,
  installedTimestamp: 1_700_000_060,
  ...(names.includes("preJob") && { preJob: JSON.parse(PRE) }),
  ...(names.includes("postJob") && { postJob: JSON.parse(POST) }),
  files: expect.any(Object),
});

describe("the result of a storage", () => {
  const busy = { state: "busy", since: NOW };
  const DAY = 86_400;

  test("with a complete job has its metrics", async () => {
    const { listing, result } = await resultOf(FILES);
    const metrics = metricsOf("r-1", "preJob", "postJob");
    expect(result).toEqual({ outcome: "extracted", listing, isLost: false, metrics, job: undefined });
  });

  test("of a runner that was silent for too long says that it is lost, and nothing of its death", async () => {
    const { listing, result } = await resultOf(UNFINISHED, { silent: DAY + 1 });
    const metrics = metricsOf("r-1", "preJob");
    const death = { cause: "unknown" };
    expect(result).toEqual({ outcome: "extracted", listing, isLost: true, death, metrics, job: undefined });
  });

  test("of a runner that never came to a job, and of which the caller knows that it has ended, is not lost", async () => {
    const { listing, result } = await resultOf(INSTALLED, { filter: { runners: new Set() } });
    const metrics = metricsOf("r-1");
    expect(result).toEqual({ outcome: "extracted", listing, isLost: false, metrics, job: undefined });
  });

  test("of an installation that did not end has what is known of it", async () => {
    const { listing, result } = await resultOf(
      { "runner-installation-start.timestamp": "1700000000" },
      { silent: DAY + 1 },
    );
    const installation = { storage: "r-1", installationStartTimestamp: 1_700_000_000, files: expect.any(Object) };
    const death = { cause: "unknown" };
    expect(result).toEqual({ outcome: "incomplete", listing, isLost: true, death, installation });
  });

  test.each([
    ["notReady", {}],
    ["excluded", { alive: new Set(["r-1"]) }],
    ["excluded", { runners: new Set(["r-1"]) }],
  ])("of a runner that is alive is %s with its state, for the filter %o", async (outcome, filter) => {
    const { result } = await resultOf(UNFINISHED, { silent: 60, filter });
    expect(result).toEqual({ outcome, live: busy, listedAt: NOW + 60_000 });
  });

  test.each([
    ["invalid-key", { ...UNFINISHED, é: "" }],
    ["too-many-objects", Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`f-${index}`, ""]))],
  ])("of a living runner with %s is a quarantine", async (reason, files) => {
    const { listing, result } = await resultOf(files);
    const quarantine = expect.objectContaining({ reason, storage: "r-1", objects: Object.keys(files).length });
    expect(result).toEqual({ outcome: "quarantined", listing, quarantine, file: undefined });
  });

  test("of a runner that GitHub lists is excluded even with an invalid key", async () => {
    const { result } = await resultOf({ ...UNFINISHED, é: "" }, { filter: { alive: new Set(["r-1"]) } });
    expect(result).toEqual({ outcome: "excluded", live: busy, listedAt: NOW });
  });

  test("whose file is corrupt is a quarantine, and names the file", async () => {
    const { listing, result } = await resultOf({ ...FILES, "pre-job-metrics.json": "{" });
    const quarantine = expect.objectContaining({ reason: "invalid-json", storage: "r-1", objects: 4 });
    expect(result).toEqual({ outcome: "quarantined", listing, quarantine, file: "pre-job-metrics.json" });
  });

  test("with the post-job file of another life is deferred, and has this file alone", async () => {
    const post = JSON.stringify({ ...JSON.parse(POST), job_timestamp: 1 });
    const { listing, result } = await resultOf({ ...FILES, "post-job-metrics.json": post });
    const file = listing.files["post-job-metrics.json"];
    const only = { ...listing, objects: [file], files: { "post-job-metrics.json": file } };
    expect(result).toEqual({ outcome: "deferred", reason: "leftover", listing: only });
  });

  const cause = expect.any(ServiceError);
  test.each<[string, Partial<ObjectStore>, object]>([
    ["whose files are gone", { head: async () => "gone" }, { outcome: "vanished" }],
    ["whose files are other ones", { head: async () => "changed" }, { outcome: "deferred", reason: "changed" }],
    ["that may not be read", { get: async () => "denied" }, { outcome: "deferred", reason: "denied", cause }],
    [
      "that S3 fails to give",
      { head: () => Promise.reject(REFUSED) },
      { outcome: "deferred", reason: "failed", cause: REFUSED },
    ],
    [
      "that S3 denies otherwise",
      { get: () => Promise.reject(DENIED) },
      { outcome: "deferred", reason: "denied", cause: DENIED },
    ],
    [
      "that can't be read in time",
      { head: () => Promise.reject(TIME_IS_UP) },
      { outcome: "deferred", reason: "deadline" },
    ],
  ])("%s", async (_, changes, expected) => {
    expect((await resultOf(FILES, { changes })).result).toStrictEqual(expected);
  });

  test.each([
    ["changed", { outcome: "deferred", reason: "changed" }],
    ["denied", { outcome: "deferred", reason: "denied", cause }],
  ] as const)("that is corrupt and whose copy is refused as %s is deferred", async (refusal, expected) => {
    const changes = { copy: async () => refusal };
    expect((await resultOf({ ...FILES, "pre-job-metrics.json": "{" }, { changes })).result).toStrictEqual(expected);
  });
});

test.each([
  [REFUSED, { reason: "failed", cause: REFUSED }],
  [DENIED, { reason: "denied", cause: DENIED }],
  [TIME_IS_UP, { reason: "deadline" }],
  [new TypeError("fault"), { reason: "failed", cause: new TypeError("fault") }],
  [undefined, { reason: "failed", cause: undefined }],
])("a storage for which %o was thrown is deferred", (cause, why) => {
  expect(deferral(cause)).toStrictEqual({ outcome: "deferred", ...why });
});

describe("what happened to the instance of a runner", () => {
  const INSTANCE = "i-0123456789abcdef0";
  const TERMINATED: InstanceEnd = { instance: INSTANCE, what: "terminated", time: NOW / 1000 };

  /** Records of ends, and the storages that they were asked about. */
  function recording(ends: readonly InstanceEnd[] = [TERMINATED]) {
    const asked: string[] = [];
    const ended: EndedInstances = {
      async endsOf(storage) {
        asked.push(storage);
        return ends;
      },
      unknown: async () => undefined,
    };
    return { asked, ended };
  }

  test("makes it ready, and says how it died", async () => {
    const { asked, ended } = recording();
    const { listing, result } = await resultOf(UNFINISHED, { silent: 120, options: { ended } });
    const death = { cause: "terminated", endedAt: NOW / 1000 };
    const metrics = metricsOf("r-1", "preJob");
    expect(result).toEqual({ outcome: "extracted", listing, isLost: true, death, metrics, job: undefined });
    expect(asked).toEqual(["r-1"]);
  });

  test.each([
    ["reported its end", FILES, {}, false],
    ["is named by the caller", UNFINISHED, { runners: new Set<string>() }, false],
  ])("is not asked about if the runner %s", async (_, files, filter, isLost) => {
    const { asked, ended } = recording();
    const { result } = await resultOf(files, { silent: 120, options: { ended }, filter });
    expect(result).toMatchObject({ outcome: "extracted", isLost, death: undefined });
    expect(asked).toEqual([]);
  });

  /** There is time for the page, the end of the listing, the storage, and no more. */
  function forThree() {
    let asked = 0;
    return { mayStart: () => asked++ < 3 };
  }

  test("may take the rest of the time to learn: a runner that is ready then waits for the next run", async () => {
    const { ended } = recording();
    const { result } = await resultOf(FILES, { options: { ended, ...forThree() } });
    expect(result).toStrictEqual({ outcome: "deferred", reason: "deadline" });
    expect((await resultOf(FILES, { options: forThree() })).result).toMatchObject({ outcome: "extracted" });
    const alive = await resultOf(UNFINISHED, { options: { ...recording([]), ...forThree() } });
    expect(alive.result).toMatchObject({ outcome: "notReady" });
  });
});

describe("a storage that is left to the workers", () => {
  const decided = (is: boolean) => {
    const asked: StorageListing[] = [];
    const handsOver = async (listing: StorageListing) => {
      asked.push(listing);
      return is;
    };
    return { asked, handsOver };
  };
  const refuse = () => Promise.reject(REFUSED);

  test("is not read", async () => {
    const { asked, handsOver } = decided(true);
    const { listing, result } = await resultOf(FILES, { options: { handsOver }, changes: { head: refuse } });
    expect(result).toStrictEqual({ outcome: "handedOver", handedOver: listing });
    expect(asked).toEqual([listing]);
  });

  test.each([
    ["corrupt as listed", { ...FILES, é: "" }, "quarantined"],
    ["not ready", UNFINISHED, "notReady"],
  ])("is never one that is %s", async (_, files, outcome) => {
    const { asked, handsOver } = decided(true);
    expect((await resultOf(files, { options: { handsOver } })).result).toMatchObject({ outcome });
    expect(asked).toEqual([]);
  });

  test.each([
    [3, { outcome: "deferred", reason: "deadline" }],
    [4, { outcome: "extracted" }],
  ])("may turn out not to be one, after a while: with time for %i steps", async (steps, expected) => {
    let asked = 0;
    const { handsOver } = decided(false);
    const { result } = await resultOf(FILES, { options: { handsOver, mayStart: () => asked++ < steps } });
    expect(result).toMatchObject(expected);
  });

  test("is deferred if that can't be decided", async () => {
    const { result } = await resultOf(FILES, { options: { handsOver: refuse } });
    expect(result).toStrictEqual({ outcome: "deferred", reason: "failed", cause: REFUSED });
  });
});

describe("GitHub", () => {
  const confirmed = { queue_duration: 5, conclusion: "success", jobs_cancelled_in_queue: 0 };
  const jobs: JobLookup = { jobsOf: async () => jobsThatSay(confirmed, "r-1") };

  test.each([true, false])(
    "confirms a job; whether mismatches are quarantined does not matter: %s",
    async (quarantineMismatches) => {
      const { result } = await resultOf(FILES, { options: { jobs, quarantineMismatches } });
      expect(result).toMatchObject({ outcome: "extracted", job: { queue_duration: 5, conclusion: "success" } });
    },
  );

  test("that does not know a runner's job has it quarantined with the claim, if it is configured so", async () => {
    const mismatch = { unknown: "job-not-found", isMismatch: true } as const;
    const unknown: JobLookup = { jobsOf: async () => jobsThatSay(mismatch, "r-1") };
    const { listing, result } = await resultOf(FILES, { options: { jobs: unknown, quarantineMismatches: true } });
    const quarantine = expect.objectContaining({ reason: "job-mismatch" });
    expect(result).toEqual({ outcome: "quarantined", listing, quarantine, file: "pre-job-metrics.json" });
  });

  test("is not asked about a corrupt storage", async () => {
    const never: JobLookup = { jobsOf: () => Promise.reject(new Error("asked")) };
    const { result } = await resultOf({ ...FILES, "post-job-metrics.json": "{" }, { options: { jobs: never } });
    expect(result).toMatchObject({ outcome: "quarantined" });
  });
});

describe("a storage of a message", () => {
  /** A storage was listed, then `happen`ed, and is extracted as it was listed: the result, and the prefixes that were listed. */
  async function afterwards(
    happen: (world: World) => void,
    options: Partial<ExtractOptions> = {},
    changes: Partial<ObjectStore> = {},
  ) {
    const world = createWorld();
    world.upload("r-1");
    const given = await listed(managerOf(world.dependencies.store));
    happen(world);
    const prefixes: string[] = [];
    const { store } = world.dependencies;
    const list: ObjectStore["list"] = (prefix, from) => {
      prefixes.push(prefix);
      return store.list(prefix, from);
    };
    const { results } = await extracted(world, { ...options, given }, { list, ...changes });
    return { given, results, prefixes };
  }

  test("is used as the message says where the bucket confirms it, whose HEAD has whole seconds", async () => {
    const world = createWorld();
    world.upload("r-1");
    const [bare] = await listed(managerOf(world.dependencies.store));
    const objects = bare?.objects.map((object) => ({ ...object, lastModified: object.lastModified + 999 }));
    const given = [storageListing("large", "r-1", objects ?? [], NOW)];
    const { results } = await extracted(world, { given }, { list: () => Promise.reject(REFUSED) });
    expect(results).toMatchObject([{ outcome: "extracted", listing: given[0] }]);
  });

  test("that is listed again is treated as any other", async () => {
    const post = JSON.stringify({ ...JSON.parse(POST), status: "abnormal" });
    const jobs: JobLookup = { jobsOf: async () => jobsThatSay({ unknown: "timeout" }, "r-1") };
    const { results } = await afterwards((world) => world.upload("r-1", { "post-job-metrics.json": post }), { jobs });
    expect(results).toMatchObject([{ metrics: { postJob: { status: "abnormal" } }, job: { unknown: "timeout" } }]);
  });

  test.each(Object.entries(FILES))(
    "is listed again if its %s was uploaded again, byte for byte",
    async (file, content) => {
      const { given, results, prefixes } = await afterwards((world) => {
        world.clock.time += 1_000;
        world.upload("r-1", { [file]: content });
      });
      expect(results).toMatchObject([{ outcome: "extracted", listing: { listedAt: NOW + 1_000 } }]);
      expect(results).not.toMatchObject([{ listing: given[0] }]);
      expect(prefixes).toEqual(["runners/large/r-1/"]);
    },
  );

  test("has vanished if nothing of it is left", async () => {
    const { results, prefixes } = await afterwards((world) => {
      for (const key of world.keys("runners/")) world.s3.deleteObject("metrics", key);
    });
    expect(results).toStrictEqual([{ outcome: "vanished" }]);
    expect(prefixes).toEqual(["runners/large/r-1/"]);
  });

  test("is deferred if it can't be listed again", async () => {
    const { results } = await afterwards(
      (world) => world.upload("r-1", { "post-job-metrics.json": "{" }),
      {},
      { list: () => Promise.reject(REFUSED) },
    );
    expect(results).toStrictEqual([{ outcome: "deferred", reason: "failed", cause: REFUSED }]);
  });
});
