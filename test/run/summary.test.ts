import { expect, test } from "vitest";
import {
  accessDenied,
  addBatch,
  addErrors,
  emptySummary,
  type Summary,
  violatedInvariants,
} from "../../functions/run/summary.ts";
import { storageListing } from "../../functions/storage/storage-listing.ts";
import { createWorld, FILES } from "../worlds/memory.ts";

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
])("a summary with %s violates that invariant, and no other", (_, changes, law) => {
  expect(violatedInvariants({ ...LAWFUL, ...changes })).toEqual([law]);
});

test("a mismatch counts as one whether its runner was flagged or quarantined", () => {
  const quarantine = { storage: "r-1", id: "0", prefix: "quarantine/large/r-1/0/", objects: 4, bytes: 300 };
  const listing = storageListing("large", "r-1", [], 0);
  const reasons = ["job-mismatch", "invalid-json"] as const;
  const results = reasons.map((reason) => ({
    outcome: "quarantined" as const,
    listing,
    quarantine: { ...quarantine, reason },
    file: undefined,
  }));
  const summary = addBatch(emptySummary("large"), {
    results,
    events: [],
    archived: [],
    deletes: [],
    lostThenStopped: 0,
    errors: [],
  });
  expect(summary.verifications).toEqual({ verified: 0, unverified: 0, mismatch: 1 });
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
