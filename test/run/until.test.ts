import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { ServiceError } from "../../functions/ports.ts";
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

test("a port that may be used for ever is itself", () => {
  const port = { fast: async () => "done" };
  expect(until(undefined, port)).toBe(port);
});

test("a call passes its arguments, its result and its failure on, and leaves nothing behind", async () => {
  const { signal } = new AbortController();
  const failure = new Error("no");
  const port = until(signal, { add: async (a: number, b: number) => a + b, fail: () => Promise.reject(failure) });
  expect(await port.add(1, 2)).toBe(3);
  await expect(port.fail()).rejects.toBe(failure);
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

test("after the signal is aborted no call is made", async () => {
  let calls = 0;
  const port = until(AbortSignal.abort(), { count: async () => calls++ });
  const failure = await port.count().catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ServiceError);
  expect(failure).toMatchObject({ message: "The time of the run was up", code: "DeadlineReached", retryable: true });
  expect(calls).toBe(0);
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
