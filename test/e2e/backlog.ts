/**
 * A backlog through a real queue and real invocations of workers: `npm run test:all -- backlog`. Deploys the stack to an emulator, uploads
 * 3,000 finished runners, and starts one run. Needs Python for the emulator, and nothing else: no Docker, no account.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import {
  AthenaClient,
  GetQueryExecutionCommand,
  GetQueryResultsCommand,
  StartQueryExecutionCommand,
} from "@aws-sdk/client-athena";
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { SQSClient } from "@aws-sdk/client-sqs";
import { inputOf } from "../../cli/commands/run.ts";
import { awsOperations, type Operations } from "../../cli/stack/operations.ts";
import { mapConcurrently } from "../../functions/concurrency.ts";
import type { Summary } from "../../functions/run/summary.ts";
import type { StackSettingsInput } from "../../infra/settings.ts";
import { FILES } from "../worlds/memory.ts";
import { createConsumer, of } from "./acceptance.ts";
import { cloudDevelopmentKit } from "./cloud-development-kit.ts";
import { startMiniStack } from "./ministack.ts";

const RUNNERS = Number(process.argv[2] ?? 3_000);
/** The schedule does nothing here: its first run comes when all is done. A run's own time is a fifth of its time-out. */
const SETTINGS: StackSettingsInput = {
  flavors: { large: { everyMinutes: 60 } },
  timeoutSeconds: 40,
  workers: 4,
  emulator: true,
  removalPolicy: "destroy",
};
const PATIENCE_MILLISECONDS = 480_000;

const began = Date.now();
const { directory, client, env, stop } = await startMiniStack("backlog");
const s3 = new S3Client({ ...client, forcePathStyle: true });
const sqs = new SQSClient({ ...client, useQueueUrlAsEndpoint: false });
const athena = new AthenaClient(client);
const cdk = cloudDevelopmentKit("app.ts", directory, env);

try {
  await cdk.bootstrap({ runnerMetrics: SETTINGS });
  const { RunnerMetrics, Consumer } = await cdk.deploy({ runnerMetrics: SETTINGS });
  const { BucketName: bucket = "", LargeWorkQueueUrl, EventDatabaseName } = RunnerMetrics ?? {};
  assert(RunnerMetrics && bucket && LargeWorkQueueUrl && Consumer?.QueueUrl, "the stacks lack an output");
  tell("deployed", `bucket ${bucket}, queue ${LargeWorkQueueUrl}`);
  Object.assign(process.env, env);
  const operations = awsOperations(RunnerMetrics, { stack: "RunnerMetrics" });

  const names = Array.from({ length: RUNNERS }, (_, index) => `r-${String(index).padStart(5, "0")}`);
  await Array.fromAsync(mapConcurrently(names, 16, (name) => upload(bucket, name)));
  tell("uploaded", `${RUNNERS} runners with ${Object.keys(FILES).length} files`);

  const first = await runOnce(operations);
  tell("run", JSON.stringify({ listed: first.listed, extracted: first.extracted, handedOver: first.handedOver }));
  assert(first.handedOver > 0, "the run handed nothing over: it is too fast for this test");

  const left = await untilQueueIsEmpty(operations);
  tell("workers", `the queue was empty ${left}`);
  const last = await finish(operations);
  assert.deepEqual({ listed: last.listed, stopped: last.stopped }, { listed: 0, stopped: "done" });
  tell("prefix", "empty");

  const consumer = createConsumer(sqs, Consumer.QueueUrl, PATIENCE_MILLISECONDS);
  await consumer.until((events) => events.length >= 3 * RUNNERS);
  for (const type of ["RunnerInstalled", "RunnerStart", "RunnerStop"] as const) {
    const runners = new Set(of(type, consumer.events).map(({ runner_name }) => runner_name));
    assert.equal(runners.size, RUNNERS, type);
  }
  tell("delivered", `${consumer.events.length} events, each id once`);
  const { ids, lines } = await archived(bucket);
  assert.equal(ids.size, 3 * RUNNERS);
  tell("archived", `${lines} lines, ${ids.size} ids`);
  const counted = await query(bucket, EventDatabaseName);
  assert.deepEqual(
    counted,
    ["RunnerInstalled", "RunnerStart", "RunnerStop"].map((type) => ["large", type, String(RUNNERS)]),
  );
  tell("counted by Athena", counted.map((row) => row.join(" ")).join(", "));
} finally {
  s3.destroy();
  sqs.destroy();
  athena.destroy();
  stop();
}

async function upload(Bucket: string, name: string): Promise<void> {
  for (const [file, Body] of Object.entries(FILES)) {
    await s3.send(new PutObjectCommand({ Bucket, Key: `runners/large/${name}/${file}`, Body, IfNoneMatch: "*" }));
  }
}

/** A run with the input of its schedule. */
async function runOnce(operations: Operations): Promise<Summary> {
  const { failed, result } = await operations.invoke(await inputOf(operations, "large"));
  assert(!failed, JSON.stringify(result));
  return result as Summary;
}

/** What workers deferred, and what a run had no time for, is done by the next runs, as their schedule would. */
async function finish(operations: Operations): Promise<Summary> {
  for (let runs = 1; ; runs++) {
    const summary = await runOnce(operations);
    if (summary.listed === 0 || runs === 10) return summary;
    tell(
      "run",
      JSON.stringify({ listed: summary.listed, extracted: summary.extracted, handedOver: summary.handedOver }),
    );
    await sleep(2_000);
  }
}

async function untilQueueIsEmpty(operations: Operations): Promise<string> {
  for (const from = Date.now(); ; await sleep(1_000)) {
    const count = await operations.workCount();
    if (count === 0) return `${seconds(Date.now() - from)} after the run`;
    if (Date.now() - from > PATIENCE_MILLISECONDS) throw new Error(`The queue still has ${count} messages`);
  }
}

/** Event ids in the archive, and how many lines hold them. */
async function archived(Bucket: string): Promise<{ ids: Set<string>; lines: number }> {
  const { Contents = [], IsTruncated } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: "events/" }));
  assert(!IsTruncated);
  const ids = new Set<string>();
  let count = 0;
  for (const { Key } of Contents) {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
    const text = gunzipSync((await Body?.transformToByteArray()) ?? Buffer.alloc(0)).toString();
    for (const line of text.trimEnd().split("\n")) {
      ids.add(JSON.parse(line).detail.event_id);
      count += 1;
    }
  }
  return { ids, lines: count };
}

/** Events by flavor and type in the table of the archive. The emulator's SQL is DuckDB's, and it maps no column: the type has its name in the files. */
async function query(bucket: string, Database: string | undefined): Promise<string[][]> {
  const { QueryExecutionId } = await athena.send(
    new StartQueryExecutionCommand({
      QueryString: `SELECT flavor, "detail-type", count(DISTINCT detail.event_id) FROM events
        WHERE dt >= '${new Date(began).toISOString().slice(0, 10)}' GROUP BY ALL ORDER BY ALL`,
      QueryExecutionContext: { Database },
      ResultConfiguration: { OutputLocation: `s3://${bucket}/athena/` },
    }),
  );
  for (;;) {
    const { QueryExecution } = await athena.send(new GetQueryExecutionCommand({ QueryExecutionId }));
    const { State, StateChangeReason } = QueryExecution?.Status ?? {};
    assert(State !== "FAILED" && State !== "CANCELLED", StateChangeReason);
    if (State === "SUCCEEDED") break;
    await sleep(200);
  }
  const { ResultSet } = await athena.send(new GetQueryResultsCommand({ QueryExecutionId }));
  const [, ...rows] = ResultSet?.Rows ?? [];
  return rows.map(({ Data = [] }) => Data.map(({ VarCharValue = "" }) => VarCharValue));
}

function tell(what: string, details: string): void {
  console.log(`${seconds(Date.now() - began).padStart(7)}  ${what}: ${details}`);
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1_000).toFixed(1)} s`;
}
