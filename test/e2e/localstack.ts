/**
 * The contracts, the tickets, whose policies it enforces, and a run from upload to queue, on LocalStack: `npm run test:all -- localstack`. Takes the one at
 * `AWS_ENDPOINT_URL` or on its usual port (`docker compose up localstack`); with `--host` starts one from PyPI, without Docker.
 * The handler runs here, in a process of its own: on the host, LocalStack runs no Lambda functions.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CreateEventBusCommand,
  DeleteEventBusCommand,
  DeleteRuleCommand,
  EventBridgeClient,
  PutRuleCommand,
  PutTargetsCommand,
  RemoveTargetsCommand,
} from "@aws-sdk/client-eventbridge";
import { CreateBucketCommand, DeleteBucketCommand, DeleteObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { CreateQueueCommand, DeleteQueueCommand, GetQueueAttributesCommand, SQSClient } from "@aws-sdk/client-sqs";
import { EVENT_SOURCE } from "../../contract/events.ts";
import { LOCALSTACK, startEmulator } from "../emulators.ts";
import { invokeInProcessOfItsOwn } from "../worlds/invoke-handler.ts";
import {
  checkCleanedUp,
  checkEvents,
  checkQuarantine,
  createConsumer,
  isComplete,
  keys,
  uploadFleet,
} from "./acceptance.ts";

const USUAL_ENDPOINT = "http://127.0.0.1:4566";
const REGION = "us-east-1";
const PATIENCE_MILLISECONDS = 30_000;

const directory = mkdtempSync(join(tmpdir(), "runner-metrics-localstack-"));
const started = process.argv.includes("--host") ? await startEmulator(LOCALSTACK, directory) : undefined;
const endpoint = started?.endpoint ?? process.env.AWS_ENDPOINT_URL ?? USUAL_ENDPOINT;
const env = {
  AWS_ENDPOINT_URL: endpoint,
  AWS_REGION: REGION,
  AWS_ACCESS_KEY_ID: "test",
  AWS_SECRET_ACCESS_KEY: "test",
};

try {
  await checkRunning();
  await node("node_modules/vitest/vitest.mjs", "run", "test/contracts");
  await node("node_modules/vitest/vitest.mjs", "run", "test/runner/ticket.test.ts", { TICKET_ENDPOINT: endpoint });
  await fromUploadToQueue();
} finally {
  started?.stop();
  rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}

async function checkRunning(): Promise<void> {
  const health = await fetch(new URL(LOCALSTACK.health, endpoint)).catch(() => undefined);
  if (!health?.ok) throw new Error(`No LocalStack answers at ${endpoint}. Start one: docker compose up localstack`);
}

async function fromUploadToQueue(): Promise<void> {
  const client = { endpoint, region: REGION, credentials: { accessKeyId: "test", secretAccessKey: "test" } };
  const s3 = new S3Client({ ...client, forcePathStyle: true });
  const events = new EventBridgeClient(client);
  const sqs = new SQSClient(client);
  const name = `runner-metrics-${Date.now()}`;

  await s3.send(new CreateBucketCommand({ Bucket: name }));
  await events.send(new CreateEventBusCommand({ Name: name }));
  const { QueueUrl = "" } = await sqs.send(new CreateQueueCommand({ QueueName: name }));
  await connect(events, sqs, name, QueueUrl);

  await uploadFleet(s3, { bucket: name, flavor: "large", directory, env });
  const invocation = await invokeInProcessOfItsOwn(
    { flavor: "large" },
    { ...env, BUCKET_NAME: name, EVENT_BUS_NAME: name },
  );
  if (!invocation.returned) throw new Error(`The run failed: ${JSON.stringify(invocation)}`);
  const consumer = createConsumer(sqs, QueueUrl, PATIENCE_MILLISECONDS);
  await consumer.until(isComplete);
  console.log(`events received: ${checkEvents(consumer.events)}`);
  console.log(`quarantined: ${await checkQuarantine(s3, name, consumer.events)}`);
  console.log(`cleaned up: ${await checkCleanedUp(s3, name)}`);

  for (const Key of await keys(s3, name, "")) await s3.send(new DeleteObjectCommand({ Bucket: name, Key }));
  await s3.send(new DeleteBucketCommand({ Bucket: name }));
  await events.send(new RemoveTargetsCommand({ EventBusName: name, Rule: name, Ids: ["queue"] }));
  await events.send(new DeleteRuleCommand({ EventBusName: name, Name: name }));
  await events.send(new DeleteEventBusCommand({ Name: name }));
  await sqs.send(new DeleteQueueCommand({ QueueUrl }));
}

/** Puts the queue behind the bus. */
async function connect(events: EventBridgeClient, sqs: SQSClient, name: string, QueueUrl: string): Promise<void> {
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] }));
  const EventPattern = JSON.stringify({ source: [EVENT_SOURCE] });
  await events.send(new PutRuleCommand({ EventBusName: name, Name: name, EventPattern }));
  const Targets = [{ Id: "queue", Arn: Attributes?.QueueArn }];
  await events.send(new PutTargetsCommand({ EventBusName: name, Rule: name, Targets }));
}

/** Runs a script, or a tool, of this project, and shows what it prints. The last parameter may be more environment. */
async function node(script: string, ...parameters: (string | Record<string, string>)[]): Promise<void> {
  const words = parameters.filter((parameter) => typeof parameter === "string");
  const more = Object.assign({}, ...parameters.filter((parameter) => typeof parameter !== "string"));
  const options = { stdio: "inherit", env: { ...process.env, ...env, EMULATOR: "localstack", ...more } } as const;
  const child = spawn(process.execPath, [script, ...words], options);
  await new Promise<void>((resolve, reject) => {
    child.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`${script} ended with ${code}`))));
  });
}
