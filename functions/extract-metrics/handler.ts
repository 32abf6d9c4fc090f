import { setTimeout as sleep } from "node:timers/promises";
import { Logger } from "@aws-lambda-powertools/logger";
import { Metrics } from "@aws-lambda-powertools/metrics";
import { Tracer } from "@aws-lambda-powertools/tracer";
import type { Context } from "aws-lambda";
import { createClients } from "../aws/clients.ts";
import { eventBridgeBus } from "../aws/event-bridge-bus.ts";
import { s3ObjectStore } from "../aws/s3-object-store.ts";
import type { Github } from "../github/github.ts";
import type { Clock, GithubConfig, RunConfig } from "../ports.ts";
import { FINISHING_MILLISECONDS, run } from "../run.ts";
import { brokenLaws, type Summary } from "../summary.ts";
import { readConfig } from "./config.ts";
import { METRICS_NAMESPACE, METRICS_SERVICE, metricsOf } from "./metrics-catalogue.ts";
import { readPayload } from "./payload.ts";

const config = readConfig(process.env);
const { s3, eventBridge } = createClients(config.concurrency, config.usePathStyle);
const store = s3ObjectStore(s3, config.bucketName);
const bus = eventBridgeBus(eventBridge, config.eventBusName);
const clock: Clock = { now: Date.now, sleep };

let github: Promise<Github> | undefined;

const logger = new Logger({ serviceName: METRICS_SERVICE });
// A segment for each of a run's thousands of requests would cost more than the run.
const tracer = new Tracer({ serviceName: METRICS_SERVICE, captureHTTPsRequests: false });

/**
 * One scheduled run. Returns and logs its summary. Throws on a bad payload or a missing bus, before anything is deleted, and
 * when the listing failed, after what had been listed was finished: so that Lambda counts it as an error.
 */
export async function handler(input: unknown, context: Context): Promise<Summary> {
  logger.addContext(context);
  const began = clock.now();
  const payload = readPayload(input);
  if (payload.githubRunners && !config.github) {
    throw new Error("The payload is not right. githubRunners: needs GITHUB_SECRET_ID and GITHUB_OWNERS");
  }
  const deadline = began + context.getRemainingTimeInMillis();
  github ??= config.github && loadGithub(config.github);
  // What has been read by then needs time to be published.
  const githubRun = (await github)?.beginRun(deadline - FINISHING_MILLISECONDS);
  const summary = await traced("extract-metrics", () =>
    run(payload, { store, bus, clock, config: { ...config, ...placeOf(context) }, deadline, ...githubRun }),
  );
  if (githubRun) summary.github = githubRun.usage();
  report(summary, clock.now() - began);
  if (summary.stopped === "listing-failed") throw new Error(`The listing failed. ${summary.errors.join("; ")}`);
  return summary;
}

/** Its code is loaded only where it is configured. */
async function loadGithub(config: GithubConfig): Promise<Github> {
  const [{ createGithub }, { secretReader }] = await Promise.all([
    import("../github/github.ts"),
    import("../aws/secret.ts"),
  ]);
  return createGithub(config, { clock, readSecret: secretReader(config.secretId) });
}

/** `arn:<partition>:lambda:<region>:<account>:function:<name>` */
function placeOf({ invokedFunctionArn }: Context): Pick<RunConfig, "partition" | "accountId"> {
  const [, partition = "aws", , , accountId] = invokedFunctionArn?.split(":") ?? [];
  return { partition, accountId };
}

function report(summary: Summary, durationMilliseconds: number): void {
  const metrics = new Metrics({ namespace: METRICS_NAMESPACE, serviceName: METRICS_SERVICE });
  metrics.addDimension("flavor", summary.flavor);
  for (const { name, unit, value } of metricsOf(summary, durationMilliseconds)) metrics.addMetric(name, unit, value);
  metrics.publishStoredMetrics();
  logger.info("run", { summary, durationMilliseconds });
  const broken = brokenLaws(summary);
  if (broken.length > 0) logger.error("The run broke a law that every run obeys", { brokenLaws: broken, summary });
}

/** Runs inside of a segment of X-Ray's, where tracing is on. */
async function traced<Result>(name: string, body: () => Promise<Result>): Promise<Result> {
  const parent = tracer.getSegment();
  const segment = parent?.addNewSubsegment(name);
  if (segment) tracer.setSegment(segment);
  tracer.annotateColdStart();
  tracer.addServiceNameAnnotation();
  try {
    return await body();
  } catch (error) {
    tracer.addErrorAsMetadata(error as Error);
    throw error;
  } finally {
    segment?.close();
    if (parent) tracer.setSegment(parent);
  }
}
