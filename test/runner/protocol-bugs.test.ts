/** Slots that are not free, runners that were silent, and bugs that are planted in how the runner's side deals with both. */
import { readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { needs } from "../tools.ts";
import { playGaps } from "./gaps-world.ts";
import { playSlots } from "./slots-world.ts";

it("a job goes into one slot, whole, whatever lies in the slots, and touches nobody's files", async () => {
  expect(await playSlots()).toEqual([]);
});

it("a runner that was silent has its files in the bucket together at the end, whatever its clocks say and answers are lost", () => {
  expect(playGaps()).toEqual([]);
});

interface Bug {
  readonly name: string;
  readonly file: string;
  /** Occurs exactly once. */
  readonly find: string;
  readonly replace: string;
}

const BUGS: readonly Bug[] = [
  {
    name: "a 412 is taken for an acknowledgement",
    file: "runner/upload-life.ts",
    find: `          yield* note({ there: file });
          yield* note({ gap: true });`,
    replace: "          yield* note({ ack: file, at: { ...now(), date: now().wall } });",
  },
  {
    name: "a gap is measured by a clock that was set back",
    file: "runner/upload-life.ts",
    find: "return !differences.every((difference) => difference > -BACKWARDS_MILLISECONDS_MAX && difference < gapMilliseconds);",
    replace: "return (differences[0] ?? 0) >= gapMilliseconds;",
  },
  {
    name: "a slot with another job's files is taken over",
    file: "runner/upload-life.ts",
    find: "if (isFirst && isOnlyOurs && !current.stored.has(file)) {",
    replace: "if (isFirst && isOnlyOurs && current.stored.has(file)) {",
  },
  {
    name: "a slot is overwritten",
    file: "runner/uploader.ts",
    find: `{ "content-type": "text/plain", "if-none-match": "*" }`,
    replace: `{ "content-type": "text/plain" }`,
  },
  {
    name: "half a job moves to another slot",
    file: "runner/upload-life.ts",
    find: "(file) => !stored.has(file as RunnerFileName) && !sent.get(file as RunnerFileName)?.size,",
    replace:
      "(file) => !stored.has(file as RunnerFileName) || !sent.get(file as RunnerFileName)?.size || stored.size >= 0,",
  },
];

describe("a planted bug is found:", { tags: [needs("gate")] }, () => {
  it.each(BUGS)("$name", { timeout: 60_000 }, async (bug) => {
    expect(readFileSync(new URL(`../../${bug.file}`, import.meta.url), "utf8").split(bug.find)).toHaveLength(2);
    expect(await playedWith(bug)).not.toEqual([]);
  });
});

/** What is wrong in a thread whose modules have the bug. No file is changed. */
function playedWith(bug: Bug): Promise<string[]> {
  const url = new URL(`../../${bug.file}`, import.meta.url).href;
  const slots = new URL("slots-world.ts", import.meta.url).href;
  const gaps = new URL("gaps-world.ts", import.meta.url).href;
  const code = `
    const { registerHooks } = require("node:module");
    const { readFileSync } = require("node:fs");
    const { fileURLToPath } = require("node:url");
    const { parentPort, workerData: { url, find, replace, slots, gaps } } = require("node:worker_threads");
    registerHooks({
      load(loaded, context, next) {
        if (loaded !== url) return next(loaded, context);
        const source = readFileSync(fileURLToPath(url), "utf8").replace(find, () => replace);
        return { format: "module-typescript", source, shortCircuit: true };
      },
    });
    Promise.all([import(slots), import(gaps)])
      .then(async ([{ playSlots }, { playGaps }]) => [...(await playSlots()), ...playGaps()])
      .then((wrong) => parentPort.postMessage(wrong));`;
  const worker = new Worker(code, { eval: true, workerData: { ...bug, url, slots, gaps } });
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}
