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
  expect(error).toMatchObject({
    level: "error",
    details: { violatedInvariants: ["every listed storage has one outcome"], summary: { listed: 1 } },
  });
});

test("a rule that a run violated is counted", () => {
  expect(valuesOf(EMPTY).has("InvariantViolated")).toBe(false);
  expect(valuesOf({ ...EMPTY, listed: 1 }).get("InvariantViolated")).toBe(1);
});
