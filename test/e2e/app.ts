/** The stock app, and next to it the example of a queue with all events. */
import { CfnOutput, Stack } from "aws-cdk-lib";
import { EventsToSqs } from "../../examples/events-to-sqs.ts";
import { stack } from "../../infra/app.ts";

const consumer = new Stack(stack.node.root, "Consumer");
const { queue } = new EventsToSqs(consumer, "EventsToSqs", { bus: stack.runnerMetrics.eventBus });
new CfnOutput(consumer, "QueueUrl", { value: queue.queueUrl });
