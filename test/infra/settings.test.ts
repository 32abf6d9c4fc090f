import { spawnSync } from "node:child_process";
import { Stack } from "aws-cdk-lib";
import { describe, expect, test } from "vitest";
import { readConfig } from "../../functions/extract-metrics/config.ts";
import { RunnerMetrics } from "../../infra/runner-metrics.ts";
import { parseSettings, stackSettings, timeoutSeconds } from "../../infra/settings.ts";
import { needs } from "../tools.ts";
import { createApp, outputDirectory } from "./app.ts";

const flavors = { large: {} };
const parse = (input: unknown) => parseSettings(stackSettings, input, "cdk.json");

describe("the settings", () => {
  test("need no more than a flavor", () => {
    expect(parse({ flavors })).toMatchObject({
      flavors: { large: { everyMinutes: 5, orphanAfterSeconds: 86_400 } },
      removalPolicy: "retain",
    });
  });

  test("are by default what the Lambda takes by default", () => {
    const { maxObjectsPerRunner, concurrency, github } = parse({
      flavors,
      github: { owners: ["acme"] },
    });
    const config = readConfig({ BUCKET_NAME: "b", EVENT_BUS_NAME: "e", GITHUB_SECRET_ID: "s", GITHUB_OWNERS: "acme" });
    expect({ maxObjectsPerRunner, concurrency }).toEqual({
      maxObjectsPerRunner: config.maxObjectsPerRunner,
      concurrency: config.concurrency,
    });
    expect(config.github).toMatchObject({
      timeBudgetSeconds: github?.timeBudgetSeconds,
      requestsMax: github?.requestsMax,
    });
  });

  test("are refused with every problem by name at once", () => {
    const input = {
      flavors: { Large: {}, small: { everyMinutes: 0 } },
      concurrency: 65,
      logRetentionDays: 31,
      alarmEmail: "nobody",
      removalpolicy: "destroy",
    };
    const problems = messageOf(() => parse(input)).split(/; |(?<=\)): /);
    expect(problems).toEqual([
      "Invalid settings (cdk.json)",
      expect.stringMatching(/^flavors.Large: .*a-z/),
      expect.stringMatching(/^flavors.small.everyMinutes: /),
      expect.stringMatching(/^concurrency: /),
      expect.stringMatching(/^logRetentionDays: must be one of 1, 3, /),
      "alarmEmail: must be an e-mail address",
      expect.stringMatching(/removalpolicy/),
    ]);
  });

  test.each([
    ["no flavor", { flavors: {} }, "flavors: must name at least one flavor"],
    [
      "a time-out as long as the interval",
      { flavors, timeoutSeconds: 300 },
      "timeoutSeconds: must be below the shortest interval",
    ],
    [
      "orphans that are deleted before they are read",
      { flavors: { large: { orphanAfterSeconds: 86_400 } }, uncollectedRetentionDays: 1 },
      "flavors.large.orphanAfterSeconds: must be below uncollectedRetentionDays",
    ],
    [
      "an alarm that looks back for more than a day",
      { flavors: { large: { everyMinutes: 720 } } },
      "noRunAlarmAfterIntervals: times everyMinutes of large must be at most a day",
    ],
    [
      "two ways of the alarms",
      { flavors, alarmEmail: "a@example.com", alarmTopicArn: "arn:aws:sns:us-east-1:123456789012:t" },
      "alarmEmail: can't be combined with alarmTopicArn",
    ],
    [
      "a policy for a bucket that exists, without one",
      { flavors, manageBucketPolicy: true },
      "manageBucketPolicy: needs bucketName",
    ],
    [
      "an orphan that may still live",
      { flavors: { large: { orphanAfterSeconds: 3_599 } } },
      "flavors.large.orphanAfterSeconds: Too small",
    ],
    ["a namespace of AWS's own", { flavors, metricsNamespace: "AWS/Lambda" }, "metricsNamespace: must not begin"],
    ["a key that is none", { flavors, kmsKeyArn: "key" }, "kmsKeyArn: must be the ARN of a key"],
    [
      "an alias, which the Lambda would refuse",
      { flavors, kmsKeyArn: "arn:aws:kms:eu-central-1:123456789012:alias/foo" },
      "kmsKeyArn: must be the ARN of a key, and not of an alias",
    ],
    ["a bucket's name that is none", { flavors, bucketName: "My_Bucket!" }, "bucketName: must be the name of a bucket"],
    ["a bus's name that is none", { flavors, eventBusName: "a b" }, "eventBusName: must be the name of an event bus"],
    [
      "flavors whose outputs would have the same names",
      { flavors: { arm64: {}, "arm-64": {} } },
      "flavors.arm-64: must differ from arm64 in more than hyphens",
    ],
    [
      "more flavors than fit into a stack",
      { flavors: Object.fromEntries(Array.from({ length: 21 }, (_, number) => [`f${number}`, {}])) },
      "flavors: must be at most 20",
    ],
    ["nothing", undefined, "the input: "],
  ])("refuse %s", (_, input, message) => {
    expect(() => parse(input)).toThrow(message);
  });

  test.each([
    [{ flavors: { large: { everyMinutes: 5 } } }, 240],
    [{ flavors: { large: { everyMinutes: 60 }, small: { everyMinutes: 30 } } }, 300],
    [{ flavors: { large: { everyMinutes: 1 } } }, 48],
    [{ flavors, timeoutSeconds: 100 }, 100],
  ])("give a run less time than its interval has (%o: %d s)", (input, seconds) => {
    expect(timeoutSeconds(parse(input))).toBe(seconds);
  });
});

describe("limits of the settings: what is just inside is accepted, and what is just outside is not:", () => {
  /** A setting of the flavor, with what its other side needs. */
  const ofFlavor = (value: object, others = {}) => ({ flavors: { large: value }, ...others });
  const ofGithub = (value: object) => ({ flavors, github: { owners: ["acme"], ...value } });
  const alarms = (value: object) => ofFlavor({ alarms: value }, { github: { owners: ["acme"] } });
  const often = { noRunAlarmAfterIntervals: 2, deferredAlarmAfterRuns: 1 };
  const slow = { everyMinutes: 60 };
  const rare = { large: { everyMinutes: 1 } };

  test.each<[string, (value: number) => object, number, number?]>([
    // CloudWatch looks back for a day, and the least number of intervals is two.
    ["everyMinutes", (value) => ofFlavor({ everyMinutes: value }, often), 1, 720],
    // Below the default of uncollectedRetentionDays.
    ["orphanAfterSeconds", (value) => ofFlavor({ orphanAfterSeconds: value }), 3_600, 14 * 86_400 - 1],
    ["queueSeconds", (value) => alarms({ queueSeconds: value }), 1],
    ["failedInstallations", (value) => alarms({ failedInstallations: value }), 1],
    ["nothingExtractedHours", (value) => alarms({ nothingExtractedHours: value }), 1, 24],
    ["busyHours", (value) => ofFlavor({ orphanAfterSeconds: 90_000, alarms: { busyHours: value } }), 1, 24],
    ["timeBudgetSeconds", (value) => ofGithub({ timeBudgetSeconds: value }), 1, 600],
    ["requestsMax", (value) => ofGithub({ requestsMax: value }), 1, 10_000],
    ["maxObjectsPerRunner", (value) => ({ flavors, maxObjectsPerRunner: value }), 4, 1_000],
    ["concurrency", (value) => ({ flavors, concurrency: value }), 1, 64],
    ["memoryMegabytes", (value) => ({ flavors, memoryMegabytes: value }), 512, 10_240],
    ["timeoutSeconds", (value) => ofFlavor(slow, { timeoutSeconds: value }), 30, 900],
    ["reservedConcurrency", (value) => ({ flavors, reservedConcurrency: value }), 1],
    ["workers", (value) => ({ flavors, workers: value }), 2, 100],
    [
      "uncollectedRetentionDays",
      (value) => ofFlavor({ orphanAfterSeconds: 3_600 }, { uncollectedRetentionDays: value }),
      1,
      3_650,
    ],
    ["quarantineRetentionDays", (value) => ({ flavors, quarantineRetentionDays: value }), 1, 3_650],
    ["eventRetentionDays", (value) => ({ flavors, eventRetentionDays: value }), 1, 3_650],
    ["archiveRetentionDays", (value) => ({ flavors, archiveRetentionDays: value }), 0, 3_650],
    ["noRunAlarmAfterIntervals", (value) => ({ flavors: rare, noRunAlarmAfterIntervals: value }), 2, 100],
    ["deferredAlarmAfterRuns", (value) => ({ flavors: rare, deferredAlarmAfterRuns: value }), 1, 100],
    ["length of a flavor's name", (value) => ({ flavors: { ["f".repeat(value)]: {} } }), 1, 32],
    ["length of stackName", (value) => ({ flavors, stackName: "S".repeat(value) }), 1, 128],
    ["length of bucketName", (value) => ({ flavors, bucketName: "b".repeat(value) }), 3, 63],
    ["length of eventBusName", (value) => ({ flavors, eventBusName: "b".repeat(value) }), 1, 256],
    ["length of metricsNamespace", (value) => ({ flavors, metricsNamespace: "n".repeat(value) }), 1, 255],
  ])("%s", (_, input, lowest, highest) => {
    for (const value of [lowest, highest ?? lowest]) expect(() => parse(input(value)), `${value}`).not.toThrow();
    const outside = [lowest - 1, ...(highest === undefined ? [] : [highest + 1])];
    for (const value of outside) expect(() => parse(input(value)), `${value}`).toThrow("Invalid settings");
  });

  test("lostPercent", () => {
    for (const value of [0.001, 100]) expect(() => parse(alarms({ lostPercent: value }))).not.toThrow();
    for (const value of [0, 100.001]) expect(() => parse(alarms({ lostPercent: value }))).toThrow("lostPercent");
  });
});

test("someone else's app checks the construct's settings too", () => {
  const stack = new Stack(createApp(), "Theirs");
  expect(() => new RunnerMetrics(stack, "Metrics", { flavors: {} })).toThrow("Invalid settings (Theirs/Metrics)");
  expect(() => new RunnerMetrics(stack, "Other", { flavors })).not.toThrow();
});

test("the stock app takes its settings from the command line too, and says what is wrong with them, and no more", {
  tags: [needs("gate")],
}, () => {
  const synth = (settings: string) =>
    spawnSync(process.execPath, ["infra/app.ts"], {
      env: {
        ...process.env,
        CDK_OUTDIR: outputDirectory(),
        CDK_CONTEXT_JSON: JSON.stringify({ runnerMetrics: settings, "aws:cdk:bundling-stacks": [] }),
      },
      encoding: "utf8",
    });
  expect(synth('{"flavors":{"large":{}}}')).toMatchObject({ status: 0, stderr: "" });
  expect(synth('{"flavors":{"Large":{},"small":{"rate":1}}}')).toMatchObject({
    status: 1,
    stderr:
      'Invalid settings (cdk.json, context "runnerMetrics"): flavors.Large: must match ^[a-z0-9][a-z0-9-]{0,31}$; flavors.small: Unrecognized key: "rate"\n',
  });
  expect(synth("{bad")).toMatchObject({ status: 1, stderr: "-c runnerMetrics=… is not JSON: {bad\n" });
});

function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return String(error).replace(/^Error: /, "");
  }
  return "";
}

test("S10 a function has the memory that a page of the longest keys takes, at least", () => {
  const parse = (memoryMegabytes: number) =>
    parseSettings(stackSettings, { flavors: { large: {} }, memoryMegabytes }, "settings");
  expect(() => parse(511)).toThrow("memoryMegabytes");
  expect(parse(512).memoryMegabytes).toBe(512);
});
