/**
 * Plants each bug in turn and plays seeds until a guarantee is violated.
 *
 *     npm run test:all -- mutants              every mutant
 *     npm run test:all -- mutants TEXT      those whose name holds TEXT
 *
 * Ends with status 1 if one survives 3,000 seeds. No file is changed: a loader gives the mutant's text in its place.
 */
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { availableParallelism } from "node:os";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import type { BatchResult } from "./batch.ts";
import { MUTANTS, type Mutant } from "./mutants.ts";

const SEEDS_MAX = 3_000;
/** The code as it is must survive these, or nothing is said by killing the others. */
const UNHARMED: Mutant = {
  name: "nothing planted",
  file: "functions/run/run.ts",
  find: "export async function run(",
  replace: "export async function run(",
};

if (isMainThread) process.exitCode = await main(process.argv[2] ?? "");
else parentPort?.postMessage(await killed(workerData as Mutant));

interface Fate {
  readonly seeds: number;
  readonly guarantee?: string;
  readonly seed?: number;
  readonly why?: string;
}

async function main(text: string): Promise<number> {
  const began = performance.now();
  const unharmed = await fateOf(UNHARMED);
  if (unharmed.guarantee !== undefined) {
    console.log(`The code as it is violates ${unharmed.guarantee} at seed ${unharmed.seed}: ${unharmed.why}`);
    return 1;
  }
  const waiting = MUTANTS.filter(({ name }) => name.includes(text));
  const mutants = waiting.length;
  let survivors = 0;
  async function playNext(): Promise<void> {
    for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
      const fate = await fateOf(mutant);
      if (fate.guarantee === undefined) survivors += 1;
      const told =
        fate.guarantee === undefined ? `SURVIVES ${fate.seeds} seeds` : `${fate.guarantee} at seed ${fate.seed}`;
      console.log(`${told.padEnd(18)} ${mutant.name} (${mutant.file})${fate.why ? `: ${fate.why.slice(0, 140)}` : ""}`);
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, playNext));
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(`${mutants} mutants in ${seconds} s: ${mutants - survivors} killed, ${survivors} survive`);
  return survivors === 0 ? 0 : 1;
}

function fateOf(mutant: Mutant): Promise<Fate> {
  const worker = new Worker(new URL(import.meta.url), { workerData: mutant });
  return new Promise((resolve, reject) => {
    worker.once("message", (fate: Fate) => resolve(fate));
    worker.once("error", reject);
  });
}

/** In a thread of its own: the mutant's text is what this thread imports. */
async function killed({ name, file, find, replace }: Mutant): Promise<Fate> {
  const url = new URL(`../../${file}`, import.meta.url);
  const text = readFileSync(url, "utf8");
  if (text.split(find).length !== 2)
    throw new Error(`"${name}": its text occurs ${text.split(find).length - 1} times in ${file}`);
  registerHooks({
    load(loaded, context, next) {
      if (loaded !== url.href) return next(loaded, context);
      return { format: "module-typescript", source: text.replace(find, () => replace), shortCircuit: true };
    },
  });
  // A bug may also leave promises that nobody waits for: what the guarantees say of the world is what counts.
  process.on("unhandledRejection", () => {});
  const { playSeeds } = await import("./batch.ts");
  const { seeds, violations }: BatchResult = await playSeeds(1, SEEDS_MAX, ({ violations }) => violations.length > 0);
  const [first] = violations;
  return first ? { seeds, guarantee: first.guarantee, seed: first.seed, why: first.why } : { seeds };
}
