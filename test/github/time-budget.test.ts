import { getEventListeners } from "node:events";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { GithubFailure } from "../../functions/github/failure.ts";
import { createTimeBudget, type TimeBudget } from "../../functions/github/time-budget.ts";

const clock = { now: () => Date.now() };
const NO_DEADLINE = Number.POSITIVE_INFINITY;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Waits within the budget for something that takes this long; `answers` gets "done" or the reason why nothing came. */
function wait(budget: TimeBudget, milliseconds: number, answers: string[]): void {
  const task = () => new Promise<string>((resolve) => setTimeout(() => resolve("done"), milliseconds));
  budget.within(task).then(
    (answer) => answers.push(answer),
    ({ reason }) => answers.push(reason),
  );
}

test("all that wait are released at the moment when the budget is spent", async () => {
  const answers: string[] = [];
  const budget = createTimeBudget(400, clock, NO_DEADLINE);
  for (let task = 0; task < 50; task++) wait(budget, 1_000, answers);
  await vi.advanceTimersByTimeAsync(399);
  expect(answers).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(answers).toEqual(Array.from({ length: 50 }, () => "time-budget"));
});

test("nothing is asked any more after that", async () => {
  const answers: string[] = [];
  const budget = createTimeBudget(400, clock, NO_DEADLINE);
  wait(budget, 1_000, answers);
  await vi.advanceTimersByTimeAsync(400);
  const task = vi.fn();
  await expect(budget.within(task)).rejects.toMatchObject({ reason: "time-budget" });
  expect(task).not.toHaveBeenCalled();
});

test("time in which several tasks wait counts once, and time in which none waits does not count", async () => {
  const answers: string[] = [];
  const budget = createTimeBudget(400, clock, NO_DEADLINE);
  for (let task = 0; task < 3; task++) wait(budget, 100, answers);
  await vi.advanceTimersByTimeAsync(60_000);
  wait(budget, 299, answers);
  await vi.advanceTimersByTimeAsync(60_000);
  wait(budget, 2, answers);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(answers).toEqual(["done", "done", "done", "done", "time-budget"]);
});

test("the budget is at most a quarter of the time until the deadline", async () => {
  const answers: string[] = [];
  const budget = createTimeBudget(10_000, clock, Date.now() + 4_000);
  wait(budget, 3_000, answers);
  await vi.advanceTimersByTimeAsync(999);
  expect(answers).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(answers).toEqual(["time-budget"]);
});

test("nobody waits beyond the deadline", async () => {
  const answers: string[] = [];
  const budget = createTimeBudget(10_000, clock, Date.now() + 4_000);
  await vi.advanceTimersByTimeAsync(3_700);
  wait(budget, 600, answers);
  await vi.advanceTimersByTimeAsync(299);
  expect(answers).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(answers).toEqual(["time-budget"]);
});

test("the signal is aborted, with the reason, at the moment when the budget is spent", async () => {
  const budget = createTimeBudget(400, clock, NO_DEADLINE);
  wait(budget, 1_000, []);
  await vi.advanceTimersByTimeAsync(399);
  expect(budget.signal.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(budget.signal.reason).toEqual(new GithubFailure("time-budget"));
});

test("a task's result or error is passed on as it is, and its time counts", async () => {
  const answers: string[] = [];
  const budget = createTimeBudget(400, clock, NO_DEADLINE);
  expect(await budget.within(async () => 7)).toBe(7);
  const failed = budget.within(async () => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    throw new GithubFailure("denied");
  });
  await Promise.all([expect(failed).rejects.toEqual(new GithubFailure("denied")), vi.advanceTimersByTimeAsync(300)]);
  wait(budget, 200, answers);
  await vi.advanceTimersByTimeAsync(99);
  expect(answers).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(answers).toEqual(["time-budget"]);
});

test("tasks that overlap count from the begin of the first to the end of the last", async () => {
  const answers: string[] = [];
  const budget = createTimeBudget(400, clock, NO_DEADLINE);
  wait(budget, 200, answers);
  await vi.advanceTimersByTimeAsync(100);
  wait(budget, 200, answers);
  await vi.advanceTimersByTimeAsync(200);
  expect(answers).toEqual(["done", "done"]);
  wait(budget, 200, answers);
  await vi.advanceTimersByTimeAsync(100);
  expect(answers).toEqual(["done", "done", "time-budget"]);
});

test.each<[string, number, () => number]>([
  ["the budget is nothing", 0, () => NO_DEADLINE],
  ["the deadline is now", 400, () => Date.now()],
  ["the deadline has passed", 400, () => Date.now() - 1],
])("nothing is asked if %s", async (_, milliseconds, deadline) => {
  const task = vi.fn();
  const budget = createTimeBudget(milliseconds, clock, deadline());
  await expect(budget.within(task)).rejects.toEqual(new GithubFailure("time-budget"));
  expect(task).not.toHaveBeenCalled();
});

test("nothing of a task that is over is left: neither its timer nor that it listens", async () => {
  const answers: string[] = [];
  const budget = createTimeBudget(400, clock, NO_DEADLINE);
  wait(budget, 100, answers);
  wait(budget, 200, answers);
  await vi.advanceTimersByTimeAsync(200);
  expect([answers, vi.getTimerCount(), getEventListeners(budget.signal, "abort")]).toEqual([["done", "done"], 0, []]);
});
