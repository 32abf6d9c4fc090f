/** A function as it is deployed, its bundle, invoked as Lambda does. */
import { execFile } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { compileFunction, constants } from "node:vm";
import type { Summary } from "../../functions/run/summary.ts";
import type { FunctionName } from "../../infra/constructs/bundling.ts";
import { bundleHandler } from "../../package/bundle.ts";
import { asProgram } from "../as-program.ts";
import { effort } from "../effort.ts";

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

const CONTEXT = {
  functionName: "extract-metrics",
  functionVersion: "1",
  invokedFunctionArn: "arn:aws:lambda:us-east-1:111111111111:function:extract-metrics",
  memoryLimitInMB: "256",
  awsRequestId: "00000000-0000-4000-8000-000000000000",
};
const REMAINING_MILLISECONDS = 60_000;

const PROGRAM = `
  const [bundle, event] = process.argv.slice(1);
  const context = { ...${JSON.stringify(CONTEXT)}, getRemainingTimeInMillis: () => ${REMAINING_MILLISECONDS} };
  const { handler } = await import(bundle);
  try {
    console.log(JSON.stringify({ returned: await handler(JSON.parse(event), context) }));
  } catch (error) {
    console.log(JSON.stringify({ threw: String(error) }));
  }
`;

const CREDENTIALS = { AWS_REGION: "us-east-1", AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" };

/** Invokes the exported handler with an event, in a process that has this environment and no other. */
export async function invokeInProcessOfItsOwn(
  event: unknown,
  environment: Environment,
  { name = "extract-metrics", before = "" }: { name?: FunctionName; before?: string } = {},
): Promise<Invocation> {
  const args = ["--input-type=module", "-e", before + PROGRAM, await bundleOf(name), JSON.stringify(event)];
  const { PATH, PROGRAMS_COMPILE_CACHE: NODE_COMPILE_CACHE } = process.env;
  const env = { PATH, NODE_COMPILE_CACHE, ...CREDENTIALS, ...environment } as NodeJS.ProcessEnv;
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env }, (_, stdout, stderr) => {
      const lines = parseLines(stdout);
      resolve({ ...lines.pop(), lines, stderr });
    });
  });
}

/** Vitest would transform the bundle. */
const importAsNodeDoes = compileFunction("return import(url)", ["url"], {
  importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
}) as (url: string) => Promise<{ handler: (event: unknown, context: object) => Promise<unknown> }>;
let imports = 0;

/** Does the same in this process, with a copy of the bundle that nothing was done with before. */
async function invokeHere(
  event: unknown,
  environment: Environment,
  { name = "extract-metrics", before = "" }: { name?: FunctionName; before?: string } = {},
): Promise<Invocation> {
  if (before) return invokeInProcessOfItsOwn(event, environment, { name, before });
  const url = `${pathToFileURL(await bundleOf(name))}?${++imports}`;
  const context = { ...CONTEXT, getRemainingTimeInMillis: () => REMAINING_MILLISECONDS };
  const { result, stdout, stderr } = await asProgram({ ...CREDENTIALS, ...environment }, async () => {
    const module = await importAsNodeDoes(url).catch(console.error);
    if (!module) return {};
    try {
      return { returned: await module.handler(structuredClone(event), context) };
    } catch (error) {
      return { threw: String(error) };
    }
  });
  return { ...JSON.parse(JSON.stringify(result)), lines: parseLines(stdout), stderr };
}

/** Invokes the exported handler with an event and this environment. Only the gate starts a process for each. */
export const invokeHandler = effort(invokeHere, invokeInProcessOfItsOwn);

function parseLines(stdout: string): Record<string, unknown>[] {
  return stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}
