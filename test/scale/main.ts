/**
 * `npm run test:all -- scale`: 1,000,000 junk objects beside 10,000 honest runners; a backlog of 100,000 runners; one of 1,000,000 of
 * four flavors with workers, in 15 minutes of virtual time; 30 days at one run a minute with faults. Each in a process of its own, the
 * first two with the memory that a function of 256 MB has. Ends with status 1 where a promise is not kept.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { playMonth } from "../simulation/month.ts";
import { collect, type ScaleReport } from "./scale.ts";
import { collectWithWorkers } from "./workers.ts";

const MEBIBYTE = 1024 ** 2;
const MEMORY_BYTES_MAX = 256 * MEBIBYTE;
/** How Lambda starts Node in a function of 256 MB, less what the SDK takes there and this process does not. */
const AS_IN_LAMBDA = ["--max-semi-space-size=12", "--max-old-space-size=128"];

const TRIALS: Record<string, { readonly flags: readonly string[]; readonly hold: () => Promise<boolean> }> = {
  flood: {
    flags: AS_IN_LAMBDA,
    async hold() {
      const report = await collect({ junk: 1_000_000, runners: 10_000 }, 2);
      return told("1,000,000 junk objects beside 10,000 runners", report, 10_000);
    },
  },
  backlog: {
    flags: AS_IN_LAMBDA,
    hold: async () => told("a backlog of 100,000 runners", await collect({ junk: 0, runners: 100_000 }, 1), 100_000),
  },
  workers: {
    flags: ["--max-old-space-size=4096"],
    async hold() {
      const report = await collectWithWorkers({
        runners: 1_000_000,
        flavors: 4,
        workers: 50,
        partitions: 1,
        everyMilliseconds: 300_000,
        timeoutMilliseconds: 240_000,
      });
      const { seconds, runners, filesLeft, archived } = report;
      console.log(`a backlog of 1,000,000 runners of four flavors with 50 workers: ${JSON.stringify(report)}`);
      return runners === 1_000_000 && filesLeft === 0 && archived >= 3_000_000 && seconds <= 900;
    },
  },
  month: {
    flags: ["--max-old-space-size=4096"],
    async hold() {
      const began = performance.now();
      const { violations, runs, runners, faults, residualLosses } = await playMonth(1, { days: 30, runners: 1_200 });
      for (const { guarantee, step, why } of violations.slice(0, 10)) console.log(`${guarantee}, step ${step}: ${why}`);
      const figures = `${runs} runs, ${runners} runners, ${faults} faults, ${residualLosses} residual losses`;
      const seconds = ((performance.now() - began) / 1000).toFixed(0);
      console.log(`30 days at one run a minute: ${violations.length} violations; ${figures}, ${seconds} s`);
      return violations.length === 0;
    },
  },
};

const trial = TRIALS[process.argv[2] ?? ""];
process.exitCode = (trial ? await trial.hold() : areAllHeld()) ? 0 : 1;

function areAllHeld(): boolean {
  const outcomes = Object.entries(TRIALS).map(([name, { flags }]) => {
    const args = [...flags, fileURLToPath(import.meta.url), name];
    const isHeld = spawnSync(process.execPath, args, { stdio: "inherit" }).status === 0;
    console.log(`${name}: ${isHeld ? "holds" : "DOES NOT HOLD"}`);
    return isHeld;
  });
  return outcomes.every((isHeld) => isHeld);
}

function told(name: string, report: ScaleReport, runnersExpected: number): boolean {
  const { runs, runners, seconds, requests, junkLeft, filesLeft, again } = report;
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  const asked = [...requests].map(([kind, times]) => `${times} ${kind}`).join(", ");
  const figures = `${runners} runners in ${runs} runs, ${seconds.toFixed(1)} s, ${Math.round(peakBytes / MEBIBYTE)} MB at most`;
  console.log(`${name}: ${figures}; ${asked}; ${junkLeft} junk left`);
  return runners === runnersExpected && filesLeft === 0 && again === 0 && peakBytes < MEMORY_BYTES_MAX;
}
