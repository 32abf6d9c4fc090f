/**
 * Several stacks in one app, each with a queue that receives the events of its own. Context `stacks`: settings of each; `broken`: whether each has
 * a resource that can't be created, after all others.
 */
import { App, CfnOutput, CfnWaitCondition, CfnWaitConditionHandle } from "aws-cdk-lib";
import { SqsQueue } from "aws-cdk-lib/aws-events-targets";
import { Queue } from "aws-cdk-lib/aws-sqs";
import { DETAIL_TYPES } from "../../contract/events.ts";
import { RunnerMetricsStack } from "../../infra/runner-metrics-stack.ts";
import { parseSettings, type StackSettingsInput, stackSettings } from "../../infra/settings.ts";

const app = new App();
for (const input of app.node.getContext("stacks") as StackSettingsInput[]) {
  const settings = parseSettings(stackSettings, input, "the test's settings");
  const stack = new RunnerMetricsStack(app, settings.stackName, { settings });
  const queue = new Queue(stack, "Consumer");
  stack.runnerMetrics.onEvent("ToConsumer", DETAIL_TYPES, { target: new SqsQueue(queue) });
  new CfnOutput(stack, "QueueUrl", { value: queue.queueUrl });
  if (!app.node.tryGetContext("broken")) continue;
  // For a signal that nobody sends.
  const handle = new CfnWaitConditionHandle(stack, "Handle").ref;
  new CfnWaitCondition(stack, "Broken", { handle, timeout: "1" }).node.addDependency(stack.runnerMetrics, queue);
}
