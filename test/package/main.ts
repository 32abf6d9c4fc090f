/**
 * The npm package as a user gets it: `npm run test:all -- package`. Packs it, installs it into a new app outside of the repository, checks types,
 * synthesises on Node 20 and 24, deploys to an emulator, and lets runners upload. Needs npm's registry, and Python for the emulator.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { liveRunners } from "../e2e/fleet.ts";
import { MINISTACK, startEmulator } from "../emulators.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const REGION = "us-east-1";
/** Two intervals of the schedule. */
const PATIENCE_MILLISECONDS = 130_000;
/** Each version as in package.json, where it is there. */
const { devDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const DEVELOPMENT = [
  "tsx@4.23.15",
  "node@20.20.2",
  ...["typescript", "@types/node"].map((name) => `${name}@${devDependencies[name]}`),
];
const CDK = ["aws-cdk-lib", "constructs"];

const directory = mkdtempSync(join(tmpdir(), "runner-metrics-package-"));
const app = join(directory, "app");
const node24 = process.execPath;

try {
  const tarball = await pack();
  await installProduction(tarball);
  await installsNothingHeavy();
  const template = await synthesize("app.ts", [node24, "app.ts"], "Ci");
  assert(!existsSync(join(app, "node_modules/esbuild")), "the app has no esbuild");
  report("Node 24", "app.ts runs from its source, and needs no esbuild");

  await npm("install", "--save-dev", ...DEVELOPMENT);
  await run([node24, "node_modules/typescript/bin/tsc", "-p", "."]);
  report("types", "the app passes a strict check, libraries included");
  const node20 = join(app, "node_modules/node/bin/node");
  const tsx = [node20, "node_modules/tsx/dist/cli.mjs"];
  assert.match(await run([node20, "--version"]), /^v20\./);
  assert.deepEqual(await synthesize("tsx", [...tsx, "app.ts"], "Ci"), template);
  report("Node 20", "tsx synthesises the same template");
  await everyCase(tsx);
  await commonJs([node20, node24]);
  await consumer([
    [...tsx, "consumer.ts"],
    [node24, "consumer.ts"],
  ]);
  await commandLine([node20, node24]);
  await demo();
  await deployAndCollect();
} finally {
  rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}

async function pack(): Promise<string> {
  await execute(["npm", "pack", "--pack-destination", directory], ROOT);
  const [tarball, ...others] = readdirSync(directory).filter((name) => name.endsWith(".tgz"));
  assert(tarball && others.length === 0);
  return join(directory, tarball);
}

async function installProduction(tarball: string): Promise<void> {
  mkdirSync(app);
  await npm("init", "--yes");
  await npm("pkg", "set", "type=module");
  await npm("install", tarball, ...CDK.map((name) => `${name}@${devDependencies[name]}`));
  cpSync(join(ROOT, "test/package/app"), app, { recursive: true });
}

/** The package brings zod, and uses the app's CDK. */
async function installsNothingHeavy(): Promise<void> {
  const list = JSON.parse(await npm("ls", "--omit=dev", "--all", "--json"));
  // An optional peer that is not installed is listed without a version.
  const listed = Object.entries<{ version?: string }>(list.dependencies["runner-metrics"].dependencies);
  const brought = listed.filter(([, { version }]) => version !== undefined);
  assert.deepEqual(brought.map(([name]) => name).sort(), [...CDK, "zod"].sort());
  assert.deepEqual(Object.keys(list.dependencies).sort(), [...CDK, "runner-metrics"].sort());
  const licenses = readFileSync(join(app, "node_modules/runner-metrics/dist/THIRD-PARTY-LICENSES.txt"), "utf8");
  for (const bundled of ["@aws-sdk/client-s3", "commander", "vega", "zod"]) {
    assert.match(licenses, new RegExp(`^${bundled} [0-9.]+, [A-Z]`, "m"));
  }
  report("installed", "next to the CDK, the package brings zod and nothing else, and the licences of what is bundled");
}

/** Runs an app and returns a stack's template. */
async function synthesize(name: string, command: readonly string[], stack: string): Promise<unknown> {
  const outdir = join(directory, `out-${name}`);
  await run(command, { CDK_OUTDIR: outdir });
  return JSON.parse(readFileSync(join(outdir, `${stack}.template.json`), "utf8"));
}

async function everyCase(tsx: readonly string[]): Promise<void> {
  const inApp = JSON.stringify(await synthesize("cases", [...tsx, "cases.ts"], "InApp"));
  // Of the bucket, the bus and the secret of the other stack.
  for (const name of ["Bucket", "Bus", "Secret"]) assert.match(inApp, new RegExp(`"Base:ExportsOutputRef${name}`));
  const imported = JSON.stringify(await synthesize("cases", [...tsx, "cases.ts"], "Imported"));
  for (const name of ["MetricsBucketName", "MetricsKeyArn"]) assert(imported.includes(`{"Fn::ImportValue":"${name}"}`));
  report("cases", "a bucket, a bus and a secret of another stack; names and a key that are imported; a consumer");
}

/** An app as `cdk init` makes it: its modules are CommonJS. */
async function commonJs(nodes: readonly string[]): Promise<void> {
  await run([node24, "node_modules/typescript/bin/tsc", "-p", ".", "--noEmit", "false", "--outDir", "js"]);
  cpSync(join(app, "js/common-js.cjs"), join(app, "common-js.cjs"));
  for (const [index, node] of nodes.entries()) await synthesize(`cjs-${index}`, [node, "common-js.cjs"], "CommonJs");
  report("CommonJS", "a compiled CommonJS app requires the construct on Node 20 and 24");
}

async function consumer(commands: readonly (readonly string[])[]): Promise<void> {
  const event = {
    source: "runner-metrics",
    "detail-type": "RunnerStop",
    detail: {
      ...{
        event: "runner_stop",
        timestamp: 1_700_000_720,
        flavor: "large",
        runner_name: "r-1",
        event_id: "0".repeat(32),
      },
      ...{ schema_version: 1, workflow: "CI", workflow_run_id: "1", repo: "acme/widgets", github_event: "push" },
      ...{ status: "normal", job_duration: 600 },
    },
  };
  for (const command of commands) {
    const output = JSON.parse(await run(command, {}, JSON.stringify(event)));
    const expected = { runner_name: "r-1", repo: "acme/widgets", job_duration: 600, schema: "object" };
    assert.deepEqual({ ...output, lines: undefined }, { ...expected, lines: undefined });
    assert(output.lines > 8, "a ticket has lines for four files");
  }
  report("consumer", "events, schemas and tickets are imported on Node 20 and 24");
}

async function commandLine(nodes: readonly string[]): Promise<void> {
  for (const node of nodes) {
    const output = await run([node, "node_modules/.bin/runner-metrics", "ticket", "session", "--help"]);
    assert.match(output, /^Usage: runner-metrics ticket session/);
  }
  report("command", "npx finds runner-metrics, on Node 20 and 24");
}

/** After the rest: what the demo needs is not to be taken for a part of the package. */
async function demo(): Promise<void> {
  await npm("install", "--no-save", `@duckdb/node-api@${devDependencies["@duckdb/node-api"]}`);
  const page = join(directory, "report.html");
  const told = await run([node24, "node_modules/.bin/runner-metrics", "demo", "--out", page]);
  assert.match(
    told,
    /Every finished runner has its three events\.[\s\S]*, (\d+) events published, \1 of them archived\./,
  );
  assert.match(readFileSync(page, "utf8"), /Do jobs start in time\?<\/h2>/);
  report("demo", "from the package, a fleet's files become events and a report");
}

/** With the CDK's command line; then a runner's files go in, and the rule's target receives the event. */
async function deployAndCollect(): Promise<void> {
  const emulator = await startEmulator(MINISTACK, directory);
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  const sqs = new SQSClient({ endpoint: emulator.endpoint, region: REGION, credentials });
  try {
    const env = {
      AWS_ENDPOINT_URL: emulator.endpoint,
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
    };
    const cdk = (...args: string[]) => run([join(ROOT, "node_modules/.bin/cdk"), ...args], env);
    await cdk("bootstrap", `aws://000000000000/${REGION}`, "--app", "node app.ts");
    const outputs = join(directory, "outputs.json");
    const options = ["--require-approval", "never", "--context", "emulator=true", "--outputs-file", outputs];
    await cdk("deploy", "--app", "node app.ts", ...options);
    const values = Object.values(JSON.parse(readFileSync(outputs, "utf8")).Ci as Record<string, string>);
    const queueUrl = values.find((value) => value.startsWith("http"));
    const bucket = values.find((value) => !value.startsWith("http"));
    assert(queueUrl && bucket);
    report("deployed", `bucket ${bucket}`);
    await liveRunners({ bucket, flavor: "large", directory, env }, ["r-1"]);
    const message = await receive(sqs, queueUrl);
    const output = JSON.parse(await run([node24, "consumer.ts"], {}, message));
    assert.equal(output.runner_name, "r-1");
    assert.equal(output.repo, "acme/widgets");
    report("collected", "the schedule ran the packaged function, and the target of onRunnerStop received the event");
  } finally {
    emulator.stop();
    sqs.destroy();
  }
}

async function receive(sqs: SQSClient, QueueUrl: string): Promise<string> {
  const deadline = Date.now() + PATIENCE_MILLISECONDS;
  while (Date.now() < deadline) {
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 2 }));
    const [message] = Messages;
    if (message?.Body) return message.Body;
  }
  throw new Error("No event came");
}

function npm(...args: string[]): Promise<string> {
  return execute(["npm", ...args, "--no-audit", "--no-fund"], app);
}

function run(command: readonly string[], env: Readonly<Record<string, string>> = {}, input = ""): Promise<string> {
  return execute(command, app, env, input);
}

function execute(
  [file = "", ...args]: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
  input = "",
): Promise<string> {
  const home = join(directory, "home");
  mkdirSync(home, { recursive: true });
  // Nothing of the repository but its Node. The CDK's command line remembers accounts in its home.
  const isNpm = file === "npm";
  const PATH = [dirname(node24), process.env.PATH].join(delimiter);
  const options = { cwd, maxBuffer: 1e8, env: isNpm ? process.env : { PATH, HOME: home, CI: "true", ...env } };
  return new Promise((resolve, reject) => {
    const child = execFile(file, args, options, (error, stdout, stderr) => {
      if (error) reject(new Error(`${[file, ...args].join(" ")} failed:\n${stdout}${stderr}`));
      else resolve(stdout);
    });
    child.stdin?.end(input);
  });
}

function report(what: string, details: string): void {
  console.log(`${what}: ${details}`);
}
