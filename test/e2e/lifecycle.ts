/**
 * The life of stacks on an emulator: `npm run test:all -- lifecycle`. A first deployment that fails; three stacks side by side, two of them on one
 * event bus; a retired flavor; deleted and deployed again, with what `retain` keeps, with a bucket that stayed, and with `destroy`. D1 and D3.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { CloudWatchLogsClient, FilterLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs";
import { CreateEventBusCommand, DescribeEventBusCommand, EventBridgeClient } from "@aws-sdk/client-eventbridge";
import {
  DeleteBucketPolicyCommand,
  DeleteObjectCommand,
  HeadBucketCommand,
  ListBucketsCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { SQSClient } from "@aws-sdk/client-sqs";
import type { StackSettingsInput } from "../../infra/settings.ts";
import { createConsumer, filesOf, keys } from "./acceptance.ts";
import { cloudDevelopmentKit } from "./cloud-development-kit.ts";
import { putFiles } from "./fleet.ts";
import { startMiniStack } from "./ministack.ts";

const SHARED_BUS = "shared";
/** Four intervals of the schedule. */
const PATIENCE_MILLISECONDS = 260_000;

const common: StackSettingsInput = { flavors: { large: { everyMinutes: 1 } }, emulator: true, alarms: false };
const ALONE: StackSettingsInput = {
  ...common,
  stackName: "Alone",
  flavors: { large: { everyMinutes: 1 }, old: { everyMinutes: 1 } },
};
const FIRST: StackSettingsInput = { ...common, stackName: "First", eventBusName: SHARED_BUS };
const SECOND: StackSettingsInput = { ...FIRST, stackName: "Second" };

const began = Date.now();
const { directory, client, env, stop } = await startMiniStack("lifecycle");
const s3 = new S3Client({ ...client, forcePathStyle: true });
const sqs = new SQSClient(client);
const eventBridge = new EventBridgeClient(client);
const logs = new CloudWatchLogsClient(client);
const cdk = cloudDevelopmentKit("lifecycle-app.ts", directory, env);
const consumers = new Map<string, ReturnType<typeof createConsumer>>();

try {
  await eventBridge.send(new CreateEventBusCommand({ Name: SHARED_BUS }));
  await cdk.bootstrap({ stacks: [ALONE, FIRST, SECOND] });

  await assert.rejects(cdk.deploy({ stacks: [ALONE], broken: true }), /WaitCondition/);
  const { Buckets = [] } = await s3.send(new ListBucketsCommand());
  assert.deepEqual(
    Buckets.flatMap(({ Name = "" }) => (Name.startsWith("cdk-") ? [] : [Name])),
    [],
  );
  tell("failed", "the first deployment, at its last resource, and nothing of it stayed");

  const before = await deploy([ALONE, FIRST, SECOND]);
  assert.equal(new Set(Object.values(before).map(({ bucket }) => bucket)).size, 3);
  tell("deployed", "three stacks with one flavor of the same name, two of them on one bus");
  await Promise.all(Object.entries(before).map(([stack, names]) => run(names, "large", [`${stack}-1`, `${stack}-2`])));
  for (const [stack, names] of Object.entries(before)) {
    // The function logs its metrics after the events and the deletion.
    for (let tries = 0; tries < 50 && (await extracted(names))[stack] !== 2; tries += 1) await sleep(200);
    assert.deepEqual(await extracted(names), { [stack]: 2 });
  }
  tell("ran side by side", "each stack has events and numbers of its own runners only");

  const retired = await deploy([
    { ...ALONE, flavors: { ...ALONE.flavors, old: { everyMinutes: 1, retired: true } } },
    FIRST,
    SECOND,
  ]);
  assert.deepEqual(retired, before);
  await run(of(retired, "Alone"), "old", ["late"]);
  assert.deepEqual(await keys(s3, of(retired, "Alone").bucket, "runners/old/"), []);
  tell("changed", "a retired flavor was still collected, until its prefix was empty");

  await cdk.destroy();
  for (const { bucket } of Object.values(before)) assert(await exists(bucket), `${bucket} was not retained`);
  await eventBridge.send(new DescribeEventBusCommand({ Name: SHARED_BUS }));
  tell("deleted", "the buckets stay, and so does the bus that is not the stacks'");

  // As docs/operate/stack.md says.
  const { bucket: stayed } = of(before, "First");
  await s3.send(new DeleteBucketPolicyCommand({ Bucket: stayed }));
  await putFiles(s3, { bucket: stayed, flavor: "large", directory, env }, "meanwhile", filesOf(0));
  const again = await deploy([
    { ...ALONE, removalPolicy: "destroy" },
    { ...common, stackName: "Attached", bucketName: stayed, manageBucketPolicy: true },
  ]);
  assert.notEqual(of(again, "Alone").bucket, of(before, "Alone").bucket);
  assert.equal(of(again, "Attached").bucket, stayed);
  await Promise.all([
    run(of(again, "Alone"), "large", ["again-1"]),
    run(of(again, "Attached"), "large", ["attached-1"], ["meanwhile"]),
  ]);
  tell(
    "deployed again",
    "under the same name with a new bucket, and with a bucket that stayed and what was uploaded meanwhile",
  );

  for (const Key of await keys(s3, of(again, "Alone").bucket, "")) {
    await s3.send(new DeleteObjectCommand({ Bucket: of(again, "Alone").bucket, Key }));
  }
  await cdk.destroy();
  assert(!(await exists(of(again, "Alone").bucket)), "the bucket stays in spite of removalPolicy destroy");
  const third = await deploy([{ ...ALONE, removalPolicy: "destroy" }]);
  await run(of(third, "Alone"), "large", ["third-1"]);
  tell("deleted with destroy, and deployed again", "nothing of it had stayed");
} finally {
  for (const one of [s3, sqs, eventBridge, logs]) one.destroy();
  stop();
}

interface Names {
  readonly bucket: string;
  readonly queueUrl: string;
  readonly functionLog: string;
}

async function deploy(stacks: StackSettingsInput[]): Promise<Record<string, Names>> {
  const outputs = await cdk.deploy({ stacks });
  const names = stacks.map(({ stackName = "" }): [string, Names] => {
    const { BucketName, QueueUrl, FunctionLogGroupName } = outputs[stackName] ?? {};
    assert(BucketName && QueueUrl && FunctionLogGroupName, `${stackName} has no outputs`);
    return [stackName, { bucket: BucketName, queueUrl: QueueUrl, functionLog: FunctionLogGroupName }];
  });
  return Object.fromEntries(names);
}

function of(names: Record<string, Names>, stack: string): Names {
  const found = names[stack];
  assert(found, `there is no stack ${stack}`);
  return found;
}

/** Uploads whole lives, waits until the schedule has run the function, and checks that the stack's consumer received these runners' events and no others. */
async function run(
  { bucket, queueUrl }: Names,
  flavor: string,
  uploading: readonly string[],
  uploaded: readonly string[] = [],
): Promise<void> {
  const fleet = { bucket, flavor, directory, env };
  for (const runner of uploading) await putFiles(s3, fleet, runner, filesOf(0));
  const runners = [...uploading, ...uploaded];
  // The queue delivers its messages again and again: only the consumer knows which ones are new.
  const consumer = consumers.get(queueUrl) ?? createConsumer(sqs, queueUrl, PATIENCE_MILLISECONDS);
  consumers.set(queueUrl, consumer);
  const before = consumer.events.length;
  const received = () => consumer.events.slice(before);
  const stopped = () =>
    received().flatMap(({ detailType, detail }) => (detailType === "RunnerStop" ? [detail.runner_name] : []));
  await consumer.until(() => stopped().length >= runners.length);
  assert.deepEqual(stopped().sort(), [...runners].sort());
  const names = new Set(received().map(({ detail }) => detail.runner_name));
  assert.deepEqual([...names].sort(), [...runners].sort());
  for (let tries = 0; (await keys(s3, bucket, `runners/${flavor}/`)).length > 0; tries += 1) {
    assert(tries < 50, "the files were not deleted");
    await sleep(200);
  }
}

/** Runners of the flavor `large` that the function's metrics count as extracted, by namespace. */
async function extracted({ functionLog }: Names): Promise<Record<string, number>> {
  const command = new FilterLogEventsCommand({ logGroupName: functionLog, filterPattern: '"CloudWatchMetrics"' });
  const { events = [] } = await logs.send(command);
  const counts: Record<string, number> = {};
  for (const { message = "" } of events) {
    if (!message.startsWith('{"_aws"')) continue;
    const { _aws, flavor, "Runners.extracted": count = 0 } = JSON.parse(message);
    const [{ Namespace }] = _aws.CloudWatchMetrics;
    if (flavor === "large") counts[Namespace] = (counts[Namespace] ?? 0) + count;
  }
  return counts;
}

async function exists(bucket: string): Promise<boolean> {
  return s3.send(new HeadBucketCommand({ Bucket: bucket })).then(
    () => true,
    () => false,
  );
}

function tell(what: string, details: string): void {
  const seconds = `${((Date.now() - began) / 1_000).toFixed(1)} s`;
  console.log(`${seconds.padStart(7)}  ${what}: ${details}`);
}
