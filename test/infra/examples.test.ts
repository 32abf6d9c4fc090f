import { Stack } from "aws-cdk-lib";
import { Match, Template } from "aws-cdk-lib/assertions";
import { EventBus } from "aws-cdk-lib/aws-events";
import { Topic } from "aws-cdk-lib/aws-sns";
import { afterEach, expect, test, vi } from "vitest";
import { parseEvent } from "../../contract/parse-event.ts";
import { AlarmsToSlack } from "../../examples/alarms-to-slack.ts";
import { EventsToFirehose } from "../../examples/events-to-firehose.ts";
import { EventsToLambda } from "../../examples/events-to-lambda.ts";
import { EventsToSqs, newEvents } from "../../examples/events-to-sqs.ts";
import { handler } from "../../examples/long-job-handler.ts";
import { createWorld } from "../worlds/memory.ts";
import { createApp } from "./app.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

async function envelopes() {
  const world = createWorld();
  world.upload("r-1");
  world.upload("r-2", { "post-job-metrics.json": "{" });
  await world.run();
  return world
    .events()
    .map(({ source, detailType, resources, detail }) => ({ source, "detail-type": detailType, resources, detail }));
}

test("every event of a run is parsed, with its type", async () => {
  const parsed = (await envelopes()).map(parseEvent);
  expect(parsed.map((event) => event?.detailType).sort()).toEqual([
    "MetricsQuarantined",
    "RunnerInstalled",
    "RunnerStart",
    "RunnerStop",
  ]);
});

test("what is not ours is left alone, and what breaks its schema is not passed on", async () => {
  const event = (await envelopes()).find((one) => one["detail-type"] === "RunnerStop");
  if (!event) throw new Error("A run issues events");
  const { detail } = event;
  expect(parseEvent({ ...event, source: "aws.s3" })).toBeUndefined();
  expect(parseEvent({ ...event, "detail-type": "toString" })).toBeUndefined();
  expect(() => parseEvent({ ...event, detail: {} })).toThrow();
  expect(() => parseEvent({ ...event, detail: { ...detail, schema_version: 2 } })).toThrow();
  // A later version may have further values in a list.
  const later = { ...detail, status: "hibernated", job_metrics_unknown: "asleep" };
  expect(parseEvent({ ...event, detail: later })).toEqual({ detailType: "RunnerStop", detail: later });
  expect(() => parseEvent({ ...event, detail: { ...later, status: 1 } })).toThrow();
});

test("a consumer of the queue sees an event once, however often it arrives", async () => {
  const bodies = (await envelopes()).map((event) => JSON.stringify(event));
  const seen = new Set<string>();
  expect(newEvents([...bodies, ...bodies], seen)).toHaveLength(4);
  expect(newEvents(bodies, seen)).toEqual([]);
});

test("the function tells of the job, as one line of JSON", async () => {
  const log = vi.spyOn(console, "log").mockReturnValue();
  for (const event of await envelopes()) await handler(event);
  expect(log.mock.calls.map(([line]) => JSON.parse(line))).toEqual([
    expect.objectContaining({ repo: "acme/widgets", workflow: "CI", job_duration: 600, flavor: "large" }),
  ]);
});

test("the example app synthesises: its roles get permissions, its rules select the events that they name", async () => {
  vi.stubEnv("CDK_CONTEXT_JSON", JSON.stringify({ "aws:cdk:bundling-stacks": [] }));
  const { app } = await import("../../examples/own-app.ts");
  const assembly = app.synth();
  const [ci, consumers] = ["Ci", "Consumers"].map((name) => Template.fromJSON(assembly.getStackByName(name).template));
  const detailTypes = (template: Template | undefined) =>
    Object.values(template?.findResources("AWS::Events::Rule") ?? {}).flatMap(
      ({ Properties }) => Properties.EventPattern["detail-type"] ?? [],
    );
  expect(new Set(detailTypes(ci))).toEqual(
    new Set(["RunnerInstalled", "RunnerStart", "RunnerStop", "RunnerInstallFailed", "RunnerNeverUsed", "RunnerLost"]),
  );
  expect(detailTypes(consumers).sort()).toEqual(["MetricsQuarantined", "RunnerLost"]);
  const policies = JSON.stringify(ci?.findResources("AWS::IAM::Policy"));
  expect(policies).toContain("/runners/large/$" + "{aws:userid}/post-job-metrics.json");
  expect(policies).toContain("/quarantine/large/*");
});

test("the alarms can go to a Slack channel, where people can only read metrics", () => {
  const stack = new Stack(createApp(), "Chat");
  const topic = Topic.fromTopicArn(stack, "Topic", "arn:aws:sns:eu-central-1:123456789012:alarms");
  new AlarmsToSlack(stack, "Alarms", { topic, slackWorkspaceId: "T0123456789", slackChannelId: "C0123456789" });
  const readOnly = [
    Match.objectLike({ "Fn::Join": ["", Match.arrayWith([":iam::aws:policy/CloudWatchReadOnlyAccess"])] }),
  ];
  const template = Template.fromStack(stack);
  template.hasResourceProperties("AWS::Chatbot::SlackChannelConfiguration", {
    SlackWorkspaceId: "T0123456789",
    SlackChannelId: "C0123456789",
    SnsTopicArns: ["arn:aws:sns:eu-central-1:123456789012:alarms"],
    GuardrailPolicies: readOnly,
  });
  template.hasResourceProperties("AWS::IAM::Role", { ManagedPolicyArns: readOnly });
});

test("the three consumers can be deployed, and each takes the events that it is for", () => {
  const stack = new Stack(createApp(), "Consumers");
  const bus = EventBus.fromEventBusName(stack, "EventBus", "runner-metrics");
  new EventsToSqs(stack, "EventsToSqs", { bus });
  new EventsToLambda(stack, "EventsToLambda", { bus, longerThanSeconds: 60 });
  new EventsToFirehose(stack, "EventsToFirehose", { bus });
  const template = Template.fromStack(stack);
  const patterns = Object.values(template.findResources("AWS::Events::Rule")).map(
    ({ Properties }) => Properties.EventPattern,
  );
  expect(patterns).toEqual([
    { source: ["runner-metrics"] },
    {
      source: ["runner-metrics"],
      "detail-type": ["RunnerStop"],
      detail: { job_duration: [{ numeric: [">", 60] }] },
    },
    { source: ["runner-metrics"] },
  ]);
  template.hasResourceProperties("AWS::KinesisFirehose::DeliveryStream", {
    ExtendedS3DestinationConfiguration: {
      CompressionFormat: "GZIP",
      ProcessingConfiguration: { Enabled: true },
    },
  });
});
