/** Many seeds, one after the other, in this thread. */

import type { Violation } from "./checker.ts";
import { type Luck, noteLuck } from "./luck.ts";
import { playSeed } from "./seed.ts";

export interface BatchResult {
  readonly seeds: number;
  readonly violations: readonly (Violation & { readonly seed: number })[];
  readonly residualLosses: number;
  readonly luck: Luck;
}

/** Plays `count` seeds from `first` on. `isEnough` is asked after each: true ends the batch. */
export async function playSeeds(
  first: number,
  count: number,
  isEnough: (result: BatchResult) => boolean = () => false,
): Promise<BatchResult> {
  const luck: Luck = new Map();
  const violations: (Violation & { seed: number })[] = [];
  let result: BatchResult = { seeds: 0, violations, residualLosses: 0, luck };
  for (let seed = first; seed < first + count && !isEnough(result); seed++) {
    const played = await playSeed(seed);
    noteLuck(luck, played.history);
    for (const violation of played.violations) violations.push({ ...violation, seed });
    const residualLosses = result.residualLosses + played.residualLosses;
    result = { ...result, seeds: result.seeds + 1, residualLosses };
  }
  return result;
}
