/** A function as it is deployed, its bundle, invoked as Lambda does: in a process of its own. */
import { execFile } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Summary } from "../../functions/run/summary.ts";
import type { FunctionName } from "../../infra/constructs/bundling.ts";
import { bundleHandler } from "../../package/bundle.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Invocation {
  /** What the handler returned; the summary of a run, if it is the collector's. */
  readonly returned?: Summary;
  /** The error that it threw. */
  readonly threw?: string;
  /** Every line of stdout but the result, as Lambda hands it to CloudWatch. */
  readonly lines: readonly Readonly<Record<string, unknown>>[];
  readonly stderr: string;
}

const directory = mkdtempSync(join(tmpdir(), "bundles-"));
const bundles = new Map<FunctionName, Promise<string>>();

/** The path of a function's bundle, which is made once for each file of tests. */
export function bundleOf(name: FunctionName): Promise<string> {
  const file = join(directory, `${name}.mjs`);
  const bundle = bundles.get(name) ?? bundleHandler(file, name).then(() => file);
  bundles.set(name, bundle);
  return bundle;
}

const PROGRAM = `
  const [bundle, event] = process.argv.slice(1);
  const context = {
    functionName: "extract-metrics",
    functionVersion: "1",
    invokedFunctionArn: "arn:aws:lambda:us-east-1:111111111111:function:extract-metrics",
    memoryLimitInMB: "256",
    awsRequestId: "00000000-0000-4000-8000-000000000000",
    getRemainingTimeInMillis: () => 60_000,
  };
  const { handler } = await import(bundle);
  try {
    console.log(JSON.stringify({ returned: await handler(JSON.parse(event), context) }));
  } catch (error) {
    console.log(JSON.stringify({ threw: String(error) }));
  }
`;

/** Invokes the exported handler with an event, in a process that has this environment and no other. */
export async function invokeHandler(
  event: unknown,
  environment: Environment,
  { name = "extract-metrics", before = "" }: { name?: FunctionName; before?: string } = {},
): Promise<Invocation> {
  const args = ["--input-type=module", "-e", before + PROGRAM, await bundleOf(name), JSON.stringify(event)];
  const env = {
    PATH: process.env.PATH,
    NODE_COMPILE_CACHE: process.env.PROGRAMS_COMPILE_CACHE,
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    ...environment,
  } as NodeJS.ProcessEnv;
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env }, (_, stdout, stderr) => {
      const lines = stdout
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line));
      resolve({ ...lines.pop(), lines, stderr });
    });
  });
}
