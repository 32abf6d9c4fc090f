import { CreateQueueCommand, DeleteQueueCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterAll } from "vitest";
import { startLocalSqs } from "../../local/sqs.ts";
import { sqsContract } from "./sqs.contract.ts";

const { AWS_ENDPOINT_URL: emulator, EMULATOR: name = "local" } = process.env;
const local = emulator ? undefined : await startLocalSqs();
const settings = {
  AWS_REGION: process.env.AWS_REGION ?? "us-east-1",
  AWS_ACCESS_KEY_ID: "test",
  AWS_SECRET_ACCESS_KEY: "test",
  ...(local && { AWS_ENDPOINT_URL_SQS: local.endpoint }),
};
Object.assign(process.env, settings);
// LocalStack names queues by a host that only its own DNS knows.
const sqs = new SQSClient({ maxAttempts: 1, useQueueUrlAsEndpoint: false });
afterAll(async () => {
  sqs.destroy();
  await local?.close();
});

sqsContract({
  name,
  sqs,
  countsCharacters: name === "moto",
  async open() {
    if (local) return { queueUrl: local.queueUrl, close: async () => {} };
    const { QueueUrl = "" } = await sqs.send(
      new CreateQueueCommand({ QueueName: `contract-${process.pid}`, Attributes: { MaximumMessageSize: "262144" } }),
    );
    return { queueUrl: QueueUrl, close: async () => void (await sqs.send(new DeleteQueueCommand({ QueueUrl }))) };
  },
});
