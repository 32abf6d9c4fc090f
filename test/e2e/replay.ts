import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { CloudFormationClient, CreateStackCommand, waitUntilStackCreateComplete } from "@aws-sdk/client-cloudformation";
import { CreateArchiveCommand } from "@aws-sdk/client-eventbridge";
import { PurgeQueueCommand } from "@aws-sdk/client-sqs";
import { EXIT_CODES } from "../../cli/exit-codes.ts";
import { EVENT_SOURCE } from "../../contract/events.ts";
import { createConsumer } from "./acceptance.ts";
import type { OperatedStack } from "./operated-stack.ts";
import { finishJob } from "./rehearsals.ts";

const PATIENCE_MILLISECONDS = 20_000;
/** A stack with the outputs of the deployed one, and the archive that the emulator's CloudFormation can't create. */
const WITH_ARCHIVE = "WithArchive";

/** A consumer that lost the events of a run gets the same ones again. */
export async function rehearseReplay(stack: OperatedStack): Promise<string> {
  const { client, outputs, eventBridge, sqs, consumerQueueUrl: QueueUrl } = stack;
  const { ArchiveArn = "" } = await eventBridge.send(
    new CreateArchiveCommand({
      ArchiveName: "replay",
      EventSourceArn: outputs.EventBusArn,
      EventPattern: JSON.stringify({ source: [EVENT_SOURCE] }),
    }),
  );
  await createStack(client, { ...outputs, ReplayArchiveArn: ArchiveArn });
  await stack.command("runner-metrics run large", EXIT_CODES.success);
  await sqs.send(new PurgeQueueCommand({ QueueUrl }));

  const receive = async () => {
    const consumer = createConsumer(sqs, QueueUrl, PATIENCE_MILLISECONDS);
    await consumer.until((events) => events.length >= 6);
    return consumer.events.map(({ detail }) => detail.event_id).toSorted();
  };
  await nextSecond();
  const from = toSeconds(Date.now());
  for (const runner of ["r-1", "r-2", "r-3"]) await finishJob(stack, runner);
  await stack.command("runner-metrics run large", EXIT_CODES.success);
  const published = await receive();
  await nextSecond();
  const to = toSeconds(Date.now());
  const command = `runner-metrics replay --stack ${WITH_ARCHIVE} --from ${from} --to ${to}`;
  assert.match(await stack.command(`${command} --dry-run`, EXIT_CODES.success), /^would replay /);
  assert.match(await stack.command(command, EXIT_CODES.success), /^replayed /m);
  const replayed = await receive();
  assert.deepEqual(replayed, published);
  return `${replayed.length} events of a run came again, with the same ids`;
}

async function createStack(client: OperatedStack["client"], outputs: Readonly<Record<string, string>>): Promise<void> {
  const cloudFormation = new CloudFormationClient(client);
  const TemplateBody = JSON.stringify({
    // A stack needs a resource.
    Resources: { Nothing: { Type: "AWS::CloudFormation::WaitConditionHandle" } },
    Outputs: Object.fromEntries(Object.entries(outputs).map(([name, Value]) => [name, { Value }])),
  });
  await cloudFormation.send(new CreateStackCommand({ StackName: WITH_ARCHIVE, TemplateBody }));
  await waitUntilStackCreateComplete({ client: cloudFormation, maxWaitTime: 60 }, { StackName: WITH_ARCHIVE });
  cloudFormation.destroy();
}

/** Periods are given in whole seconds. */
async function nextSecond(): Promise<void> {
  await sleep(1_000 - (Date.now() % 1_000));
}

function toSeconds(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}
