import { SQSClient } from "@aws-sdk/client-sqs";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { sqsWorkQueue } from "../../functions/aws/sqs-work-queue.ts";
import { createConnections } from "../../functions/connections.ts";
import { expectPatience, thrownBy } from "./sdk-client.ts";

const URL = "https://sqs.us-east-1.amazonaws.com/111111111111/work";
const NAMES = [
  "ApproximateNumberOfMessages",
  "ApproximateNumberOfMessagesNotVisible",
  "ApproximateNumberOfMessagesDelayed",
] as const;
const connections = createConnections(4);

beforeEach(() => void vi.stubEnv("AWS_REGION", "us-east-1"));
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** A queue whose client answers so; the client itself, and what it was sent. */
function queueThat(answer: () => unknown, { isElsewhere = false } = {}) {
  const sent: { name: string; input: unknown }[] = [];
  const clients: SQSClient[] = [];
  const send = async function (this: SQSClient, command: { constructor: { name: string }; input: unknown }) {
    clients.push(this);
    sent.push({ name: command.constructor.name, input: command.input });
    return answer();
  };
  vi.spyOn(SQSClient.prototype, "send").mockImplementation(send as never);
  return { queue: sqsWorkQueue(URL, connections, isElsewhere), sent, clients };
}

const refused = () => {
  throw Object.assign(new Error("no"), { name: "ThrottlingException", $metadata: { httpStatusCode: 400 } });
};

const counts = (...texts: (string | undefined)[]) => ({
  Attributes: Object.fromEntries(NAMES.map((name, index) => [name, texts[index]])),
});

describe("a queue", () => {
  test.each([
    [["0", "0", "0"], true],
    [["1", "0", "0"], false],
    [["0", "10", "0"], false],
    [["0", "0", "1"], false],
    [["00", "0", "0"], true],
  ])("with %j messages that wait, are worked on or delayed is empty: %s", async (texts, isEmpty) => {
    const { queue, sent } = queueThat(() => counts(...texts));
    expect(await queue.isEmpty()).toBe(isEmpty);
    expect(sent).toEqual([{ name: "GetQueueAttributesCommand", input: { QueueUrl: URL, AttributeNames: [...NAMES] } }]);
  });

  test.each([
    {},
    counts("0", "0"),
    counts(undefined, "0", "0"),
    counts("0", "", "0"),
    counts("0", "x0", "0"),
    counts("0", "0x", "0"),
    counts("-1", "0", "0"),
  ])("is not known to be empty if the answer is %j", async (answer) => {
    expect(await thrownBy(queueThat(() => answer).queue.isEmpty())).toEqual({
      code: "IncompleteAnswer",
      retryable: true,
      message: "Counting the messages of the work queue: IncompleteAnswer (a count is missing)",
    });
  });

  test("is not known to be empty if the call is refused", async () => {
    expect(await thrownBy(queueThat(refused).queue.isEmpty())).toEqual({
      code: "ThrottlingException",
      retryable: true,
      message: "Counting the messages of the work queue: ThrottlingException (HTTP 400)",
    });
  });
});

describe("a message", () => {
  test("is sent as it is", async () => {
    const { queue, sent } = queueThat(() => ({ MessageId: "1" }));
    await queue.send("{}");
    expect(sent).toEqual([{ name: "SendMessageCommand", input: { QueueUrl: URL, MessageBody: "{}" } }]);
  });

  test.each([{}, { MessageId: "" }])("is not known to be sent if the answer is %j", async (answer) => {
    expect(await thrownBy(queueThat(() => answer).queue.send("{}"))).toEqual({
      code: "IncompleteAnswer",
      retryable: true,
      message: "Sending to the work queue: IncompleteAnswer (it has no MessageId)",
    });
  });

  test("is not sent if the call is refused", async () => {
    expect(await thrownBy(queueThat(refused).queue.send("{}"))).toEqual({
      code: "ThrottlingException",
      retryable: true,
      message: "Sending to the work queue: ThrottlingException (HTTP 400)",
    });
  });
});

describe("the client", () => {
  test("gives a connection 3 s, an answer 5 s, and a call three attempts, on the connections it is given", async () => {
    const { queue, clients } = queueThat(() => ({ MessageId: "1" }));
    await queue.send("{}");
    const [client] = clients as [SQSClient];
    await expectPatience(client.config, 3_000, connections);
  });

  test.each([false, true])("calls the host in the queue's URL, unless it is elsewhere: %s", async (isElsewhere) => {
    const { queue, clients } = queueThat(() => ({ MessageId: "1" }), { isElsewhere });
    await queue.send("{}");
    expect(clients[0]?.config.useQueueUrlAsEndpoint).toBe(!isElsewhere);
  });
});
