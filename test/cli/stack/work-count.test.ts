import { afterEach, expect, test, vi } from "vitest";
import { awsOperations } from "../../../cli/stack/operations.ts";
import { sqsWorkQueue } from "../../../functions/aws/sqs-work-queue.ts";
import { createConnections } from "../../../functions/connections.ts";
import { startLocalSqs } from "../../../local/sqs.ts";

afterEach(() => vi.unstubAllEnvs());

test("work that waits is counted in the queues of all flavors, and in no other one", async () => {
  const sqs = await startLocalSqs();
  const connections = createConnections(1);
  try {
    vi.stubEnv("AWS_ENDPOINT_URL_SQS", sqs.endpoint);
    vi.stubEnv("AWS_REGION", "us-east-1");
    vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
    await sqsWorkQueue(sqs.queueUrl, connections, true).send("{}");
    const count = (outputs: Record<string, string>) => awsOperations(outputs, { stack: "RunnerMetrics" }).workCount();
    const url = sqs.queueUrl;
    expect(await count({ LargeWorkQueueUrl: url, ArmSmallWorkQueueUrl: url, DeadLetterQueueUrl: url })).toBe(2);
    expect(await count({ DeadLetterQueueUrl: url })).toBeUndefined();
  } finally {
    connections.close();
    await sqs.close();
  }
});
