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
