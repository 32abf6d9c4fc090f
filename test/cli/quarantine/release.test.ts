import { expect, test } from "vitest";
import { release } from "../../../cli/quarantine/release.ts";
import { namesOf, QUARANTINE_REASONS } from "../../../contract/reasons.ts";
import { createWorld, FILES } from "../../worlds/memory.ts";
import { mortalBucket } from "../model-bucket.ts";
import { createOperatorWorld, OPERATOR } from "./world.ts";

const DAY = 86_400_000;

/** The events that a runner has if nobody quarantines it, by id. */
async function undisturbed(runner: string, files: Readonly<Record<string, string>> = FILES) {
  const world = createWorld();
  world.upload(runner, files);
  await world.run();
  return world.events().map(({ detail }) => detail);
}

function withoutQuarantine(world: ReturnType<typeof createOperatorWorld>, runner: string) {
  return world
    .eventsOf(runner)
    .filter(({ detailType }) => detailType !== "MetricsQuarantined")
    .map(({ detail }) => detail);
}

test.each(namesOf(QUARANTINE_REASONS))(
  "a runner that was quarantined for %s by mistake comes back complete",
  async (reason) => {
    const world = createOperatorWorld();
    const found = await world.quarantineByMistake("r-1", FILES, reason);
    const options = { ...world.options, anyway: reason === "job-mismatch" };
    const { result, assessment } = await release(world.bucket, found, options);
    expect(result).toBe("released");
    await world.run();
    const expected = await undisturbed("r-1");
    expect(withoutQuarantine(world, "r-1")).toEqual(expected);
    expect(assessment.events.map(({ event_id }) => event_id)).toEqual(expected.map(({ event_id }) => event_id));
    expect(world.keys("runners/")).toEqual([]);
  },
);

test("the files are put back in a runner's order, the post-job file last, and a record before and after", async () => {
  const world = createOperatorWorld();
  const found = await world.quarantineByMistake("r-1", FILES, "invalid-schema");
  const puts: string[] = [];
  const bucket = {
    ...world.bucket,
    putIfAbsent: async (key: string, bytes: Uint8Array) => {
      puts.push(
        key
          .split("/")
          .slice(-1)[0]
          ?.replace(/^[0-9TZ]+-/, "") ?? "",
      );
      return world.bucket.putIfAbsent(key, bytes);
    },
  };
  await release(bucket, found, world.options);
  expect(puts).toEqual(["release-started.json", ...Object.keys(FILES), "released.json"]);
  expect(world.records(found.prefix)).toEqual([
    { schema_version: 1, action: "release-started", by: OPERATOR, at: expect.any(String) },
    { schema_version: 1, action: "released", by: OPERATOR, at: expect.any(String) },
  ]);
});

test.each([true, false])(
  "a release that is killed at any call and repeated ends as one that was not (effect: %s)",
  async (withEffect) => {
    const deaths: number[] = [];
    for (let deathAt = 1; ; deathAt++) {
      const world = createOperatorWorld();
      const found = await world.quarantineByMistake("r-1", FILES, "invalid-schema");
      const first = release(mortalBucket(world.bucket, deathAt, withEffect), found, world.options);
      const survived = await first.then(
        () => true,
        () => false,
      );
      world.clock.time += 60_000;
      await world.run();
      const again = await world.release("r-1");
      expect(["released", "refused"]).toContain(again.result);
      await world.run();
      const ids = withoutQuarantine(world, "r-1").map(({ event_id }) => event_id);
      const expected = (await undisturbed("r-1")).map(({ event_id }) => event_id);
      expect(new Set(ids), `killed at call ${deathAt}`).toEqual(new Set(expected));
      expect((await world.quarantineOf("r-1")).state).toBe("released");
      expect(world.keys("runners/")).toEqual([]);
      if (survived) break;
      deaths.push(deathAt);
    }
    // Four reads, two records, four files, and what is there already.
    expect(deaths.length).toBeGreaterThanOrEqual(10);
  },
);

test("what was released is not released again without being asked for", async () => {
  const world = createOperatorWorld();
  await world.quarantineByMistake("r-1", FILES, "invalid-schema");
  await world.release("r-1");
  await world.run();
  expect(await world.release("r-1")).toMatchObject({ result: "refused", because: expect.stringContaining("--repeat") });
  expect(await world.release("r-1", { repeat: true })).toMatchObject({ result: "released" });
  await world.run();
  const ids = withoutQuarantine(world, "r-1").map(({ event_id }) => event_id);
  expect(ids).toHaveLength(6);
  expect(new Set(ids).size).toBe(3);
});

test("a dry run changes nothing", async () => {
  const world = createOperatorWorld();
  await world.quarantineByMistake("r-1", FILES, "invalid-schema");
  const before = world.keys();
  expect(await world.release("r-1", { dryRun: true })).toMatchObject({ result: "would-release" });
  expect(world.keys()).toEqual(before);
});

test("hostile files are released only if asked for, are quarantined again, and affect nobody else", async () => {
  const world = createOperatorWorld();
  world.upload("evil", { ...FILES, "pre-job-metrics.json": '{"repository": "../../orgs/evil"}' });
  await world.run();
  const refused = await world.release("evil");
  expect(refused).toMatchObject({ result: "refused", assessment: { again: { reason: "invalid-schema" } } });
  expect(world.keys("runners/")).toEqual([]);

  world.clock.time += 60_000;
  expect(await world.release("evil", { anyway: true })).toMatchObject({ result: "released" });
  world.upload("honest");
  const summary = await world.run();
  expect(summary).toMatchObject({ quarantined: 1, extracted: 1, deferred: 0 });
  expect(world.manifests().map(({ reason }) => reason)).toEqual(["invalid-schema", "invalid-schema"]);
  expect(world.keys("runners/")).toEqual([]);
});

test("a timestamp that was in the future does not pass by a release, whatever is asked for", async () => {
  const world = createOperatorWorld();
  const future = Math.floor(world.clock.now() / 1000) + 2 * 86_400;
  world.upload("r-1", { ...FILES, "post-job-metrics.json": `{"timestamp": ${future}, "status": "normal"}` });
  await world.run();
  world.clock.time += 3 * DAY;
  expect(await world.release("r-1", { anyway: true, repeat: true })).toMatchObject({ result: "refused" });
  expect(world.keys("runners/")).toEqual([]);
});

test("files that are in quarantine as a description only can't be released", async () => {
  const world = createOperatorWorld();
  world.upload("r-1", { ...FILES, "pre-job-metrics.json": "x".repeat(1024 * 1024 + 1) });
  await world.run();
  const { result, assessment } = await world.release("r-1", { anyway: true });
  expect(result).toBe("refused");
  expect(assessment.impossible).toMatch(/pre-job-metrics.json is not in quarantine.*too-large/);
});

test("a storage that holds other objects is left alone", async () => {
  const world = createOperatorWorld();
  await world.quarantineByMistake("r-1", FILES, "invalid-schema");
  world.upload("r-1", { "runner-installed.timestamp": "1700000999" });
  expect(await world.release("r-1")).toMatchObject({
    result: "refused",
    because: expect.stringContaining("holds other objects"),
  });
  expect(world.keys("runners/")).toEqual(["runners/large/r-1/runner-installed.timestamp"]);
});

test("if the runner uploads meanwhile, what was put back is deleted again and the runner's files stay", async () => {
  for (const file of Object.keys(FILES)) {
    const world = createOperatorWorld();
    const found = await world.quarantineByMistake("r-1", FILES, "invalid-schema");
    const bucket = {
      ...world.bucket,
      async putIfAbsent(key: string, bytes: Uint8Array) {
        // Of a new life of the runner.
        if (key.endsWith(`r-1/${file}`)) world.upload("r-1", { [file]: `${FILES[file as keyof typeof FILES]} ` });
        return world.bucket.putIfAbsent(key, bytes);
      },
    };
    expect(await release(bucket, found, world.options)).toMatchObject({ result: "refused" });
    expect(world.keys("runners/")).toEqual([`runners/large/r-1/${file}`]);
    expect(world.text(`runners/large/r-1/${file}`)).toMatch(/ $/);
  }
});

test("a runner that never finished is released too, and waits until it is presumed dead", async () => {
  const world = createOperatorWorld();
  const { "post-job-metrics.json": _, ...unfinished } = FILES;
  await world.quarantineByMistake("r-1", unfinished, "invalid-schema");
  expect(await world.release("r-1")).toMatchObject({ result: "released", assessment: { isReady: false } });
  expect(await world.run()).toMatchObject({ notReady: 1 });
  world.clock.time += DAY + 60_000;
  await world.run();
  expect(withoutQuarantine(world, "r-1").map(({ event }) => event)).toEqual([
    "runner_installed",
    "runner_start",
    "runner_lost",
  ]);
});
