/**
 * `npm start`: the whole thing at work. A small fleet of runners writes to S3, the exported Lambda handler collects, a local
 * GitHub is asked, and events come out of EventBridge: on local AWS, or on the endpoint that AWS_ENDPOINT_URL names. With
 * `--watch` it stays up.
 */
import { devNull } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { CreateEventBusCommand, DescribeEventBusCommand } from "@aws-sdk/client-eventbridge";
import { CreateBucketCommand, HeadBucketCommand } from "@aws-sdk/client-s3";
import type { Context } from "aws-lambda";
import { createClients } from "../functions/aws/clients.ts";
import type { Summary } from "../functions/run/summary.ts";
import { fourWeeks } from "./demo/four-weeks.ts";
import { createRecorder, FINISHED, GITHUB_JOBS, live, ORPHAN_AFTER_SECONDS } from "./fleet.ts";
import { startLocalGithub } from "./github.ts";
import { printEvents, printMember, printSummary, printVerifications, say, title } from "./print.ts";
import { type Receiver, receiveFromModel, receiveFromQueue } from "./receive-events.ts";
import { startLocalSecretsManager } from "./secrets-manager.ts";
import { startLocalAws } from "./server.ts";

const NAME = "runner-metrics-demo";
const FLAVOR = "demo";
const WATCH_SECONDS = 5;

process.once("uncaughtException", (error: Error & { code?: string }) => {
  // What has a code is of the operator's making: an option, a port that is taken, an endpoint where nobody answers.
  console.error(error.code ? `${error.code} ${error.message}` : error);
  process.exit(1);
});

const { values: options } = parseArgs({
  options: { watch: { type: "boolean", default: false }, port: { type: "string", default: "0" } },
});

const time = { now: () => Date.now() };
const local = process.env.AWS_ENDPOINT_URL
  ? undefined
  : await startLocalAws({ port: Number(options.port), now: () => time.now() });
const github = await startLocalGithub();
const secretsManager = await startLocalSecretsManager({ github: github.secret });
const endpoint = local?.endpoint ?? process.env.AWS_ENDPOINT_URL ?? "";
prepareEnvironment();
const { s3, eventBridge } = createClients(8, true);
await createIfMissing();
const receiver = local ? receiveFromModel(local.eventBridge) : await receiveFromQueue(eventBridge, NAME);
try {
  process.exitCode = (await showOneRun(receiver)) && (await showReport()) ? 0 : 1;
  if (options.watch) await watch(receiver);
} finally {
  await receiver.end();
  await local?.close();
  await secretsManager.close();
  await github.close();
}

/** As the stack sets it for the Lambda; an emulator asks for no credentials. Local AWS takes none of the operator's settings of AWS. */
function prepareEnvironment(): void {
  const emulated = { AWS_REGION: "us-east-1", AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" };
  const noFiles = { AWS_CONFIG_FILE: devNull, AWS_SHARED_CREDENTIALS_FILE: devNull };
  const operators = Object.entries(process.env).filter(([name]) => !local || !name.startsWith("AWS_"));
  const quiet = {
    POWERTOOLS_LOG_LEVEL: "SILENT",
    POWERTOOLS_METRICS_DISABLED: "true",
  };
  const lambda = { AWS_ENDPOINT_URL: endpoint, BUCKET_NAME: NAME, EVENT_BUS_NAME: NAME };
  const askGithub = {
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secretsManager.endpoint,
    GITHUB_SECRET_ID: "github",
    GITHUB_API_URL: github.apiUrl,
    GITHUB_OWNERS: "acme",
    GITHUB_MISMATCH: "quarantine",
  };
  process.env = {
    ...emulated,
    ...(local && noFiles),
    ...Object.fromEntries(operators),
    ...quiet,
    ...lambda,
    ...askGithub,
  };
}

async function createIfMissing(): Promise<void> {
  await s3
    .send(new HeadBucketCommand({ Bucket: NAME }))
    .catch(() => s3.send(new CreateBucketCommand({ Bucket: NAME })));
  await eventBridge
    .send(new DescribeEventBusCommand({ Name: NAME }))
    .catch(() => eventBridge.send(new CreateEventBusCommand({ Name: NAME })));
}

/** One round, told step by step. Whether every finished runner's events came out. */
async function showOneRun(receiver: Receiver): Promise<boolean> {
  title(
    `1. A fleet of runners writes to s3://${NAME}/runners/${FLAVOR}/ (${local ? "local AWS" : "S3"} at ${endpoint})`,
  );
  const fleet = { s3, bucket: NAME, flavor: FLAVOR, endpoint };
  const recorder = await createRecorder(fleet);
  say("Honest runners use the program in runner/.");
  await live(fleet, recorder.record, printMember);
  await recorder.end();
  doJobs();

  title("2. The Lambda's handler makes one run");
  const summary = await invoke({ flavor: FLAVOR, orphanAfterSeconds: ORPHAN_AFTER_SECONDS });
  printSummary(summary);

  title("3. Events come out of EventBridge");
  const events = await receiver.receive(acceptedEvents(summary));
  printEvents(events);

  title("4. What looked tampered with is in quarantine");
  for (const { runner_name, reason, quarantine_prefix } of summary.quarantines) {
    say(`${runner_name.padEnd(12)} ${reason.padEnd(18)} s3://${NAME}/${quarantine_prefix}`);
  }
  say("Runners that are not done (running, idle) were left alone.");

  title(`5. What GitHub told (a local one at ${github.apiUrl})`);
  printVerifications(events, summary);

  const missing = FINISHED.filter(
    (runner) => events.filter(({ detail }) => detail.runner_name === runner).length !== 3,
  );
  title(
    missing.length === 0 ? "Every finished runner has its three events." : `Events are missing: ${missing.join(", ")}`,
  );
  return missing.length === 0;
}

/** Four weeks of a fleet, and the report on them. Whether all events that were published are in the archive. */
async function showReport(): Promise<boolean> {
  if (!local) return true;
  title("6. Four weeks of a fleet, and the answers");
  const { lives, runs, events, archived, report } = await fourWeeks(local, NAME, time);
  say(`${lives} runners of three flavors, ${runs} runs, ${events} events published, ${archived} of them archived.`);
  title(`Open the report in a browser: ${report}`);
  return events > 0 && archived === events;
}

function acceptedEvents({ events }: Summary): number {
  return Object.values(events).reduce((sum, { accepted }) => sum + accepted, 0);
}

/** GitHub also has the fleet's jobs. */
function doJobs(): void {
  const startedAt = Date.now();
  for (const [runId, { runner, queuedSeconds, conclusion }] of Object.entries(GITHUB_JOBS)) {
    const times = { createdAt: isoTime(startedAt - queuedSeconds * 1_000), startedAt: isoTime(startedAt) };
    github.addJobs("acme/widgets", runId, [{ runner, conclusion, ...times }]);
  }
}

function isoTime(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}

async function invoke(payload: { flavor: string; orphanAfterSeconds?: number }): Promise<Summary> {
  // Not before the environment is as the Lambda's: the handler reads it when it is loaded.
  const { handler } = await import("../functions/extract-metrics/handler.ts");
  return handler(payload, { getRemainingTimeInMillis: () => 60_000 } as Context);
}

/** Collects again and again, until interrupted. */
async function watch(receiver: Receiver): Promise<void> {
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort());
  process.once("SIGTERM", () => interrupted.abort());
  title(`Watching: a run every ${WATCH_SECONDS} s. Upload to it from another terminal; Ctrl-C ends it.`);
  printUploadInstructions();
  let notReady = 2;
  while (!interrupted.signal.aborted) {
    await sleep(WATCH_SECONDS * 1_000, undefined, { signal: interrupted.signal }).catch(() => {});
    const summary = await invoke({ flavor: FLAVOR });
    if (summary.extracted + summary.quarantined + summary.incomplete + summary.deferred === 0) {
      // The demo's own runners that are not done stay so.
      if (summary.notReady !== notReady) say(`${summary.notReady} runners are not done: no post-job-metrics.json yet.`);
      notReady = summary.notReady;
      continue;
    }
    printSummary(summary);
    printEvents(await receiver.receive(acceptedEvents(summary)));
  }
  title("Stopped.");
}

function printUploadInstructions(): void {
  const url = `${endpoint}/${NAME}/runners/${FLAVOR}/my-runner-1`;
  const put =
    "curl -sS --fail --aws-sigv4 aws:amz:us-east-1:s3 -u test:test -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' -T -";
  const pre = `{"timestamp":'$(date +%s)',"workflow":"CI","workflow_run_id":"1","repository":"acme/widgets","event":"push"}`;
  const post = `{"timestamp":'$(date +%s)',"status":"normal"}`;
  say("With curl (any credentials will do):");
  say(`  date +%s | ${put} ${url}/runner-installation-start.timestamp`);
  say(`  date +%s | ${put} ${url}/runner-installed.timestamp`);
  say(`  echo '${pre}' | ${put} ${url}/pre-job-metrics.json`);
  say(`  echo '${post}' | ${put} ${url}/post-job-metrics.json`);
  say("Or with the AWS CLI, each of these files:");
  say(
    `  AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test aws s3 cp FILE s3://${url.split("/").slice(3).join("/")}/ \\`,
  );
  say(`    --region us-east-1 --endpoint-url ${endpoint}`);
  say("Or as a runner does, with its program:");
  say("  (");
  say(`  export RUNNER_METRICS_ENDPOINT=${endpoint} RUNNER_METRICS_BUCKET=${NAME} RUNNER_METRICS_FLAVOR=${FLAVOR}`);
  say("  export RUNNER_METRICS_STORAGE=my-runner-2 RUNNER_METRICS_SPOOL=$(mktemp -d)");
  say("  export AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test");
  say("  export GITHUB_WORKFLOW=CI GITHUB_REPOSITORY=acme/widgets GITHUB_RUN_ID=2 GITHUB_EVENT_NAME=push");
  say("  for step in installation-start installed job-started job-completed; do");
  say("    node runner/dist/runner-metrics.js $step");
  say("  done");
  say("  )");
  say("The quarantine, from another terminal:");
  say("  (");
  say(`  export AWS_ENDPOINT_URL=${endpoint} AWS_REGION=us-east-1`);
  say("  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test");
  say(`  npm run -s runner-metrics -- quarantine list --bucket ${NAME}`);
  say(`  npm run -s runner-metrics -- quarantine show --bucket ${NAME} corrupt`);
  say("  )");
  say(`Events appear here within ${WATCH_SECONDS} s; unverified, since the local GitHub knows nothing of these jobs.`);
}
