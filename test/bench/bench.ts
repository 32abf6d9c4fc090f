/** `npm run bench`: the numbers that this project promises to hold, each measured here and now beside its target. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { FILES_TO_READ } from "../../contract/runner-files.ts";
import { runnerMetrics } from "../../functions/domain/runner-metrics.ts";
import type { Dependencies } from "../../functions/ports.ts";
import { run } from "../../functions/run/run.ts";
import { bundleHandler } from "../../package/bundle.ts";
import { BUCKET, BUS } from "../worlds/memory.ts";
import {
  AUTHORITY_FILE,
  finishedRunners,
  type LocalProcess,
  realDependencies,
  startLocalProcess,
} from "./local-process.ts";

const HONEST = { include: false, orphanAfterSeconds: 86_400 };
/** How Lambda starts Node in a function of 1,024 MB: a tenth for the young generation's two halves, the rest for the old one. */
const AS_IN_LAMBDA = ["--max-semi-space-size=51", "--max-old-space-size=922"];
/** The variables that Lambda sets, with tracing on and a sampled trace, and the function's own. */
const LAMBDA = {
  AWS_EXECUTION_ENV: "AWS_Lambda_nodejs24.x",
  AWS_LAMBDA_FUNCTION_NAME: "extract-metrics",
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "1024",
  AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
  AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
  LAMBDA_TASK_ROOT: "/var/task",
  AWS_REGION: "us-east-1",
  AWS_DEFAULT_REGION: "us-east-1",
  AWS_ACCESS_KEY_ID: "test",
  AWS_SECRET_ACCESS_KEY: "test",
  AWS_SESSION_TOKEN: "token",
  AWS_XRAY_DAEMON_ADDRESS: "127.0.0.1:2000",
  AWS_XRAY_CONTEXT_MISSING: "LOG_ERROR",
  _X_AMZN_TRACE_ID: "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
  BUCKET_NAME: BUCKET,
  EVENT_BUS_NAME: BUS,
};
/** A Python with boto3, for one of the yardsticks. */
const PYTHON = process.env.BENCH_PYTHON ?? "python3";

/** How often a measurement is tried: on a busy machine requests time out, and what they cost is not what is measured. */
const ATTEMPTS_MAX = 5;
/** `node bench.ts [--quick] [PART …]` */
const PARTS: Readonly<Record<string, (local: LocalProcess) => unknown>> = {
  requests: requestCounts,
  cpu,
  growth,
  input: hostileInput,
  page: hostilePage,
  flood,
};
const isQuick = process.argv.includes("--quick");
const chosen = process.argv.slice(2).filter((argument) => argument in PARTS);

const folder = mkdtempSync(join(tmpdir(), "runner-metrics-bench-"));
const bundle = join(folder, "index.mjs");
await bundleHandler(bundle);
const local = await startLocalProcess();
let allHold = true;
try {
  for (const [name, part] of Object.entries(PARTS)) {
    if (chosen.length === 0 || chosen.includes(name)) await part(local);
  }
} finally {
  await local.stop();
  rmSync(folder, { recursive: true });
}
console.log(allHold ? "\nAll targets hold." : "\nNot all targets hold.");
process.exitCode = allHold ? 0 : 1;

function report(what: string, value: string, target: string, holds: boolean): void {
  allHold &&= holds;
  console.log(`${holds ? "ok  " : "MISS"}  ${what.padEnd(58)} ${value.padStart(14)}   ${target}`);
}

async function requestCounts(local: LocalProcess): Promise<void> {
  const dependencies = realDependencies();
  const idle = await requestsOf(local, () => run({ flavor: "idle", ...HONEST }, dependencies));
  report(
    "an idle run: requests",
    describe(idle),
    "1 list, 1 describe",
    describe(idle) === "DescribeEventBus 1, ListObjectsV2 1",
  );

  const finished = await requestsOfFinished(local, dependencies);
  const { PutEvents: puts = 0, DescribeEventBus: _, ...s3 } = finished;
  const each = Object.values(s3).reduce((sum, count) => sum + count, 0) / 1_000;
  report("S3 requests for a finished runner with 4 files", each.toFixed(3), "at most 8.1", each <= 8.1);
  console.log(`      of 1,000 runners: ${describe(s3)}; PutEvents ${puts}`);

  const unfinished = [...finishedRunners("unfinished", 1_000)].filter(({ key }) => !key.includes("post-job"));
  await local.plant(unfinished);
  const requests = await requestsOf(local, () => run({ flavor: "unfinished", ...HONEST }, dependencies));
  const { ListObjectsV2: pages = 0, DescribeEventBus: __, ...own } = requests;
  const ownCount = Object.keys(own).length;
  report("an unfinished runner: requests of its own", String(ownCount), "0", ownCount === 0 && pages <= 4);
}

/** The requests of a run over 1,000 finished runners of which it did every one: on a busy machine, requests may time out. */
async function requestsOfFinished(local: LocalProcess, dependencies: Dependencies): Promise<Record<string, number>> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const flavor = `finished-${attempt}`;
    await local.plant(finishedRunners(flavor, 1_000));
    let extracted = 0;
    const requests = await requestsOf(local, async () => {
      extracted = (await run({ flavor, ...HONEST }, dependencies)).extracted;
    });
    if (extracted === 1_000) return requests;
    console.log(`      ${extracted} of 1,000 runners in one run: counted again`);
  }
  throw new Error("No run did all of 1,000 runners");
}

async function requestsOf(local: LocalProcess, body: () => Promise<unknown>): Promise<Record<string, number>> {
  await local.reset();
  await body();
  return local.requests();
}

/** What a kind of work took in a process of its own. */
interface Measured {
  readonly cpuMicroseconds: number;
  readonly peakMegabytes: number;
  readonly runners: number;
}

/**
 * CPU per runner of the bundled handler and of the yardsticks, each in fresh processes that take turns, so that what else the machine does
 * falls on all of them.
 */
async function cpu(local: LocalProcess): Promise<void> {
  const [rounds, runners] = isQuick ? [1, 500] : [5, 2_000];
  const kinds = ["handler", "bare-sdk", "signed-http", "by-hand", ...(isQuick ? [] : ["naive-sdk"])];
  const python = isQuick ? undefined : await boto3Version();
  const times = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const kind of [...kinds, ...(python ? ["naive-boto3"] : [])]) {
      const { cpuMicroseconds } = await measure(local, kind, `${kind}-${round}`, runners);
      times.set(kind, [...(times.get(kind) ?? []), cpuMicroseconds / runners]);
    }
  }
  const perRunner = (kind: string) => median(times.get(kind) ?? []);
  const handler = perRunner("handler");
  const toSdk = handler / perRunner("bare-sdk");
  const toHand = handler / perRunner("by-hand");
  report("CPU, relative to a bare loop of the SDK's HEADs and GETs", toSdk.toFixed(2), "at most 0.6", toSdk <= 0.6);
  report("CPU, relative to the whole job written by hand", toHand.toFixed(2), "at most 3", toHand <= 3);
  const { loadavg } = await import("node:os");
  console.log(`      CPU per runner in µs, median of ${rounds} (load ${loadavg()[0]?.toFixed(1)}):`);
  for (const kind of times.keys())
    console.log(`      | ${kind.padEnd(12)} | ${perRunner(kind).toFixed(0).padStart(6)} |`);
  if (!python && !isQuick) console.log("      | naive-boto3  | not measured: python3 has no boto3 |");
}

async function boto3Version(): Promise<string | undefined> {
  const args = ["-c", "import boto3; print(boto3.__version__)"];
  return promisify(execFile)(PYTHON, args).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
}

/** Growth of CPU and memory with the number of runners. */
async function growth(local: LocalProcess): Promise<void> {
  const [few, many] = isQuick ? [1_000, 5_000] : [2_000, 20_000];
  const small: Measured[] = [];
  const large: Measured[] = [];
  for (let round = 0; round < (isQuick ? 1 : 3); round++) {
    small.push(await measure(local, "handler", `small-${round}`, few));
    large.push(await measure(local, "handler", `large-${round}`, many));
  }
  const each = (all: Measured[]) => median(all.map((one) => one.cpuMicroseconds / one.runners));
  const peak = (all: Measured[]) => median(all.map((one) => one.peakMegabytes));
  const time = each(large) / each(small);
  const memory = peak(large) / peak(small);
  report(`CPU per runner at ${many} runners, relative to ${few}`, time.toFixed(2), "at most 1.1", time <= 1.1);
  report(`peak memory at ${many} runners, relative to ${few}`, memory.toFixed(2), "at most 1.2", memory <= 1.2);
  console.log(`      peak ${peak(small).toFixed(0)} and ${peak(large).toFixed(0)} MB, Node's own included`);
}

/** Does the work of a kind over so many new runners, in a process of its own with Lambda's environment. */
async function measure(local: LocalProcess, kind: string, flavor: string, runners: number): Promise<Measured> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const name = `${flavor}-${attempt}`;
    await local.plant(finishedRunners(name, runners));
    const done = await inProcess(local, kind, name, runners);
    if (done.runners === runners) return done;
    console.log(`      ${kind} did ${done.runners} of ${runners} runners in one run: measured again`);
  }
  throw new Error(`${kind} never did all ${runners} runners in one run`);
}

async function inProcess(local: LocalProcess, kind: string, flavor: string, runners: number): Promise<Measured> {
  const script = (name: string) => new URL(name, import.meta.url).pathname;
  const { port } = new URL(local.endpoint);
  const ofNode = [...AS_IN_LAMBDA, "--import", script("answer-on-loopback.ts"), script("measured.ts")];
  const [command, ...args] =
    kind === "naive-boto3"
      ? [PYTHON, script("naive.py"), local.endpoint, AUTHORITY_FILE, flavor]
      : [process.execPath, ...ofNode, kind, flavor, String(runners), bundle];
  const env = { ...LAMBDA, PATH: process.env.PATH, BENCH_PORT: port, NODE_EXTRA_CA_CERTS: AUTHORITY_FILE };
  const { stdout } = await promisify(execFile)(command, args, { env, maxBuffer: 1e8 });
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
}

async function flood(local: LocalProcess): Promise<void> {
  const [junk, honest] = isQuick ? [100_000, 1_000] : [1_000_000, 10_000];
  await local.plant(junkObjects("flooded", junk));
  await local.plant(finishedRunners("flooded", honest));
  let extracted = 0;
  let runs = 0;
  let peak = 0;
  while (extracted < honest && runs < 5) {
    const one = await inProcess(local, "handler", "flooded", honest);
    extracted += one.runners;
    peak = Math.max(peak, one.peakMegabytes);
    runs++;
  }
  report(
    `flood: runs until ${honest} runners beside ${junk} junk objects are done`,
    String(runs),
    "at most 2",
    runs <= 2,
  );
  console.log(`      peak ${peak.toFixed(0)} MB`);
}

function* junkObjects(flavor: string, count: number) {
  for (let number = 0; number < count; number++) yield { key: `runners/${flavor}/000-junk/${number}`, size: 1 };
}

/** Bodies at the size limit that are meant to be slow. */
function hostileInput(): void {
  const fill = (unit: string) => unit.repeat(Math.floor(900 / unit.length));
  const bodies = [
    "[".repeat(1024),
    `{"a":${"[".repeat(500)}${"]".repeat(500)}}`,
    `"${fill('\\"')}`,
    `{${Array.from({ length: 120 }, (_, n) => `"k${n}":1`).join(",")}}`,
    `{"timestamp":1,"workflow":"${fill("\\u202a")}","workflow_run_id":"1","repository":"a/b","event":"x"}`,
    `{"timestamp":"${fill("1")}e","workflow":"x","workflow_run_id":"${fill("1")}x","repository":"${fill("a-")}","event":"x"}`,
    `{"timestamp":1,"workflow":"${fill("😀")}","workflow_run_id":"1","repository":"a/b","event":"x"}`,
    " ".repeat(1024),
    `${" ".repeat(500)}1${" ".repeat(500)}x`,
  ].map((text) => Buffer.from(text.slice(0, 1024)));
  const times: number[] = [];
  for (let round = 0; round < 500; round++) {
    for (const bytes of bodies) {
      for (const name of FILES_TO_READ) {
        const began = process.cpuUsage();
        runnerMetrics("r", { [name]: { bytes, lastModified: Date.now() } });
        const { user, system } = process.cpuUsage(began);
        times.push((user + system) / 1000);
      }
    }
  }
  times.sort((a, b) => a - b);
  const p99 = times[Math.floor(times.length * 0.99)] ?? 0;
  report("hostile input: CPU per file in ms, 99th percentile", p99.toFixed(3), "at most 5", p99 <= 5);
}

/** A page of the longest keys, made of what XML has to escape. */
async function hostilePage(local: LocalProcess): Promise<void> {
  const unit = "&\"'<>&amp;&#0;&lt;";
  const keys = Array.from({ length: 1_000 }, (_, number) =>
    `runners/page/${number}/${unit.repeat(60)}`.slice(0, 1_000),
  );
  await local.plant(keys.map((key) => ({ key, text: "x" })));
  const { store } = realDependencies();
  globalThis.gc?.();
  const memory = process.memoryUsage().rss;
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    globalThis.gc?.(); // else it would be the memory of five pages
    const began = process.cpuUsage();
    const page = await store.list("runners/page/");
    if (page.objects.length !== 1_000) throw new Error(`Listed ${page.objects.length} of 1000`);
    const { user, system } = process.cpuUsage(began);
    times.push((user + system) / 1e6);
  }
  const megabytes = (process.memoryUsage().rss - memory) / 1024 ** 2;
  const slowest = Math.max(...times);
  report("a page full of quotes and entities: CPU seconds", slowest.toFixed(3), "under 2", slowest < 2);
  report("a page full of quotes and entities: memory in MB", megabytes.toFixed(0), "under 64", megabytes < 64);
}

function describe(requests: Record<string, number>): string {
  return Object.entries(requests)
    .sort()
    .map(([operation, count]) => `${operation} ${count}`)
    .join(", ");
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
