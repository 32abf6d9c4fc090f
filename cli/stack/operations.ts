/** What the commands need from a deployed stack, and AWS behind it. Clients are loaded when they are used. */
import { type ConnectionOptions, clientSettings, output, type StackOutputs } from "../connection.ts";

/** A line of a log. */
export interface LogLine {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly message: string;
}

/** A schedule of the stack. */
export interface ScheduleState {
  readonly isEnabled: boolean;
  readonly everyMinutes: number | undefined;
  /** Input of a run. */
  readonly input: unknown;
}

/** A message of the dead-letter queue. */
export interface DeadLetter {
  readonly id: string;
  /** When it was sent, in milliseconds since the epoch. */
  readonly at: number;
  readonly body: string;
  /** Attributes with which the sender says what failed. */
  readonly attributes: Readonly<Record<string, string>>;
  /** For `deleteLetter`; works until the message can be received again. */
  readonly handle: string;
}

/** An alarm that is not OK. */
export interface AlarmState {
  readonly name: string;
  readonly state: string;
  /** Where the runbook says what to do. */
  readonly section?: string | undefined;
}

/** A replay of EventBridge's, as far as it is. */
export interface ReplayState {
  /** `STARTING`, `RUNNING`, `COMPLETED`, … */
  readonly state: string;
  readonly reason?: string | undefined;
  /** Time of the last event that was sent again, in milliseconds since the epoch. */
  readonly last?: number | undefined;
}

/** A deployed stack. Methods throw the SDK's errors. */
export interface Operations {
  /** Lines of the function's log since a time, the oldest first. `pattern` is a filter pattern of CloudWatch Logs. */
  logLines(since: number, pattern: string): AsyncGenerator<LogLine>;
  schedules(): Promise<ScheduleState[]>;
  /** Starts a run and waits for it. */
  invoke(input: unknown): Promise<{ readonly failed: boolean; readonly result: unknown }>;
  /** Messages that can be received now, each once, at most about `max`. They are hidden for a short time, or until they are returned. */
  deadLetters(max: number): Promise<DeadLetter[]>;
  /** Makes received messages visible again. */
  returnLetters(letters: readonly DeadLetter[]): Promise<void>;
  /** How many messages the queue holds, about. */
  deadLetterCount(): Promise<number>;
  deleteLetter(letter: DeadLetter): Promise<void>;
  /** How many messages wait for workers or are being worked on, about; undefined for a stack without workers. */
  workCount(): Promise<number | undefined>;
  /** Alarms of the stack that are not OK. */
  alarms(): Promise<AlarmState[]>;
  /** Whether somebody is notified: confirmed subscriptions, and those that wait for confirmation. */
  subscriptions(): Promise<{ readonly confirmed: number; readonly pending: number }>;
  /** Variables of the function. */
  environment(): Promise<Readonly<Record<string, string>>>;
  /** Sends the events of a period (milliseconds since the epoch) to the rules of the bus again: to these, or to all. */
  startReplay(name: string, from: number, to: number, ruleArns: readonly string[]): Promise<void>;
  replayState(name: string): Promise<ReplayState>;
}

/** How long received messages are hidden, in seconds: long enough to read the others. */
const HIDDEN_SECONDS = 20;

/** SQS's limit. */
const LETTERS_PER_CALL = 10;

/** A deployed stack with these outputs. */
export function awsOperations(outputs: StackOutputs, options: ConnectionOptions): Operations {
  const settings = clientSettings(options);
  // An emulator names queues by a host of its own.
  const sqsSettings = { ...settings, ...(process.env.AWS_ENDPOINT_URL && { useQueueUrlAsEndpoint: false }) };

  async function countMessages(QueueUrl: string): Promise<number> {
    const { SQSClient, GetQueueAttributesCommand } = await import("@aws-sdk/client-sqs");
    const names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"] as const;
    const { Attributes = {} } = await new SQSClient(sqsSettings).send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...names] }),
    );
    return names.reduce((sum, name) => sum + Number(Attributes[name] ?? 0), 0);
  }

  return {
    async *logLines(since, pattern) {
      const { CloudWatchLogsClient, FilterLogEventsCommand } = await import("@aws-sdk/client-cloudwatch-logs");
      const client = new CloudWatchLogsClient(settings);
      const logGroupName = output(outputs, "FunctionLogGroupName");
      for (let nextToken: string | undefined, isFirst = true; isFirst || nextToken; isFirst = false) {
        const page = await client.send(
          new FilterLogEventsCommand({
            logGroupName,
            startTime: since,
            filterPattern: pattern,
            ...(nextToken && { nextToken }),
          }),
        );
        for (const { timestamp = 0, message = "" } of page.events ?? []) yield { at: timestamp, message };
        nextToken = page.nextToken;
      }
    },

    async schedules() {
      const { SchedulerClient, ListSchedulesCommand, GetScheduleCommand } = await import("@aws-sdk/client-scheduler");
      const client = new SchedulerClient(settings);
      const GroupName = output(outputs, "ScheduleGroupName");
      // A stack has at most 20 flavors.
      const { Schedules = [] } = await client.send(new ListSchedulesCommand({ GroupName, MaxResults: 100 }));
      return Promise.all(
        Schedules.map(async ({ Name }) => {
          const schedule = await client.send(new GetScheduleCommand({ GroupName, Name }));
          const [, minutes, unit] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(schedule.ScheduleExpression ?? "") ?? [];
          const factor = unit === "day" ? 1_440 : unit === "hour" ? 60 : 1;
          return {
            isEnabled: schedule.State === "ENABLED",
            everyMinutes: minutes === undefined ? undefined : Number(minutes) * factor,
            input: JSON.parse(schedule.Target?.Input ?? "null"),
          };
        }),
      );
    },

    async invoke(input) {
      const { LambdaClient, InvokeCommand } = await import("@aws-sdk/client-lambda");
      // A run takes up to 15 minutes, and is not started twice.
      const client = new LambdaClient({ ...settings, maxAttempts: 1, requestHandler: { requestTimeout: 910_000 } });
      const { FunctionError, Payload } = await client.send(
        new InvokeCommand({ FunctionName: output(outputs, "FunctionName"), Payload: JSON.stringify(input) }),
      );
      return {
        failed: FunctionError !== undefined,
        result: JSON.parse(Buffer.from(Payload ?? []).toString() || "null"),
      };
    },

    async deadLetters(max) {
      const { SQSClient, ReceiveMessageCommand } = await import("@aws-sdk/client-sqs");
      const client = new SQSClient(sqsSettings);
      const letters = new Map<string, DeadLetter>();
      for (let empty = 0; empty < 2 && letters.size < max; ) {
        const { Messages = [] } = await client.send(
          new ReceiveMessageCommand({
            QueueUrl: output(outputs, "DeadLetterQueueUrl"),
            MaxNumberOfMessages: LETTERS_PER_CALL,
            VisibilityTimeout: HIDDEN_SECONDS,
            MessageSystemAttributeNames: ["SentTimestamp"],
            MessageAttributeNames: ["All"],
          }),
        );
        const before = letters.size;
        for (const { MessageId = "", Body = "", ReceiptHandle = "", Attributes, MessageAttributes = {} } of Messages) {
          const attributes = Object.entries(MessageAttributes).map(([name, { StringValue = "" }]) => [
            name,
            StringValue,
          ]);
          const at = Number(Attributes?.SentTimestamp ?? 0);
          letters.set(MessageId, {
            id: MessageId,
            at,
            body: Body,
            attributes: Object.fromEntries(attributes),
            handle: ReceiptHandle,
          });
        }
        empty = letters.size > before ? 0 : empty + 1;
      }
      return [...letters.values()].sort((one, other) => one.at - other.at);
    },

    async returnLetters(letters) {
      const { SQSClient, ChangeMessageVisibilityBatchCommand } = await import("@aws-sdk/client-sqs");
      const client = new SQSClient(sqsSettings);
      const QueueUrl = output(outputs, "DeadLetterQueueUrl");
      for (let from = 0; from < letters.length; from += LETTERS_PER_CALL) {
        const Entries = letters
          .slice(from, from + LETTERS_PER_CALL)
          .map(({ handle }, index) => ({ Id: String(index), ReceiptHandle: handle, VisibilityTimeout: 0 }));
        await client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries }));
      }
    },

    deadLetterCount: () => countMessages(output(outputs, "DeadLetterQueueUrl")),

    async workCount() {
      const queueUrls = Object.entries(outputs).flatMap(([name, url]) => (name.endsWith("WorkQueueUrl") ? [url] : []));
      if (queueUrls.length === 0) return undefined;
      const counts = await Promise.all(queueUrls.map(countMessages));
      return counts.reduce((sum, count) => sum + count, 0);
    },

    async deleteLetter({ handle }) {
      const { SQSClient, DeleteMessageCommand } = await import("@aws-sdk/client-sqs");
      const QueueUrl = output(outputs, "DeadLetterQueueUrl");
      await new SQSClient(sqsSettings).send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: handle }));
    },

    async alarms() {
      const { CloudWatchClient, DescribeAlarmsCommand } = await import("@aws-sdk/client-cloudwatch");
      const client = new CloudWatchClient(settings);
      const found: AlarmState[] = [];
      for (let NextToken: string | undefined, isFirst = true; isFirst || NextToken; isFirst = false) {
        const page = await client.send(
          new DescribeAlarmsCommand({ StateValue: "ALARM", MaxRecords: 100, ...(NextToken && { NextToken }) }),
        );
        for (const alarm of page.MetricAlarms ?? []) {
          const { AlarmName = "", StateValue = "", AlarmActions = [], AlarmDescription = "" } = alarm;
          const [section] = /docs\/operate\/runbook\.md#\w+/.exec(AlarmDescription) ?? [];
          // All alarms of the stack notify its topic.
          const isOurs = AlarmActions.includes(outputs.AlarmTopicArn ?? "");
          if (isOurs) found.push({ name: AlarmName, state: StateValue, section });
        }
        NextToken = page.NextToken;
      }
      return found;
    },

    async subscriptions() {
      if (!outputs.AlarmTopicArn) return { confirmed: 0, pending: 0 };
      const { SNSClient, ListSubscriptionsByTopicCommand } = await import("@aws-sdk/client-sns");
      const { Subscriptions = [] } = await new SNSClient(settings).send(
        new ListSubscriptionsByTopicCommand({ TopicArn: outputs.AlarmTopicArn }),
      );
      const pending = Subscriptions.filter(({ SubscriptionArn = "" }) => !SubscriptionArn.startsWith("arn:")).length;
      return { confirmed: Subscriptions.length - pending, pending };
    },

    async environment() {
      const { LambdaClient, GetFunctionConfigurationCommand } = await import("@aws-sdk/client-lambda");
      const { Environment } = await new LambdaClient(settings).send(
        new GetFunctionConfigurationCommand({ FunctionName: output(outputs, "FunctionName") }),
      );
      return Environment?.Variables ?? {};
    },

    async startReplay(name, from, to, ruleArns) {
      const { EventBridgeClient, StartReplayCommand } = await import("@aws-sdk/client-eventbridge");
      await new EventBridgeClient(settings).send(
        new StartReplayCommand({
          ReplayName: name,
          EventSourceArn: output(outputs, "ReplayArchiveArn"),
          EventStartTime: new Date(from),
          EventEndTime: new Date(to),
          Destination: {
            Arn: output(outputs, "EventBusArn"),
            ...(ruleArns.length > 0 && { FilterArns: [...ruleArns] }),
          },
        }),
      );
    },

    async replayState(name) {
      const { EventBridgeClient, DescribeReplayCommand } = await import("@aws-sdk/client-eventbridge");
      const replay = await new EventBridgeClient(settings).send(new DescribeReplayCommand({ ReplayName: name }));
      return {
        state: replay.State ?? "unknown",
        reason: replay.StateReason,
        last: replay.EventLastReplayedTime?.getTime(),
      };
    },
  };
}
