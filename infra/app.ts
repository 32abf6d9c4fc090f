import { App } from "aws-cdk-lib";
import { RunnerMetricsStack } from "./runner-metrics-stack.ts";
import { parseSettings, stackSettings } from "./settings.ts";

/** The stock app, configured by `runnerMetrics` in the context of cdk.json, or on the command line as JSON. */
const CONTEXT_KEY = "runnerMetrics";

const app = new App();
const context: unknown = app.node.tryGetContext(CONTEXT_KEY);
const input = typeof context === "string" ? JSON.parse(context) : context;
const settings = parseSettings(stackSettings, input, `cdk.json, context "${CONTEXT_KEY}"`);
/** For an app that adds to it. */
export const stack = new RunnerMetricsStack(app, settings.stackName, {
  settings,
  description: "Trustworthy metrics from self-hosted GitHub Actions runners",
});
