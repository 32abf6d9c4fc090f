import {
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  type SQSClient,
} from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MESSAGE_BYTES_MAX } from "../../contract/work-message.ts";
import { sqsWorkQueue } from "../../functions/aws/sqs-work-queue.ts";
import { createConnections } from "../../functions/connections.ts";
import { ServiceError, type WorkQueue } from "../../functions/ports.ts";

/** A queue of its own, and a client for what a run does not do. */
export interface QueueTarget {
  readonly name: string;
  readonly sqs: SQSClient;
  /** Whether it has this gap: the limit of a message is one of bytes. */
  readonly countsCharacters: boolean;
  open(): Promise<{ queueUrl: string; close(): Promise<void> }>;
}

/** What SQS does, as far as a run relies on it: by the port's own adapter. */
export function sqsContract({ name, sqs, countsCharacters, open }: QueueTarget): void {
  let QueueUrl: string;
  let queue: WorkQueue;
  let close = async () => {};
  const connections = createConnections(4);

  beforeAll(async () => {
    ({ queueUrl: QueueUrl, close } = await open());
    queue = sqsWorkQueue(QueueUrl, connections, true);
  });
  afterAll(async () => {
    connections.close();
    await close();
  });

  async function receive() {
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 1 }));
    return Messages[0];
  }

  test(`sqs on ${name}: a queue is empty until a message is sent, and again when it was deleted; one that was received counts`, async () => {
    expect(await queue.isEmpty()).toBe(true);
    await queue.send('{"flavor":"large"}');
    expect(await queue.isEmpty()).toBe(false);
    const message = await receive();
    expect(message?.Body).toBe('{"flavor":"large"}');
    expect(await queue.isEmpty()).toBe(false);
    await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message?.ReceiptHandle }));
    expect(await queue.isEmpty()).toBe(true);
  });

  test(`sqs on ${name}: a message of the most bytes arrives as it was sent`, async () => {
    const body = "é".repeat(MESSAGE_BYTES_MAX / 2);
    await queue.send(body);
    const message = await receive();
    expect(message?.Body).toBe(body);
    await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message?.ReceiptHandle }));
  });

  test(`sqs on ${name}: a queue that does not exist is a ServiceError`, async () => {
    const missing = sqsWorkQueue(`${QueueUrl}-absent`, connections, true);
    await expect(missing.isEmpty()).rejects.toBeInstanceOf(ServiceError);
    await expect(missing.send("x")).rejects.toBeInstanceOf(ServiceError);
  });

  test(`sqs on ${name}: counts come as text, under the names that were asked for`, async () => {
    const names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"] as const;
    const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...names] }));
    expect(Attributes).toEqual({ ApproximateNumberOfMessages: "0", ApproximateNumberOfMessagesDelayed: "0" });
  });

  // The last one, since moto keeps the message.
  const rule = countsCharacters ? test.fails : test;
  rule(`sqs on ${name}: a message with a byte more than the most is refused`, async () => {
    await expect(queue.send(`${"é".repeat(MESSAGE_BYTES_MAX / 2)}x`)).rejects.toBeInstanceOf(ServiceError);
  });
}
