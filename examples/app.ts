/**
 * Three consumers of the events:
 * `npx cdk deploy --app "node examples/app.ts" -c eventBusName=<the output EventBusName of the stack RunnerMetrics>`
 */
import { App, Stack } from "aws-cdk-lib";
import { EventBus } from "aws-cdk-lib/aws-events";
import { EventsToFirehose } from "./events-to-firehose.ts";
import { EventsToLambda } from "./events-to-lambda.ts";
import { EventsToSqs } from "./events-to-sqs.ts";

const app = new App();
const stack = new Stack(app, "RunnerMetricsExamples");
const eventBusName: unknown = app.node.tryGetContext("eventBusName");
if (typeof eventBusName !== "string") {
  console.error("Say which bus: -c eventBusName=<output of the stack>");
  process.exit(1);
}
const bus = EventBus.fromEventBusName(stack, "EventBus", eventBusName);

new EventsToSqs(stack, "EventsToSqs", { bus });
new EventsToLambda(stack, "EventsToLambda", { bus, longerThanSeconds: 3_600 });
new EventsToFirehose(stack, "EventsToFirehose", { bus });
