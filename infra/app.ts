import { App } from "aws-cdk-lib";
import { RunnerMetricsStack } from "./runner-metrics-stack.ts";
import { parseSettings, type StackSettings, stackSettings } from "./settings.ts";

/** The stock app, configured by `runnerMetrics` in the context of cdk.json, or on the command line as JSON. */
const CONTEXT_KEY = "runnerMetrics";

const app = new App();
const settings = readSettings(`cdk.json, context "${CONTEXT_KEY}"`);
/** For an app that adds to it. */
export const stack = new RunnerMetricsStack(app, settings.stackName, {
  settings,
  description: "Trustworthy metrics from self-hosted GitHub Actions runners",
});

/** A mistake of the operator is reported without a stack trace. */
function readSettings(where: string): StackSettings {
  try {
    return parseSettings(stackSettings, readContext(), where);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(1);
  }
}

function readContext(): unknown {
  const context: unknown = app.node.tryGetContext(CONTEXT_KEY);
  if (typeof context !== "string") return context;
  try {
    return JSON.parse(context);
  } catch {
    throw new Error(`-c ${CONTEXT_KEY}=… is not JSON: ${context}`);
  }
}
