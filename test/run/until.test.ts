import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { run } from "../../functions/run/run.ts";
import { until } from "../../functions/run/until.ts";
import { createWorld, EVERY_RUNNER } from "../worlds/memory.ts";

const never = () => new Promise<never>(() => {});

test("a call that is in progress when the signal is aborted fails, and so does every later one", async () => {
  const controller = new AbortController();
  const port = until(controller.signal, { slow: never, fast: async () => "done" });
  expect(await port.fast()).toBe("done");
  // A run makes thousands of calls.
  expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  const waiting = port.slow();
  controller.abort();
  await expect(waiting).rejects.toMatchObject({ code: "DeadlineReached", retryable: true });
  await expect(port.fast()).rejects.toMatchObject({ code: "DeadlineReached" });
});

test.each(["head", "get", "copy", "delete", "list"] as const)(
  "S7 a run ends at its deadline though %s never answers, with its summary and its files in place",
  async (method) => {
    const world = createWorld();
    world.upload("r-1");
    world.upload("r-2", { "post-job-metrics.json": "{" });
    const controller = new AbortController();
    const store = {
      ...world.dependencies.store,
      [method]: () => {
        queueMicrotask(() => controller.abort());
        return never();
      },
    };
    const summary = await run(EVERY_RUNNER, { ...world.dependencies, store, timeUp: controller.signal });
    if (method === "list") expect(summary).toMatchObject({ stopped: "deadline", listed: 0 });
    else expect(summary.listed).toBe(2);
    expect(world.keys("runners/")).toHaveLength(5);
  },
);
