import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import {
  CloudWatchClient,
  DescribeAlarmsCommand,
  GetMetricStatisticsCommand,
  type MetricAlarm,
} from "@aws-sdk/client-cloudwatch";
import {
  CloudWatchLogsClient,
  CreateLogStreamCommand,
  DescribeMetricFiltersCommand,
  FilterLogEventsCommand,
  type MetricFilter,
  PutLogEventsCommand,
} from "@aws-sdk/client-cloudwatch-logs";
import { InvokeCommand, type LambdaClient } from "@aws-sdk/client-lambda";
import { GetObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { GetQueueAttributesCommand, type SQSClient } from "@aws-sdk/client-sqs";
import { EVENTS_PREFIX } from "../../contract/object-keys.ts";
import { ALARM_HELP } from "../../contract/runbook.ts";
import { type AlarmDefinition, type Datapoint, isInAlarm } from "../infra/alarm-state.ts";
import { isMatched } from "../infra/filter-pattern.ts";
import { keys } from "./acceptance.ts";
import type { startMiniStack } from "./ministack.ts";

/** No runner has it. */
const NO_FLAVOR = "none";

/** What of a deployed stack is watched. */
export interface Watched {
  readonly client: Awaited<ReturnType<typeof startMiniStack>>["client"];
  readonly s3: S3Client;
  readonly sqs: SQSClient;
  readonly outputs: Readonly<Record<string, string>>;
  /** From one run to the next, in seconds. */
  readonly intervalSeconds: number;
  readonly lambda: LambdaClient;
  /** Alarms that the emulator can't deploy. */
  readonly further: readonly AlarmDefinition[];
}

export interface AlarmWatch {
  /** The names of all alarms, as the runbook has them. */
  readonly names: readonly string[];
  /** Reads what was written since the last time. The function has completed so many runs meanwhile. */
  read(completedRuns: number): Promise<void>;
  isInAlarm(name: string, flavor: string): Promise<boolean>;
  close(): void;
}

interface EmbeddedMetrics extends Record<string, unknown> {
  readonly _aws: {
    readonly CloudWatchMetrics: readonly {
      readonly Namespace: string;
      readonly Dimensions: readonly (readonly string[])[];
      readonly Metrics: readonly { readonly Name: string }[];
    }[];
  };
}

/**
 * The state that CloudWatch would give to the deployed alarms. The emulator has Lambda's metrics. It makes none of the function's log and of the
 * log of all events, so these are made here: of the lines that CloudWatch would read, and by the deployed metric filters of the events in
 * the archive. Each time that functions ran stands for one interval of the schedule.
 */
export async function watchAlarms({ client, s3, sqs, lambda, outputs, ...watched }: Watched): Promise<AlarmWatch> {
  const cloudWatch = new CloudWatchClient(client);
  const logs = new CloudWatchLogsClient(client);
  const { BucketName = "", FunctionName, FunctionLogGroupName, EventLogGroupName, DeadLetterQueueUrl } = outputs;
  const { MetricAlarms: deployed = [], NextToken } = await cloudWatch.send(
    new DescribeAlarmsCommand({ MaxRecords: 100 }),
  );
  assert.equal(NextToken, undefined, "all alarms are on one page");
  const alarms = new Map([...deployed, ...watched.further].map((alarm) => [idOf(alarm), alarm]));
  const { metricFilters = [] } = await logs.send(new DescribeMetricFiltersCommand({ logGroupName: EventLogGroupName }));
  assert(metricFilters.length > 0, "the stack has no metric filters");
  const ofLambda = deployed.filter(({ Namespace }) => Namespace === "AWS/Lambda");
  const intervals: Datapoint[][] = [];
  const totals = new Map<string, number>();
  const seenEvents = new Set<string>();
  let seenLines = 0;
  let expectedRuns = 0;

  return {
    names: [...new Set([...alarms.keys()].map((id) => id.replace(/-.*/, "")))],
    async read(completedRuns) {
      expectedRuns += completedRuns;
      await untilLogged();
      const points = [...(await lambdaPoints()), ...(await runPoints()), ...(await jobPoints())];
      if (points.length > 0) intervals.push(points);
    },
    async isInAlarm(name, flavor) {
      const alarm = alarms.get(name) ?? alarms.get(`${name}-${flavor}`);
      assert(alarm, `the stack has no alarm ${name}`);
      const seen = alarm.Namespace === "AWS/SQS" ? [[await queuePoint(alarm)]] : intervals;
      return isInAlarm(alarm, seen, watched.intervalSeconds);
    },
    close() {
      cloudWatch.destroy();
      logs.destroy();
    },
  };

  /** The emulator gives up to wait for the lines of a run after some milliseconds, and logs them with the next run: here one of no flavor's. */
  async function untilLogged(): Promise<void> {
    const isRun = /"message":"run"/;
    const ofNoFlavor = new RegExp(`"flavor":"${NO_FLAVOR}"`);
    for (let tries = 0; tries < 20; tries++) {
      const logged = (await logLines("summary")).filter((line) => isRun.test(line) && !ofNoFlavor.test(line));
      if (logged.length === expectedRuns) return;
      await lambda.send(new InvokeCommand({ FunctionName, Payload: JSON.stringify({ flavor: NO_FLAVOR }) }));
    }
    throw new Error(`The log has not ${expectedRuns} runs.`);
  }

  /** What Lambda counted since the last time, of functions that ran. */
  async function lambdaPoints(): Promise<Datapoint[]> {
    const points: Datapoint[] = [];
    for (const { Namespace: namespace = "", MetricName: name = "", Dimensions = [] } of ofLambda) {
      const isUsed = (await increase(namespace, "Invocations", Dimensions, name)) > 0;
      const value = await increase(namespace, name, Dimensions, name);
      const dimensions = Object.fromEntries(Dimensions.map(({ Name = "", Value = "" }) => [Name, Value]));
      if (isUsed) points.push({ namespace, name, dimensions, value });
    }
    return points;
  }

  async function increase(
    Namespace: string,
    MetricName: string,
    Dimensions: MetricAlarm["Dimensions"],
    reader: string,
  ): Promise<number> {
    const now = await total(Namespace, MetricName, Dimensions);
    const key = JSON.stringify([MetricName, Dimensions, reader]);
    const before = totals.get(key) ?? 0;
    totals.set(key, now);
    return now - before;
  }

  /** Of all that the emulator has counted. */
  async function total(Namespace: string, MetricName: string, Dimensions: MetricAlarm["Dimensions"]): Promise<number> {
    const day = 86_400_000;
    const { Datapoints = [] } = await cloudWatch.send(
      new GetMetricStatisticsCommand({
        ...{ Namespace, MetricName, Dimensions, Period: 3_600, Statistics: ["Sum"] },
        StartTime: new Date(Date.now() - day),
        EndTime: new Date(Date.now() + day),
      }),
    );
    return Datapoints.reduce((sum, { Sum = 0 }) => sum + Sum, 0);
  }

  async function runPoints(): Promise<Datapoint[]> {
    const lines = await logLines("CloudWatchMetrics");
    const added = lines.slice(seenLines).map((line): EmbeddedMetrics => JSON.parse(line));
    seenLines = lines.length;
    return added.flatMap((line) =>
      line._aws.CloudWatchMetrics.flatMap(({ Namespace: namespace, Dimensions: [names = []], Metrics }) => {
        const dimensions = Object.fromEntries(names.map((name) => [name, String(line[name])]));
        return Metrics.map(({ Name: name }) => ({ namespace, name, dimensions, value: Number(line[name]) }));
      }),
    );
  }

  /** JSON of all lines of the function's log that match. */
  async function logLines(filterPattern: string): Promise<string[]> {
    const lines: string[] = [];
    for (let nextToken: string | undefined, isFirst = true; isFirst || nextToken; isFirst = false) {
      const page = await logs.send(
        new FilterLogEventsCommand({
          ...{ logGroupName: FunctionLogGroupName, filterPattern, ...(nextToken && { nextToken }) },
        }),
      );
      for (const { message = "" } of page.events ?? []) lines.push(message.slice(message.indexOf("{")));
      nextToken = page.nextToken;
    }
    return lines;
  }

  async function jobPoints(): Promise<Datapoint[]> {
    const added = (await keys(s3, BucketName, EVENTS_PREFIX)).filter((key) => !seenEvents.has(key));
    const points: Datapoint[] = [];
    for (const Key of added) {
      seenEvents.add(Key);
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: BucketName, Key }));
      const text = gunzipSync((await Body?.transformToByteArray()) ?? "").toString();
      const events = text.split("\n").filter(Boolean);
      await deliver(events);
      points.push(...events.flatMap((event) => metricFilters.flatMap((filter) => pointsOf(filter, JSON.parse(event)))));
    }
    return points;
  }

  /** What EventBridge does, and the emulator does not: it puts the events into their log. */
  async function deliver(events: readonly string[]): Promise<void> {
    const logEvents = events.map((message) => ({ message, timestamp: Date.now() }));
    const target = { logGroupName: EventLogGroupName, logStreamName: "events" };
    if (seenEvents.size === 1) await logs.send(new CreateLogStreamCommand(target));
    await logs.send(new PutLogEventsCommand({ ...target, logEvents }));
  }

  async function queuePoint({ Namespace = "", MetricName = "" }: AlarmDefinition): Promise<Datapoint> {
    assert.equal(MetricName, "ApproximateNumberOfMessagesVisible");
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: DeadLetterQueueUrl, AttributeNames: ["ApproximateNumberOfMessages"] }),
    );
    const dimensions = { QueueName: DeadLetterQueueUrl?.split("/").at(-1) ?? "" };
    const value = Number(Attributes?.ApproximateNumberOfMessages);
    return { namespace: Namespace, name: MetricName, dimensions, value };
  }
}

/** `RunErrors`, or `Deferred-large` for an alarm of a flavor. */
function idOf(alarm: AlarmDefinition): string {
  const [, section] = /docs\/operate\/runbook\.md#(\w+)/.exec(alarm.AlarmDescription ?? "") ?? [];
  const name = Object.keys(ALARM_HELP).find((known) => known.toLowerCase() === section);
  assert(name, `an alarm is not in the runbook: ${alarm.AlarmDescription}`);
  const metrics = [alarm, ...(alarm.Metrics ?? []).flatMap(({ MetricStat }) => MetricStat?.Metric ?? [])];
  const dimensions = metrics.flatMap(({ Dimensions = [] }) => Dimensions);
  const flavor = dimensions.find(({ Name }) => Name === "flavor")?.Value;
  return flavor === undefined ? name : `${name}-${flavor}`;
}

function pointsOf({ filterPattern = "", metricTransformations = [] }: MetricFilter, event: object): Datapoint[] {
  if (!isMatched(filterPattern, event)) return [];
  const { detail } = event as { detail: Record<string, unknown> };
  const fieldOf = (text: string) => detail[text.replace("$.detail.", "")];
  return metricTransformations.map(({ metricName = "", metricNamespace = "", metricValue = "", dimensions = {} }) => ({
    namespace: metricNamespace,
    name: metricName,
    dimensions: Object.fromEntries(Object.entries(dimensions).map(([name, text]) => [name, String(fieldOf(text))])),
    value: metricValue === "1" ? 1 : Number(fieldOf(metricValue)),
  }));
}
