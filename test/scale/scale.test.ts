/** A twentieth of `npm run test:scale`. */

import { expect, it } from "vitest";
import { playMonth } from "../simulation/month.ts";
import { collect } from "./scale.ts";

it("a flood of 50,000 objects costs honest runners one page of a run", async () => {
  const { runs, runners, requests, junkLeft } = await collect({ junk: 50_000, runners: 500 }, 2);
  expect({ runs, runners, junkLeft }).toEqual({ runs: 1, runners: 500, junkLeft: 49_000 });
  expect(Object.fromEntries(requests)).toMatchObject({
    list: 1 + (500 * 4) / 1_000,
    head: 2_000,
    get: 2_000,
    copy: 32,
  });
});

it("a backlog of 5,000 runners is done in one run, each event once", async () => {
  const { runs, runners, again, filesLeft } = await collect({ junk: 0, runners: 5_000 }, 2);
  expect({ runs, runners, again, filesLeft }).toEqual({ runs: 1, runners: 5_000, again: 0, filesLeft: 0 });
});

it("a day at one run a minute, with faults, breaks no guarantee", async () => {
  const { violations, runs, runners } = await playMonth(1, { days: 1, runners: 40 });
  expect(violations).toEqual([]);
  expect({ runs: runs >= 1_440, runners }).toEqual({ runs: true, runners: 40 });
});
