import { expect, test } from "vitest";
import type { EventBus, ObjectStore } from "../../functions/ports.ts";
import { BUS, createWorld, FILES } from "../worlds/memory.ts";
import { modelEventBus } from "../worlds/model-ports.ts";

const DAY = 86_400_000;

/** A fleet in which every path of a run is taken. */
function fleet() {
  const world = createWorld();
  const { "post-job-metrics.json": _, ...unfinished } = FILES;
  world.upload("orphan", unfinished);
  world.upload("never-installed", { "runner-installation-start.timestamp": "1700000000" });
  world.clock.time += 2 * DAY;
  world.upload("done");
  world.upload("idle", { "runner-installed.timestamp": "1700000060" });
  world.upload("corrupt", { ...FILES, "pre-job-metrics.json": "{" });
  return world;
}

/** Port calls that never answer from the `deathAt`th on, which still has its effect or not: as a process that was killed. */
function mortal(world: ReturnType<typeof fleet>, deathAt: number, withEffect: boolean) {
  let calls = 0;
  const die = Promise.withResolvers<"died">();
  function call<Args extends unknown[], Result>(method: (...args: Args) => Promise<Result>) {
    return async (...args: Args): Promise<Result> => {
      calls++;
      if (calls < deathAt) return method(...args);
      if (calls === deathAt && withEffect) await method(...args);
      die.resolve("died");
      return new Promise<never>(() => {});
    };
  }
  const { store, bus } = world.dependencies;
  const mortalStore: ObjectStore = {
    list: call(store.list),
    head: call(store.head),
    get: call(store.get),
    putIfAbsent: call(store.putIfAbsent),
    copy: call(store.copy),
    delete: call(store.delete),
  };
  const { publish } = modelEventBus(world.eventBridge, BUS, world.clock, call);
  const mortalBus: EventBus = { exists: call(bus.exists), publish };
  return { store: mortalStore, bus: mortalBus, died: die.promise };
}

/** What must have been said in the end, whatever happened on the way. */
async function undisturbed() {
  const world = fleet();
  await world.run();
  return new Map(world.events().map(({ detail }) => [detail.event_id, detail.event]));
}

async function killedAt(deathAt: number, withEffect: boolean) {
  const world = fleet();
  const { store, bus, died } = mortal(world, deathAt, withEffect);
  const end = await Promise.race([world.run({}, { store, bus }).then(() => "survived"), died]);
  for (let again = 0; again < 3; again++) await world.run();
  return { world, end };
}

test.each([
  ["before", false],
  ["after", true],
])(
  "A44 killed %s the effect of any call, the next runs lose nothing and repeat only the same ids",
  async (_, withEffect) => {
    const expected = await undisturbed();
    expect(expected.size).toBe(8);
    let deaths = 0;
    for (let deathAt = 1; ; deathAt++) {
      const { world, end } = await killedAt(deathAt, withEffect);
      const issued = new Map(world.events().map(({ detail }) => [detail.event_id, detail.event]));
      // Killed between the two deletes of a quarantine, the files that are left are quarantined again.
      const again = [...issued].filter(([id]) => !expected.has(id)).map(([, event]) => event);
      expect([[], ["metrics_quarantined"]], `killed at call ${deathAt}`).toContainEqual(again);
      expect(new Map([...issued].filter(([id]) => expected.has(id)))).toEqual(expected);
      const archived = new Set(world.archived().map(({ detail }) => detail.event_id));
      expect(archived, `the archive after a kill at call ${deathAt}`).toEqual(new Set(issued.keys()));
      expect(world.keys("runners/")).toEqual(["runners/large/idle/runner-installed.timestamp"]);
      expect(world.manifests()).toHaveLength(1 + again.length);
      if (end === "survived") break;
      deaths++;
    }
    expect(deaths).toBeGreaterThan(25);
    console.log(`killed at each of ${deaths} calls`);
  },
);
