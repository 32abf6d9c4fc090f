import { expect, test } from "vitest";
import type { LogLine } from "../../../cli/stack/operations.ts";
import { checkStack } from "../../../cli/stack/status.ts";
import { emptySummary } from "../../../functions/run/summary.ts";
import { healthyStack, NOW, runLine } from "./operations.ts";

const OUTPUTS = {
  BucketName: "b",
  FunctionName: "f",
  FunctionLogGroupName: "l",
  EventLogGroupName: "e",
  ScheduleGroupName: "s",
  DeadLetterQueueUrl: "q",
  AlarmTopicArn: "arn:aws:sns:us-east-1:111111111111:t",
};
const wrong = async (...args: Parameters<typeof checkStack>) =>
  (await checkStack(...args)).filter(({ ok }) => !ok).map(({ check }) => check);
const logOf = (...lines: LogLine[]) => ({
  logLines: async function* () {
    yield* lines;
  },
});

test("nothing is wrong with a healthy stack", async () => {
  expect(await wrong(OUTPUTS, healthyStack(), NOW)).toEqual([]);
});

test.each([
  ["no run in three intervals", logOf(runLine(NOW - 16 * 60_000, {})), ["last run large"]],
  ["no run at all", logOf(), ["last run large"]],
  [
    "a disabled schedule",
    { schedules: async () => [{ isEnabled: false, everyMinutes: 5, input: { flavor: "large" } }] },
    ["schedule large"],
  ],
  ["an unconfirmed e-mail", { subscriptions: async () => ({ confirmed: 0, pending: 1 }) }, ["alarm e-mail"]],
  ["nobody subscribed", { subscriptions: async () => ({ confirmed: 0, pending: 0 }) }, ["alarm e-mail"]],
  ["a dead letter", { deadLetterCount: async () => 1 }, ["dead-letter queue"]],
  ["an alarm", { alarms: async () => [{ name: "Deferred", state: "ALARM" }] }, ["alarms"]],
  [
    "a denied runner",
    logOf(runLine(NOW - 1_000, { deferred: 1, deferralReasons: { ...emptySummary("x").deferralReasons, denied: 1 } })),
    ["result large"],
  ],
  [
    "a revoked token",
    logOf(
      runLine(NOW - 1_000, {
        github: { requests: 1, rateLimited: 0, statuses: {} },
        jobMetricsUnknown: { ...emptySummary("x").jobMetricsUnknown, "no-credentials": 1 },
      }),
    ),
    ["GitHub large"],
  ],
  [
    "a check that may not be made",
    {
      alarms: async () => {
        throw new Error("AccessDenied");
      },
    },
    ["alarms"],
  ],
])("%s is wrong, and only that", async (_, changes, expected) => {
  const checks = await checkStack(OUTPUTS, healthyStack(changes), NOW);
  expect(checks.filter(({ ok }) => !ok).map(({ check }) => check)).toEqual(expected);
  for (const { ok, fix } of checks) expect(ok).toBe(fix === undefined);
});

test("with workers, it says how many messages wait, and how many runners the last run handed over", async () => {
  const changes = { workCount: async () => 7, ...logOf(runLine(NOW - 1_000, { listed: 9, handedOver: 9 })) };
  const checks = await checkStack(OUTPUTS, healthyStack(changes), NOW);
  expect(checks.find(({ check }) => check === "workers")).toMatchObject({
    ok: true,
    found: expect.stringContaining("7"),
  });
  expect(checks.find(({ check }) => check === "uncollected large")?.found).toContain("handed over to workers 9");
  const without = await checkStack(OUTPUTS, healthyStack(), NOW);
  expect(without.map(({ check }) => check)).not.toContain("workers");
});

test("a missing output is wrong", async () => {
  const { DeadLetterQueueUrl: _, ...rest } = OUTPUTS;
  expect(await wrong(rest, healthyStack(), NOW)).toEqual(["outputs"]);
});
