import { describe, expect, test } from "vitest";
import { EVENT_SCHEMAS } from "../../contract/events.ts";
import { createWorld, FILES } from "../worlds/memory.ts";

const DAY = 86_400_000;
const { "post-job-metrics.json": POST, ...STARTED } = FILES;
const { "pre-job-metrics.json": _, ...INSTALLED } = STARTED;
const { "runner-installed.timestamp": __, ...INSTALLING } = INSTALLED;

/** A world in which a runner uploaded these files and was silent since, for two days. */
function silentSince(files: Readonly<Record<string, string>>) {
  const world = createWorld();
  world.upload("r-1", files);
  world.clock.time += 2 * DAY;
  return world;
}
const typesOf = (world: ReturnType<typeof createWorld>) => world.eventsOf("r-1").map(({ detailType }) => detailType);

describe("a storage that became ready without a post-job file says what happened", () => {
  test("RunnerLost: a job was started and never ended", async () => {
    const world = silentSince(STARTED);
    expect(await world.run()).toMatchObject({ listed: 1, extracted: 1 });
    expect(typesOf(world)).toEqual(["RunnerInstalled", "RunnerStart", "RunnerLost"]);
    const now = world.clock.time / 1000;
    expect(world.eventsOf("r-1").at(-1)?.detail).toEqual({
      event: "runner_lost",
      timestamp: now,
      flavor: "large",
      runner_name: "r-1",
      event_id: expect.stringMatching(/^[0-9a-f]{32}$/),
      schema_version: 1,
      workflow: "CI",
      workflow_run_id: "6873452345",
      repo: "acme/widgets",
      github_event: "push",
      verification: "unverified",
      installation_age: now - 1700000000,
      installed_age: now - 1700000060,
      job_age: now - 1700000120,
      job_metrics_unknown: "not-configured",
      cause: "unknown",
    });
  });

  test("RunnerInstallFailed: an installation began and never ended", async () => {
    const world = silentSince(INSTALLING);
    expect(await world.run()).toMatchObject({ listed: 1, incomplete: 1, extracted: 0 });
    expect(typesOf(world)).toEqual(["RunnerInstallFailed"]);
    expect(world.eventsOf("r-1")[0]).toMatchObject({
      resources: ["arn:aws:s3:::metrics/runners/large/r-1/"],
      detail: { event: "runner_install_failed", installation_age: world.clock.time / 1000 - 1700000000 },
    });
    expect(world.keys()).toEqual([]);
  });

  test("RunnerNeverUsed: installed, no job", async () => {
    const world = silentSince(INSTALLED);
    await world.run();
    expect(typesOf(world)).toEqual(["RunnerInstalled", "RunnerNeverUsed"]);
    expect(world.eventsOf("r-1").at(-1)?.detail).toMatchObject({
      installation_age: world.clock.time / 1000 - 1700000000,
      installed_age: world.clock.time / 1000 - 1700000060,
    });
  });

  test("an unknown age is absent, a negative one is 0 and named in clamped", async () => {
    const world = createWorld();
    world.upload("r-1", { "runner-installed.timestamp": String(world.clock.time / 1000 + 3600) });
    world.clock.time += 1;
    await world.run({ orphanAfterSeconds: 0 });
    const { detail } = world.eventsOf("r-1")[0] ?? {};
    expect(detail).toMatchObject({ event: "runner_never_used", installed_age: 0, clamped: ["installed_age"] });
    expect(detail).not.toHaveProperty("installation_age");
  });

  test.each([
    ["post-job file", { ...INSTALLING, "post-job-metrics.json": POST }],
    ["nothing else", { "junk.txt": "x" }],
  ])("a storage without an installed timestamp but with a %s tells of no failed installation", async (_, files) => {
    const world = silentSince(files);
    expect(await world.run()).toMatchObject({ listed: 1, incomplete: 1 });
    expect(world.events()).toEqual([]);
  });

  test("R8 a runner without an installed timestamp that died in its job is lost, without that age", async () => {
    const world = silentSince({ ...INSTALLING, "pre-job-metrics.json": FILES["pre-job-metrics.json"] });
    expect(await world.run()).toMatchObject({ listed: 1, extracted: 1 });
    expect(typesOf(world)).toEqual(["RunnerStart", "RunnerLost"]);
    expect(world.events()[0]?.detail).not.toHaveProperty("idle");
    expect(world.events()[1]?.detail).not.toHaveProperty("installed_age");
  });

  test("a runner that has said its last word is not lost, whatever else it left out", async () => {
    const world = silentSince({ ...INSTALLED, "post-job-metrics.json": POST });
    await world.run();
    expect(typesOf(world)).toEqual(["RunnerInstalled"]);
  });

  test("all are as their schemas say", async () => {
    for (const files of [STARTED, INSTALLED, INSTALLING]) {
      const world = silentSince(files);
      await world.run();
      for (const { detailType, detail } of world.events()) {
        expect(
          EVENT_SCHEMAS[detailType as keyof typeof EVENT_SCHEMAS].strict().safeParse(detail).error,
        ).toBeUndefined();
      }
    }
  });
});

describe("once each", () => {
  test.each([
    ["RunnerLost", STARTED],
    ["RunnerInstallFailed", INSTALLING],
    ["RunnerNeverUsed", INSTALLED],
  ])("%s comes again only with the same id", async (type, files) => {
    const world = silentSince(files);
    const { store } = world.dependencies;
    const failing = { ...store, delete: async (objects: readonly unknown[]) => objects.map(() => "failed" as const) };
    await world.run({}, { store: failing });
    world.clock.time += DAY;
    await world.run();
    await world.run();
    const ids = world.events().filter(({ detailType }) => detailType === type);
    expect(ids).toHaveLength(2);
    expect(new Set(ids.map(({ detail }) => detail.event_id)).size).toBe(1);
  });

  test("three kinds of the same runner have three ids", async () => {
    const ids = new Set<unknown>();
    for (const files of [STARTED, INSTALLED, INSTALLING]) {
      const world = silentSince(files);
      await world.run();
      ids.add(world.eventsOf("r-1").at(-1)?.detail.event_id);
    }
    expect(ids.size).toBe(3);
  });

  test("nothing is deleted before it is acknowledged", async () => {
    const world = silentSince(INSTALLING);
    const bus = {
      ...world.dependencies.bus,
      publish: async (entries: readonly unknown[]) => entries.map(() => ({ code: "NotAuthorized" })),
    };
    expect(await world.run({}, { bus })).toMatchObject({ deferred: 1, incomplete: 0 });
    expect(world.keys("runners/")).toHaveLength(1);
  });

  test("a runner that lives after all is said to have stopped, under the ids of its other events", async () => {
    const world = silentSince(STARTED);
    await world.run();
    world.upload("r-1");
    await world.run();
    expect(typesOf(world)).toEqual([
      "RunnerInstalled",
      "RunnerStart",
      "RunnerLost",
      "RunnerInstalled",
      "RunnerStart",
      "RunnerStop",
    ]);
    expect(new Set(world.events().map(({ detail }) => detail.event_id)).size).toBe(4);
  });
});

describe("where the caller says which runners to take, as the reference's does", () => {
  test.each([[{ runners: new Set<string>(), include: false }], [{ runners: new Set(["r-1"]), include: true }]])(
    "only the reference's events are issued (%o)",
    async (filter) => {
      for (const [files, expected] of [
        [STARTED, ["RunnerInstalled", "RunnerStart"]],
        [INSTALLED, ["RunnerInstalled"]],
        [INSTALLING, []],
      ] as const) {
        const world = silentSince(files);
        await world.run(filter);
        expect(typesOf(world)).toEqual(expected);
      }
    },
  );
});
