import { createHash, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { readRequest } from "./http.ts";

/** A running SQS with one queue. */
export interface LocalSqs {
  /** For `AWS_ENDPOINT_URL_SQS`. */
  readonly endpoint: string;
  readonly queueUrl: string;
  /** Bodies of the messages that are there, in the order in which they came, also those that somebody has received. */
  readonly bodies: () => string[];
  close(): Promise<void>;
}

interface Message {
  readonly id: string;
  readonly body: string;
  /** Whether somebody has received it and not deleted it yet. */
  isInFlight: boolean;
}

/** SQS's default. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html */
const BODY_BYTES_MAX = 262_144;

/**
 * Serves what a run does with its queue, and what Lambda does with it: SendMessage, GetQueueAttributes, ReceiveMessage (one message) and
 * DeleteMessage. From memory and on loopback only; a message that was received never becomes visible again.
 */
export async function startLocalSqs(): Promise<LocalSqs> {
  const messages: Message[] = [];

  function answer(operation: string, input: Record<string, unknown>): object {
    if (!String(input.QueueUrl).endsWith("/000000000000/work")) return refusal("com.amazonaws.sqs#QueueDoesNotExist");
    switch (operation) {
      case "SendMessage": {
        const body = String(input.MessageBody ?? "");
        if (Buffer.byteLength(body) > BODY_BYTES_MAX)
          return refusal("com.amazon.coral.service#InvalidParameterValueException");
        const id = randomUUID();
        messages.push({ id, body, isInFlight: false });
        return { MessageId: id, MD5OfMessageBody: createHash("md5").update(body).digest("hex") };
      }
      case "GetQueueAttributes": {
        const inFlight = messages.filter(({ isInFlight }) => isInFlight).length;
        const all: Record<string, string> = {
          ApproximateNumberOfMessages: String(messages.length - inFlight),
          ApproximateNumberOfMessagesNotVisible: String(inFlight),
          ApproximateNumberOfMessagesDelayed: "0",
        };
        const names = (input.AttributeNames ?? []) as string[];
        return { Attributes: Object.fromEntries(names.flatMap((name) => (all[name] ? [[name, all[name]]] : []))) };
      }
      case "ReceiveMessage": {
        const next = messages.find(({ isInFlight }) => !isInFlight);
        if (!next) return {};
        next.isInFlight = true;
        const MD5OfBody = createHash("md5").update(next.body).digest("hex");
        return { Messages: [{ MessageId: next.id, ReceiptHandle: next.id, Body: next.body, MD5OfBody }] };
      }
      case "DeleteMessage": {
        const index = messages.findIndex(({ id }) => id === input.ReceiptHandle);
        if (index >= 0) messages.splice(index, 1);
        return {};
      }
      default:
        return refusal("UnknownOperationException");
    }
  }

  const server = createServer(async (message, response) => {
    const { headers, body } = await readRequest(message);
    const operation = String(headers["x-amz-target"]).replace("AmazonSQS.", "");
    const answered = answer(operation, JSON.parse(body.toString() || "{}"));
    response.writeHead("__type" in answered ? 400 : 200, { "content-type": "application/x-amz-json-1.0" });
    response.end(JSON.stringify(answered));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port.");
  const endpoint = `http://127.0.0.1:${address.port}`;
  return {
    endpoint,
    queueUrl: `${endpoint}/000000000000/work`,
    bodies: () => messages.map(({ body }) => body),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function refusal(type: string): object {
  return { __type: type, message: "This was refused." };
}
