import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { filesInFolder } from "../../../cli/report/read-archive.ts";
import { answersFrom } from "../../../cli/report/report.ts";
import { demoFleet, type RunnerLife } from "../../../local/demo/fleet.ts";
import { effort } from "../../effort.ts";
import { needs } from "../../tools.ts";
import { optionsFor, writeArchive } from "./archive.ts";
import { type ArchivedEvent, eventsOf } from "./fleet-events.ts";
import { expectedAnswers } from "./oracle.ts";

const PRICES = { small: 0.09, large: 0.31 };

/** More in the gate, and as many as wanted by hand. */
const FLEETS = Number(process.env.REPORT_FLEETS ?? effort(3, 40));

describe("the answers equal an independent computation", () => {
  test("for the fleet of the demo", { tags: needs("gate") }, async () => {
    const lives = demoFleet({ seed: 11, until: Date.parse("2026-11-23T06:00:00Z") / 1000, days: 14, jobs: 700 });
    await expectSameAnswers([lives.flatMap((life) => eventsOf(life))], "Europe/Berlin");
  });

  test("for random fleets with duplicates, clamped, absent and implausible values, on days with a change of clocks", async () => {
    await fc.assert(
      fc.asyncProperty(anyFleet, ({ objects, timeZone }) => expectSameAnswers(objects, timeZone)),
      { numRuns: FLEETS },
    );
  });
});

async function expectSameAnswers(objects: readonly (readonly ArchivedEvent[])[], timeZone: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "runner-metrics-test-"));
  try {
    writeArchive(folder, objects);
    const options = optionsFor(folder, { timeZone, pricePerHour: PRICES });
    const answers = await answersFrom(await filesInFolder(folder, options), options);
    const expected = expectedAnswers(objects, options);
    const { trust, queue, waits, runs, deaths, waste, groups } = answers;
    for (const [name, actual] of Object.entries({ trust, queue, waits, runs, deaths, waste })) {
      expectClose(actual, expected[name as "trust"], name);
    }
    expectClose(answers.pool.byFlavor, expected.pool, "pool");
    expectClose(groups.counts, expected.groups.counts, "counts");
    expectClose(sorted(groups.repositories), sorted(expected.groups.repositories), "repositories");
    expectClose(sorted(groups.jobs), sorted(expected.groups.jobs), "jobs");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function sorted(rows: readonly object[]): object[] {
  const key = (row: object) => {
    const { repository, workflow, job } = row as Record<string, string>;
    return JSON.stringify([repository, workflow, job]);
  };
  return [...rows].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** All that is expected is there: counts and texts exactly, other numbers within 1e-9. Absent stays absent. */
function expectClose(actual: unknown, expected: unknown, path: string): void {
  if (typeof expected === "number") {
    const isCount = Number.isInteger(expected) && Number.isInteger(actual);
    const close = typeof actual === "number" && Math.abs(actual - expected) <= 1e-9 * Math.max(1, Math.abs(expected));
    expect(isCount ? actual === expected : close, `${path}: ${actual} instead of ${expected}`).toBe(true);
    return;
  }
  if (typeof expected !== "object" || expected === null) {
    expect(actual, path).toBe(expected);
    return;
  }
  expect(typeof actual, path).toBe("object");
  if (Array.isArray(expected)) expect(actual as unknown[], path).toHaveLength(expected.length);
  for (const [key, value] of Object.entries(expected)) {
    expectClose((actual as Record<string, unknown>)[key], value, `${path}.${key}`);
  }
  for (const key of [
    "p50",
    "max",
    "dollars",
    "utilisation",
    "successRate",
    "price",
    "flavor",
    "job",
    "cancelledInQueue",
  ]) {
    if (!(key in expected)) expect(actual as object, path).not.toHaveProperty(key);
  }
}

const seconds = (most: number) =>
  fc.oneof(
    fc.integer({ min: 0, max: most }),
    fc.integer({ min: 0, max: most * 1000 }).map((value) => value / 1000),
  );

/** Days on which clocks change in one of the time zones, and one on which they don't. */
const DAYS = ["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-04-05", "2026-07-15"];
const TIME_ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"];

const anyLife = (day: number): fc.Arbitrary<RunnerLife> =>
  fc
    .record({
      flavor: fc.constantFrom("small", "large", "gpu"),
      // Few names: runners that live again, as persistent ones do.
      runner: fc.oneof(
        fc.constantFrom("r-1", "r-2"),
        fc.uuid().map((id) => `r-${id}`),
      ),
      start: seconds(2 * 86_400),
      installation: fc.oneof(seconds(600), fc.constantFrom(-5, undefined, -(day - 1))),
      idle: fc.oneof(seconds(4_000), fc.constant(-3)),
      duration: fc.oneof(seconds(9_000), fc.constantFrom(0, -7, undefined, 3 * 86_400)),
      queued: fc.oneof(seconds(1_500), fc.constant(-2)),
      hasJob: fc.boolean(),
      repository: fc.constantFrom("acme/shop", "acme/api"),
      workflow: fc.constantFrom("CI", "Nightly"),
      job: fc.constantFrom("test", "build"),
      runId: fc.constantFrom("1", "2", "3"),
      status: fc.constantFrom("normal", "normal", "abnormal"),
      conclusion: fc.constantFrom("success", "failure", "cancelled"),
      postStepsSkipped: fc.boolean(),
      cancelledInQueue: fc.nat(3),
      died: fc.option(
        fc.record({ after: seconds(5_000), cause: fc.constantFrom("spot-interruption", "terminated", "unknown") }),
      ),
    })
    .map((one) => {
      const installationStart = day + one.start;
      const installed = one.installation === undefined ? undefined : installationStart + one.installation;
      const base = { flavor: one.flavor, runner: one.runner, installationStart };
      const died = one.died && { died: { at: installationStart + one.died.after, cause: one.died.cause } };
      if (installed === undefined) return base;
      if (!one.hasJob && one.duration === undefined) return { ...base, installed, ...died };
      const began = Math.max(installed, day) + one.idle;
      const { repository, workflow, job, runId, status, conclusion, cancelledInQueue } = one;
      return {
        ...base,
        installed,
        ...(one.duration === undefined && died),
        job: {
          repository,
          workflow,
          job,
          runId,
          status,
          conclusion,
          cancelledInQueue,
          ...(one.postStepsSkipped && { postStepsSkipped: true }),
          event: "push",
          id: "1",
          queued: began - one.queued,
          began,
          ...(one.duration !== undefined && { ended: began + one.duration }),
        },
      } as RunnerLife;
    });

/** What happened to the events of a life on the way: some are lost, some come twice, and GitHub was not always asked. */
const anyFate = fc.record({
  dropped: fc.integer({ min: 0, max: 15 }),
  withoutGithub: fc.boolean(),
  copies: fc.constantFrom("none", "none", "same", "poorer", "later"),
  alsoLost: fc.integer({ min: 0, max: 5 }).map((value) => value === 0),
  clockMonthsOff: fc.integer({ min: 0, max: 12 }).map((value) => value === 0),
});

const anyFleet = fc
  .record({ day: fc.constantFrom(...DAYS), timeZone: fc.constantFrom(...TIME_ZONES) })
  .chain(({ day, timeZone }) =>
    fc
      .array(fc.tuple(anyLife(Date.parse(`${day}T00:00:00Z`) / 1000), anyFate), { minLength: 1, maxLength: 60 })
      .map((lives) => ({ timeZone, objects: objectsOf(lives) })),
  );

function objectsOf(lives: readonly (readonly [RunnerLife, ReturnType<typeof fateOf>])[]): ArchivedEvent[][] {
  const first: ArchivedEvent[] = [];
  const second: ArchivedEvent[] = [];
  for (const [life, fate] of lives) {
    let events = eventsOf(life);
    if (fate.clockMonthsOff) events = events.map((event) => at(event, 60 * 86_400));
    if (fate.withoutGithub) events = events.map(withoutGithub);
    if (fate.alsoLost && life.job?.ended !== undefined) {
      const { ended: _, ...job } = life.job;
      events.push(...eventsOf({ ...life, job }).filter((event) => event["detail-type"] === "RunnerLost"));
    }
    events = events.filter((_, index) => index !== fate.dropped);
    first.push(...events);
    if (fate.copies === "same") second.push(...events);
    if (fate.copies === "poorer") second.push(...events.map(withoutGithub).map((event) => at(event, 600)));
    // Equally complete, with other values: the later one counts.
    if (fate.copies === "later") second.push(...events.map((event) => at(changed(event), 900)));
  }
  return [first, second].filter((events) => events.length > 0);
}

const fateOf = () =>
  fc.sample(anyFate, 1)[0] as {
    dropped: number;
    withoutGithub: boolean;
    copies: string;
    alsoLost: boolean;
    clockMonthsOff: boolean;
  };

function at(event: ArchivedEvent, later: number): ArchivedEvent {
  return { ...event, time: new Date(Date.parse(event.time) + later * 1000).toISOString() };
}

function withoutGithub(event: ArchivedEvent): ArchivedEvent {
  const { queue_duration, job_conclusion, job_id, job_name, labels, ...others } = event.detail;
  const { post_steps_skipped, jobs_cancelled_in_queue, ...detail } = others;
  return { ...event, detail };
}

function changed(event: ArchivedEvent): ArchivedEvent {
  const { job_conclusion } = event.detail;
  return job_conclusion === undefined ? event : { ...event, detail: { ...event.detail, job_conclusion: "failure" } };
}
