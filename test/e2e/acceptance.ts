/** What a fleet does, and what must come of it: the same whatever is deployed to. */
import assert from "node:assert/strict";
import {
  type EventBridgeClient,
  ListRulesCommand,
  ListTargetsByRuleCommand,
  PutEventsCommand,
  TestEventPatternCommand,
} from "@aws-sdk/client-eventbridge";
import { InvokeCommand, type LambdaClient } from "@aws-sdk/client-lambda";
import { GetObjectCommand, ListObjectsV2Command, type S3Client } from "@aws-sdk/client-s3";
import { ReceiveMessageCommand, type SQSClient } from "@aws-sdk/client-sqs";
import type { MetricsEvent } from "../../contract/events.ts";
import { EC2_SOURCE, STATE_CHANGE } from "../../contract/instance-events.ts";
import { newEvents } from "../../examples/events-to-sqs.ts";
import { type Fleet, liveRunners, putFiles } from "./fleet.ts";

export const FINISHED = Array.from({ length: 8 }, (_, index) => `r-${index + 1}`);
const RUNNING = ["r-running-1", "r-running-2"];
const TAMPERED = { "r-tampered": "invalid-schema", "r-too-large": "file-too-large" };

/** Eight runners that did a job, two that are about it, and two whose files were tampered with. */
export async function uploadFleet(s3: S3Client, fleet: Fleet): Promise<void> {
  await liveRunners(fleet, FINISHED);
  await liveRunners(fleet, RUNNING, 3);
  await putFiles(s3, fleet, "r-tampered", { ...filesOf(200), "post-job-metrics.json": '{"timestamp": 1e999}' });
  await putFiles(s3, fleet, "r-too-large", filesOf(1_500));
}

/** Files of a runner whose pre-job file has about so many bytes. */
export function filesOf(bytes: number): Record<string, string> {
  const now = Math.floor(Date.now() / 1_000);
  const job = { timestamp: now - 60, workflow_run_id: "1", repository: "acme/widgets", event: "push" };
  return {
    "runner-installed.timestamp": String(now - 120),
    "pre-job-metrics.json": JSON.stringify({ ...job, workflow: "CI", padding: "x".repeat(bytes) }),
    "post-job-metrics.json": JSON.stringify({ timestamp: now, status: "normal" }),
  };
}

/** Collects events from the queue behind the bus, each once. */
export function createConsumer(sqs: SQSClient, QueueUrl: string, patienceMilliseconds: number) {
  const seen = new Set<string>();
  const events: MetricsEvent[] = [];
  return {
    events,
    async until(isEnough: (events: readonly MetricsEvent[]) => boolean): Promise<void> {
      const deadline = Date.now() + patienceMilliseconds;
      while (!isEnough(events)) {
        if (Date.now() > deadline) throw new Error(`Only these events came: ${JSON.stringify(events)}`);
        const receive = new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 2 });
        const { Messages = [] } = await sqs.send(receive);
        events.push(
          ...newEvents(
            Messages.map(({ Body = "{}" }) => Body),
            seen,
          ),
        );
      }
    },
  };
}

export function of<Type extends MetricsEvent["detailType"]>(type: Type, events: readonly MetricsEvent[]) {
  return events.flatMap((event) =>
    event.detailType === type ? [event.detail as Extract<MetricsEvent, { detailType: Type }>["detail"]] : [],
  );
}

/** Of each runner that finished. */
const TYPES = ["RunnerInstalled", "RunnerStart", "RunnerStop"] as const;

/** Every finished runner has its three events. */
export function checkEvents(events: readonly MetricsEvent[]): string {
  for (const type of TYPES) {
    assert.deepEqual(
      of(type, events)
        .map(({ runner_name }) => runner_name)
        .sort(),
      FINISHED,
    );
  }
  const [stop] = of("RunnerStop", events);
  assert.equal(stop?.repo, "acme/widgets");
  assert.equal(stop?.workflow, 'CI "quoted"');
  assert.equal(stop?.status, "normal");
  const types = Object.entries(Object.groupBy(events, ({ detailType }) => detailType));
  return types.map(([type, some]) => `${some.length} ${type}`).join(", ");
}

/**
 * EC2's event that an instance was terminated two minutes ago goes the way that it would go: through the deployed rule on the default bus,
 * whose pattern has to match it, to the function that is its target. Only EC2 can put it on the bus: by hand, the emulator refuses it
 * as AWS does. When the instance ended, in UNIX seconds.
 */
export async function terminate(
  eventBridge: EventBridgeClient,
  lambda: LambdaClient,
  instance: string,
): Promise<number> {
  const seconds = Math.floor(Date.now() / 1_000) - 120;
  const detail = { "instance-id": instance, state: "terminated" };
  const forged = { Source: EC2_SOURCE, DetailType: STATE_CHANGE, Detail: JSON.stringify(detail) };
  const { Entries = [] } = await eventBridge.send(new PutEventsCommand({ Entries: [forged] }));
  assert.equal(Entries[0]?.ErrorCode, "NotAuthorizedForSourceException");

  const time = `${new Date(seconds * 1_000).toISOString().slice(0, 19)}Z`;
  const envelope = { version: "0", id: "1", account: "000000000000", region: "us-east-1", resources: [] };
  const event = { ...envelope, source: EC2_SOURCE, "detail-type": STATE_CHANGE, time, detail };
  const { Rules = [] } = await eventBridge.send(new ListRulesCommand({}));
  const targets: string[] = [];
  for (const { Name, EventPattern } of Rules) {
    const matching = new TestEventPatternCommand({ EventPattern, Event: JSON.stringify(event) });
    if (!EventPattern || !(await eventBridge.send(matching)).Result) continue;
    const { Targets = [] } = await eventBridge.send(new ListTargetsByRuleCommand({ Rule: Name }));
    targets.push(...Targets.map(({ Arn = "" }) => Arn));
  }
  assert.equal(targets.length, 1, "one rule of the default bus selects the event, and has one target");
  const invoke = new InvokeCommand({ FunctionName: targets[0], Payload: JSON.stringify(event) });
  const { FunctionError, Payload } = await lambda.send(invoke);
  assert.equal(FunctionError, undefined, Payload?.transformToString());
  return seconds;
}

/** The silent runner on that instance is lost, long before it would be an orphan, and its event says why and when. */
export function checkLost(
  events: readonly MetricsEvent[],
  { runner_name, endedAt }: { runner_name: string; endedAt: number },
): string {
  const lost = of("RunnerLost", events).map(({ runner_name, cause, ended_at }) => ({ runner_name, cause, ended_at }));
  assert.deepEqual(lost, [{ runner_name, cause: "terminated", ended_at: endedAt }]);
  return `its silent runner is lost, since ${new Date(endedAt * 1_000).toISOString()}`;
}

/** What was tampered with is in the quarantine, with its reason. */
export async function checkQuarantine(s3: S3Client, bucket: string, events: readonly MetricsEvent[]): Promise<string> {
  const quarantined = of("MetricsQuarantined", events);
  const reasons = Object.fromEntries(quarantined.map(({ runner_name, reason }) => [runner_name, reason]));
  assert.deepEqual(reasons, TAMPERED);
  for (const { quarantine_prefix, objects, runner_name } of quarantined) {
    const Key = `${quarantine_prefix}manifest.json`;
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }));
    const manifest = JSON.parse((await Body?.transformToString()) ?? "");
    assert.equal(manifest.storage, runner_name);
    assert.equal((await keys(s3, bucket, quarantine_prefix)).length, objects + 1);
  }
  return Object.entries(reasons)
    .map((pair) => pair.join(": "))
    .join(", ");
}

/** What is left is of those runners that are not done. */
export async function checkCleanedUp(s3: S3Client, bucket: string): Promise<string> {
  const left = await keys(s3, bucket, "runners/");
  const runners = new Set(left.map((key) => key.split("/")[2]));
  assert.deepEqual([...runners].sort(), RUNNING);
  assert.equal(left.length, 3 * RUNNING.length);
  return `under runners/ only what the ${RUNNING.length} still running ones have sent`;
}

/** Whether all that the fleet gives rise to has come, in whatever order. */
export function isComplete(events: readonly MetricsEvent[]): boolean {
  return (
    TYPES.every((type) => of(type, events).length === FINISHED.length) &&
    of("MetricsQuarantined", events).length === Object.keys(TAMPERED).length
  );
}

/** Keys of the bucket's objects that begin so. */
export async function keys(s3: S3Client, bucket: string, prefix: string): Promise<string[]> {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
  return Contents.map(({ Key = "" }) => Key);
}
