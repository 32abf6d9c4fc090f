/** S7 on a virtual clock: a run ends by its deadline, however long each call takes, and the next one goes on. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Dependencies, EventBus, ObjectStore } from "../../functions/ports.ts";
import { run } from "../../functions/run/run.ts";
import { type Summary, violatedInvariants } from "../../functions/run/summary.ts";
import { effort } from "../effort.ts";
import { createWorld, EVERY_RUNNER, FILES, NOW } from "../worlds/memory.ts";

const RUN_MILLISECONDS = 60_000;
/** The handler waits for no call after this: it then has a second to report. */
const TIME_UP_MILLISECONDS = RUN_MILLISECONDS - 1_000;
const USUAL_MILLISECONDS = 20;
const CORRUPT = { ...FILES, "post-job-metrics.json": "{" };

beforeEach(() => void vi.useFakeTimers({ now: NOW }));
afterEach(() => void vi.useRealTimers());

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The port with the milliseconds that each of its calls takes. */
function slow<Port extends ObjectStore | EventBus>(port: Port, milliseconds: Readonly<Record<string, number>>): Port {
  const methods = Object.entries(port).map(([name, method]) => [
    name,
    async (...args: unknown[]) => {
      await wait(milliseconds[name] ?? USUAL_MILLISECONDS);
      return method(...args);
    },
  ]);
  return Object.fromEntries(methods);
}

/** A run with these dependencies, in virtual time: what it returned, and how long it took in milliseconds. */
async function timed(dependencies: Partial<Dependencies>, base: Dependencies): Promise<[Summary | Error, number]> {
  const began = Date.now();
  const timeUp = new AbortController();
  const timer = setTimeout(() => timeUp.abort(), TIME_UP_MILLISECONDS);
  const clock = { now: Date.now, sleep: async (milliseconds: number) => void (await wait(milliseconds)) };
  const limits = { deadline: began + RUN_MILLISECONDS, timeUp: timeUp.signal, runId: String(began) };
  let result: Summary | Error | undefined;
  run(EVERY_RUNNER, { ...base, clock, ...limits, ...dependencies }).then(
    (summary) => {
      result = summary;
    },
    (error: Error) => {
      result = error;
    },
  );
  while (result === undefined) await vi.advanceTimersToNextTimerAsync();
  clearTimeout(timer);
  return [result, Date.now() - began];
}

interface Situation {
  /** Storages, the second half of them corrupt. */
  readonly storages: number;
  /** Further objects of each storage. */
  readonly junk?: number;
  /** Milliseconds of each call. */
  readonly calls: Readonly<Record<string, number>>;
}

const QUICK: readonly [string, Situation][] = [
  ["copies of 1.5 s each", { storages: 200, calls: { copy: 1_500 } }],
  ["pages of 15 s", { storages: 4, calls: { list: 15_000 } }],
  ["a bus that answers no batch", { storages: 4, calls: { publish: 1e9 } }],
  ["a bus that does not say whether it exists", { storages: 4, calls: { exists: 1e9 } }],
  ["deletes that never end", { storages: 4, calls: { delete: 1e9 } }],
];
const SLOW: readonly [string, Situation][] = [
  ["33,000 objects to quarantine", { storages: 33, junk: 996, calls: { copy: 100 } }],
  ["heads of 5 s", { storages: 400, calls: { head: 5_000 } }],
  ["gets of 5 s", { storages: 400, calls: { get: 5_000 } }],
  ["a bus that takes 20 s for each batch", { storages: 1_000, calls: { publish: 20_000 } }],
  ["an archive that takes 30 s", { storages: 1_000, calls: { putIfAbsent: 30_000 } }],
  ["deletes of 30 s", { storages: 1_000, calls: { delete: 30_000 } }],
];

test.each(effort(QUICK, [...QUICK, ...SLOW]))("S7 %s", async (_, { storages, junk = 0, calls }) => {
  const world = createWorld();
  const more = Object.fromEntries(Array.from({ length: junk }, (_, number) => [`junk-${number}`, "x"]));
  for (let number = 0; number < storages; number++) {
    world.upload(`r-${number}`, { ...(number < storages / 2 && junk === 0 ? FILES : CORRUPT), ...more });
  }
  const { store, bus } = world.dependencies;
  const [summary, milliseconds] = await timed({ store: slow(store, calls), bus: slow(bus, calls) }, world.dependencies);
  expect(milliseconds).toBeLessThanOrEqual(RUN_MILLISECONDS);
  if (summary instanceof Error) expect(summary).toMatchObject({ code: "DeadlineReached" });
  else expect(violatedInvariants(summary)).toEqual([]);

  // Whatever it did not finish is left for runs that have the time.
  for (let runs = 0; runs < 20 && world.keys("runners/").length > 0; runs++) {
    const usual = { store: slow(store, {}), bus: slow(bus, {}) };
    expect((await timed(usual, world.dependencies))[1]).toBeLessThanOrEqual(RUN_MILLISECONDS);
  }
  expect(world.keys("runners/")).toEqual([]);
  const named = new Set(world.events().map(({ detail }) => detail.runner_name));
  expect(named.size).toBe(storages);
});

test("S7 a listing that never ends", async () => {
  const world = createWorld();
  const { bus } = world.dependencies;
  let pages = 0;
  const endless = {
    ...world.dependencies.store,
    list: async () => ({ date: Date.now(), objects: [], next: { token: String(pages++), after: "" } }),
  };
  const [summary, milliseconds] = await timed({ store: slow(endless, { list: 200 }), bus }, world.dependencies);
  expect(milliseconds).toBeLessThanOrEqual(RUN_MILLISECONDS);
  expect(summary).toMatchObject({ stopped: "deadline", listed: 0 });
  expect(pages).toBeGreaterThan(200);
});
