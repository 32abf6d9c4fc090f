import type { Clock, GithubConfig, GithubUsage, JobLookup, RunnerLookup } from "../ports.ts";
import { createGithubApi } from "./api.ts";
import { createCredentials } from "./credentials.ts";
import { type GithubMemory, guardedFetch } from "./guarded-fetch.ts";
import { createJobLookup } from "./job-lookup.ts";
import { createRunnerLookup } from "./runner-lookup.ts";
import { createTimeBudget } from "./time-budget.ts";

/** Of a run's time, waiting for GitHub may take this share, whatever the budget: else a short run would do nothing else. */
const TIME_SHARE_MAX = 0.25;

/** GitHub for the runs of one process. Tokens, and answers to be asked for conditionally, serve them all. */
export interface Github {
  /** `deadline`, in milliseconds since the epoch: nobody waits for GitHub any longer then. */
  beginRun(deadline: number): GithubRun;
}

/** GitHub for one run: its budgets begin with it. */
export interface GithubRun {
  readonly jobs: JobLookup;
  readonly runners: RunnerLookup;
  usage(): GithubUsage;
}

export interface GithubOptions {
  readonly clock: Pick<Clock, "now">;
  /** The text of the secret, freshly read if told so. */
  readonly readSecret: (isFresh: boolean) => Promise<string | undefined>;
  /** For tests: milliseconds after which one call is given up, and that count as a second for Octokit's pauses. */
  readonly callTimeoutMilliseconds?: number;
  readonly pauseMilliseconds?: number;
}

export function createGithub(config: GithubConfig, options: GithubOptions): Github {
  const { clock, pauseMilliseconds } = options;
  const credentials = createCredentials(options.readSecret, clock);
  const memory: GithubMemory = { answers: new Map(), limitedUntil: 0 };
  const owners = new Set(config.owners.map((owner) => owner.toLowerCase()));

  return {
    beginRun(deadline) {
      const usage = { requests: 0, rateLimited: 0, statuses: {} };
      const milliseconds = Math.min(config.timeBudgetMilliseconds, (deadline - clock.now()) * TIME_SHARE_MAX);
      const budget = createTimeBudget(milliseconds, clock, deadline);
      const fetch = guardedFetch({ ...config, ...options, signal: budget.signal, memory, usage });
      const api = createGithubApi(config.apiUrl, { fetch, budget, credentials, pauseMilliseconds });
      return {
        // The first page of each workflow run before the further ones of any: else a few long runs would leave none for the rest.
        jobs: createJobLookup(api, owners, clock, () => usage.requests < config.requestsMax / 2),
        runners: createRunnerLookup(api),
        usage: () => structuredClone(usage),
      };
    },
  };
}
