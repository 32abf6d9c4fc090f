import { devNull } from "node:os";
import { relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { CreateEventBusCommand, DescribeEventBusCommand, type EventBridgeClient } from "@aws-sdk/client-eventbridge";
import { CreateBucketCommand, HeadBucketCommand, type S3Client } from "@aws-sdk/client-s3";
import type { Context } from "aws-lambda";
import { createClients } from "../../functions/aws/clients.ts";
import type { Summary } from "../../functions/run/summary.ts";
import { type LocalGithub, startLocalGithub } from "../github.ts";
import { startLocalSecretsManager } from "../secrets-manager.ts";
import { type LocalAws, startLocalAws } from "../server.ts";
import { fourWeeks } from "./four-weeks.ts";
import { printEvents, printMember, printSummary, printVerifications, say, title } from "./print.ts";
import { type Receiver, receiveFromModel, receiveFromQueue } from "./receive-events.ts";
import { createRecorder, FINISHED, GITHUB_JOBS, live, ORPHAN_AFTER_SECONDS } from "./small-fleet.ts";

const NAME = "runner-metrics-demo";
const FLAVOR = "demo";
const WATCH_SECONDS = 5;

/** Otherwise it is the package, in which this code is in dist/bin/chunks/. */
const IS_CLONE = import.meta.url.endsWith(".ts");
const COMMAND = IS_CLONE ? "npm run -s runner-metrics --" : "npx runner-metrics";
const RUNNER = IS_CLONE ? "../../runner/dist" : "../../runner";
const RUNNER_PROGRAM = fileURLToPath(new URL(`${RUNNER}/runner-metrics.js`, import.meta.url));

export interface DemoOptions {
  /** Goes on collecting every few seconds, until interrupted. */
  readonly watch: boolean;
  /** Of local AWS; any free one if it is 0. */
  readonly port: number;
  /** File of the report; by default one in a new folder for temporary files. */
  readonly out?: string | undefined;
}

/** Where the demo runs. */
interface Place {
  readonly endpoint: string;
  /** Absent on an endpoint of the operator's. */
  readonly local: LocalAws | undefined;
  /** The clock of local AWS. */
  readonly time: { now: () => number };
  readonly github: LocalGithub;
  readonly s3: S3Client;
  readonly receiver: Receiver;
}

/**
 * The whole thing at work. A small fleet of runners writes to S3, the exported Lambda handler collects, a local GitHub is asked, and events
 * come out of EventBridge: on local AWS, or on the endpoint that AWS_ENDPOINT_URL names. Then four weeks of a larger fleet, and the report
 * on them. Whether all of it came out as it should. Changes the environment of the process.
 */
export async function demo({ watch, port, out }: DemoOptions): Promise<boolean> {
  const opened: { close(): Promise<void> }[] = [];
  const open = <Opened extends { close(): Promise<void> }>(it: Opened): Opened => {
    opened.push(it);
    return it;
  };
  try {
    const time = { now: () => Date.now() };
    const local = process.env.AWS_ENDPOINT_URL ? undefined : open(await startLocalAws({ port, now: () => time.now() }));
    const endpoint = local?.endpoint ?? process.env.AWS_ENDPOINT_URL ?? "";
    const github = open(await startLocalGithub());
    const secretsManager = open(await startLocalSecretsManager({ github: github.secret }));
    prepareEnvironment({
      isLocal: local !== undefined,
      endpoint,
      github: github.apiUrl,
      secretsManager: secretsManager.endpoint,
    });
    const { s3, eventBridge } = createClients(8, true);
    await createIfMissing(s3, eventBridge);
    const receiver = open(local ? receiveFromModel(local.eventBridge) : await receiveFromQueue(eventBridge, NAME));
    const place = { endpoint, local, time, github, s3, receiver };
    const isComplete = (await showOneRun(place)) && (await showReport(place, out));
    if (watch) await collectUntilInterrupted(place);
    return isComplete;
  } finally {
    for (const it of opened.reverse()) await it.close();
  }
}

async function createIfMissing(s3: S3Client, eventBridge: EventBridgeClient): Promise<void> {
  await s3
    .send(new HeadBucketCommand({ Bucket: NAME }))
    .catch(() => s3.send(new CreateBucketCommand({ Bucket: NAME })));
  await eventBridge
    .send(new DescribeEventBusCommand({ Name: NAME }))
    .catch(() => eventBridge.send(new CreateEventBusCommand({ Name: NAME })));
}

/** As the stack sets it for the Lambda; an emulator asks for no credentials. Local AWS takes none of the operator's settings of AWS. */
function prepareEnvironment(of: { isLocal: boolean; endpoint: string; github: string; secretsManager: string }): void {
  const emulated = { AWS_REGION: "us-east-1", AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" };
  const noFiles = { AWS_CONFIG_FILE: devNull, AWS_SHARED_CREDENTIALS_FILE: devNull };
  const operators = Object.entries(process.env).filter(([name]) => !of.isLocal || !name.startsWith("AWS_"));
  const quiet = {
    POWERTOOLS_LOG_LEVEL: "SILENT",
    POWERTOOLS_METRICS_DISABLED: "true",
  };
  const lambda = { AWS_ENDPOINT_URL: of.endpoint, BUCKET_NAME: NAME, EVENT_BUS_NAME: NAME };
  const askGithub = {
    AWS_ENDPOINT_URL_SECRETS_MANAGER: of.secretsManager,
    GITHUB_SECRET_ID: "github",
    GITHUB_API_URL: of.github,
    GITHUB_OWNERS: "acme",
    GITHUB_MISMATCH: "quarantine",
  };
  process.env = {
    ...emulated,
    ...(of.isLocal && noFiles),
    ...Object.fromEntries(operators),
    ...quiet,
    ...lambda,
    ...askGithub,
  };
}

/** One round, told step by step. Whether every finished runner's events came out. */
async function showOneRun({ endpoint, local, github, s3, receiver }: Place): Promise<boolean> {
  title(
    `1. A fleet of runners writes to s3://${NAME}/runners/${FLAVOR}/ (${local ? "local AWS" : "S3"} at ${endpoint})`,
  );
  const fleet = { s3, bucket: NAME, flavor: FLAVOR, endpoint };
  const recorder = await createRecorder(RUNNER_PROGRAM, fleet);
  say("Honest runners use the program in runner/.");
  await live(fleet, recorder.record, printMember).finally(() => recorder.end());
  doJobs(github);

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
async function showReport({ local, time }: Place, out: string | undefined): Promise<boolean> {
  if (!local) return true;
  title("6. Four weeks of a fleet, and the answers");
  const { lives, runs, events, archived, report } = await fourWeeks(local, { busName: NAME, time, out });
  say(`${lives} runners of three flavors, ${runs} runs, ${events} events published, ${archived} of them archived.`);
  title(`Open the report in a browser: ${report}`);
  return events > 0 && archived === events;
}

function acceptedEvents({ events }: Summary): number {
  return Object.values(events).reduce((sum, { accepted }) => sum + accepted, 0);
}

/** GitHub also has the fleet's jobs. */
function doJobs(github: LocalGithub): void {
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
  const { handler } = await import("../../functions/extract-metrics/handler.ts");
  return handler(payload, { getRemainingTimeInMillis: () => 60_000 } as Context);
}

/** Collects again and again, until interrupted. */
async function collectUntilInterrupted({ endpoint, receiver }: Place): Promise<void> {
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort());
  process.once("SIGTERM", () => interrupted.abort());
  title(`Watching: a run every ${WATCH_SECONDS} s. Upload to it from another terminal; Ctrl-C ends it.`);
  printUploadInstructions(endpoint);
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

function printUploadInstructions(endpoint: string): void {
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
  say(`    node ${relative("", RUNNER_PROGRAM)} $step`);
  say("  done");
  say("  )");
  say("The quarantine, from another terminal:");
  say("  (");
  say(`  export AWS_ENDPOINT_URL=${endpoint} AWS_REGION=us-east-1`);
  say("  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test");
  say(`  ${COMMAND} quarantine list --bucket ${NAME}`);
  say(`  ${COMMAND} quarantine show --bucket ${NAME} corrupt`);
  say("  )");
  say(`Events appear here within ${WATCH_SECONDS} s; unverified, since the local GitHub knows nothing of these jobs.`);
}
