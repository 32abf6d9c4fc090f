/** The flood, the backlog and the month: what the design promises of very much. */

import { run } from "../../functions/run/run.ts";
import { CONFIG, EVERY_RUNNER, NOW } from "../worlds/memory.ts";
import { createVastBucket } from "./vast-bucket.ts";

export interface ScaleReport {
  readonly runs: number;
  readonly seconds: number;
  /** Honest runners whose three events came, each once. */
  readonly runners: number;
  readonly requests: ReadonlyMap<string, number>;
  readonly junkLeft: number;
  readonly filesLeft: number;
  readonly again: number;
}

/** Runs until no honest runner is left, at most `runsMax` times. */
export async function collect(size: { junk: number; runners: number }, runsMax: number): Promise<ScaleReport> {
  const bucket = createVastBucket(size);
  const began = performance.now();
  let runs = 0;
  while (runs < runsMax && bucket.filesLeft() > 0) {
    const clock = { now: () => NOW, sleep: async () => {} };
    const dependencies = {
      clock,
      config: { ...CONFIG, concurrency: 32 },
      runId: `run-${runs}`,
      deadline: Number.POSITIVE_INFINITY,
    };
    await run(EVERY_RUNNER, { ...dependencies, store: bucket.store, bus: bucket.bus });
    runs += 1;
  }
  return {
    runs,
    seconds: (performance.now() - began) / 1000,
    runners: bucket.events.once / 3,
    requests: bucket.requests,
    junkLeft: bucket.junkLeft(),
    filesLeft: bucket.filesLeft(),
    again: bucket.events.again,
  };
}
