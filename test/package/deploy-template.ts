/**
 * The release's template with plain CloudFormation calls, without CDK: `npm run test:all -- template`. Puts the function's zip file into a bucket of an
 * emulator, creates the stack without a KMS key and GitHub, and adds a local GitHub by an update. Lets runners upload, and invokes the function as
 * its schedule does. Needs Python for the emulator.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  CloudFormationClient,
  CreateStackCommand,
  DescribeStackResourcesCommand,
  DescribeStacksCommand,
  UpdateStackCommand,
  waitUntilStackCreateComplete,
  waitUntilStackUpdateComplete,
} from "@aws-sdk/client-cloudformation";
import { EventBridgeClient, PutRuleCommand, PutTargetsCommand } from "@aws-sdk/client-eventbridge";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { CreateBucketCommand, GetBucketEncryptionCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { GetScheduleCommand, ListSchedulesCommand, SchedulerClient } from "@aws-sdk/client-scheduler";
import { PutSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from "@aws-sdk/client-sqs";
import type { MetricsEvent } from "../../contract/events.ts";
import type { FunctionName } from "../../infra/constructs/bundling.ts";
import { startLocalGithub } from "../../local/github.ts";
import { bundleHandler } from "../../package/bundle.ts";
import { lambdaZip } from "../../package/lambda-zip.ts";
import { releaseTemplate } from "../../package/template.ts";
import {
  checkCleanedUp,
  checkEvents,
  checkQuarantine,
  createConsumer,
  FINISHED,
  isComplete,
  keys,
  of,
  terminate,
  uploadFleet,
} from "../e2e/acceptance.ts";
import { JOB } from "../e2e/fleet.ts";
import { startMiniStack } from "../e2e/ministack.ts";

const STACK = "Metrics";
const CODE_BUCKET = "release";
const INSTANCE = "i-0123456789abcdef0";
const PATIENCE_SECONDS = 120;
const QUEUE_SECONDS = 80;

const { directory, client, env, stop } = await startMiniStack("template");
const s3 = new S3Client({ ...client, forcePathStyle: true });
const cloudFormation = new CloudFormationClient(client);
const eventBridge = new EventBridgeClient(client);
const lambda = new LambdaClient(client);
const sqs = new SQSClient(client);
const scheduler = new SchedulerClient(client);
const secrets = new SecretsManagerClient(client);
const github = await startLocalGithub();

try {
  const parameters = { ...(await uploadCode()), Flavor1: "large", Flavor2: "arm-small" };
  const request = { StackName: STACK, TemplateURL: await uploadTemplate(), Capabilities: ["CAPABILITY_IAM" as const] };
  const waiter = { client: cloudFormation, maxWaitTime: PATIENCE_SECONDS };
  await cloudFormation.send(new CreateStackCommand({ ...request, Parameters: inRequest(parameters) }));
  await waitUntilStackCreateComplete(waiter, { StackName: STACK });
  const created = await stackOutputs();
  assert(!("GithubSecretArn" in created));
  const before = await physicalIds();
  const withGithub = {
    ...parameters,
    GithubOwners: "acme,octo-org",
    GithubRunners: "acme",
    GithubApiUrl: github.apiUrl,
  };
  await cloudFormation.send(new UpdateStackCommand({ ...request, Parameters: inRequest(withGithub) }));
  await waitUntilStackUpdateComplete(waiter, { StackName: STACK });
  const { GithubSecretArn, ...outputs } = await stackOutputs();
  assert.deepEqual(outputs, created);
  const after = await physicalIds();
  assert.deepEqual({ ...after, ...before }, after, "no resource was replaced");
  const added = Object.keys(after).filter((id) => !(id in before));
  console.log(`created: ${Object.keys(outputs).sort().join(", ")}`);
  console.log(`added with GitHub: ${added.sort().join(", ")}`);

  const { BucketName: bucket = "", EventBusName: bus = "", FunctionName = "", ScheduleGroupName } = outputs;
  await checkEncryption(bucket);
  await secrets.send(new PutSecretValueCommand({ SecretId: GithubSecretArn, SecretString: github.secret }));
  const jobs = FINISHED.map((runner) => ({ runner, createdAt: ago(QUEUE_SECONDS + 60), startedAt: ago(60) }));
  github.addJobs(JOB.GITHUB_REPOSITORY, JOB.GITHUB_RUN_ID, jobs);
  github.setRunners("acme", [{ name: "r-running-1" }]);
  const queueUrl = await queueBehind(bus);
  await uploadFleet(s3, { bucket, flavor: "large", directory, env });
  const Payload = await scheduleInput(ScheduleGroupName);
  assert.deepEqual(JSON.parse(Payload), { flavor: "large", orphanAfterSeconds: 86_400, githubRunners: "acme" });
  const { FunctionError, Payload: answer } = await lambda.send(new InvokeCommand({ FunctionName, Payload }));
  assert.equal(FunctionError, undefined, Buffer.from(answer ?? []).toString());
  const consumer = createConsumer(sqs, queueUrl, PATIENCE_SECONDS * 1_000);
  await consumer.until(isComplete);
  console.log(`events received: ${checkEvents(consumer.events)}`);
  console.log(`GitHub's answers: ${checkJobMetrics(consumer.events)}`);
  console.log(`quarantined: ${await checkQuarantine(s3, bucket, consumer.events)}`);
  console.log(`cleaned up: ${await checkCleanedUp(s3, bucket)}`);
  const endedAt = await terminate(eventBridge, lambda, INSTANCE);
  assert.deepEqual(await keys(s3, bucket, "ended/"), [`ended/${INSTANCE}/${endedAt}-terminated`]);
  console.log("recorded: the end of an instance");
} finally {
  for (const one of [s3, cloudFormation, eventBridge, lambda, sqs, scheduler, secrets]) one.destroy();
  await github.close();
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
  const Body = JSON.stringify(releaseTemplate({ flavors: 2, emulator: true }));
  await s3.send(new PutObjectCommand({ Bucket: CODE_BUCKET, Key: "template.json", Body }));
  return `${client.endpoint}/${CODE_BUCKET}/template.json`;
}

function inRequest(parameters: Readonly<Record<string, string>>) {
  return Object.entries(parameters).map(([ParameterKey, ParameterValue]) => ({ ParameterKey, ParameterValue }));
}

/** The resources by logical id. */
async function physicalIds(): Promise<Record<string, string>> {
  const { StackResources = [] } = await cloudFormation.send(new DescribeStackResourcesCommand({ StackName: STACK }));
  const ids = StackResources.map(({ LogicalResourceId = "", PhysicalResourceId = "" }) => [
    LogicalResourceId,
    PhysicalResourceId,
  ]);
  return Object.fromEntries(ids);
}

/** What the schedule of the first flavor sends to the function. */
async function scheduleInput(GroupName: string | undefined): Promise<string> {
  const { Schedules = [] } = await scheduler.send(new ListSchedulesCommand({ GroupName }));
  const Name = Schedules.find(({ Name }) => Name?.includes("Flavor1"))?.Name;
  const { Target } = await scheduler.send(new GetScheduleCommand({ GroupName, Name }));
  return Target?.Input ?? "";
}

/** Without a KMS key of ours. */
async function checkEncryption(Bucket: string): Promise<void> {
  const { ServerSideEncryptionConfiguration } = await s3.send(new GetBucketEncryptionCommand({ Bucket }));
  const algorithms = ServerSideEncryptionConfiguration?.Rules?.map(
    ({ ApplyServerSideEncryptionByDefault: byDefault }) => byDefault,
  );
  assert.deepEqual(algorithms, [{ SSEAlgorithm: "AES256" }]);
}

/** What only GitHub knows is on the events. */
function checkJobMetrics(events: readonly MetricsEvent[]): string {
  for (const { verification, queue_duration } of of("RunnerStart", events)) {
    assert.deepEqual({ verification, queue_duration }, { verification: "verified", queue_duration: QUEUE_SECONDS });
  }
  for (const { job_conclusion } of of("RunnerStop", events)) assert.equal(job_conclusion, "success");
  assert(github.requests.some(({ path }) => path.startsWith("/orgs/acme/actions/runners")));
  return `jobs are verified, waited ${QUEUE_SECONDS} s, and were successful; it listed the organisation's runners`;
}

/** As GitHub writes times. */
function ago(seconds: number): string {
  return `${new Date(Math.floor(Date.now() / 1_000 - seconds) * 1_000).toISOString().slice(0, 19)}Z`;
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
