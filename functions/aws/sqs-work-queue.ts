import { GetQueueAttributesCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import type { Connections } from "../connections.ts";
import type { WorkQueue } from "../ports.ts";
import { incompleteAnswer, toServiceError } from "./service-error.ts";

/** Messages that wait, that a worker has, and that wait for a delay. SQS may count them up to a minute late. */
const COUNTS = [
  "ApproximateNumberOfMessages",
  "ApproximateNumberOfMessagesNotVisible",
  "ApproximateNumberOfMessagesDelayed",
] as const;

/**
 * A queue of SQS as a `WorkQueue`. Its connections are closed before each run. `isElsewhere` is for endpoints that are not AWS: an emulator
 * names queues by a host of its own.
 */
export function sqsWorkQueue(
  QueueUrl: string,
  { httpAgent, httpsAgent }: Pick<Connections, "httpAgent" | "httpsAgent">,
  isElsewhere: boolean,
): WorkQueue {
  const requestHandler = {
    connectionTimeout: 3_000,
    requestTimeout: 5_000,
    socketTimeout: 5_000,
    // Without it the SDK only warns.
    throwOnRequestTimeout: true,
    httpAgent,
    httpsAgent,
  };
  const client = new SQSClient({ requestHandler, maxAttempts: 3, useQueueUrlAsEndpoint: !isElsewhere });
  return {
    async isEmpty() {
      const doing = "Counting the messages of the work queue";
      try {
        const { Attributes = {} } = await client.send(
          new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...COUNTS] }),
        );
        const counts = COUNTS.map((name) => Attributes[name]);
        if (!counts.every((count) => count !== undefined && /^[0-9]+$/.test(count)))
          throw incompleteAnswer(doing, "a count is missing");
        return counts.every((count) => Number(count) === 0);
      } catch (error) {
        throw toServiceError(error, doing);
      }
    },

    async send(MessageBody) {
      const doing = "Sending to the work queue";
      try {
        const { MessageId } = await client.send(new SendMessageCommand({ QueueUrl, MessageBody }));
        if (!MessageId) throw incompleteAnswer(doing, "it has no MessageId");
      } catch (error) {
        throw toServiceError(error, doing);
      }
    },
  };
}
