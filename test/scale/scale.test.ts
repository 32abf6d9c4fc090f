/** A twentieth of `npm run test:all -- scale`. */

import { expect, it } from "vitest";
import { effort } from "../effort.ts";
import { playMonth } from "../simulation/month.ts";
import { collect } from "./scale.ts";
import { collectWithWorkers } from "./workers.ts";

const FLOOD = effort(10_000, 50_000);
const BACKLOG = effort(500, 5_000);
const OF_WORKERS = effort(3_000, 8_000);
const HOURS = effort(2, 24);
const RUNNERS = effort(10, 40);

it(`a flood of ${FLOOD} objects costs honest runners one page of a run`, async () => {
  const { runs, runners, requests, junkLeft } = await collect({ junk: FLOOD, runners: 500 }, 2);
  expect({ runs, runners, junkLeft }).toEqual({ runs: 1, runners: 500, junkLeft: FLOOD - 1_000 });
  expect(Object.fromEntries(requests)).toMatchObject({
    list: 1 + (500 * 4) / 1_000,
    head: 2_000,
    get: 2_000,
    copy: 32,
  });
});

it(`a backlog of ${BACKLOG} runners is done in one run, each event once`, async () => {
  const { runs, runners, again, filesLeft } = await collect({ junk: 0, runners: BACKLOG }, 2);
  expect({ runs, runners, again, filesLeft }).toEqual({ runs: 1, runners: BACKLOG, again: 0, filesLeft: 0 });
});

it(`of a backlog of ${OF_WORKERS} runners, workers do what a run can't, at AWS's documented rates, each event once`, async () => {
  const options = { flavors: 2, partitions: 2, everyMilliseconds: 120_000, timeoutMilliseconds: 30_000 };
  const report = await collectWithWorkers({ runners: OF_WORKERS, workers: 10, ...options });
  expect(report).toMatchObject({ runners: OF_WORKERS, again: 0, filesLeft: 0, deferred: 0, archived: 3 * OF_WORKERS });
  expect(report.handedOver).toBeGreaterThan(OF_WORKERS / 4);
});

it(`${HOURS} hours at one run a minute, with faults, breaks no guarantee`, async () => {
  const { violations, runs, runners } = await playMonth(1, { days: HOURS / 24, runners: RUNNERS });
  expect(violations).toEqual([]);
  expect({ runs: runs >= HOURS * 60, runners }).toEqual({ runs: true, runners: RUNNERS });
});
