/** How many runners are needed: peak concurrency, replay of observed arrivals, and Erlang C. Pure arithmetic on seconds. */

/** Work that arrived: when it could have started, and how long it occupies a runner, in seconds. Sorted by arrival. */
export interface Work {
  readonly arrivals: Float64Array;
  readonly holds: Float64Array;
}

/** Sorts work by arrival. Both arrays have the same length. */
export function sortWork(arrivals: Float64Array, holds: Float64Array): Work {
  const order = Uint32Array.from(arrivals.keys()).sort((a, b) => (arrivals[a] ?? 0) - (arrivals[b] ?? 0) || a - b);
  return {
    arrivals: Float64Array.from(order, (index) => arrivals[index] ?? 0),
    holds: Float64Array.from(order, (index) => holds[index] ?? 0),
  };
}

/**
 * The most that was in progress at once if everything starts when it arrives, and when that was first reached. What ends at a moment has
 * ended when the next one starts at it; what takes no time is in progress for a microsecond. Undefined for no work.
 */
export function peakConcurrency({ arrivals, holds }: Work): { count: number; at: number } | undefined {
  const ends = Float64Array.from(
    arrivals,
    (arrival, index) => arrival + Math.max(holds[index] ?? 0, TOLERANCE_SECONDS),
  ).sort();
  let ended = 0;
  let peak: { count: number; at: number } | undefined;
  for (const [index, arrival] of arrivals.entries()) {
    while (ended < ends.length && (ends[ended] ?? 0) <= arrival) ended++;
    const count = index + 1 - ended;
    if (count > (peak?.count ?? 0)) peak = { count, at: arrival };
  }
  return peak;
}

/**
 * How long each of the arrivals waits, in seconds, if `runners` runners take them first come, first served. `busyUntil` has the ends of
 * what was in progress before; if that is more than `runners`, the first of them to end are not replaced.
 */
export function replay(
  { arrivals, holds }: Work,
  runners: number,
  busyUntil: readonly number[] | Float64Array = [],
): Float64Array {
  const free = new Heap(runners, busyUntil);
  return Float64Array.from(arrivals, (arrival, index) => {
    const starts = Math.max(arrival, free.least());
    free.replaceLeast(starts + (holds[index] ?? 0));
    return starts - arrival;
  });
}

/** Share of arrivals that start within `seconds`, or undefined if there are none. */
export function shareWithin(waits: Float64Array, seconds: number): number | undefined {
  if (waits.length === 0) return undefined;
  let within = 0;
  // Sums of decimals: what waits exactly as long as it may is within.
  for (const wait of waits) if (wait <= seconds + TOLERANCE_SECONDS) within++;
  return within / waits.length;
}

/** UNIX seconds are doubles with a resolution of 2.4e-7. */
const TOLERANCE_SECONDS = 1e-6;

/** The smallest number from 1 to `most` for which `isEnough`, which must stay true once it is true; `most` if none below is. */
export function smallestEnough(most: number, isEnough: (runners: number) => boolean): number {
  let low = 1;
  let high = most;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (isEnough(middle)) high = middle;
    else low = middle + 1;
  }
  return high;
}

/**
 * Erlang C: the probability that a job starts within `seconds`, for Poisson arrivals, exponential holds and `runners` runners. 0 if there
 * is more work than the runners can do.
 */
export function erlangC(runners: number, arrivalsPerSecond: number, meanHoldSeconds: number, seconds: number): number {
  const load = arrivalsPerSecond * meanHoldSeconds;
  if (load === 0) return 1;
  if (runners <= load) return 0;
  // Erlang B by its recursion, which does not overflow.
  let blocked = 1;
  for (let n = 1; n <= runners; n++) blocked = (load * blocked) / (n + load * blocked);
  const waits = blocked / (1 - (load / runners) * (1 - blocked));
  return 1 - waits * Math.exp((-(runners - load) * seconds) / meanHoldSeconds);
}

/** When each of a number of runners is free. The least is at the top. */
class Heap {
  readonly #times: Float64Array;

  constructor(runners: number, busyUntil: readonly number[] | Float64Array) {
    this.#times = new Float64Array(runners).fill(Number.NEGATIVE_INFINITY);
    const latest = Float64Array.from(busyUntil).sort().subarray(-runners);
    // Sorted, with the free ones first: that is a heap.
    this.#times.set(latest, runners - latest.length);
  }

  least(): number {
    return this.#times[0] ?? 0;
  }

  replaceLeast(time: number): void {
    const times = this.#times;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child + 1 < times.length && (times[child + 1] ?? 0) < (times[child] ?? 0)) child++;
      if (child >= times.length || (times[child] ?? 0) >= time) break;
      times[place] = times[child] ?? 0;
      place = child;
    }
    times[place] = time;
  }
}
