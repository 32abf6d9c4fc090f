/**
 * Deploys the stack to an emulator with the CDK's own command line, and lets a schedule do the rest: `npm run test:all -- e2e`.
 * Needs Python for the emulator, and nothing else: no Docker, no account.
 */
import assert from "node:assert/strict";
import { EventBridgeClient } from "@aws-sdk/client-eventbridge";
import { LambdaClient } from "@aws-sdk/client-lambda";
import { DeleteObjectCommand, HeadBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { SQSClient } from "@aws-sdk/client-sqs";
import type { StackSettingsInput } from "../../infra/settings.ts";
import {
  checkCleanedUp,
  checkEvents,
  checkLost,
  checkQuarantine,
  createConsumer,
  filesOf,
  isComplete,
  keys,
  of,
  terminate,
  uploadFleet,
} from "./acceptance.ts";
import { cloudDevelopmentKit, type Outputs } from "./cloud-development-kit.ts";
import { type Fleet, putFiles } from "./fleet.ts";
import { startMiniStack } from "./ministack.ts";

/** The shortest interval that a schedule can have, and the one setting for what the emulator lacks. */
const SETTINGS: StackSettingsInput = {
  flavors: { large: { everyMinutes: 1 } },
  emulator: true,
  endedInstances: true,
  removalPolicy: "destroy",
};
const CHANGED: StackSettingsInput = { ...SETTINGS, maxObjectsPerRunner: 40 };
const INSTANCE = "i-0123456789abcdef0";
/** Two intervals of the schedule. */
const PATIENCE_MILLISECONDS = 130_000;

const began = Date.now();
const { directory, client, env, stop } = await startMiniStack("e2e");
const s3 = new S3Client({ ...client, forcePathStyle: true });
const sqs = new SQSClient(client);
const eventBridge = new EventBridgeClient(client);
const lambda = new LambdaClient(client);
const cdk = cloudDevelopmentKit("app.ts", directory, env);

try {
  await cdk.bootstrap({ runnerMetrics: SETTINGS });
  const outputs = await cdk.deploy({ runnerMetrics: SETTINGS });
  const { bucket, queueUrl } = namesIn(outputs);
  tell("deployed", `stacks ${Object.keys(outputs).join(", ")}; bucket ${bucket}`);

  const fleet: Fleet = { bucket, flavor: "large", directory, env };
  await uploadFleet(s3, fleet);
  const uploaded = Date.now();
  const consumer = createConsumer(sqs, queueUrl, PATIENCE_MILLISECONDS);
  await consumer.until(isComplete);
  tell("schedule fired", `the Lambda ran ${seconds(Date.now() - uploaded)} after the upload, nobody having called it`);
  tell("events received", checkEvents(consumer.events));
  tell("quarantined", await checkQuarantine(s3, bucket, consumer.events));
  tell("cleaned up", await checkCleanedUp(s3, bucket));

  assert.deepEqual(namesIn(await cdk.deploy({ runnerMetrics: CHANGED })), { bucket, queueUrl });
  const extra = Object.fromEntries(Array.from({ length: 30 }, (_, number) => [`extra-${number}`, "x"]));
  await putFiles(s3, fleet, "r-larger", { ...extra, ...filesOf(0) });
  await consumer.until((events) => of("RunnerStop", events).some(({ runner_name }) => runner_name === "r-larger"));
  tell("change deployed", "34 objects of a runner are accepted now, and were quarantined before");

  const { "post-job-metrics.json": _, ...unfinished } = filesOf(0);
  await putFiles(s3, fleet, `AROAEXAMPLE:${INSTANCE}`, unfinished);
  const endedAt = await terminate(eventBridge, lambda, INSTANCE);
  await consumer.until((events) => of("RunnerLost", events).length > 0);
  tell("instance terminated", checkLost(consumer.events, { runner_name: INSTANCE, endedAt }));

  await takeDown(bucket);
  tell("taken down", "stacks and bucket are gone");
} finally {
  s3.destroy();
  sqs.destroy();
  eventBridge.destroy();
  lambda.destroy();
  stop();
}

function namesIn({ RunnerMetrics, Consumer }: Outputs): { bucket: string; queueUrl: string } {
  assert(RunnerMetrics?.BucketName && Consumer?.QueueUrl, "the stacks have no outputs");
  return { bucket: RunnerMetrics.BucketName, queueUrl: Consumer.QueueUrl };
}

async function takeDown(bucket: string): Promise<void> {
  for (const Key of await keys(s3, bucket, "")) await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
  await cdk.destroy();
  await assert.rejects(s3.send(new HeadBucketCommand({ Bucket: bucket })));
}

function tell(what: string, details: string): void {
  console.log(`${seconds(Date.now() - began).padStart(7)}  ${what}: ${details}`);
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1_000).toFixed(1)} s`;
}
