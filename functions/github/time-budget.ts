import type { Clock } from "../ports.ts";
import { GithubFailure } from "./failure.ts";

/** How long one run may wait for GitHub, in all. Time in which several wait at once counts once. */
export interface TimeBudget {
  /** Aborted, with a `GithubFailure`, when nothing is left. */
  readonly signal: AbortSignal;
  /** Waits for a task; rejects with `GithubFailure` as soon as nothing is left, whatever the task does then. */
  within<Result>(task: () => Promise<Result>): Promise<Result>;
}

/** `deadline`, in milliseconds since the epoch, ends it too. */
export function createTimeBudget(milliseconds: number, clock: Pick<Clock, "now">, deadline: number): TimeBudget {
  const controller = new AbortController();
  const { signal } = controller;
  let left = milliseconds;
  let waiting = 0;
  let since = 0;
  let timer: NodeJS.Timeout | undefined;

  function begin(): void {
    since = clock.now();
    const patience = Math.min(left, deadline - since);
    if (patience <= 0) controller.abort(new GithubFailure("time-budget"));
    else timer = setTimeout(() => controller.abort(new GithubFailure("time-budget")), patience);
  }

  function end(): void {
    clearTimeout(timer);
    left -= clock.now() - since;
  }

  return {
    signal,
    async within(task) {
      if (waiting++ === 0) begin();
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
