/**
 * Deploys the stack to an emulator with the CDK's own command line, and lets a schedule do the rest: `npm run test:e2e`.
 * Needs Python for the emulator, and nothing else: no Docker, no account.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListObjectsV2Command,
  S3Client,
} from "@aws-sdk/client-s3";
import { ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { newEvents } from "../../examples/events-to-sqs.ts";
import type { MetricsEvent } from "../../functions/metrics/events.ts";
import type { SettingsInput } from "../../infra/settings.ts";
import { cloudDevelopmentKit, type Outputs } from "./cloud-development-kit.ts";
import { type Fleet, liveRunners, putFiles } from "./fleet.ts";
import { startMinistack } from "./ministack.ts";

/** The shortest that a schedule can have, and what the emulator does not know switched off. */
const SETTINGS: SettingsInput = {
  flavors: { large: { everyMinutes: 1 } },
  archiveRetentionDays: 0,
  schemaRegistry: false,
  removalPolicy: "destroy",
};
const CHANGED: SettingsInput = { ...SETTINGS, fileSizeBytesLimit: 2_048 };
const REGION = "us-east-1";
/** Two intervals of the schedule. */
const PATIENCE_MILLISECONDS = 130_000;

const FINISHED = Array.from({ length: 8 }, (_, index) => `r-${index + 1}`);
const RUNNING = ["r-running-1", "r-running-2"];

const began = Date.now();
const directory = mkdtempSync(join(tmpdir(), "runner-metrics-e2e-"));
const emulator = await startMinistack(directory);
const env = {
  AWS_ENDPOINT_URL: emulator.endpoint,
  AWS_REGION: REGION,
  AWS_ACCESS_KEY_ID: "test",
  AWS_SECRET_ACCESS_KEY: "test",
};
const client = {
  endpoint: emulator.endpoint,
  region: REGION,
  credentials: { accessKeyId: "test", secretAccessKey: "test" },
};
const s3 = new S3Client({ ...client, forcePathStyle: true });
const sqs = new SQSClient(client);
const cdk = cloudDevelopmentKit(directory, env);

try {
  await cdk.bootstrap();
  const outputs = await cdk.deploy(SETTINGS);
  const { bucket, queueUrl } = namesIn(outputs);
  tell("deployed", `stacks ${Object.keys(outputs).join(", ")}; bucket ${bucket}`);

  const fleet: Fleet = { bucket, flavor: "large", directory, env };
  await uploadFleet(fleet);
  const uploaded = Date.now();
  const consumer = createConsumer(queueUrl);
  await consumer.until(
    (events) => of("RunnerStop", events).length === FINISHED.length && of("MetricsQuarantined", events).length === 2,
  );
  tell("schedule fired", `the Lambda ran ${seconds(Date.now() - uploaded)} after the upload, nobody having called it`);
  checkEvents(consumer.events);
  await checkQuarantine(bucket, consumer.events);
  await checkCleanedUp(bucket);

  assert.deepEqual(namesIn(await cdk.deploy(CHANGED)), { bucket, queueUrl });
  await putFiles(s3, fleet, "r-larger", filesOf(1_500));
  await consumer.until((events) => of("RunnerStop", events).some(({ runner_name }) => runner_name === "r-larger"));
  tell("change deployed", "a file of 1,500 bytes is accepted now, and was quarantined before");

  await takeDown(bucket);
  tell("taken down", "stacks and bucket are gone");
} finally {
  emulator.stop();
  s3.destroy();
  sqs.destroy();
  rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}

function namesIn({ RunnerMetrics, Consumer }: Outputs): { bucket: string; queueUrl: string } {
  assert(RunnerMetrics?.BucketName && Consumer?.QueueUrl, "the stacks have no outputs");
  return { bucket: RunnerMetrics.BucketName, queueUrl: Consumer.QueueUrl };
}

async function uploadFleet(fleet: Fleet): Promise<void> {
  await liveRunners(fleet, FINISHED);
  await liveRunners(fleet, RUNNING, 3);
  await putFiles(s3, fleet, "r-tampered", { ...filesOf(200), "post-job-metrics.json": '{"timestamp": 1e999}' });
  await putFiles(s3, fleet, "r-too-large", filesOf(1_500));
}

/** Files of a runner whose pre-job file has about so many bytes. */
function filesOf(bytes: number): Record<string, string> {
  const now = Math.floor(Date.now() / 1_000);
  const job = { timestamp: now - 60, workflow_run_id: "1", repository: "acme/widgets", event: "push" };
  return {
    "runner-installed.timestamp": String(now - 120),
    "pre-job-metrics.json": JSON.stringify({ ...job, workflow: "CI", padding: "x".repeat(bytes) }),
    "post-job-metrics.json": JSON.stringify({ timestamp: now, status: "normal" }),
  };
}

/** Collects events from the queue behind the bus, each once. */
function createConsumer(QueueUrl: string) {
  const seen = new Set<string>();
  const events: MetricsEvent[] = [];
  return {
    events,
    async until(isEnough: (events: readonly MetricsEvent[]) => boolean): Promise<void> {
      const deadline = Date.now() + PATIENCE_MILLISECONDS;
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

function of<Type extends MetricsEvent["detailType"]>(type: Type, events: readonly MetricsEvent[]) {
  return events.flatMap((event) =>
    event.detailType === type ? [event.detail as Extract<MetricsEvent, { detailType: Type }>["detail"]] : [],
  );
}

function checkEvents(events: readonly MetricsEvent[]): void {
  for (const type of ["RunnerInstalled", "RunnerStart", "RunnerStop"] as const) {
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
  tell("events received", types.map(([type, some]) => `${some.length} ${type}`).join(", "));
}

async function checkQuarantine(bucket: string, events: readonly MetricsEvent[]): Promise<void> {
  const quarantined = of("MetricsQuarantined", events);
  const reasons = Object.fromEntries(quarantined.map(({ runner_name, reason }) => [runner_name, reason]));
  assert.deepEqual(reasons, { "r-tampered": "invalid-schema", "r-too-large": "file-too-large" });
  for (const { quarantine_prefix, objects, runner_name } of quarantined) {
    const Key = `${quarantine_prefix}manifest.json`;
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }));
    const manifest = JSON.parse((await Body?.transformToString()) ?? "");
    assert.equal(manifest.storage, runner_name);
    assert.equal((await keys(bucket, quarantine_prefix)).length, objects + 1);
  }
  tell(
    "quarantined",
    Object.entries(reasons)
      .map((pair) => pair.join(": "))
      .join(", "),
  );
}

async function checkCleanedUp(bucket: string): Promise<void> {
  const left = await keys(bucket, "runners/");
  const runners = new Set(left.map((key) => key.split("/")[2]));
  assert.deepEqual([...runners].sort(), RUNNING);
  assert.equal(left.length, 3 * RUNNING.length);
  tell("cleaned up", `under runners/ only what the ${RUNNING.length} still running ones have sent`);
}

async function takeDown(bucket: string): Promise<void> {
  for (const Key of await keys(bucket, "")) await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
  await cdk.destroy();
  await assert.rejects(s3.send(new HeadBucketCommand({ Bucket: bucket })));
}

async function keys(bucket: string, prefix: string): Promise<string[]> {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
  return Contents.map(({ Key = "" }) => Key);
}

function tell(what: string, details: string): void {
  console.log(`${seconds(Date.now() - began).padStart(7)}  ${what}: ${details}`);
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1_000).toFixed(1)} s`;
}
