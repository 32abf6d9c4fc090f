import { App, Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import { SqsQueue } from "aws-cdk-lib/aws-events-targets";
import { Queue } from "aws-cdk-lib/aws-sqs";
import { RunnerMetrics } from "runner-metrics";

const app = new App();
const stack = new Stack(app, "Ci");
const metrics = new RunnerMetrics(stack, "Metrics", {
  flavors: { large: { every: Duration.minutes(1) } },
  emulator: app.node.tryGetContext("emulator") === "true",
  removalPolicy: RemovalPolicy.DESTROY,
});
const queue = new Queue(stack, "Stops");
metrics.onRunnerStop("Stop", { target: new SqsQueue(queue) });
stack.exportValue(metrics.bucket.bucketName, { name: "BucketName" });
stack.exportValue(queue.queueUrl, { name: "QueueUrl" });
