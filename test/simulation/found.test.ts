/** What the simulator found, as it was found, each by itself. The seeds are those of the simulator of that day. */

import { describe, expect, it } from "vitest";
import { type ListPosition, type ObjectStore, ServiceError } from "../../functions/ports.ts";
import { startHttpWorld } from "../worlds/http.ts";
import { BUCKET, BUS, createWorld, FILES } from "../worlds/memory.ts";
import { modelEventBus, modelObjectStore } from "../worlds/model-ports.ts";

const DAY = 24 * 60 * 60 * 1000;

describe("what the simulator found", () => {
  // Seed 3480, G1: a runner that had been given up ended its job, and the second look at its storage was an empty page.
  it("a run looks at a storage again to its end, though S3 gives pages of one key or none", async () => {
    const world = createWorld();
    const { "post-job-metrics.json": post, ...unfinished } = FILES;
    world.upload("r-1", { ...unfinished, "0": "sorts before the others" });
    world.clock.time += 2 * DAY;
    const onePerPage = modelObjectStore(world.s3, BUCKET, { pageSize: 1 });
    let looks = 0;
    async function list(prefix: string, from?: ListPosition) {
      if (prefix === "runners/large/") return onePerPage.list(prefix, from);
      looks++;
      if (looks > 1) return onePerPage.list(prefix, from);
      world.upload("r-1", { "post-job-metrics.json": post });
      return { date: world.clock.time, objects: [], next: { after: prefix } };
    }
    const store: ObjectStore = { ...onePerPage, list };

    const summary = await world.run({}, { store });
    expect(summary).toMatchObject({ deferred: 1, deferralReasons: { changed: 1 } });
    await world.run();

    expect(world.eventsOf("r-1").map(({ detailType }) => detailType)).toContain("RunnerStop");
    expect(world.keys("runners/")).toEqual([]);
  });

  // Seed 1677, G1: it had been given up, ended its job meanwhile, and was listed after its last file and before it had sent the
  // others again.
  it("a run leaves a runner's last file in place while the runner sends the others again", async () => {
    const world = createWorld();
    const { "post-job-metrics.json": post, "pre-job-metrics.json": pre, ...installed } = FILES;
    world.upload("r-1", { "pre-job-metrics.json": pre, "post-job-metrics.json": post });
    const { store } = world.dependencies;
    async function head(key: string) {
      world.upload("r-1", installed);
      return store.head(key);
    }

    const summary = await world.run({}, { store: { ...store, head } });
    expect(summary).toMatchObject({ deferred: 1, deferralReasons: { changed: 1 } });
    await world.run();

    expect(world.eventsOf("r-1").map(({ detailType }) => detailType)).toContain("RunnerStop");
    expect(world.keys("runners/")).toEqual([]);
  });

  // Seed 73845, G1: its first file alone was collected while it went on; its last came before it had sent the first again.
  it("a run leaves a job in place whose runner is just sending the start of its installation again", async () => {
    const world = createWorld();
    const { "runner-installation-start.timestamp": start, ...others } = FILES;
    world.upload("r-1", others);
    const { store } = world.dependencies;
    async function head(key: string) {
      world.upload("r-1", { "runner-installation-start.timestamp": start });
      return store.head(key);
    }

    const summary = await world.run({}, { store: { ...store, head } });
    expect(summary).toMatchObject({ deferred: 1, deferralReasons: { changed: 1 } });
    await world.run();

    expect(world.eventsOf("r-1").map(({ detailType }) => detailType)).toContain("RunnerInstalled");
    expect(world.keys("runners/")).toEqual([]);
  });

  // Seed 748, G2: the bus was deleted during the run, and the question whether it was still there got no answer.
  it("a run deletes nothing while it can't tell whether the bus still has what it acknowledged", async () => {
    const world = createWorld();
    world.upload("r-1");
    const { bus } = world.dependencies;
    let asked = 0;
    async function exists() {
      asked++;
      if (asked > 1) throw new ServiceError("ThrottlingException", "ThrottlingException", { retryable: true });
      world.eventBridge.deleteBus(BUS);
      return true;
    }

    expect(await world.run({}, { bus: { ...bus, exists } })).toMatchObject({ deferralReasons: { unpublished: 1 } });
    world.eventBridge.createBus(BUS);
    await world.run();

    expect(world.eventsOf("r-1")).toHaveLength(3);
    expect(world.keys("runners/")).toEqual([]);
  });

  // Seed 57, G9: one HEAD of four failed, and the other three outlived the run.
  it("a run does not end while a request of its is still in flight", async () => {
    const world = createWorld();
    world.upload("r-1");
    let inFlight = 0;
    async function head(key: string) {
      inFlight++;
      if (inFlight === 1) return Promise.reject(new ServiceError("SlowDown", "SlowDown", { retryable: true }));
      await new Promise((resolve) => setTimeout(resolve, 5));
      inFlight--;
      return world.dependencies.store.head(key);
    }

    expect(await world.run({}, { store: { ...world.dependencies.store, head } })).toMatchObject({ deferred: 1 });
    expect(inFlight).toBe(1);
  });

  // Seed 323973, G7: a call that was refused for good took long, and then each of its entries was sent by itself, too late.
  it("a run sends nothing by itself either in its last two seconds", async () => {
    const world = createWorld();
    world.upload("r-1");
    const deadline = world.clock.time + 20_000;
    let calls = 0;
    async function put(): Promise<never> {
      calls++;
      world.clock.time = deadline - 1_000;
      throw new ServiceError("ValidationException", "ValidationException", { retryable: false });
    }

    await world.run({}, { deadline, bus: modelEventBus(world.eventBridge, BUS, world.clock, () => put) });
    expect(calls).toBe(1);
    expect(world.keys("runners/")).toHaveLength(4);
  });

  // Fuzzed headers: the SDK threw at the answers to HEAD and GET, so that the runner was deferred in every run, for ever.
  it.each(["", " ", "0", "never"])("A14 an Expires header of %j is nobody's business", async (expires) => {
    const world = await startHttpWorld();
    try {
      for (const [name, content] of Object.entries(FILES)) {
        const body = Buffer.from(content);
        world.s3.putObject(BUCKET, `runners/large/r-1/${name}`, { body, headers: { expires } });
      }
      expect(await world.run()).toMatchObject({ extracted: 1, deferred: 0, errors: [] });
    } finally {
      await world.close();
    }
  });
});
