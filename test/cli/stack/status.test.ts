import { expect, test } from "vitest";
import type { LogLine } from "../../../cli/stack/operations.ts";
import { checkStack } from "../../../cli/stack/status.ts";
import { DEFERRAL_REASONS } from "../../../contract/reasons.ts";
import { emptySummary } from "../../../functions/run/summary.ts";
import packageJson from "../../../package.json" with { type: "json" };
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

const NOT_ASKED = emptySummary("x").jobMetricsUnknown;
const REVOKED = {
  github: { requests: 1, rateLimited: 0, statuses: { 401: 1 } },
  jobMetricsUnknown: { ...NOT_ASKED, "no-credentials": 4 },
};

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
    "a run that may not list ended instances",
    logOf(runLine(NOW - 1_000, { endedUnknown: "denied" })),
    ["result large"],
  ],
  [
    "a token that was revoked before the last run, which had no job to ask about",
    logOf(
      runLine(NOW - 60_000, REVOKED),
      runLine(NOW - 1_000, { github: { requests: 0, rateLimited: 0, statuses: {} } }),
    ),
    ["GitHub large"],
  ],
  [
    "a denied runner",
    logOf(runLine(NOW - 1_000, { deferred: 1, deferralReasons: { ...emptySummary("x").deferralReasons, denied: 1 } })),
    ["result large"],
  ],
  ["a revoked token", logOf(runLine(NOW - 1_000, REVOKED)), ["result large", "GitHub large"]],
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

test("what is wrong comes with what to do about it, and not with a reference alone", async () => {
  const deferralReasons = { ...emptySummary("x").deferralReasons, denied: 2 };
  const errors = ["ServiceError: HEAD below runners/large/: AccessDenied (HTTP 403), needs s3:GetObject"];
  const changes = {
    ...logOf(runLine(NOW - 1_000, { ...REVOKED, deferred: 2, deferralReasons, errors })),
    alarms: async () => [
      { name: "S-AlarmsDeferredlarge1", state: "ALARM", section: "docs/operate/runbook.md#deferred" },
      { name: "S-AlarmsDeferredsmall2", state: "ALARM", section: "docs/operate/runbook.md#deferred" },
    ],
  };
  const checks = await checkStack(OUTPUTS, healthyStack(changes), NOW);
  const of = (name: string) => checks.find(({ check }) => check === name);
  expect(of("result large")?.found).toContain("needs s3:GetObject");
  expect(of("result large")?.fix).toContain(DEFERRAL_REASONS.denied.action);
  expect(of("GitHub large")?.found).toBe("no-credentials, jobs: 4, GitHub answered HTTP 401: 1");
  expect(of("alarms")?.fix).toBe("See docs/operate/runbook.md#deferred.");
  const unread = { ...REVOKED, github: { requests: 0, rateLimited: 0, statuses: {} } };
  const without = await checkStack(OUTPUTS, healthyStack(logOf(runLine(NOW - 1_000, unread))), NOW);
  expect(without.find(({ check }) => check === "GitHub large")?.found).toContain("not asked in this run");
});

test("it names the versions of the stack, of this command, and of the runners of the last runs", async () => {
  const ran = (at: number, programs: Record<string, number>) => runLine(at, { programs });
  const log = logOf(
    ran(NOW - 120_000, { "runner-metrics/0.1.0": 2 }),
    ran(NOW - 60_000, { "runner-metrics/0.1.0": 1, other: 1 }),
    ran(NOW - 1_000, {}),
  );
  const checks = await checkStack({ ...OUTPUTS, Version: "0.1.9" }, healthyStack(log), NOW);
  const found = Object.fromEntries(checks.map(({ check, found }) => [check, found]));
  expect(found.version).toBe(`stack 0.1.9, this command ${packageJson.version}`);
  expect(found["runner programs large"]).toBe("runner-metrics/0.1.0: 3, other: 1");
});
