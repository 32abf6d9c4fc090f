/** `npm run bench`: the numbers that this project promises to hold, each measured here and now beside its target. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { GetObjectCommand, HeadObjectCommand } from "@aws-sdk/client-s3";
import { FILES_TO_READ } from "../../contract/runner-files.ts";
import { createClients } from "../../functions/aws/clients.ts";
import { mapConcurrently } from "../../functions/concurrency.ts";
import { runnerMetrics } from "../../functions/domain/runner-metrics.ts";
import { run } from "../../functions/run/run.ts";
import type { Summary } from "../../functions/run/summary.ts";
import { BUCKET } from "../harness.ts";
import {
  BENCH_CONFIG,
  finishedRunners,
  type LocalProcess,
  realDependencies,
  startLocalProcess,
} from "./local-process.ts";

const HONEST = { include: false, orphanAfterSeconds: 86_400 };
/** How Lambda starts Node in a function of 256 MB: a tenth for the young generation's two halves, the rest for the old one. */
const AS_IN_LAMBDA = ["--max-semi-space-size=12", "--max-old-space-size=231"];

const isQuick = process.argv.includes("--quick");

const local = await startLocalProcess();
let allHold = true;
try {
  await requestCounts(local);
  await throughput(local);
  await growth(local);
  hostileInput();
  await hostilePage(local);
  await flood(local);
} finally {
  await local.stop();
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

  await local.plant(finishedRunners("finished", 1_000));
  const finished = await requestsOf(local, () => run({ flavor: "finished", ...HONEST }, dependencies));
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

async function requestsOf(local: LocalProcess, body: () => Promise<unknown>): Promise<Record<string, number>> {
  await local.reset();
  await body();
  return local.requests();
}

/** Runs and bare loops in turn, in one process; each reads runners that were not read before. */
async function throughput(local: LocalProcess): Promise<void> {
  const rounds = isQuick ? 5 : 21;
  const runners = 500;
  const ratios: number[] = [];
  const dependencies = realDependencies();
  const { s3 } = createClients(BENCH_CONFIG.concurrency, true);
  for (let round = 0; round < rounds; round++) {
    await local.plant(finishedRunners(`run-${round}`, runners));
    await local.plant(finishedRunners(`bare-${round}`, runners));
    const bare = () => timed(() => bareLoop(s3, `bare-${round}`, runners));
    const ours = () => timed(() => run({ flavor: `run-${round}`, ...HONEST }, dependencies));
    const [first, second] = round % 2 === 0 ? [await bare(), await ours()] : [await ours(), await bare()];
    if (round > 0) ratios.push(round % 2 === 0 ? first / second : second / first);
  }
  const ratio = median(ratios);
  report("throughput, relative to a loop of bare HEADs and GETs", ratio.toFixed(2), "at least 0.85", ratio >= 0.85);
  console.log(`      ${rounds - 1} pairs of ${runners} runners: ${ratios.map((value) => value.toFixed(2)).join(" ")}`);
}

async function bareLoop(s3: ReturnType<typeof createClients>["s3"], flavor: string, runners: number): Promise<void> {
  const numbers = Array.from({ length: runners }, (_, number) => number);
  const reads = mapConcurrently(numbers, BENCH_CONFIG.concurrency, async (number) => {
    const prefix = `runners/${flavor}/runner-${String(number).padStart(7, "0")}`;
    const keys = FILES_TO_READ.map((name) => `${prefix}/${name}`);
    const heads = await Promise.all(keys.map((Key) => s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key }))));
    await Promise.all(
      keys.map(async (Key, index) => {
        const IfMatch = heads[index]?.ETag;
        const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key, IfMatch }));
        return Body?.transformToByteArray();
      }),
    );
  });
  for await (const _ of reads);
}

/** A fresh process for each run, so that memory can be compared. */
async function growth(local: LocalProcess): Promise<void> {
  const [few, many] = isQuick ? [1_000, 5_000] : [2_000, 20_000];
  const small = [];
  const large = [];
  for (let round = 0; round < 3; round++) {
    small.push(await runOnce(local, `small-${round}`, few));
    if (round < 2) large.push(await runOnce(local, `large-${round}`, many));
  }
  const time =
    (median(large.map((one) => one.milliseconds)) / many / median(small.map((one) => one.milliseconds))) * few;
  const memory = median(large.map((one) => one.peakMegabytes)) / median(small.map((one) => one.peakMegabytes));
  report(`time per runner at ${many} runners, relative to ${few}`, time.toFixed(2), "at most 1.15", time <= 1.15);
  report(`peak memory at ${many} runners, relative to ${few}`, memory.toFixed(2), "at most 1.2", memory <= 1.2);
  const rate = (many / median(large.map((one) => one.milliseconds))) * 1000;
  console.log(
    `      ${rate.toFixed(0)} runners/s, peak ${median(large.map((one) => one.peakMegabytes)).toFixed(0)} MB`,
  );
}

async function runOnce(local: LocalProcess, flavor: string, runners: number) {
  await local.plant(finishedRunners(flavor, runners));
  const result = await inProcess(local, flavor);
  if (result.summary.extracted !== runners) throw new Error(`Extracted ${result.summary.extracted} of ${runners}`);
  return result;
}

async function inProcess(
  local: LocalProcess,
  flavor: string,
): Promise<{ milliseconds: number; peakMegabytes: number; summary: Summary }> {
  const script = new URL("run-once.ts", import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, [...AS_IN_LAMBDA, script, local.endpoint, flavor]);
  return JSON.parse(stdout);
}

async function flood(local: LocalProcess): Promise<void> {
  const [junk, honest] = isQuick ? [100_000, 1_000] : [1_000_000, 10_000];
  await local.plant(junkObjects("flooded", junk));
  await local.plant(finishedRunners("flooded", honest));
  let extracted = 0;
  let runs = 0;
  let peak = 0;
  while (extracted < honest && runs < 5) {
    const one = await inProcess(local, "flooded");
    extracted += one.summary.extracted;
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

async function timed(body: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await body();
  return performance.now() - began;
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
