import { App, Stack } from "aws-cdk-lib";
import { RunnerMetrics } from "runner-metrics";

const stack = new Stack(new App(), "CommonJs");
new RunnerMetrics(stack, "Metrics", { flavors: { large: {} } });
