import { expect, test } from "vitest";
import { mapConcurrently } from "../functions/concurrency.ts";

/** Tasks that end when they are told to. */
function createTasks() {
  const ends = new Map<number, { resolve: (value: number) => void; reject: (cause: Error) => void }>();
  const ended = new Set<number>();
  return {
    begun: () => [...ends.keys()],
    ended,
    map: (number: number) =>
      new Promise<number>((resolve, reject) => ends.set(number, { resolve, reject })).finally(() => ended.add(number)),
    end: (number: number) => ends.get(number)?.resolve(number),
    fail: (number: number) => ends.get(number)?.reject(new Error(`task ${number}`)),
  };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Items without an end, and whether they were told that no more are wanted. */
function endless() {
  const source = { wasReturned: false };
  async function* items(): AsyncGenerator<number> {
    try {
      for (let number = 1; ; number++) yield number;
    } finally {
      source.wasReturned = true;
    }
  }
  return { source, items: items() };
}

test("at most so many are in progress; results come as they are done", async () => {
  const tasks = createTasks();
  const results = mapConcurrently([1, 2, 3], 2, tasks.map);
  const first = results.next();
  await settled();
  expect(tasks.begun()).toEqual([1, 2]);
  tasks.end(2);
  expect(await first).toEqual({ done: false, value: 2 });
  await settled();
  expect(tasks.begun()).toEqual([1, 2]);
  const second = results.next();
  await settled();
  expect(tasks.begun()).toEqual([1, 2, 3]);
  tasks.end(1);
  tasks.end(3);
  expect([await second, await results.next(), await results.next()].map(({ value }) => value)).toEqual([
    1,
    3,
    undefined,
  ]);
});

test.each([
  ["an error", (tasks: ReturnType<typeof createTasks>) => tasks.fail(1), /task 1/],
  ["its consumer", (tasks: ReturnType<typeof createTasks>) => tasks.end(1), undefined],
])("%s ends it, after what is in progress, and with its source", async (_, endFirst, error) => {
  const tasks = createTasks();
  const { source, items } = endless();
  let isOver = false;
  async function consume(): Promise<void> {
    for await (const _result of mapConcurrently(items, 3, tasks.map)) return;
  }
  const over = consume().finally(() => {
    isOver = true;
  });
  over.catch(() => {});
  await settled();
  endFirst(tasks);
  await settled();
  tasks.fail(2);
  await settled();
  expect(isOver).toBe(false);
  tasks.end(3);
  if (error) await expect(over).rejects.toThrow(error);
  else await over;
  expect([...tasks.ended]).toEqual([1, 2, 3]);
  expect(tasks.begun()).toEqual([1, 2, 3]);
  expect(source.wasReturned).toBe(true);
});

test("a task that fails while its source has no next item yet is no unhandled rejection, and ends it", async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => void unhandled.push(reason);
  process.on("unhandledRejection", note);
  const tasks = createTasks();
  const next = Promise.withResolvers<void>();
  async function* items(): AsyncGenerator<number> {
    yield 1;
    await next.promise;
  }
  const results = mapConcurrently(items(), 2, tasks.map);
  const first = results.next();
  await settled();
  tasks.fail(1);
  await settled();
  next.resolve();
  await expect(first).rejects.toThrow("task 1");
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});

test("returns what its source returns, after the last result", async () => {
  async function* items(): AsyncGenerator<number, string> {
    yield 1;
    return "end";
  }
  const results = mapConcurrently(items(), 2, async (item) => item + 1);
  expect([await results.next(), await results.next()]).toEqual([
    { done: false, value: 2 },
    { done: true, value: "end" },
  ]);
});
