import {
  DeleteRuleCommand,
  type EventBridgeClient,
  PutRuleCommand,
  PutTargetsCommand,
  RemoveTargetsCommand,
} from "@aws-sdk/client-eventbridge";
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SetQueueAttributesCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { EVENT_SOURCE } from "../../contract/events.ts";
import type { EventBridgeModel } from "../event-bridge.ts";

/** An event as a consumer sees it. */
export interface ReceivedEvent {
  readonly detailType: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface Receiver {
  /** What has come in since the last call; waits until there are `atLeast` events, or some seconds have passed. */
  receive(atLeast: number): Promise<ReceivedEvent[]>;
  close(): Promise<void>;
}

const WAIT_MILLISECONDS = 10_000;

/** Straight from our own EventBridge. */
export function receiveFromModel(model: EventBridgeModel): Receiver {
  let received: ReceivedEvent[] = [];
  const unsubscribe = model.subscribe(({ detailType, detail }) =>
    received.push({ detailType, detail: JSON.parse(detail) }),
  );
  return {
    async receive() {
      const all = received;
      received = [];
      return all;
    },
    async close() {
      unsubscribe();
    },
  };
}

/** Behind a bus anywhere else: by a rule to a queue, as a consumer would. */
export async function receiveFromQueue(eventBridge: EventBridgeClient, bus: string): Promise<Receiver> {
  const sqs = new SQSClient({});
  const name = `${bus}-${process.pid}`;
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: name }));
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] }));
  const arn = Attributes?.QueueArn;
  const pattern = JSON.stringify({ source: [EVENT_SOURCE] });
  const { RuleArn } = await eventBridge.send(
    new PutRuleCommand({ Name: name, EventBusName: bus, EventPattern: pattern }),
  );
  const policy = {
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { Service: "events.amazonaws.com" },
        Action: "sqs:SendMessage",
        Resource: arn,
        Condition: { ArnEquals: { "aws:SourceArn": RuleArn } },
      },
    ],
  };
  await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy: JSON.stringify(policy) } }));
  await eventBridge.send(
    new PutTargetsCommand({ Rule: name, EventBusName: bus, Targets: [{ Id: "queue", Arn: arn }] }),
  );
  return {
    async receive(atLeast) {
      const events: ReceivedEvent[] = [];
      const deadline = Date.now() + WAIT_MILLISECONDS;
      while (events.length < atLeast && Date.now() < deadline) {
        const batch = { QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1 };
        const { Messages = [] } = await sqs.send(new ReceiveMessageCommand(batch));
        for (const { Body = "{}" } of Messages) {
          const { "detail-type": detailType, detail } = JSON.parse(Body);
          events.push({ detailType, detail });
        }
        const Entries = Messages.map(({ MessageId, ReceiptHandle }) => ({ Id: MessageId, ReceiptHandle }));
        if (Entries.length > 0) await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
      }
      return events;
    },
    async close() {
      await eventBridge.send(new RemoveTargetsCommand({ Rule: name, EventBusName: bus, Ids: ["queue"] }));
      await eventBridge.send(new DeleteRuleCommand({ Name: name, EventBusName: bus }));
      await sqs.send(new DeleteQueueCommand({ QueueUrl }));
      sqs.destroy();
    },
  };
}
