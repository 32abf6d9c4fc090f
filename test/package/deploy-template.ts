/**
 * The release's template with plain CloudFormation calls, without CDK: `npm run test:all -- template`. Puts the function's zip file into a bucket of an
 * emulator, creates the stack, lets runners upload, and invokes the function as its schedule does. Needs Python for the emulator.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  CloudFormationClient,
  CreateStackCommand,
  DescribeStacksCommand,
  waitUntilStackCreateComplete,
} from "@aws-sdk/client-cloudformation";
import { EventBridgeClient, PutRuleCommand, PutTargetsCommand } from "@aws-sdk/client-eventbridge";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from "@aws-sdk/client-sqs";
import type { FunctionName } from "../../infra/constructs/bundling.ts";
import { bundleHandler } from "../../package/bundle.ts";
import { lambdaZip } from "../../package/lambda-zip.ts";
import { releaseTemplate } from "../../package/template.ts";
import {
  checkCleanedUp,
  checkEvents,
  checkQuarantine,
  createConsumer,
  isComplete,
  keys,
  terminate,
  uploadFleet,
} from "../e2e/acceptance.ts";
import { startMiniStack } from "../e2e/ministack.ts";

const STACK = "Metrics";
const CODE_BUCKET = "release";
const INSTANCE = "i-0123456789abcdef0";
const PATIENCE_SECONDS = 120;

const { directory, client, env, stop } = await startMiniStack("template");
const s3 = new S3Client({ ...client, forcePathStyle: true });
const cloudFormation = new CloudFormationClient(client);
const eventBridge = new EventBridgeClient(client);
const lambda = new LambdaClient(client);
const sqs = new SQSClient(client);

try {
  const Parameters = Object.entries({ ...(await uploadCode()), Flavor1: "large", Flavor2: "arm-small" }).map(
    ([ParameterKey, ParameterValue]) => ({ ParameterKey, ParameterValue }),
  );
  const TemplateURL = await uploadTemplate();
  const Capabilities = ["CAPABILITY_IAM" as const];
  await cloudFormation.send(new CreateStackCommand({ StackName: STACK, TemplateURL, Parameters, Capabilities }));
  await waitUntilStackCreateComplete({ client: cloudFormation, maxWaitTime: PATIENCE_SECONDS }, { StackName: STACK });
  const outputs = await stackOutputs();
  console.log(`created: ${Object.keys(outputs).sort().join(", ")}`);

  const { BucketName: bucket = "", EventBusName: bus = "", FunctionName = "" } = outputs;
  const queueUrl = await queueBehind(bus);
  await uploadFleet(s3, { bucket, flavor: "large", directory, env });
  const Payload = JSON.stringify({ flavor: "large", orphanAfterSeconds: 86_400 });
  const { FunctionError, Payload: answer } = await lambda.send(new InvokeCommand({ FunctionName, Payload }));
  assert.equal(FunctionError, undefined, Buffer.from(answer ?? []).toString());
  const consumer = createConsumer(sqs, queueUrl, PATIENCE_SECONDS * 1_000);
  await consumer.until(isComplete);
  console.log(`events received: ${checkEvents(consumer.events)}`);
  console.log(`quarantined: ${await checkQuarantine(s3, bucket, consumer.events)}`);
  console.log(`cleaned up: ${await checkCleanedUp(s3, bucket)}`);
  const endedAt = await terminate(eventBridge, lambda, INSTANCE);
  assert.deepEqual(await keys(s3, bucket, "ended/"), [`ended/${INSTANCE}/${endedAt}-terminated`]);
  console.log("recorded: the end of an instance");
} finally {
  for (const one of [s3, cloudFormation, eventBridge, lambda, sqs]) one.destroy();
  stop();
}

async function bundle(name: FunctionName): Promise<Uint8Array> {
  const file = join(directory, `${name}.mjs`);
  await bundleHandler(file, name);
  return readFileSync(file);
}

async function uploadCode(): Promise<{ CodeBucket: string; CodeKey: string }> {
  const code = { CodeBucket: CODE_BUCKET, CodeKey: "runner-metrics-lambda.zip" };
  await s3.send(new CreateBucketCommand({ Bucket: code.CodeBucket }));
  const Body = lambdaZip({
    "extract-metrics": await bundle("extract-metrics"),
    "record-instance-ends": await bundle("record-instance-ends"),
  });
  await s3.send(new PutObjectCommand({ Bucket: code.CodeBucket, Key: code.CodeKey, Body }));
  return code;
}

/** As a file in the bucket: a template in a request may have at most 51,200 bytes. */
async function uploadTemplate(): Promise<string> {
  const Body = JSON.stringify(releaseTemplate({ flavors: 2, kms: false, emulator: true }));
  await s3.send(new PutObjectCommand({ Bucket: CODE_BUCKET, Key: "template.json", Body }));
  return `${client.endpoint}/${CODE_BUCKET}/template.json`;
}

async function stackOutputs(): Promise<Record<string, string>> {
  const { Stacks } = await cloudFormation.send(new DescribeStacksCommand({ StackName: STACK }));
  const outputs = Stacks?.[0]?.Outputs ?? [];
  return Object.fromEntries(outputs.map(({ OutputKey = "", OutputValue = "" }) => [OutputKey, OutputValue]));
}

/** A queue that receives all events of the bus. */
async function queueBehind(bus: string): Promise<string> {
  const { QueueUrl = "" } = await sqs.send(new CreateQueueCommand({ QueueName: "events" }));
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] }));
  const EventPattern = JSON.stringify({ source: ["runner-metrics"] });
  await eventBridge.send(new PutRuleCommand({ Name: "all", EventBusName: bus, EventPattern }));
  const Targets = [{ Id: "queue", Arn: Attributes?.QueueArn ?? "" }];
  await eventBridge.send(new PutTargetsCommand({ Rule: "all", EventBusName: bus, Targets }));
  return QueueUrl;
}
