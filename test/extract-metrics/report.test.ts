/** Which metrics a run writes, and with which values. */
import { expect, test } from "vitest";
import { namesOf } from "../../contract/reasons.ts";
import { RUN_METRICS } from "../../contract/run-metrics.ts";
import { logLines, metricsOf, metricsOfWorker } from "../../functions/extract-metrics/report.ts";
import { emptySummary, type Summary } from "../../functions/run/summary.ts";

const EMPTY = emptySummary("large");
const valuesOf = (summary: Summary) => new Map(metricsOf(summary, 1_500).map(({ name, value }) => [name, value]));

/** The summary with every number replaced. */
function withNumbers<Value>(value: Value, number: number): Value {
  if (typeof value === "number") return number as Value;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withNumbers(inner, number)])) as Value;
}

test("each metric in the list is written by a run or a worker in which everything happened", () => {
  const everything: Summary = {
    ...withNumbers(EMPTY, 1),
    github: { requests: 1, rateLimited: 1, statuses: {}, rateLimit: { limit: 1, remaining: 1 } },
    runnersUnknown: "timeout",
    endedUnknown: "denied",
    stopped: "deadline",
  };
  const written = [...metricsOf(everything, 1), ...metricsOfWorker(everything, 1)].map(({ name }) => name);
  expect(new Set(written)).toEqual(new Set(namesOf(RUN_METRICS)));
});

test("an empty run writes those that every run writes, and its duration in milliseconds", () => {
  const always = namesOf(RUN_METRICS).filter((name) => RUN_METRICS[name].always);
  expect(new Set(valuesOf(EMPTY).keys())).toEqual(new Set(always.filter((name) => !name.startsWith("Github"))));
  expect(metricsOf(EMPTY, 1_500)).toContainEqual({ name: "RunDuration", unit: "Milliseconds", value: 1_500 });
});

test("objects that were denied to us and those that S3 failed to delete are not deleted", () => {
  const objects = { ...EMPTY.objects, denied: 2, failed: 3 };
  expect(valuesOf({ ...EMPTY, objects }).get("ObjectsNotDeleted")).toBe(5);
});

test("a run logs its summary, and an error that names the rule if it violated one", () => {
  const details = { summary: EMPTY, durationMilliseconds: 7 };
  expect(logLines(EMPTY, 7, "run")).toEqual([{ level: "info", message: "run", details }]);
  const [, error, ...others] = logLines({ ...EMPTY, listed: 1 }, 7, "worker");
  expect(others).toEqual([]);
  expect(error).toEqual({
    level: "error",
    message: "The run violated an invariant: this is a bug",
    details: { violatedInvariants: ["every listed storage has one outcome"], summary: { ...EMPTY, listed: 1 } },
  });
});

test("a rule that a run violated is counted", () => {
  expect(valuesOf(EMPTY).has("InvariantViolated")).toBe(false);
  expect(valuesOf({ ...EMPTY, listed: 1 }).get("InvariantViolated")).toBe(1);
});

/** What every run writes, with the values of an empty one. */
const ALWAYS = [
  { name: "RunDuration", unit: "Milliseconds", value: 1_500 },
  { name: "DeadlineReached", unit: "Count", value: 0 },
  { name: "ObjectsNotDeleted", unit: "Count", value: 0 },
  { name: "Runners.extracted", unit: "Count", value: 0 },
  { name: "Runners.deferred", unit: "Count", value: 0 },
  { name: "Live.installing", unit: "Count", value: 0 },
  { name: "Live.idle", unit: "Count", value: 0 },
  { name: "Live.busy", unit: "Count", value: 0 },
];
const sorted = <Value extends { readonly name: string }>(values: readonly Value[]) =>
  values.toSorted((a, b) => (a.name < b.name ? -1 : 1));
const without = (...names: string[]) => ALWAYS.filter(({ name }) => !names.includes(name));

/** A run in which everything happened, each thing another number of times. */
const BUSY: Summary = {
  ...EMPTY,
  listed: 10,
  extracted: 1,
  deferred: 2,
  quarantined: 3,
  notReady: 4,
  strays: 5,
  lostThenStopped: 6,
  stopped: "deadline",
  endedUnknown: "denied",
  objects: { ...EMPTY.objects, denied: 7, failed: 8, deleted: 9 },
  quarantineReasons: { ...EMPTY.quarantineReasons, "invalid-json": 3 },
  deferralReasons: { ...EMPTY.deferralReasons, denied: 2 },
  events: { ...EMPTY.events, MetricsQuarantined: { accepted: 3, failed: 0 } },
  live: { ...EMPTY.live, idle: { count: 10, oldestSeconds: 11.5 } },
};

/** What it did to storages, which a worker does too. */
const OF_STORAGES = [
  { name: "StrayObjects", unit: "Count", value: 5 },
  { name: "ObjectsNotDeleted", unit: "Count", value: 15 },
  { name: "LostThenStopped", unit: "Count", value: 6 },
  { name: "EndedInstancesUnknown", unit: "Count", value: 1 },
  { name: "AccessDenied", unit: "Count", value: 10 },
  { name: "Runners.extracted", unit: "Count", value: 1 },
  { name: "Runners.deferred", unit: "Count", value: 2 },
  { name: "Runners.quarantined", unit: "Count", value: 3 },
  { name: "Runners.notReady", unit: "Count", value: 4 },
  { name: "Quarantined.invalid-json", unit: "Count", value: 3 },
  { name: "Deferred.denied", unit: "Count", value: 2 },
];

test("a run writes those of the others that are not 0", () => {
  const names = ["DeadlineReached", "ObjectsNotDeleted", "Runners.extracted", "Runners.deferred", "Live.idle"];
  expect(sorted(metricsOf(BUSY, 1_500))).toEqual(
    sorted([
      ...without(...names),
      { name: "DeadlineReached", unit: "Count", value: 1 },
      ...OF_STORAGES,
      { name: "Live.idle", unit: "Count", value: 10 },
      { name: "OldestSeconds.idle", unit: "Seconds", value: 11.5 },
    ]),
  );
});

test("a worker writes those that are not 0 and do not describe the whole flavor, and its own duration", () => {
  expect(sorted(metricsOfWorker(BUSY, 1_500))).toEqual(
    sorted([{ name: "WorkerDuration", unit: "Milliseconds", value: 1_500 }, ...OF_STORAGES]),
  );
  expect(metricsOfWorker(EMPTY, 0)).toEqual([{ name: "WorkerDuration", unit: "Milliseconds", value: 0 }]);
});

test("with GitHub a run writes what the calls cost and what they said, and what is left of the limit also where it is 0", () => {
  const github = { requests: 0, rateLimited: 0, statuses: {}, rateLimit: { limit: 5_000, remaining: 0 } };
  const nothing = [
    ...ALWAYS,
    { name: "GithubRunnersUnknown", unit: "Count", value: 0 },
    { name: "GithubRateLimitRemaining", unit: "Count", value: 0 },
  ];
  expect(sorted(metricsOf({ ...EMPTY, github }, 1_500))).toEqual(sorted(nothing));
  const summary: Summary = {
    ...EMPTY,
    github: { requests: 3, rateLimited: 2, statuses: { 200: 1 } },
    runnersUnknown: "timeout",
    verifications: { verified: 4, unverified: 5, mismatch: 6 },
    jobMetricsUnknown: { ...EMPTY.jobMetricsUnknown, denied: 7 },
  };
  expect(sorted(metricsOf(summary, 1_500))).toEqual(
    sorted([
      ...ALWAYS,
      { name: "GithubRequests", unit: "Count", value: 3 },
      { name: "GithubRateLimited", unit: "Count", value: 2 },
      { name: "GithubRunnersUnknown", unit: "Count", value: 1 },
      { name: "Verification.verified", unit: "Count", value: 4 },
      { name: "Verification.unverified", unit: "Count", value: 5 },
      { name: "Verification.mismatch", unit: "Count", value: 6 },
      { name: "JobMetricsUnknown.denied", unit: "Count", value: 7 },
    ]),
  );
});

test("without GitHub a run writes nothing of it, whatever the events say", () => {
  const jobMetricsUnknown = { ...EMPTY.jobMetricsUnknown, "not-configured": 7 };
  expect(sorted(metricsOf({ ...EMPTY, jobMetricsUnknown }, 1_500))).toEqual(sorted(ALWAYS));
});
