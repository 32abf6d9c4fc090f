import { describe, expect, test } from "vitest";
import { ALARM_HELP } from "../../contract/runbook.ts";
import { parseSettings, stackSettings } from "../../infra/settings.ts";
import { NOT_REHEARSED, REHEARSALS } from "../e2e/rehearsals.ts";
import { evaluate, isInAlarm } from "./alarm-state.ts";
import { arnOf, only, resolve } from "./iam.ts";

import { resources, synthesize } from "./synthesize.ts";

const LIMITS = {
  queueSeconds: 300,
  lostPercent: 2.5,
  failedInstallations: 3,
  nothingExtractedHours: 4,
  busyHours: 8,
};
const github = { owners: ["acme"] };
const template = synthesize({ github, flavors: { large: { alarms: LIMITS }, small: {} } });
const alarmsOf = (template: ReturnType<typeof synthesize>) => resources(template, "AWS::CloudWatch::Alarm");

test("every alarm notifies the topic when it goes to ALARM and when it is OK again, and refers to the runbook", () => {
  const [topicId] = only(template, "AWS::SNS::Topic");
  for (const [id, { Properties }] of Object.entries(alarmsOf(template))) {
    expect(resolve(template, Properties.AlarmActions), id).toEqual([arnOf(topicId)]);
    expect(resolve(template, Properties.OKActions), id).toEqual([arnOf(topicId)]);
    const [, name = ""] = /Alarms([A-Z]\w*?)(?:large|small)?[0-9A-F]{8}$/.exec(id) ?? [];
    expect(Properties.AlarmDescription).toMatch(new RegExp(` See docs/operate/runbook\\.md#${name.toLowerCase()}$`));
  }
});

test("each alarm is rehearsed by the stage `operate`, or it has a reason why it can't be", () => {
  const known = [...Object.keys(REHEARSALS), ...Object.keys(NOT_REHEARSED)];
  expect(known.toSorted()).toEqual(Object.keys(ALARM_HELP).toSorted());
});

test("an alarm about runs in a row goes to ALARM only if each of them had the problem", () => {
  const { Properties: alarm } = only(template, "AWS::CloudWatch::Alarm", "Deferredlarge")[1];
  const { Namespace, MetricName } = alarm as { Namespace: string; MetricName: string };
  const dimensions = { service: "extract-metrics", flavor: "large" };
  const isAfter = (...runs: number[]) =>
    isInAlarm(
      alarm,
      runs.map((value) => [{ namespace: Namespace, name: MetricName, dimensions, value }]),
      300,
    );
  expect([isAfter(2, 0, 1), isAfter(0, 1, 2, 1), isAfter(1, 1, 1, 0), isAfter()]).toEqual([false, true, false, false]);
});

describe("an alarm with a limit", () => {
  const of = (name: string) => only(template, "AWS::CloudWatch::Alarm", `${name}large`)[1].Properties;
  const atLeast = {
    ComparisonOperator: "GreaterThanOrEqualToThreshold",
    EvaluationPeriods: 1,
    TreatMissingData: "notBreaching",
  };
  const dimension = [{ Name: "flavor", Value: "large" }];

  test("exists only for the flavors and limits that are set", () => {
    const names = Object.keys(LIMITS).map((name) => `only${name.toLowerCase()}`);
    const flavors = Object.entries(LIMITS).map(([name, limit], index) => [names[index], { alarms: { [name]: limit } }]);
    const one = synthesize({ github, flavors: { ...Object.fromEntries(flavors), none: {} } });
    const ids = Object.keys(alarmsOf(one));
    const count = (flavor = "") => ids.filter((id) => id.includes(flavor)).length;
    expect(count("none")).toBeGreaterThan(0);
    for (const name of names) expect(count(name), name).toBe(count("none") + 1);
  });

  test("for the queue time looks at the 95th percentile of 30 minutes", () => {
    expect(of("QueueTime")).toMatchObject({
      ...atLeast,
      MetricName: "QueueDuration",
      Dimensions: dimension,
      ExtendedStatistic: "p95",
      Period: 1_800,
      Threshold: 300,
    });
  });

  test("for failed installations counts those of an hour", () => {
    expect(of("FailedInstallations")).toMatchObject({
      ...atLeast,
      MetricName: "FailedInstallations",
      Dimensions: dimension,
      Statistic: "Sum",
      Period: 3_600,
      Threshold: 3,
    });
  });

  test("for a busy runner looks at the age of the oldest one in each run", () => {
    expect(of("BusyTooLong")).toMatchObject({
      ...atLeast,
      MetricName: "OldestSeconds.busy",
      Statistic: "Maximum",
      Period: 300,
      Threshold: 28_800,
    });
  });

  test("for lost runners is a rate of those extracted in 6 hours", () => {
    const { expression, metrics } = mathOf(of("LostRunners"));
    expect(of("LostRunners")).toMatchObject({ ...atLeast, Threshold: 2.5 });
    expect(metrics).toEqual({
      lost: ["LostRunners", "Sum", 21_600],
      extracted: ["Runners.extracted", "Sum", 21_600],
    });
    const rate = (lost: number, extracted: number) => evaluate(expression, { lost, extracted });
    expect([rate(1, 40), rate(0, 40), rate(3, 9), rate(3, 10)]).toEqual([2.5, 0, 0, 30]);
  });

  test("for a fleet of which nothing is extracted needs runners that are there", () => {
    const { expression, metrics } = mathOf(of("NothingExtracted"));
    expect(of("NothingExtracted")).toMatchObject({ ...atLeast, Threshold: 1 });
    expect(metrics).toEqual({
      installing: ["Live.installing", "Average", 14_400],
      idle: ["Live.idle", "Average", 14_400],
      busy: ["Live.busy", "Average", 14_400],
      extracted: ["Runners.extracted", "Sum", 14_400],
    });
    const alarms = (idle: number, busy: number, extracted: number) =>
      evaluate(expression, { installing: 0, idle, busy, extracted });
    expect([alarms(0.5, 0.5, 0), alarms(0.5, 0.4, 0), alarms(3, 0, 1), alarms(0, 0, 0)]).toEqual([1, 0, 0, 0]);
  });
});

describe("limits of alarms are refused", () => {
  test.each([
    ["queue time without GitHub", { alarms: { queueSeconds: 1 } }, "alarms.queueSeconds: needs github"],
    [
      "busy hours after which the runner is presumed dead",
      { orphanAfterSeconds: 28_800, alarms: { busyHours: 8 } },
      "alarms.busyHours: must be below orphanAfterSeconds",
    ],
    ["more than a day", { alarms: { nothingExtractedHours: 25 } }, "alarms.nothingExtractedHours: "],
    ["no limit at all", { alarms: { lostPercent: 0 } }, "alarms.lostPercent: "],
    ["a limit with another name", { alarms: { lostPercents: 5 } }, "lostPercents"],
  ])("%s", (_, large, problem) => {
    expect(() => parseSettings(stackSettings, { flavors: { large } }, "test")).toThrow(problem);
  });

  test("but not busy hours where GitHub says which runners are alive", () => {
    const large = { orphanAfterSeconds: 28_800, githubRunners: "acme", alarms: { busyHours: 20 } };
    expect(() => parseSettings(stackSettings, { flavors: { large }, github }, "test")).not.toThrow();
  });
});

interface MetricInAlarm {
  readonly Id: string;
  readonly Expression?: string;
  readonly MetricStat?: {
    readonly Metric: { readonly MetricName: string };
    readonly Stat: string;
    readonly Period: number;
  };
}

function mathOf({ Metrics }: Readonly<Record<string, unknown>>) {
  const all = Metrics as MetricInAlarm[];
  const [expression = ""] = all.flatMap(({ Expression }) => Expression ?? []);
  const metrics = all.flatMap(({ Id, MetricStat }) =>
    MetricStat ? [[Id, [MetricStat.Metric.MetricName, MetricStat.Stat, MetricStat.Period]] as const] : [],
  );
  return { expression, metrics: Object.fromEntries(metrics) };
}
