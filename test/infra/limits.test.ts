/** As many flavors as the settings accept, with everything switched on: the stack stays within AWS's documented limits. */

import type { Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { describe, expect, test } from "vitest";
import { arnOf, resolve, statementsOf } from "./iam.ts";
import { createStack, resources } from "./synthesize.ts";

const FLAVORS = Array.from({ length: 20 }, (_, number) => `${"f".repeat(30)}${String(number).padStart(2, "0")}`);
const ALARMS = { queueSeconds: 1, lostPercent: 1, failedInstallations: 1, nothingExtractedHours: 1, busyHours: 1 };
const { stack } = createStack({
  // CloudFormation's longest name.
  stackName: "S".repeat(128),
  flavors: Object.fromEntries(
    FLAVORS.map((name) => [name, { githubRunners: "acme", jobsPerRunner: "many", alarms: ALARMS }]),
  ),
  github: { owners: Array.from({ length: 30 }, (_, number) => `${"o".repeat(36)}-${number}`) },
  kmsKeyArn: "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555",
  schemaRegistry: true,
  alarmEmail: "ops@example.com",
  endedInstances: true,
  workers: 100,
});
const template = Template.fromStack(stack as Stack);
const all = Object.entries(template.toJSON().Resources as Record<string, Record<string, unknown>>);
const propertiesOf = (type: string) => Object.values(resources(template, type)).map(({ Properties }) => Properties);
const sizeOf = (value: unknown) => JSON.stringify(resolve(template, value)).length;
const policySizes = (type: string) =>
  propertiesOf(type).map(({ PolicyDocument }) => JSON.stringify(statementsOf(template, PolicyDocument)).length);

test("one flavor more is refused", () => {
  const flavors = Object.fromEntries([...FLAVORS, "more"].map((name) => [name, {}]));
  expect(() => createStack({ flavors })).toThrow("flavors: must be at most 20");
});

// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
test("CloudFormation: resources, outputs, and bytes of the template", () => {
  expect(all.length).toBeLessThanOrEqual(500);
  const outputs = Object.keys(template.findOutputs("*"));
  expect(outputs.length).toBeLessThanOrEqual(200);
  expect(Math.max(...outputs.map((name) => name.length))).toBeLessThanOrEqual(255);
  const { Description = "", Parameters = {}, Mappings = {} } = template.toJSON();
  expect(Buffer.byteLength(Description)).toBeLessThanOrEqual(1_024);
  expect(Object.keys(Parameters).length).toBeLessThanOrEqual(200);
  expect(Object.keys(Mappings).length).toBeLessThanOrEqual(200);
  expect(Buffer.byteLength(JSON.stringify(template.toJSON()))).toBeLessThanOrEqual(1_000_000);
  for (const [id] of all) expect(id).toMatch(/^[A-Za-z0-9]{1,255}$/);
});

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
test("IAM: sizes of policies, and policies of a role", () => {
  expect(Math.max(...policySizes("AWS::IAM::ManagedPolicy"))).toBeLessThanOrEqual(6_144);
  const inline = Map.groupBy(propertiesOf("AWS::IAM::Policy"), ({ Roles }) => JSON.stringify(Roles));
  for (const policies of inline.values()) {
    const sizes = policies.map(({ PolicyDocument }) => JSON.stringify(statementsOf(template, PolicyDocument)).length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(10_240);
  }
  for (const { ManagedPolicyArns = [], AssumeRolePolicyDocument } of propertiesOf("AWS::IAM::Role")) {
    expect((ManagedPolicyArns as unknown[]).length).toBeLessThanOrEqual(10);
    expect(sizeOf(AssumeRolePolicyDocument)).toBeLessThanOrEqual(2_048);
  }
});

test("policies of resources: bucket 20 KB, queue 8 KB, topic 30 KB, bus 10,240 characters, log group 5 KB", () => {
  // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html
  expect(Math.max(...policySizes("AWS::S3::BucketPolicy"))).toBeLessThanOrEqual(20_480);
  // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html
  expect(Math.max(...policySizes("AWS::SQS::QueuePolicy"))).toBeLessThanOrEqual(8_192);
  expect(Math.max(...policySizes("AWS::SNS::TopicPolicy"))).toBeLessThanOrEqual(30_720);
  // https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
  expect(
    Math.max(...propertiesOf("AWS::Events::EventBusPolicy").map(({ Statement }) => sizeOf(Statement))),
  ).toBeLessThanOrEqual(10_240);
  // https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
  for (const { ResourcePolicyDocument = {} } of propertiesOf("AWS::Logs::LogGroup")) {
    expect(sizeOf(ResourcePolicyDocument)).toBeLessThanOrEqual(5_120);
  }
});

// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
test("EventBridge: patterns have at most 2,048 characters, rules at most five targets", () => {
  const patterns = [...propertiesOf("AWS::Events::Rule"), ...propertiesOf("AWS::Events::Archive")];
  expect(patterns).toHaveLength(4);
  for (const { EventPattern, Targets = [] } of patterns) {
    // Prefixes of CloudFormation's longest name for a bucket.
    expect(sizeOf(EventPattern) + 63).toBeLessThanOrEqual(2_048);
    expect((Targets as unknown[]).length).toBeLessThanOrEqual(5);
  }
});

// The lengths that each service's API reference gives for these properties.
test.each([
  ["AWS::Athena::NamedQuery", { Name: 128, Description: 1_024, QueryString: 262_144 }],
  ["AWS::Events::Archive", { Description: 512 }],
  ["AWS::Events::EventBus", { Name: 256, Description: 512 }],
  ["AWS::Events::EventBusPolicy", { StatementId: 64 }],
  ["AWS::Events::Rule", { Description: 512 }],
  ["AWS::EventSchemas::Registry", { Description: 256 }],
  ["AWS::EventSchemas::Schema", { SchemaName: 385, Description: 256, Content: 100_000 }],
  ["AWS::IAM::ManagedPolicy", { Description: 1_000 }],
  ["AWS::IAM::Role", { Description: 1_000 }],
  ["AWS::Lambda::Function", { Description: 256 }],
  ["AWS::Logs::LogGroup", { LogGroupName: 512 }],
  ["AWS::Scheduler::Schedule", { Description: 512 }],
  ["AWS::SecretsManager::Secret", { Description: 2_048 }],
])("%s: names and texts are at most as long as the service takes", (type, limits) => {
  const all = propertiesOf(type);
  expect(all.length).toBeGreaterThan(0);
  for (const [name, limit] of Object.entries(limits)) {
    const lengths = all.flatMap((properties) =>
      properties[name] === undefined ? [] : [String(resolve(template, properties[name])).length],
    );
    expect(lengths.length, name).toBeGreaterThan(0);
    expect(Math.max(...lengths), name).toBeLessThanOrEqual(limit);
  }
});

// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_Target.html
test("Scheduler: inputs of at most 256 KB", () => {
  for (const { Target } of propertiesOf("AWS::Scheduler::Schedule")) {
    expect(sizeOf((Target as { Input: unknown }).Input)).toBeLessThanOrEqual(262_144);
  }
});

// https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html and API_Column.html
test("Glue: names, types of columns and parameters of a table", () => {
  const [{ DatabaseInput } = {}] = propertiesOf("AWS::Glue::Database") as { DatabaseInput?: { Name: string } }[];
  expect(String(resolve(template, DatabaseInput?.Name)).length).toBeLessThanOrEqual(255);
  const [{ TableInput } = {}] = propertiesOf("AWS::Glue::Table") as { TableInput?: TableInput }[];
  for (const { Type } of TableInput?.StorageDescriptor.Columns ?? []) expect(Type.length).toBeLessThanOrEqual(131_072);
  const values = Object.values(TableInput?.Parameters ?? {});
  expect(values.length).toBeGreaterThan(0);
  for (const value of values) expect(sizeOf(value)).toBeLessThanOrEqual(512_000);
});

// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
test("Lambda: the environment has at most 4 KB", () => {
  for (const { Environment } of propertiesOf("AWS::Lambda::Function")) {
    if (Environment) expect(sizeOf((Environment as { Variables: object }).Variables)).toBeLessThanOrEqual(4_096);
  }
});

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
test("CloudWatch Logs: filters of a log group, their patterns and dimensions, and saved queries", () => {
  const filters = propertiesOf("AWS::Logs::MetricFilter");
  expect(filters.length).toBeLessThanOrEqual(100);
  for (const { FilterPattern, MetricTransformations } of filters) {
    expect(String(FilterPattern).length).toBeLessThanOrEqual(1_024);
    const [{ Dimensions = [] } = {}] = MetricTransformations as { Dimensions?: unknown[] }[];
    expect(Dimensions.length).toBeLessThanOrEqual(3);
  }
  for (const { Name, QueryString } of propertiesOf("AWS::Logs::QueryDefinition")) {
    expect(String(resolve(template, Name)).length).toBeLessThanOrEqual(255);
    expect(String(QueryString).length).toBeLessThanOrEqual(10_000);
  }
});

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
test("CloudWatch: namespaces of metrics, and what alarms look at, look back and say", () => {
  const [{ Environment } = {}] = propertiesOf("AWS::Lambda::Function");
  const { Variables } = Environment as { Variables: { METRICS_NAMESPACE: unknown } };
  const namespace = String(resolve(template, Variables.METRICS_NAMESPACE));
  expect(namespace.length).toBeLessThanOrEqual(255);
  expect(namespace).toMatch(/^[\w./#:-]+$/);

  const alarms = propertiesOf("AWS::CloudWatch::Alarm");
  expect(alarms.length).toBeGreaterThan(20 * 10);
  for (const { AlarmDescription, Period, EvaluationPeriods, Metrics = [], AlarmActions, OKActions } of alarms) {
    expect(String(AlarmDescription).length).toBeLessThanOrEqual(1_024);
    expect((AlarmActions as unknown[]).length).toBeLessThanOrEqual(5);
    expect((OKActions as unknown[]).length).toBeLessThanOrEqual(5);
    const periods = (Metrics as { MetricStat?: { Period: number } }[]).flatMap(
      ({ MetricStat }) => MetricStat?.Period ?? [],
    );
    expect(periods.length).toBeLessThanOrEqual(10);
    const longest = Math.max(Number(Period ?? 0), ...periods);
    expect(longest).toBeGreaterThan(0);
    expect(longest % 60).toBe(0);
    expect(longest * Number(EvaluationPeriods)).toBeLessThanOrEqual(86_400);
  }
});

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
describe("CloudWatch's dashboard", () => {
  const [dashboard] = propertiesOf("AWS::CloudWatch::Dashboard");
  const { widgets } = JSON.parse(String(resolve(template, dashboard?.DashboardBody))) as { widgets: Widget[] };
  const metricsOf = ({ properties }: Widget) => properties.metrics?.length ?? 0;

  test("has at most 500 widgets, 500 metrics a widget and 2,500 in all", () => {
    expect(widgets.length).toBeLessThanOrEqual(500);
    expect(Math.max(...widgets.map(metricsOf))).toBeLessThanOrEqual(500);
    expect(widgets.map(metricsOf).reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(2_500);
  });

  test("shows every alarm, at most 100 in a widget", () => {
    const groups = widgets.flatMap(({ properties }) => (properties.alarms ? [properties.alarms] : []));
    expect(Math.max(...groups.map((group) => group.length))).toBeLessThanOrEqual(100);
    const ids = Object.keys(resources(template, "AWS::CloudWatch::Alarm"));
    expect(groups.flat().sort()).toEqual(ids.map(arnOf).sort());
  });

  test("fits into CloudWatch's grid of 24 columns", () => {
    for (const { x, width } of widgets) expect(x + width).toBeLessThanOrEqual(24);
  });
});

interface TableInput {
  readonly Parameters: Readonly<Record<string, unknown>>;
  readonly StorageDescriptor: { readonly Columns: readonly { readonly Type: string }[] };
}

interface Widget {
  readonly x: number;
  readonly width: number;
  readonly properties: { readonly metrics?: unknown[]; readonly alarms?: string[] };
}
