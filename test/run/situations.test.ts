/** Situations from the field that once went wrong, and belong to a whole run. */
import { expect, test } from "vitest";
import { type RunnerLookup, ServiceError } from "../../functions/ports.ts";
import { BUCKET, createWorld, FILES, NOW } from "../worlds/memory.ts";

const HOUR = 3_600_000;
const { "post-job-metrics.json": _, ...UNFINISHED } = FILES;

test("S3 folders that an operator's tool makes are no strays, are never read, and stay", async () => {
  const world = createWorld();
  const folders = ["runners/large/", "runners/large/nested/folder/"];
  for (const key of folders) world.s3.putObject(BUCKET, key, { body: Buffer.alloc(0) });
  world.upload("r-1");
  expect(await world.run()).toMatchObject({ extracted: 1, strays: 0 });
  expect(world.keys("runners/")).toContain("runners/large/");
});

test("S4 times of a clock that began in 1970 are left out of the events, which say so", async () => {
  const world = createWorld();
  world.upload("r-1", {
    ...FILES,
    "runner-installation-start.timestamp": "5",
    "runner-installed.timestamp": "65",
  });
  expect(await world.run()).toMatchObject({ extracted: 1, quarantined: 0 });
  const [installed, start] = world.events().map(({ detail }) => detail);
  expect(installed).toMatchObject({ duration: 60 });
  expect(start).toMatchObject({ implausible: ["idle"] });
  expect(start).not.toHaveProperty("idle");
});

test("S8 a bus that is throttled at the start is asked again, as long as time remains for a run", async () => {
  const world = createWorld();
  world.upload("r-1");
  let asked = 0;
  const throttled = (times: number) => ({
    ...world.dependencies.bus,
    async exists() {
      asked += 1;
      if (asked <= times) throw new ServiceError("ThrottlingException", "Rate exceeded", { retryable: true });
      return true;
    },
  });
  expect(await world.run({}, { bus: throttled(4) })).toMatchObject({ extracted: 1 });
  world.upload("r-2");
  asked = 0;
  await expect(world.run({}, { bus: throttled(4), deadline: world.clock.now() + 2_000 })).rejects.toThrow(
    "Rate exceeded",
  );
  expect(asked).toBeLessThan(4);
  expect(world.keys("runners/large/r-2/")).toHaveLength(4);
});

test.each([25, -25])(
  "S9 a clock of Lambda's that is %i hours off S3's presumes no runner dead, and spares none",
  async (hours) => {
    const world = createWorld();
    world.upload("dead", UNFINISHED);
    world.clock.time += 24 * HOUR + 1_000;
    world.upload("in-its-job", UNFINISHED);
    const clock = { ...world.clock, now: () => world.clock.now() + hours * HOUR };
    expect(await world.run({}, { clock })).toMatchObject({ extracted: 1, notReady: 1 });
    expect(world.events().at(-1)).toMatchObject({ detailType: "RunnerLost", detail: { runner_name: "dead" } });
  },
);

test.each<[string, string[]]>([
  ["is empty", []],
  ["lacks most of those that have just started a job", ["r-1"]],
])("G3 a list of runners that %s is not used, and the summary says so", async (_, names) => {
  const world = createWorld();
  for (let number = 1; number <= 5; number++) {
    world.upload(`r-${number}`, { ...UNFINISHED, "runner-installed.timestamp": String(NOW / 1_000) });
  }
  world.s3.putObject(BUCKET, "runners/large/silent/runner-installed.timestamp", { body: Buffer.from("1700000060") });
  const runners: RunnerLookup = { alive: async () => new Set(names) };
  world.clock.time += 2 * HOUR;
  for (let number = 1; number <= 5; number++) world.upload(`r-${number}`, UNFINISHED);
  const asked = await world.run({ githubRunners: "acme" }, { runners });
  expect(asked).toMatchObject({ notReady: 6, extracted: 0, runnersUnknown: "contradicted" });
  expect(world.events()).toEqual([]);

  const all: RunnerLookup = { alive: async () => new Set(["r-1", "r-2", "r-3", "r-4", "r-5"]) };
  expect(await world.run({ githubRunners: "acme" }, { runners: all })).toMatchObject({ excluded: 5, extracted: 1 });
});
