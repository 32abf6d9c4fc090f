import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Logger } from "@aws-lambda-powertools/logger";
import { Metrics } from "@aws-lambda-powertools/metrics";
import type { Context } from "aws-lambda";
import type { StopReason } from "../../contract/reasons.ts";
import { METRICS_SERVICE, RUN_METRICS } from "../../contract/run-metrics.ts";
import { readScheduleInput } from "../../contract/schedule-input.ts";
import { createClients } from "../aws/clients.ts";
import { eventBridgeBus } from "../aws/event-bridge-bus.ts";
import { s3ObjectStore } from "../aws/s3-object-store.ts";
import { traced } from "../aws/trace.ts";
import type { Github } from "../github/github.ts";
import type { Clock, GithubConfig, RunConfig, WorkQueue } from "../ports.ts";
import { FINISHING_MILLISECONDS, run } from "../run/run.ts";
import type { Summary } from "../run/summary.ts";
import { readConfig } from "./config.ts";
import { logLines, type MetricValue, metricsOf, metricsOfWorker } from "./report.ts";
import { isOfQueue, readWork } from "./worker.ts";

const config = readConfig(process.env);
const clients = createClients(config.concurrency, config.usePathStyle);
const store = s3ObjectStore(clients, config.bucketName);
const clock: Clock = { now: Date.now, sleep };
const bus = eventBridgeBus(clients.eventBridge, config.eventBusName, clock);

/** In the last milliseconds before the deadline no call is waited for, so that the run can report. */
const REPORTING_MILLISECONDS = 1_000;

let github: Promise<Github> | undefined;

/** One for each flavor that the function has run for, by URL. */
const queues = new Map<string, Promise<WorkQueue>>();

let isColdStart = true;

const logger = new Logger({ serviceName: METRICS_SERVICE });

/**
 * One scheduled run, or that of a worker. Returns and logs its summary. Throws for an invalid input or a missing bus, before anything is
 * deleted; and if the listing or the archive failed, after what was begun was finished, so that Lambda counts an error.
 */
export async function handler(event: unknown, context: Context): Promise<Summary> {
  logger.addContext(context);
  const startedAt = clock.now();
  const work = isOfQueue(event) ? readWork(event) : undefined;
  const input = work?.input ?? readScheduleInput(event);
  if (input.githubRunners && !config.github) {
    throw new Error("Invalid schedule input: githubRunners: needs GITHUB_SECRET_ID and GITHUB_OWNERS");
  }
  clients.connections.close();
  const deadline = startedAt + context.getRemainingTimeInMillis();
  const timeUp = AbortSignal.timeout(Math.max(0, context.getRemainingTimeInMillis() - REPORTING_MILLISECONDS));
  github ??= config.github && loadGithub(config.github);
  // Runners that were read by then still have to be published.
  const githubRun = (await github)?.startRun(deadline - FINISHING_MILLISECONDS);
  const annotations = { Service: METRICS_SERVICE, ColdStart: isColdStart, Flavor: input.flavor };
  isColdStart = false;
  const dependencies = {
    store,
    bus,
    clock,
    queue: input.workQueueUrl === undefined ? undefined : await queueAt(input.workQueueUrl),
    config: {
      ...config,
      ...placeOf(context),
      concurrency: work ? config.workerConcurrency : config.concurrency,
    },
    runId: randomUUID(),
    deadline,
    timeUp,
  };
  const done = await traced(
    "run",
    annotations,
    () => run(input, { ...dependencies, ...githubRun }, work?.given),
    ({ listed, extracted, stopped }) => ({ Listed: listed, Extracted: extracted, Stopped: stopped }),
  );
  const summary = githubRun ? { ...done, github: githubRun.usage() } : done;
  report(summary, clock.now() - startedAt, work ? "worker" : "run");
  if (FAILED[summary.stopped]) throw new Error(`${FAILED[summary.stopped]} ${summary.errors.join("; ")}`);
  return summary;
}

/** What a run says that could not go on. */
const FAILED: { readonly [Reason in StopReason]?: string } = {
  "listing-failed": "The listing failed.",
  "archive-failed": "The archive could not be written.",
};

/** GitHub's code is loaded only if it is configured. */
async function loadGithub(config: GithubConfig): Promise<Github> {
  const [{ createGithub }, { secretReader }] = await Promise.all([
    import("../github/github.ts"),
    import("../aws/secret.ts"),
  ]);
  return createGithub(config, { clock, readSecret: secretReader(config.secretId, clients.connections) });
}

/** SQS's client is loaded only if there are workers. */
function queueAt(url: string): Promise<WorkQueue> {
  const known = queues.get(url);
  if (known) return known;
  const queue = import("../aws/sqs-work-queue.ts").then(({ sqsWorkQueue }) =>
    sqsWorkQueue(url, clients.connections, config.usePathStyle),
  );
  queues.set(url, queue);
  return queue;
}

/** `arn:<partition>:lambda:<region>:<account>:function:<name>` */
function placeOf({ invokedFunctionArn }: Context): Pick<RunConfig, "partition" | "accountId"> {
  const [, partition = "aws", , , accountId] = invokedFunctionArn?.split(":") ?? [];
  return { partition, accountId };
}

function report(summary: Summary, durationMilliseconds: number, of: "run" | "worker"): void {
  const values = (of === "worker" ? metricsOfWorker : metricsOf)(summary, durationMilliseconds);
  publish(
    values.filter(({ name }) => !RUN_METRICS[name].ofAllFlavors),
    { flavor: summary.flavor },
  );
  publish(
    values.filter(({ name }) => RUN_METRICS[name].ofAllFlavors),
    {},
  );
  for (const { level, message, details } of logLines(summary, durationMilliseconds, of))
    logger[level](message, details);
}

function publish(values: readonly MetricValue[], dimensions: Record<string, string>): void {
  if (values.length === 0) return;
  const metrics = new Metrics({ namespace: config.metricsNamespace, serviceName: METRICS_SERVICE });
  metrics.addDimensions(dimensions);
  for (const { name, unit, value } of values) metrics.addMetric(name, unit, value);
  metrics.publishStoredMetrics();
}
