/**
 * The simulator's command line.
 *
 *     npm run test:all -- simulate                           20,000 seeds, from 1 on
 *     npm run test:all -- simulate --seeds N --from N     so many, from there on
 *     npm run test:all -- simulate --seed N               one, with its history
 *     npm run test:all -- simulate --small-worlds         every fault and every pair of faults, in each small world
 *
 * Ends with status 1 on a violation, or where something that can go wrong never did.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { type BatchResult, playSeeds } from "./batch.ts";
import { type Luck, merge, missing } from "./luck.ts";
import { printHistory } from "./print.ts";
import { playSeed } from "./seed.ts";
import { playSmallWorld, SMALL_WORLDS_COUNT, type SmallWorldReport } from "./small-worlds.ts";

const SEEDS = 20_000;
/** Seeds that a thread plays at a time. */
const BATCH_SEEDS = 250;
/** So many seeds see everything that can go wrong at least once. */
const SEEDS_FOR_ALL = 1_000;
const VIOLATIONS_SHOWN_MAX = 20;

if (isMainThread) process.exitCode = await main();
else parentPort?.on("message", async (task: Task) => parentPort?.postMessage(await done(task)));

/** What a thread does at a time: some seeds, or one of the small worlds. */
type Task = { readonly first: number; readonly count: number } | { readonly smallWorld: number };

function done(task: Task): Promise<BatchResult | SmallWorldReport> {
  return "smallWorld" in task ? playSmallWorld(task.smallWorld) : playSeeds(task.first, task.count);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: "string" },
      seeds: { type: "string" },
      from: { type: "string" },
      threads: { type: "string" },
      "small-worlds": { type: "boolean" },
    },
  });
  if (values.seed !== undefined) return showSeed(Number(values.seed));
  const threads = Number(values.threads ?? availableParallelism());
  if (values["small-worlds"]) return showSmallWorlds(threads);
  return showSeeds(Number(values.from ?? 1), Number(values.seeds ?? SEEDS), threads);
}

async function showSeed(seed: number): Promise<number> {
  const { history, violations, residualLosses } = await playSeed(seed);
  console.log(printHistory(history));
  for (const { guarantee, step, why } of violations)
    console.log(`VIOLATION of ${guarantee}, seed ${seed}, step ${step}: ${why}`);
  console.log(`seed ${seed}: ${violations.length} violations, ${residualLosses} residual losses`);
  return violations.length === 0 ? 0 : 1;
}

async function showSmallWorlds(threads: number): Promise<number> {
  const tasks = Array.from({ length: SMALL_WORLDS_COUNT }, (_, smallWorld) => ({ smallWorld }));
  let worlds = 0;
  let violations = 0;
  await inThreads<SmallWorldReport>(threads, tasks.values(), (world) => {
    const runs = `${world.singles} worlds with one fault, ${world.pairs} with two`;
    const outcome = `${world.violations.length} violations, ${world.residualLosses} with a residual loss`;
    console.log(`${world.name}: ${world.operations} operations, ${runs}: ${outcome}`);
    for (const { guarantee, why, faults } of world.violations.slice(0, VIOLATIONS_SHOWN_MAX)) {
      console.log(`VIOLATION of ${guarantee} in ${world.name}, ${faults}: ${why}`);
    }
    worlds += world.singles + world.pairs;
    violations += world.violations.length;
  });
  console.log(`${worlds} small worlds: ${violations} violations`);
  return violations === 0 ? 0 : 1;
}

async function showSeeds(from: number, seeds: number, threads: number): Promise<number> {
  const began = performance.now();
  const luck: Luck = new Map();
  let played = 0;
  let violations = 0;
  let residualLosses = 0;
  await inThreads<BatchResult>(threads, batches(from, seeds), (result) => {
    merge(luck, result.luck);
    played += result.seeds;
    residualLosses += result.residualLosses;
    for (const { seed, step, guarantee, why } of result.violations) {
      violations += 1;
      if (violations > VIOLATIONS_SHOWN_MAX) continue;
      console.log(`VIOLATION of ${guarantee}, seed ${seed}, step ${step}: ${why}`);
    }
  });

  const never = seeds < SEEDS_FOR_ALL ? [] : missing(luck);
  for (const [name, times] of [...luck].sort(([a], [b]) => (a < b ? -1 : 1))) console.log(`${name}: ${times}`);
  for (const name of never) console.log(`NEVER: ${name}`);
  const seconds = (performance.now() - began) / 1000;
  console.log(
    `${played} seeds in ${seconds.toFixed(1)} s on ${threads} threads: ${violations} violations, ${residualLosses} residual losses`,
  );
  return violations === 0 && never.length === 0 ? 0 : 1;
}

function* batches(from: number, seeds: number): Generator<Task> {
  for (let first = from; first < from + seeds; first += BATCH_SEEDS) {
    yield { first, count: Math.min(BATCH_SEEDS, from + seeds - first) };
  }
}

async function inThreads<Result>(
  threads: number,
  tasks: Iterator<Task>,
  take: (result: Result) => void,
): Promise<void> {
  await Promise.all(
    Array.from({ length: threads }, async () => {
      const worker = new Worker(new URL(import.meta.url));
      const failed = new Promise<never>((_, reject) => worker.once("error", reject));
      for (let task = tasks.next(); !task.done; task = tasks.next()) {
        const result = new Promise<Result>((resolve) => worker.once("message", resolve));
        worker.postMessage(task.value);
        take(await Promise.race([result, failed]));
      }
      await worker.terminate();
    }),
  );
}
