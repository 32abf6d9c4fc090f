/** What happens to the EC2 instances of a fleet, and how EC2 says so: late, early, twice, out of order, or not at all. */
import type { Random } from "./random.ts";

/** What becomes of one machine. Times in milliseconds since the epoch. */
export interface MachineLife {
  /** It does nothing from then on. */
  readonly diesAt: number;
  /** It does nothing in between: stopped, and started again, as in a warm pool. */
  readonly stopped: { readonly from: number; readonly to: number } | undefined;
  /** When which key is written under `ended/`. */
  readonly records: readonly { readonly at: number; readonly key: string }[];
}

/** So long before its end a machine may be said to be terminated, in seconds: it is shutting down, and still uploads. */
const EARLY_SECONDS_MAX = 100;

/** The life of the machine that a storage is named after. Most die or are stopped while its runner lives. */
export function drawMachineLife(random: Random, storage: string, now: number, withinMilliseconds: number): MachineLife {
  const instance = storage.split(":").at(-1) ?? storage;
  const records: { at: number; key: string }[] = [];
  const later = () => random.pick([0, 0, 1_000, random.integer(0, withinMilliseconds), 3_600_000]);
  const seconds = (time: number) => Math.floor(time / 1000);
  function record(time: number, what: string): void {
    if (random.chance(0.1) || !instance.startsWith("i-")) return;
    const key = `ended/${instance}/${time}-${what}`;
    const times = random.chance(0.3) ? 2 : 1;
    // Not before it happened, but perhaps before the machine did the last thing that it did.
    for (let time2 = 0; time2 < times; time2++) records.push({ at: time * 1000 + later(), key });
  }

  const stop = now + random.integer(0, withinMilliseconds);
  const isStopped = random.chance(0.4);
  const stopped = isStopped ? { from: stop, to: stop + random.integer(1_000, withinMilliseconds) } : undefined;
  if (stopped) record(seconds(stopped.from), "stopped");
  if (stopped && random.chance(0.3)) record(seconds(stopped.from) - 120, "spot-interruption");
  const dies = random.chance(0.6);
  const diesAt = dies ? now + random.integer(1_000, withinMilliseconds) : Number.POSITIVE_INFINITY;
  if (dies) {
    const terminated = seconds(diesAt) - random.pick([0, 0, random.integer(0, EARLY_SECONDS_MAX)]);
    record(terminated, "terminated");
    if (random.chance(0.4)) record(terminated - random.pick([120, 125, 600, 1_800]), "spot-interruption");
  }
  return { diesAt, stopped, records };
}

/** Records of machines that have nothing to do with the fleet. */
export function otherRecords(random: Random, now: number): string[] {
  const count = random.pick([0, 0, 3, 60]);
  return Array.from({ length: count }, (_, index) => {
    const instance = `i-0${random.pick(["0", "f"])}${String(index).padStart(15, "0")}`;
    return `ended/${instance}/${Math.floor(now / 1000) - random.integer(0, 86_400)}-terminated`;
  });
}

/** What a run may conclude from the keys that it was shown: the design's rules once more, in words of their own. */
export interface KnownEnds {
  /** When the machine was terminated, in milliseconds; Infinity if it is not known to be. */
  readonly terminatedAt: number;
  deathAfter(lastUpload: number): { cause: string; ended_at?: number };
}

export function knownEnds(keys: Iterable<string>, storage: string): KnownEnds {
  const instance = storage.split(":").at(-1);
  const times: Record<string, number[]> = { terminated: [], stopped: [], "spot-interruption": [] };
  for (const key of keys) {
    const [prefix, of, rest = ""] = key.split("/");
    const dash = rest.indexOf("-");
    if (prefix === "ended" && of === instance) times[rest.slice(dash + 1)]?.push(Number(rest.slice(0, dash)));
  }
  const { terminated = [], stopped = [], "spot-interruption": warned = [] } = times;
  return {
    terminatedAt: Math.min(...terminated) * 1000,
    deathAfter(lastUpload) {
      const last = Math.floor(lastUpload / 1000);
      const ends = [...terminated, ...stopped.filter((time) => time >= last)];
      const end = Math.min(...ends);
      if (ends.length === 0)
        return { cause: warned.some((time) => time >= last - 900) ? "spot-interruption" : "unknown" };
      if (warned.some((time) => time <= end && time >= end - 900)) return { cause: "spot-interruption", ended_at: end };
      return { cause: terminated.includes(end) ? "terminated" : "stopped", ended_at: end };
    },
  };
}
