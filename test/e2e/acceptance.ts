/** What a fleet does, and what must come of it: the same whatever is deployed to. */
import assert from "node:assert/strict";
import { GetObjectCommand, ListObjectsV2Command, type S3Client } from "@aws-sdk/client-s3";
import { ReceiveMessageCommand, type SQSClient } from "@aws-sdk/client-sqs";
import type { MetricsEvent } from "../../contract/events.ts";
import { newEvents } from "../../examples/events-to-sqs.ts";
import { type Fleet, liveRunners, putFiles } from "./fleet.ts";

const FINISHED = Array.from({ length: 8 }, (_, index) => `r-${index + 1}`);
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
