import { expect, test } from "vitest";
import { createSummary, isBalanced, type Summary } from "../functions/summary.ts";
import { createWorld } from "./harness.ts";

const SUMMARY = { ...createSummary("large"), listed: 3, extracted: 1, quarantined: 1, deferred: 1 };
const BALANCED: Summary = {
  ...SUMMARY,
  quarantineReasons: { ...SUMMARY.quarantineReasons, "invalid-key": 1 },
  deferralReasons: { ...SUMMARY.deferralReasons, changed: 1 },
  events: { ...SUMMARY.events, MetricsQuarantined: { accepted: 1, failed: 0 } },
  objects: { ...SUMMARY.objects, deleted: 8 },
};

test("a run's own summary balances", async () => {
  const world = createWorld();
  world.upload("r-1");
  world.upload("r-2", { "post-job-metrics.json": "{" });
  expect(isBalanced(await world.run())).toBe(true);
  expect(isBalanced(BALANCED)).toBe(true);
});

test.each<[string, Partial<Summary>]>([
  ["a storage without an outcome", { listed: 4 }],
  ["a storage with two outcomes", { incomplete: 1 }],
  ["a quarantine without a reason", { quarantineReasons: SUMMARY.quarantineReasons }],
  ["a deferral without a reason", { deferralReasons: SUMMARY.deferralReasons }],
  ["a quarantine that was not made known", { events: SUMMARY.events }],
  ["objects deleted of nobody", { ...createSummary("large"), objects: BALANCED.objects }],
])("a summary with %s does not balance", (_, changes) => {
  expect(isBalanced({ ...BALANCED, ...changes })).toBe(false);
});
