import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EVENT_SCHEMAS } from "../../contract/events.ts";
import { namesOf } from "../../contract/reasons.ts";
import { METRICS_NAMESPACE, type MetricName, RUN_METRICS } from "../../contract/run-metrics.ts";
import { JOB_METRICS } from "../../infra/metrics.ts";
import { type LocalAws, startLocalAws } from "../../local/server.ts";
import type { Invocation } from "../worlds/invoke-handler.ts";
import { deployedRun, EVERYTHING, environmentOf } from "./deployed-run.ts";
import { isMatched } from "./filter-pattern.ts";
import { BUCKET, resolve } from "./iam.ts";
import { resources, synthesize } from "./synthesize.ts";

const template = synthesize();
const FLAVORS = ["large", "arm-small"];

/** With all alarms and the whole dashboard. */
const fullTemplate = synthesize({
  github: { owners: ["acme"] },
  workers: 4,
  flavors: Object.fromEntries(FLAVORS.map((flavor) => [flavor, { githubRunners: "acme" }])),
});

interface NamedMetric {
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
}

/** Metrics of ours that alarms look at. */
const inAlarms: NamedMetric[] = Object.values(resources(fullTemplate, "AWS::CloudWatch::Alarm"))
  .filter(({ Properties }) => Properties.Namespace === METRICS_NAMESPACE)
  .map(({ Properties }) => ({
    name: String(Properties.MetricName),
    dimensions: Object.fromEntries(
      (Properties.Dimensions as { Name: string; Value: string }[]).map(({ Name, Value }) => [Name, Value]),
    ),
  }));

/** Metrics of ours that the dashboard shows. */
const inDashboard: NamedMetric[] = dashboardMetrics();

/** Names of all metrics that the code writes: test/extract-metrics/report.test.ts. */
const written = new Set<string>(namesOf(RUN_METRICS));

let run: Invocation;
let local: LocalAws;
beforeAll(async () => {
  local = await startLocalAws();
  local.s3.createBucket(BUCKET);
  local.eventBridge.createBus(environmentOf(template).EVENT_BUS_NAME);
  for (const [key, content] of Object.entries(EVERYTHING)) {
    local.s3.putObject(BUCKET, `runners/large/${key}`, { body: Buffer.from(content) });
  }
  local.s3.putObject(BUCKET, "runners/large/stray", { body: Buffer.from("x") });
  const credentials = { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" };
  run = await deployedRun(template, "large", { AWS_ENDPOINT_URL: local.endpoint, ...credentials });
});
afterAll(() => local.close());

describe("names of metrics", () => {
  test("that an alarm looks at are written by the code, with the same dimensions", () => {
    expect(inAlarms.length).toBeGreaterThan(10);
    for (const { name, dimensions } of inAlarms) {
      expect([...written]).toContain(name);
      expect(Object.keys(dimensions).sort()).toEqual(dimensionsOf(name));
    }
  });

  test("that the dashboard shows are written by the code or made of the events", () => {
    expect(inDashboard.length).toBeGreaterThan(20);
    for (const { name, dimensions } of inDashboard) {
      const { dimension }: { dimension?: string } = JOB_METRICS[name as keyof typeof JOB_METRICS] ?? {};
      const isOfJobs = name in JOB_METRICS;
      expect(isOfJobs || written.has(name), name).toBe(true);
      const expected = isOfJobs ? ["flavor", ...(dimension ? [dimension] : [])] : dimensionsOf(name);
      expect(Object.keys(dimensions).sort(), name).toEqual(expected.sort());
    }
  });

  test("and their namespace and dimensions are those of a real run's metrics", () => {
    const [embedded, ofAll] = run.lines.filter((line) => "_aws" in line) as unknown as EmbeddedMetrics[];
    if (!embedded || !ofAll) throw new Error("A run writes metrics of its flavor, and of all flavors");
    const [{ Namespace, Dimensions, Metrics } = { Namespace: "", Dimensions: [], Metrics: [] }] =
      embedded._aws.CloudWatchMetrics;
    expect(Namespace).toBe(METRICS_NAMESPACE);
    expect(Dimensions.map((names) => names.toSorted())).toEqual([["flavor", "service"]]);
    const { dimensions } = inAlarms.find((metric) => metric.dimensions.flavor === "large") ?? { dimensions: {} };
    expect(embedded).toMatchObject(dimensions);
    const names = Metrics.map(({ Name }) => Name);
    expect([...written]).toEqual(expect.arrayContaining(names));
    expect(names).toEqual(expect.arrayContaining(["RunDuration", "Runners.extracted", "Runners.quarantined"]));
    const [shared] = ofAll._aws.CloudWatchMetrics;
    expect(shared).toMatchObject({ Namespace, Dimensions: [["service"]], Metrics: [{ Name: "StrayObjects" }] });
  });
});

describe("metrics of the jobs", () => {
  const filters = Object.values(resources(template, "AWS::Logs::MetricFilter")).map(({ Properties }) => ({
    pattern: String(Properties.FilterPattern),
    ...(Properties.MetricTransformations as [Transformation])[0],
  }));

  test("are what the dashboard asks for: install, idle, queue and job time, jobs by status and conclusion", () => {
    const names = filters.map(({ MetricName }) => MetricName).sort();
    expect(names).toEqual(Object.keys(JOB_METRICS).sort());
    const shown = new Set(inDashboard.map(({ name }) => name));
    expect([...shown].filter((name) => name in JOB_METRICS).sort()).toEqual(names);
  });

  test("are made of fields that the events have", () => {
    for (const { pattern, MetricValue, Dimensions } of filters) {
      const [, event] = /\$\.detail\.event = "(\w+)"/.exec(pattern) ?? [];
      const schema = Object.values(EVENT_SCHEMAS).find(({ shape }) => shape.event.value === event);
      const paths = [pattern, MetricValue, ...Dimensions.map(({ Value }) => Value)].flatMap((text) => [
        ...text.matchAll(/\$\.detail\.(\w+)/g),
      ]);
      for (const { Value } of Dimensions) expect(pattern).toContain(Value);
      if (MetricValue !== "1") expect(pattern).toContain(MetricValue);
      expect(Object.keys(schema?.shape ?? {})).toEqual(expect.arrayContaining(paths.map(([, field]) => field)));
    }
  });

  test("count an event with the field, of the flavor and kind, and leave out durations that were clamped", () => {
    const detail = { event: "runner_start", flavor: "large", idle: 60, queue_duration: 5 };
    const counted = (event: object) =>
      filters.filter(({ pattern }) => isMatched(pattern, event)).map(({ MetricName }) => MetricName);
    expect(counted({ detail })).toEqual(["IdleDuration", "QueueDuration"]);
    expect(counted({ detail: { ...detail, queue_duration: undefined } })).toEqual(["IdleDuration"]);
    expect(counted({ detail: { ...detail, idle: 0, clamped: ["idle"] } })).toEqual([]);
    expect(counted({ detail: { ...detail, flavor: undefined } })).toEqual([]);
    const stop = {
      event: "runner_stop",
      flavor: "large",
      status: "normal",
      job_duration: 0,
      clamped: ["job_duration"],
    };
    expect(counted({ detail: stop })).toEqual(["JobsByStatus"]);
  });

  test("A37: have no dimension that a runner could fill with text of its own", () => {
    for (const { Dimensions } of filters) {
      for (const { Key, Value } of Dimensions) {
        expect(Value).toBe(`$.detail.${Key}`);
        expect(["flavor", "status", "job_conclusion", "cause"]).toContain(Key);
      }
    }
  });

  test("count an event once: one that is replayed is not logged again", () => {
    template.hasResourceProperties("AWS::Events::Rule", {
      EventPattern: { source: ["runner-metrics"], "replay-name": [{ exists: false }] },
    });
  });
});

test("of what GitHub says, every metric is shown or alarmed where GitHub is asked, and none where it is not", () => {
  const ofGithub = (name: string) => /^(Github|Verification|JobMetricsUnknown)/.test(name);
  const known = new Set([...inAlarms, ...inDashboard].map(({ name }) => name).filter(ofGithub));
  // It is never written where GitHub is asked.
  expect([...known, "JobMetricsUnknown.not-configured"].sort()).toEqual([...written].filter(ofGithub).sort());
  const types = ["AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard"];
  const withoutGithub = JSON.stringify(types.map((type) => resources(template, type)));
  expect(withoutGithub).not.toMatch(/Github[A-Z]|Verification\.|JobMetricsUnknown/);
});

test("every flavor has its own series in alarms and dashboard", () => {
  for (const metrics of [inAlarms, inDashboard.filter(({ dimensions }) => dimensions.flavor !== undefined)]) {
    expect(new Set(metrics.map(({ dimensions }) => dimensions.flavor).filter(Boolean))).toEqual(new Set(FLAVORS));
  }
});

interface EmbeddedMetrics {
  readonly _aws: {
    readonly CloudWatchMetrics: readonly [
      { readonly Namespace: string; readonly Dimensions: string[][]; readonly Metrics: { readonly Name: string }[] },
    ];
  };
}

interface Transformation {
  readonly MetricName: string;
  readonly MetricValue: string;
  readonly Dimensions: readonly { readonly Key: string; readonly Value: string }[];
}

/** Dimensions of a metric of the runs, by the catalogue. */
function dimensionsOf(name: string): string[] {
  return RUN_METRICS[name as MetricName].ofAllFlavors ? ["service"] : ["flavor", "service"];
}

function dashboardMetrics(): NamedMetric[] {
  const [dashboard] = Object.values(resources(fullTemplate, "AWS::CloudWatch::Dashboard"));
  const body = JSON.parse(String(resolve(fullTemplate, dashboard?.Properties.DashboardBody)));
  const rows: unknown[][] = body.widgets.flatMap(
    ({ properties }: { properties: { metrics?: unknown[][] } }) => properties.metrics ?? [],
  );
  return rows.flatMap((row): NamedMetric[] => {
    const [first] = row;
    if (typeof first === "object" && first !== null && "expression" in first) return searched(String(first.expression));
    if (first !== METRICS_NAMESPACE) return [];
    const [, name, ...pairs] = row.filter((value) => typeof value === "string");
    const entries = pairs.flatMap((key, index) => (index % 2 === 0 ? [[key, pairs[index + 1]]] : []));
    return [{ name: String(name), dimensions: Object.fromEntries(entries) }];
  });
}

/** What a SEARCH expression finds: a value of a dimension is whatever there is. */
function searched(expression: string): NamedMetric[] {
  const [, schema = "", name = ""] = /SEARCH\('\{([^}]*)\} MetricName="(\w+)"'/.exec(expression) ?? [];
  const [namespace, ...names] = schema.split(",");
  if (namespace !== `"${METRICS_NAMESPACE}"`) throw new Error(`${expression} searches elsewhere`);
  return [{ name, dimensions: Object.fromEntries(names.map((key) => [key, ""])) }];
}
