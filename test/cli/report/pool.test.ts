import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { erlangC, peakConcurrency, replay, shareWithin, smallestEnough, sortWork } from "../../../cli/report/pool.ts";

const work = (...jobs: [arrival: number, hold: number][]) =>
  sortWork(
    Float64Array.from(jobs, ([arrival]) => arrival),
    Float64Array.from(jobs, ([, hold]) => hold),
  );

const anyWork = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 0, max: 90 })), { minLength: 1, maxLength: 60 })
  .map((jobs) => work(...jobs));

describe("Erlang C", () => {
  // 30 jobs an hour of 5 minutes, wait under 30 s.
  test.each([
    [1, 0],
    [2, 0],
    [3, 0.33],
    [4, 0.72],
    [5, 0.9],
    [6, 0.97],
    [7, 0.99],
  ])("gives for %i runners the share of the textbook: %f", (runners, share) => {
    expect(erlangC(runners, 30 / 3600, 300, 30)).toBeCloseTo(share, 2);
  });

  test("equals the sum formula", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.double({ min: 0.01, max: 0.99, noNaN: true }), (n, busy) => {
        const load = n * busy;
        const term = (k: number) => Array.from({ length: k }, (_, i) => load / (i + 1)).reduce((a, b) => a * b, 1);
        const last = (term(n) * n) / (n - load);
        const sum = Array.from({ length: n }, (_, k) => term(k)).reduce((a, b) => a + b, 0);
        const expected = 1 - (last / (sum + last)) * Math.exp((-(n - load) * 30) / 300);
        expect(erlangC(n, load / 300, 300, 30)).toBeCloseTo(expected, 9);
      }),
    );
  });

  test("does not overflow for a thousand runners, and gives 0 if there is more work than they can do", () => {
    expect(erlangC(1_000, 950 / 300, 300, 30)).toBeGreaterThan(0.9);
    expect(erlangC(1_000, 1_001 / 300, 300, 30)).toBe(0);
    expect(erlangC(1, 0, 300, 30)).toBe(1);
  });
});

describe("peak concurrency", () => {
  test("counts what is in progress at once, and an end comes before a start at the same moment", () => {
    expect(peakConcurrency(work([0, 10], [10, 10], [20, 5]))).toEqual({ count: 1, at: 0 });
    expect(peakConcurrency(work([0, 10], [5, 10], [9, 1], [10, 1]))).toEqual({ count: 3, at: 9 });
    expect(peakConcurrency(work([7, 0]))).toEqual({ count: 1, at: 7 });
    expect(peakConcurrency(work())).toBeUndefined();
  });

  test("is the largest number of jobs that hold a runner at any arrival", () => {
    fc.assert(
      fc.property(anyWork, ({ arrivals, holds }) => {
        const inProgress = [...arrivals].map(
          (at) => [...arrivals].filter((from, i) => from <= at && at < from + Math.max(holds[i] ?? 0, 1e-6)).length,
        );
        expect(peakConcurrency({ arrivals, holds })?.count).toBe(Math.max(...inProgress));
      }),
    );
  });
});

describe("replay", () => {
  // Worked out by hand: one runner, then two.
  test.each([
    [1, [0, 8, 16]],
    [2, [0, 0, 6]],
    [3, [0, 0, 0]],
  ])("with %i runners lets jobs wait %j s", (runners, waits) => {
    expect([...replay(work([0, 10], [2, 10], [4, 10]), runners)]).toEqual(waits);
  });

  test("starts with runners that are still busy; of more than there are, the first to end are not replaced", () => {
    expect([...replay(work([0, 10]), 1, [5])]).toEqual([5]);
    expect([...replay(work([0, 10]), 2, [5])]).toEqual([0]);
    expect([...replay(work([0, 10], [0, 10]), 2, [3, 5, 9])]).toEqual([5, 9]);
  });

  test("lets nobody wait with as many runners as the peak, and somebody with one less", () => {
    fc.assert(
      fc.property(anyWork, (jobs) => {
        const peak = peakConcurrency(jobs)?.count ?? 0;
        expect(Math.max(...replay(jobs, peak))).toBe(0);
      }),
    );
    expect(Math.max(...replay(work([0, 10], [1, 10]), 1))).toBeGreaterThan(0);
  });

  test("never lets a job wait longer with one runner more", () => {
    fc.assert(
      fc.property(
        anyWork,
        fc.integer({ min: 1, max: 8 }),
        fc.array(fc.integer({ min: 0, max: 60 })),
        (jobs, n, busy) => {
          const [few, more] = [replay(jobs, n, busy), replay(jobs, n + 1, busy)];
          for (const [index, wait] of more.entries()) expect(wait).toBeLessThanOrEqual(few[index] ?? 0);
        },
      ),
    );
  });

  test("equals a simulation second by second", () => {
    fc.assert(
      fc.property(anyWork, fc.integer({ min: 1, max: 5 }), (jobs, n) => {
        expect([...replay(jobs, n)]).toEqual(bySecond([...jobs.arrivals], [...jobs.holds], n));
      }),
      { numRuns: 50 },
    );
  });
});

/** Slow and simple: in every second each free runner takes the job that waits longest. */
function bySecond(arrivals: number[], holds: number[], runners: number): number[] {
  const busyUntil = new Array<number>(runners).fill(0);
  const waits: number[] = [];
  for (let now = 0; waits.length < arrivals.length; now++) {
    for (let runner = busyUntil.findIndex((end) => end <= now); runner >= 0; ) {
      const next = waits.length;
      const arrival = arrivals[next];
      if (arrival === undefined || arrival > now) break;
      waits.push(now - arrival);
      busyUntil[runner] = now + (holds[next] ?? 0);
      runner = busyUntil.findIndex((end) => end <= now);
    }
  }
  return waits;
}

test("the share within a time counts waits of exactly this time, and is unknown for nothing", () => {
  expect(shareWithin(Float64Array.of(0, 30, 31, 100), 30)).toBe(0.5);
  expect(shareWithin(new Float64Array(), 30)).toBeUndefined();
});

test("the smallest number that is enough is found", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 500 }), (most, enough) => {
      expect(smallestEnough(most, (n) => n >= enough)).toBe(Math.min(most, enough));
    }),
  );
});
