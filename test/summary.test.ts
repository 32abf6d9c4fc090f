import { expect, test } from "vitest";
import { brokenLaws, count, createSummary, type Summary } from "../functions/summary.ts";
import { createWorld } from "./harness.ts";

const SUMMARY = { ...createSummary("large"), listed: 3, extracted: 1, quarantined: 1, deferred: 1 };
const LAWFUL: Summary = {
  ...SUMMARY,
  quarantineReasons: { ...SUMMARY.quarantineReasons, "invalid-key": 1 },
  deferralReasons: { ...SUMMARY.deferralReasons, changed: 1 },
  events: { ...SUMMARY.events, MetricsQuarantined: { accepted: 1, failed: 0 } },
  objects: { ...SUMMARY.objects, deleted: 8 },
};

test("a run's own summary obeys the laws", async () => {
  const world = createWorld();
  world.upload("r-1");
  world.upload("r-2", { "post-job-metrics.json": "{" });
  expect(brokenLaws(await world.run())).toEqual([]);
  expect(brokenLaws(LAWFUL)).toEqual([]);
});

test.each<[string, Partial<Summary>, string]>([
  ["a storage without an outcome", { listed: 4 }, "every storage that was listed has one outcome"],
  ["a storage with two outcomes", { incomplete: 1 }, "every storage that was listed has one outcome"],
  [
    "a quarantine without a reason",
    { quarantineReasons: SUMMARY.quarantineReasons },
    "every quarantine has one reason",
  ],
  ["a deferral without a reason", { deferralReasons: SUMMARY.deferralReasons }, "every deferral has one reason"],
  ["a quarantine that was not made known", { events: SUMMARY.events }, "every quarantine was made known"],
  [
    "objects deleted of nobody",
    { ...createSummary("large"), objects: LAWFUL.objects },
    "nothing was deleted of nobody",
  ],
])("a summary with %s breaks the law that says so, and no other", (_, changes, law) => {
  expect(brokenLaws({ ...LAWFUL, ...changes })).toEqual([law]);
});

test("a mismatch counts as one whether its runner was flagged or quarantined", () => {
  const summary = createSummary("large");
  const quarantine = { storage: "r-1", id: "0", prefix: "quarantine/large/r-1/0/", objects: 4, bytes: 300 };
  const listing = { name: "r-1", prefix: "runners/large/r-1/", objects: [] };
  count(summary, { outcome: "quarantined", listing, quarantine: { ...quarantine, reason: "job-mismatch" } });
  count(summary, { outcome: "quarantined", listing, quarantine: { ...quarantine, reason: "invalid-json" } });
  expect(summary.verifications).toEqual({ verified: 0, unverified: 0, mismatch: 1 });
});
