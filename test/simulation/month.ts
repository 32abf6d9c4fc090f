/** A long time at one run a minute: what no short world shows. */

import { check, type Violation } from "./checker.ts";
import { drawLife } from "./honest-runner.ts";
import { type Luck, noteLuck } from "./luck.ts";
import { PREFIX } from "./universe.ts";
import { bear, drawWorld, play } from "./world.ts";

export interface MonthReport {
  readonly runs: number;
  readonly runners: number;
  readonly faults: number;
  readonly violations: readonly Violation[];
  readonly residualLosses: number;
}

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const ORPHAN_AFTER_SECONDS = 6 * 60 * 60;

/** So many days, with so many honest runners spread over them, each of an hour or two; some fall silent for longer than that. */
export async function playMonth(
  seed: number,
  { days, runners }: { days: number; runners: number },
): Promise<MonthReport> {
  const world = drawWorld(seed, {
    period: MINUTE,
    runsOfWorker: [(days * DAY) / MINUTE],
    orphanAfterSeconds: ORPHAN_AFTER_SECONDS,
    deadlineMilliseconds: 15 * MINUTE,
    knowsTheFleet: false,
    busIsFlaky: true,
    attackRate: 0.005,
    attackers: ["0", "r-1.evil", "zz", "..", "AROAEVIL:i-0abc"],
    attacksLeft: 40 * days,
    weather: { rate: 0.02, crashRate: 0.002, pageRate: 0.02 },
    runners: [],
  });
  for (let number = 0; number < runners; number++) {
    const name = `r-${number}`;
    const life = drawLife(world.random, name, 2 * 60 * MINUTE, ORPHAN_AFTER_SECONDS, number % 50 === 0);
    const runner = bear(world.universe, name, life, 0.02);
    runner.dueAt += world.random.integer(0, (days - 0.5) * DAY);
    world.runners.push(runner);
  }
  const history = await play(world);
  const luck: Luck = new Map();
  noteLuck(luck, history);
  const faults = [...luck].reduce((sum, [name, times]) => sum + (name.startsWith("fault:") ? times : 0), 0);
  return { runs: luck.get("runs") ?? 0, runners, faults, ...check(history, PREFIX) };
}
