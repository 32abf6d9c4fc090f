import { describe, expect, test } from "vitest";
import { ENDED_UNKNOWN_REASONS, type GithubReason, type QuarantineReason } from "../../contract/reasons.ts";
import type { JobAnswer } from "../../functions/domain/verify-job.ts";
import type { RunnerResult } from "../../functions/run/extract.ts";
import type { BatchReport } from "../../functions/run/publish-and-delete.ts";
import {
  accessDenied,
  addBatch,
  addEnded,
  addErrors,
  addListing,
  emptySummary,
  type Summary,
  violatedInvariants,
} from "../../functions/run/summary.ts";
import { storageListing } from "../../functions/storage/storage-listing.ts";
import { createWorld, FILES } from "../worlds/memory.ts";

const EMPTY = emptySummary("large");
const NO_ANSWERS = { accepted: 0, failed: 0 };
const NOBODY = { count: 0, oldestSeconds: 0 };
const LISTING = storageListing("large", "r-1", [], 0);
const CLAIM = { timestamp: 1, workflow: "CI", workflow_run_id: "1", repository: "acme/widgets", event: "push" };

/** The summary of a run with one batch. */
function summaryOf(report: Partial<BatchReport>, before: Summary = EMPTY): Summary {
  const nothing = { results: [], events: [], archived: [], deletes: [], lostThenStopped: 0, errors: [] };
  return addBatch(before, { ...nothing, ...report });
}

/** A runner that did a job, and what GitHub said of it. */
function extracted(job?: JobAnswer, program?: string): RunnerResult {
  const metrics = { kind: "metrics", storage: "r-1", preJob: { ...CLAIM, program }, files: {} } as const;
  return { outcome: "extracted", listing: LISTING, isLost: false, metrics, job };
}

const WITHOUT_JOB: RunnerResult = {
  outcome: "extracted",
  listing: LISTING,
  isLost: false,
  metrics: { kind: "metrics", storage: "r-1", installedTimestamp: 1, files: {} },
  job: undefined,
};

function quarantined(reason: QuarantineReason, storage = "r-1"): RunnerResult {
  const quarantine = { storage, reason, id: "0", prefix: `quarantine/large/${storage}/0/`, objects: 4, bytes: 300 };
  return { outcome: "quarantined", listing: LISTING, quarantine, file: undefined };
}

const notReady = (state: "installing" | "idle" | "busy", since: number, listedAt: number): RunnerResult => ({
  outcome: "notReady",
  live: { state, since },
  listedAt,
});

const SUMMARY = { ...emptySummary("large"), listed: 3, extracted: 1, quarantined: 1, deferred: 1 };
const LAWFUL: Summary = {
  ...SUMMARY,
  quarantineReasons: { ...SUMMARY.quarantineReasons, "invalid-key": 1 },
  deferralReasons: { ...SUMMARY.deferralReasons, changed: 1 },
  events: { ...SUMMARY.events, MetricsQuarantined: { accepted: 1, failed: 0 } },
  objects: { ...SUMMARY.objects, deleted: 8 },
};

test("a run's own summary violates no invariant", async () => {
  const world = createWorld();
  world.upload("r-1");
  world.upload("r-2", { "post-job-metrics.json": "{" });
  expect(violatedInvariants(await world.run())).toEqual([]);
  expect(violatedInvariants(LAWFUL)).toEqual([]);
});

test.each([
  { extracted: 1 },
  { incomplete: 1 },
  {
    quarantined: 1,
    quarantineReasons: { ...EMPTY.quarantineReasons, "invalid-key": 1 },
    // Published, but the delete of another try failed.
    events: { ...EMPTY.events, MetricsQuarantined: { accepted: 2, failed: 0 } },
  },
  { deferred: 1, deferralReasons: { ...EMPTY.deferralReasons, leftover: 1 } },
])("a run may delete objects of a single storage of this kind: %o", (changes) => {
  expect(violatedInvariants({ ...EMPTY, listed: 1, objects: LAWFUL.objects, ...changes })).toEqual([]);
});

test("deleted objects of a storage that was deferred for another reason violate an invariant", () => {
  const deferralReasons = { ...EMPTY.deferralReasons, changed: 1 };
  const summary: Summary = { ...EMPTY, listed: 1, deferred: 1, deferralReasons, objects: LAWFUL.objects };
  expect(violatedInvariants(summary)).toHaveLength(1);
});

test.each<[string, Partial<Summary>, string]>([
  ["a storage without an outcome", { listed: 4 }, "every listed storage has one outcome"],
  ["a storage with two outcomes", { incomplete: 1 }, "every listed storage has one outcome"],
  [
    "a quarantine without a reason",
    { quarantineReasons: SUMMARY.quarantineReasons },
    "every quarantine has one reason",
  ],
  ["a deferral without a reason", { deferralReasons: SUMMARY.deferralReasons }, "every deferral has one reason"],
  ["a quarantine that was not published", { events: SUMMARY.events }, "every quarantine was published"],
  [
    "deleted objects but no runner that they belong to",
    { ...emptySummary("large"), objects: LAWFUL.objects },
    "objects are deleted only for extracted, incomplete or quarantined runners, and leftovers",
  ],
  [
    "more quarantines than were published",
    {
      ...emptySummary("large"),
      listed: 2,
      quarantined: 2,
      quarantineReasons: { ...SUMMARY.quarantineReasons, "invalid-key": 2 },
      events: LAWFUL.events,
    },
    "every quarantine was published",
  ],
])("a summary with %s violates that invariant, and no other", (_, changes, law) => {
  expect(violatedInvariants({ ...LAWFUL, ...changes })).toEqual([law]);
});

describe("a summary of a run that has done nothing yet", () => {
  test("has every number that a run counts, at 0", () => {
    expect(emptySummary("large")).toStrictEqual({
      flavor: "large",
      listed: 0,
      extracted: 0,
      incomplete: 0,
      quarantined: 0,
      excluded: 0,
      notReady: 0,
      deferred: 0,
      vanished: 0,
      handedOver: 0,
      strays: 0,
      live: { installing: NOBODY, idle: NOBODY, busy: NOBODY },
      quarantineReasons: {
        "invalid-key": 0,
        "too-many-objects": 0,
        "file-too-large": 0,
        "unreadable-object": 0,
        "invalid-encoding": 0,
        "invalid-json": 0,
        "invalid-schema": 0,
        "invalid-timestamp": 0,
        "timestamp-in-future": 0,
        "job-mismatch": 0,
      },
      deferralReasons: { changed: 0, leftover: 0, deadline: 0, denied: 0, failed: 0, unpublished: 0, unarchived: 0 },
      programs: {},
      verifications: { verified: 0, unverified: 0, mismatch: 0 },
      jobMetricsUnknown: {
        "not-configured": 0,
        "owner-not-allowed": 0,
        "no-credentials": 0,
        "unreadable-credentials": 0,
        "untrusted-certificate": 0,
        denied: 0,
        "rate-limited": 0,
        timeout: 0,
        unavailable: 0,
        redirected: 0,
        "invalid-answer": 0,
        "time-budget": 0,
        "request-budget": 0,
        "too-many-pages": 0,
        "not-found": 0,
        "job-not-found": 0,
        contradicted: 0,
        "no-value": 0,
      },
      events: {
        RunnerInstalled: NO_ANSWERS,
        RunnerStart: NO_ANSWERS,
        RunnerStop: NO_ANSWERS,
        RunnerLost: NO_ANSWERS,
        RunnerInstallFailed: NO_ANSWERS,
        RunnerNeverUsed: NO_ANSWERS,
        MetricsQuarantined: NO_ANSWERS,
      },
      lostThenStopped: 0,
      archive: { events: 0, objects: 0, failed: 0 },
      objects: { deleted: 0, gone: 0, changed: 0, denied: 0, failed: 0 },
      stopped: "done",
      quarantines: [],
      errors: [],
    });
  });

  test("says why GitHub did not name the runners that are online", () => {
    expect(emptySummary("large", "timeout")).toStrictEqual({ ...EMPTY, runnersUnknown: "timeout" });
  });
});

describe("a summary says how far the listing came", () => {
  const done = { listed: 3, strays: 2, stopped: "done", isAliveContradicted: false } as const;
  const failure = new Error("no");

  test.each([
    ["to its end", done, { listed: 3, strays: 2 }],
    ["until it failed", { ...done, stopped: "listing-failed", failure } as const, { errors: ["Error: no"] }],
    ["and that uploads contradict GitHub", { ...done, isAliveContradicted: true }, { runnersUnknown: "contradicted" }],
  ] as const)("%s", (_, report, said) => {
    const { stopped } = report;
    expect(addListing(EMPTY, report)).toStrictEqual({ ...EMPTY, listed: 3, strays: 2, stopped, ...said });
  });
});

test.each([
  ["is complete", undefined, {}],
  ["has a failure", { reason: "failed", failure: new TypeError("no") }, ["TypeError: no"]],
  ["has no failure", { reason: "too-many" }, [`Error: ${ENDED_UNKNOWN_REASONS["too-many"]}`]],
] as const)("what is known of ended instances %s, and the summary says so", (_, unknown, errors) => {
  const summary = addEnded(EMPTY, unknown);
  expect(summary).toStrictEqual(unknown ? { ...EMPTY, endedUnknown: unknown.reason, errors } : EMPTY);
});

describe("of a batch, a summary counts", () => {
  test("nothing if there was nothing", () => {
    expect(summaryOf({})).toStrictEqual(EMPTY);
  });

  test("each storage by its outcome, and each deferral by its reason", () => {
    const cause = new Error("no");
    const results: RunnerResult[] = [
      WITHOUT_JOB,
      { outcome: "incomplete", listing: LISTING, isLost: false, installation: undefined },
      { outcome: "excluded", live: undefined, listedAt: 0 },
      { outcome: "notReady", live: undefined, listedAt: 0 },
      { outcome: "notReady", live: undefined, listedAt: 0 },
      { outcome: "vanished" },
      { outcome: "handedOver", handedOver: LISTING },
      { outcome: "deferred", reason: "failed", cause },
      { outcome: "deferred", reason: "leftover", listing: LISTING },
      { outcome: "deferred", reason: "changed" },
    ];
    const once = summaryOf({ results });
    expect(once).toStrictEqual({
      ...EMPTY,
      extracted: 1,
      incomplete: 1,
      excluded: 1,
      notReady: 2,
      vanished: 1,
      handedOver: 1,
      deferred: 3,
      deferralReasons: { ...EMPTY.deferralReasons, failed: 1, leftover: 1, changed: 1 },
      errors: ["Error: no"],
    });
    const { deferralReasons, ...twice } = summaryOf({ results }, once);
    expect(deferralReasons).toEqual({ ...EMPTY.deferralReasons, failed: 2, leftover: 2, changed: 2 });
    expect(twice).toMatchObject({ extracted: 2, incomplete: 2, notReady: 4, vanished: 2, handedOver: 2, deferred: 6 });
  });

  test("each quarantine by its reason, and describes it", () => {
    const results = [quarantined("invalid-json", "AROA:i-1~01"), quarantined("invalid-key", "r-2")];
    const described = [
      { runner_name: "i-1", reason: "invalid-json", quarantine_prefix: "quarantine/large/AROA:i-1~01/0/" },
      { runner_name: "r-2", reason: "invalid-key", quarantine_prefix: "quarantine/large/r-2/0/" },
    ] as const;
    const once = summaryOf({ results });
    expect(once).toStrictEqual({
      ...EMPTY,
      quarantined: 2,
      quarantineReasons: { ...EMPTY.quarantineReasons, "invalid-json": 1, "invalid-key": 1 },
      quarantines: described,
    });
    expect(summaryOf({ results }, once)).toMatchObject({
      quarantineReasons: { "invalid-json": 2, "invalid-key": 2 },
      quarantines: [...described, ...described],
    });
  });

  test("runners that live by their state, with the age of the oldest", () => {
    const results: RunnerResult[] = [
      notReady("idle", 5_000, 9_500),
      notReady("idle", 8_000, 10_000),
      { ...notReady("busy", 1_000, 2_000), outcome: "excluded" } as RunnerResult,
      // Two answers of S3 may come from two clocks.
      notReady("installing", 7_000, 4_000),
    ];
    const once = summaryOf({ results });
    expect(once.live).toEqual({
      installing: { count: 1, oldestSeconds: 0 },
      idle: { count: 2, oldestSeconds: 4.5 },
      busy: { count: 1, oldestSeconds: 1 },
    });
    expect(summaryOf({ results: [notReady("busy", 0, 3_000)] }, once).live).toEqual({
      ...once.live,
      busy: { count: 2, oldestSeconds: 3 },
    });
  });

  test("events by type and answer, deletes by S3's answer, and what the archive stored", () => {
    const deletes = { deleted: 4, gone: 1, changed: 2, denied: 0, failed: 5 };
    const report: Partial<BatchReport> = {
      events: [
        { type: "RunnerStart", result: "accepted" },
        { type: "RunnerStart", result: "accepted" },
        { type: "RunnerStart", result: "failed" },
        { type: "RunnerLost", result: "failed" },
      ],
      deletes: [deletes, { ...deletes, denied: 3 }],
      archived: [
        { events: 7, isStored: true },
        { events: 2, isStored: true },
        { events: 30, isStored: false },
      ],
      lostThenStopped: 1,
      errors: [new Error("no"), "a text"],
    };
    const once = summaryOf(report);
    expect(once).toStrictEqual({
      ...EMPTY,
      events: { ...EMPTY.events, RunnerStart: { accepted: 2, failed: 1 }, RunnerLost: { accepted: 0, failed: 1 } },
      objects: { deleted: 8, gone: 2, changed: 4, denied: 3, failed: 10 },
      archive: { events: 9, objects: 2, failed: 1 },
      lostThenStopped: 1,
      errors: ["Error: no", "Error: a text"],
    });
    expect(summaryOf(report, once)).toStrictEqual({
      ...EMPTY,
      events: { ...EMPTY.events, RunnerStart: { accepted: 4, failed: 2 }, RunnerLost: { accepted: 0, failed: 2 } },
      objects: { deleted: 16, gone: 4, changed: 8, denied: 6, failed: 20 },
      archive: { events: 18, objects: 4, failed: 2 },
      lostThenStopped: 2,
      errors: ["Error: no", "Error: a text"],
    });
  });

  test.each<[string, RunnerResult, Partial<Summary["verifications"]>, GithubReason | undefined]>([
    ["that GitHub confirms", extracted({ queue_duration: 0, conclusion: "success" }), { verified: 1 }, undefined],
    ["whose queue time GitHub lacks", extracted({ conclusion: "success" }), { verified: 1 }, "no-value"],
    ["that GitHub has not concluded", extracted({ queue_duration: 0 }), { verified: 1 }, "no-value"],
    ["about which GitHub did not answer", extracted({ unknown: "timeout" }), { unverified: 1 }, "timeout"],
    ["that GitHub denies", extracted({ unknown: "job-not-found", isMismatch: true }), { mismatch: 1 }, "job-not-found"],
    ["about which GitHub was not asked", extracted(), { unverified: 1 }, "not-configured"],
    ["that is none", WITHOUT_JOB, {}, undefined],
    ["that GitHub denies, if that is quarantined", quarantined("job-mismatch"), { mismatch: 1 }, undefined],
    ["in a storage that is corrupt", quarantined("invalid-json"), {}, undefined],
  ])("for a job %s what the claim is worth, and why a value is missing", (_, result, worth, unknown) => {
    const { verifications, jobMetricsUnknown } = summaryOf({ results: [result] });
    expect(verifications).toEqual({ ...EMPTY.verifications, ...worth });
    expect(jobMetricsUnknown).toEqual({ ...EMPTY.jobMetricsUnknown, ...(unknown && { [unknown]: 1 }) });
    const { verifications: twice, jobMetricsUnknown: twiceUnknown } = summaryOf({ results: [result, result] });
    expect(twice).toEqual({
      ...EMPTY.verifications,
      ...Object.fromEntries(Object.keys(worth).map((name) => [name, 2])),
    });
    expect(twiceUnknown).toEqual({ ...EMPTY.jobMetricsUnknown, ...(unknown && { [unknown]: 2 }) });
  });
});

describe("the programs of runners with a job", () => {
  const programsOf = (...programs: (string | undefined)[]) =>
    summaryOf({ results: programs.map((program) => extracted(undefined, program)) }).programs;

  test.each(["runner-metrics/0.2.0", "runner-metrics/1234.5678.9012"])("%s is named", (program) => {
    expect(programsOf(program)).toEqual({ [program]: 1 });
  });

  test.each([
    undefined,
    "",
    "runner-metrics/0.2",
    "runner-metrics/0.2.0-beta",
    "my-runner-metrics/0.2.0",
    "runner-metrics/12345.2.0",
    "runner-metrics/0.12345.0",
    "runner-metrics/0.2.12345",
    "runner-metrics/.2.0",
    "runner-metrics/0.x.0",
  ])("%o is other", (program) => {
    expect(programsOf(program)).toEqual({ other: 1 });
  });

  test("are ten by name, the first ones; later ones are other", () => {
    const versions = Array.from({ length: 12 }, (_, number) => `runner-metrics/0.0.${number}`);
    const firstTen = Object.fromEntries(versions.slice(0, 10).map((version) => [version, 1]));
    expect(programsOf(...versions)).toEqual({ ...firstTen, other: 2 });
    expect(programsOf(...versions, "runner-metrics/0.0.3")).toEqual({
      ...firstTen,
      "runner-metrics/0.0.3": 2,
      other: 2,
    });
  });

  test("are not counted where there was no job", () => {
    expect(summaryOf({ results: [WITHOUT_JOB, quarantined("invalid-json")] }).programs).toEqual({});
  });
});

test("a summary counts the programs of runners by version, and bounds what a runner can write there", async () => {
  const world = createWorld();
  const job = JSON.parse(FILES["pre-job-metrics.json"]);
  const upload = (name: string, program?: string) =>
    world.upload(name, { ...FILES, "pre-job-metrics.json": JSON.stringify({ ...job, program }) });
  upload("r-1", "runner-metrics/0.2.0");
  upload("r-2", "runner-metrics/0.2.0");
  upload("r-3");
  upload("r-4", "curl\u2060/1");
  upload("r-5", "__proto__");
  expect((await world.run()).programs).toEqual({ "runner-metrics/0.2.0": 2, other: 3 });
  for (let number = 0; number < 40; number++) upload(`evil-${number}`, `runner-metrics/0.0.${number}`);
  const { programs } = await world.run();
  expect(Object.keys(programs).length).toBeLessThanOrEqual(11);
  expect(Object.values(programs).reduce((sum, count) => sum + count, 0)).toBe(40);
});

test("errors are noted once, shortened, and 20 at most", () => {
  const long = new Error("x".repeat(1_000));
  const { errors } = addErrors(addErrors(emptySummary("large"), [long, long]), [long]);
  expect(errors).toEqual([`Error: ${"x".repeat(293)}`]);
  const many = Array.from({ length: 30 }, (_, number) => new Error(String(number)));
  expect(addErrors(emptySummary("large"), many).errors).toHaveLength(20);
});

test("quarantines are described 20 at most, and all counted", async () => {
  const world = createWorld();
  for (let number = 0; number < 30; number++) world.upload(`r-${number}`, { ...FILES, "pre-job-metrics.json": "{" });
  const { quarantined, quarantines } = await world.run();
  expect([quarantined, quarantines.length]).toEqual([30, 20]);
});

test("access was denied as often as to a storage, an object that is to be deleted, and the ended instances", () => {
  const { deferralReasons, objects } = SUMMARY;
  const denied: Summary = {
    ...SUMMARY,
    deferralReasons: { ...deferralReasons, denied: 2 },
    objects: { ...objects, denied: 3 },
    endedUnknown: "denied",
  };
  expect([accessDenied(SUMMARY), accessDenied(denied)]).toEqual([0, 6]);
});
