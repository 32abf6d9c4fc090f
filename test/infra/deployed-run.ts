/** A run by the handler as the stack deploys it: with the environment and the payload of the template. */
import { setTimeout } from "node:timers/promises";
import type { Template } from "aws-cdk-lib/assertions";
import type { Environment } from "../../contract/environment.ts";
import { type Invocation, invokeHandler } from "../worlds/invoke-handler.ts";
import { FILES } from "../worlds/memory.ts";
import { only, resolve } from "./iam.ts";
import { resources } from "./synthesize.ts";

/** What the handler finds in its environment. */
export function environmentOf(template: Template): Environment {
  const [, { Properties }] = only(template, "AWS::Lambda::Function", "ExtractMetrics");
  return (resolve(template, Properties.Environment) as { Variables: Environment }).Variables;
}

/** What the schedule of a flavor hands over. */
export function payloadOf(template: Template, flavor: string): string {
  const inputs = Object.values(resources(template, "AWS::Scheduler::Schedule")).map(
    ({ Properties }) => (Properties.Target as { Input: string }).Input,
  );
  const input = inputs.find((text) => JSON.parse(text).flavor === flavor);
  if (!input) throw new Error(`No schedule is for the flavor ${flavor}`);
  return input;
}

export async function deployedRun(
  template: Template,
  flavor: string,
  environment: Record<string, string>,
): Promise<Invocation> {
  // An orphan of this very second: the stack's settings allow none. S3 tells its time in whole seconds, so it takes the next one.
  await setTimeout(1_100);
  const input = { ...JSON.parse(payloadOf(template, flavor)), orphanAfterSeconds: 0 };
  return invokeHandler(input, { ...environmentOf(template), ...environment });
}

const { "post-job-metrics.json": _, ...unfinished } = FILES;

/** Objects that make a run do all that it ever does, by key below `runners/<flavor>/`. */
export const EVERYTHING: Readonly<Record<string, string>> = {
  ...within("r-extracted", FILES),
  ...within("r-orphan", unfinished),
  ...within("r-corrupt", { ...FILES, "pre-job-metrics.json": "{" }),
  // Of an invalid name: copied under another one, and deleted alone.
  ...within("r-invalid-key", { ...FILES, "bell\u0007": "x" }),
};

function within(storage: string, files: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([name, content]) => [`${storage}/${name}`, content]));
}
