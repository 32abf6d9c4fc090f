/** The stock app, less what MiniStack does not know, and beside it the example of a queue with all events. */
import { CfnOutput, CfnResource, Stack } from "aws-cdk-lib";
import { EventsToSqs } from "../../examples/events-to-sqs.ts";
import { stack } from "../../infra/app.ts";

const UNKNOWN_TYPES = ["AWS::Events::EventBusPolicy"];

for (const child of stack.node.findAll()) {
  if (CfnResource.isCfnResource(child) && UNKNOWN_TYPES.includes(child.cfnResourceType)) {
    child.node.scope?.node.tryRemoveChild(child.node.id);
    console.error(`left out, since the emulator does not know it: ${child.cfnResourceType}`);
  }
}

const consumer = new Stack(stack.node.root, "Consumer");
const { queue } = new EventsToSqs(consumer, "EventsToSqs", { bus: stack.runnerMetrics.eventBus });
new CfnOutput(consumer, "QueueUrl", { value: queue.queueUrl });
