/** Plays one seed and checks it. */

import { type Checked, check } from "./checker.ts";
import type { History } from "./history.ts";
import { PREFIX } from "./universe.ts";
import { playWorld } from "./world.ts";

export interface SeedResult extends Checked {
  readonly seed: number;
  readonly history: History;
}

export async function playSeed(seed: number): Promise<SeedResult> {
  const history = await playWorld(seed);
  return { seed, history, ...check(history, PREFIX) };
}
