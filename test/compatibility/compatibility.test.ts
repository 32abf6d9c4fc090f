/** The prototype's runners with this collector: a shell script wrote the files in runner-prototype.json, before the first release. */
import { expect, test } from "vitest";
import { createWorld } from "../worlds/memory.ts";
import prototypeFiles from "./runner-prototype.json" with { type: "json" };

const HOURS_LATER = 30 * 3_600_000;

/** What each life of the prototype's runner was issued as by the prototype's collector. */
const EVENTS: Readonly<Record<keyof typeof prototypeFiles, readonly string[]>> = {
  "a-normal-job": ["RunnerInstalled", "RunnerStart", "RunnerStop"],
  "no-installation-start": ["RunnerStart", "RunnerStop"],
  "only-the-hooks": ["RunnerStart", "RunnerStop"],
  "runner-died-after-the-job": ["RunnerStart", "RunnerStop"],
  "refused-by-a-policy-check": ["RunnerStart", "RunnerStop"],
  "odd-texts": ["RunnerStart", "RunnerStop"],
  "machine-died-in-a-job": ["RunnerInstalled", "RunnerStart", "RunnerLost"],
  "never-got-a-job": ["RunnerInstalled", "RunnerNeverUsed"],
  "installation-failed": ["RunnerInstallFailed"],
};

test.each(Object.entries(prototypeFiles))("files of the prototype are collected: %s", async (name, files) => {
  const recorded = Number(Object.values(files)[0]?.match(/\d{10}/)?.[0]) * 1_000;
  const world = createWorld(recorded + 600_000);
  world.upload(name, files);
  world.clock.time += HOURS_LATER;
  const summary = await world.run();
  expect(summary).toMatchObject({ listed: 1, quarantined: 0, deferred: 0 });
  const issued = world.events().map(({ detailType }) => detailType);
  expect(issued.toSorted()).toEqual([...EVENTS[name as keyof typeof prototypeFiles]].toSorted());
  expect(world.keys()).toEqual([]);
});

test("a job of the prototype's runner keeps its times and names", async () => {
  const files = prototypeFiles["a-normal-job"];
  const world = createWorld(1_795_699_000_000);
  world.upload("r-1", files);
  await world.run();
  const [installed, start, stop] = world.events().map(({ detail }) => detail);
  expect(installed).toMatchObject({ timestamp: 1_795_698_298, duration: 45 });
  expect(start).toMatchObject({ timestamp: 1_795_698_313, idle: 15, repo: "acme/widgets", workflow: "CI" });
  expect(stop).toMatchObject({ timestamp: 1_795_698_613, job_duration: 300, status: "normal" });
});
