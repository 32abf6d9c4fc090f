/** A hundred seeds and a sample of the small worlds, in seconds; `npm run test:all -- simulate` plays the rest. */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { effort } from "../effort.ts";
import { playSeeds } from "./batch.ts";
import { MUTANTS } from "./mutants.ts";
import { printHistory } from "./print.ts";
import { playSeed } from "./seed.ts";
import { playSmallWorld, SMALL_WORLDS_COUNT } from "./small-worlds.ts";

const SEEDS = Number(process.env.SIMULATION_SEEDS ?? effort(20, 100));
/** Of the small worlds, one in so many. */
const WORLDS_SAMPLED = effort(61, 1);
/** Of the pairs of faults in them, one in so many. */
const PAIRS_SAMPLED = effort(10_007, 211);

describe("the simulator", () => {
  it("finds no violation of a guarantee in its first worlds", async () => {
    const { violations } = await playSeeds(1, SEEDS);
    expect(violations).toEqual([]);
  });

  it("finds no violation with any fault, or with a sample of two, in the small worlds", async () => {
    const worlds = await Promise.all(
      Array.from({ length: Math.ceil(SMALL_WORLDS_COUNT / WORLDS_SAMPLED) }, (_, number) =>
        playSmallWorld(number * WORLDS_SAMPLED, (index) => index % PAIRS_SAMPLED === 0),
      ),
    );
    expect(worlds.flatMap(({ violations }) => violations)).toEqual([]);
  });

  it("plays the same world for the same seed", async () => {
    const [once, twice] = [await playSeed(7), await playSeed(7)];
    expect(printHistory(twice.history)).toBe(printHistory(once.history));
  });
});

it.each(MUTANTS)("has one place in $file for the planted bug: $name", ({ file, find }) => {
  expect(readFileSync(new URL(`../../${file}`, import.meta.url), "utf8").split(find)).toHaveLength(2);
});
