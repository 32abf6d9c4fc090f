import type { Clock } from "../ports.ts";
import { GithubFailure } from "./failure.ts";

/** How long one run may wait for GitHub in all. Time in which several calls wait at once counts once. */
export interface TimeBudget {
  /** Aborted with a `GithubFailure` when the budget is used up. */
  readonly signal: AbortSignal;
  /** Waits for a task. Rejects with `GithubFailure` as soon as the budget is used up, whatever the task does then. */
  within<Result>(task: () => Promise<Result>): Promise<Result>;
}

/** Waiting for GitHub may take this share of a run's time, whatever the budget: otherwise a short run would do nothing else. */
const TIME_SHARE_MAX = 0.25;

/**
 * A budget of so many milliseconds, or of a quarter of the time until `deadline` if that is less. It also ends at `deadline`, in
 * milliseconds since the epoch.
 */
export function createTimeBudget(milliseconds: number, clock: Pick<Clock, "now">, deadline: number): TimeBudget {
  const controller = new AbortController();
  const { signal } = controller;
  let left = Math.min(milliseconds, (deadline - clock.now()) * TIME_SHARE_MAX);
  let waiting = 0;
  let since = 0;
  let timer: NodeJS.Timeout | undefined;

  function start(): void {
    since = clock.now();
    const remaining = Math.min(left, deadline - since);
    if (remaining <= 0) controller.abort(new GithubFailure("time-budget"));
    else timer = setTimeout(() => controller.abort(new GithubFailure("time-budget")), remaining);
  }

  function end(): void {
    clearTimeout(timer);
    left -= clock.now() - since;
  }

  return {
    signal,
    async within(task) {
      if (waiting++ === 0) start();
      let giveUp = () => {};
      try {
        signal.throwIfAborted();
        const ended = new Promise<never>((_, reject) => {
          giveUp = () => reject(signal.reason);
          signal.addEventListener("abort", giveUp);
        });
        return await Promise.race([task(), ended]);
      } finally {
        signal.removeEventListener("abort", giveUp);
        if (--waiting === 0) end();
      }
    },
  };
}
