import { afterEach, beforeEach, expect, test, vi } from "vitest";
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
