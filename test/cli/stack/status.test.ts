import { describe, expect, test } from "vitest";
import type { LogLine, Operations } from "../../../cli/stack/operations.ts";
import { checkStack } from "../../../cli/stack/status.ts";
import { DEFERRAL_REASONS } from "../../../contract/reasons.ts";
import { emptySummary } from "../../../functions/run/summary.ts";
import { createS3Model } from "../../../local/s3.ts";
import packageJson from "../../../package.json" with { type: "json" };
import { modelBucket } from "../model-bucket.ts";
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
const BUCKET = "b";
/** Checks a stack whose bucket is this one, empty by default. */
const check = (outputs: Readonly<Record<string, string>>, operations: Operations, s3 = bucketAt(NOW)) =>
  checkStack(outputs, operations, async () => modelBucket(s3, BUCKET), NOW);
const wrong = async (...args: Parameters<typeof check>) =>
  (await check(...args)).filter(({ ok }) => !ok).map(({ check }) => check);
function bucketAt(now: number) {
  const s3 = createS3Model({ now: () => now });
  s3.createBucket(BUCKET);
  return s3;
}
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
  expect(await wrong(OUTPUTS, healthyStack())).toEqual([]);
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
  const checks = await check(OUTPUTS, healthyStack(changes));
  expect(checks.filter(({ ok }) => !ok).map(({ check }) => check)).toEqual(expected);
  for (const { ok, fix } of checks) expect(ok).toBe(fix === undefined);
});

test("with workers, it says how many messages wait, and how many runners the last run handed over", async () => {
  const changes = { workCount: async () => 7, ...logOf(runLine(NOW - 1_000, { listed: 9, handedOver: 9 })) };
  const checks = await check(OUTPUTS, healthyStack(changes));
  expect(checks.find(({ check }) => check === "workers")).toMatchObject({
    ok: true,
    found: expect.stringContaining("7"),
  });
  expect(checks.find(({ check }) => check === "uncollected large")?.found).toContain("handed over to workers 9");
  const without = await check(OUTPUTS, healthyStack());
  expect(without.map(({ check }) => check)).not.toContain("workers");
});

test("a missing output is wrong", async () => {
  const { DeadLetterQueueUrl: _, ...rest } = OUTPUTS;
  expect(await wrong(rest, healthyStack())).toEqual(["outputs"]);
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
  const checks = await check(OUTPUTS, healthyStack(changes));
  const of = (name: string) => checks.find(({ check }) => check === name);
  expect(of("result large")?.found).toContain("needs s3:GetObject");
  expect(of("result large")?.fix).toContain(DEFERRAL_REASONS.denied.action);
  expect(of("GitHub large")?.found).toBe("no-credentials, jobs: 4, GitHub answered HTTP 401: 1");
  expect(of("alarms")?.fix).toBe("See docs/operate/runbook.md#deferred.");
  const unread = { ...REVOKED, github: { requests: 0, rateLimited: 0, statuses: {} } };
  const without = await check(OUTPUTS, healthyStack(logOf(runLine(NOW - 1_000, unread))));
  expect(without.find(({ check }) => check === "GitHub large")?.found).toContain("not asked in this run");
});

describe("runners that are deferred", () => {
  const MINUTE = 60_000;
  const ran = (minutesAgo: number, deferred: number) =>
    runLine(NOW - minutesAgo * MINUTE, {
      deferred,
      deferralReasons: { ...emptySummary("x").deferralReasons, failed: deferred },
    });
  const uncollected = async (log: LogLine[]) => {
    const logLines = async function* (since: number) {
      yield* log.filter(({ at }) => at >= since);
    };
    const checks = await check(OUTPUTS, healthyStack({ logLines }));
    return checks.find(({ check }) => check === "uncollected large")?.found;
  };

  test("are shown with the runs in a row that left some, and for how long", async () => {
    const log = [ran(40, 2), ran(30, 0), ran(20, 1), ran(10, 3), ran(1, 3)];
    expect(await uncollected(log)).toContain("deferred 3 (in 3 runs in a row, for 20 min)");
    expect(await uncollected([...log, ran(0, 0)])).toMatch(/deferred 0$/);
  });

  test("are followed back to the first of these runs, also beyond the runs that are looked at otherwise", async () => {
    const days = Array.from({ length: 400 }, (_, index) => ran(4_000 - 10 * index, 1));
    expect(await uncollected([ran(4_010, 0), ...days])).toContain("deferred 1 (in 400 runs in a row, for 3 days)");
    expect(await uncollected(days)).toContain("deferred 1 (in 400 runs in a row, for at least 3 days)");
  });
});

describe("quarantine", () => {
  const DAY = 86_400_000;
  const id = (number: number) => String(number).repeat(32);
  /** A quarantine of this many days ago, and what was done with it. */
  const plant = (s3: ReturnType<typeof bucketAt>, number: number, daysAgo: number, ...records: string[]) => {
    const prefix = `quarantine/large/r-${number}/${id(number)}/`;
    for (const [index, name] of ["manifest.json", ...records].entries())
      s3.plant(BUCKET, prefix + name, { body: Buffer.from("{}"), lastModified: NOW - daysAgo * DAY + index });
  };
  const found = async (s3: ReturnType<typeof bucketAt>, expiry?: number) => {
    const bucket = { ...modelBucket(s3, BUCKET), expiry: async () => expiry };
    const checks = await checkStack(OUTPUTS, healthyStack(), async () => bucket, NOW);
    return checks.find(({ check }) => check === "quarantine");
  };

  test("is shown with the oldest that is kept, and the day on which S3 deletes it", async () => {
    const s3 = bucketAt(NOW);
    plant(s3, 1, 3);
    plant(s3, 2, 12);
    plant(s3, 3, 40, `actions/${NOW}-dropped.json`);
    expect(await found(s3, NOW + 78 * DAY)).toEqual({
      check: "quarantine",
      ok: true,
      found: "kept 2, the oldest for 12 days (22222222 of large), deleted on 2027-02-12",
    });
    expect((await found(s3))?.found).toContain("S3 names no day");
    expect((await found(bucketAt(NOW)))?.found).toBe("nothing kept");
  });

  test("with a release that was not finished is wrong", async () => {
    const s3 = bucketAt(NOW);
    plant(s3, 1, 3, `actions/${NOW}-release-started.json`);
    expect(await found(s3)).toMatchObject({
      ok: false,
      found: "release-started 1",
      fix: expect.stringContaining("again"),
    });
  });
});

test("it names the versions of the stack, of this command, and of the runners of the last runs", async () => {
  const ran = (at: number, programs: Record<string, number>) => runLine(at, { programs });
  const log = logOf(
    ran(NOW - 120_000, { "runner-metrics/0.1.0": 2 }),
    ran(NOW - 60_000, { "runner-metrics/0.1.0": 1, other: 1 }),
    ran(NOW - 1_000, {}),
  );
  const checks = await check({ ...OUTPUTS, Version: "0.1.9" }, healthyStack(log));
  const found = Object.fromEntries(checks.map(({ check, found }) => [check, found]));
  expect(found.version).toBe(`stack 0.1.9, this command ${packageJson.version}`);
  expect(found["runner programs large"]).toBe("runner-metrics/0.1.0: 3, other: 1");
});
