import { createConnections } from "../connections.ts";
import type { Clock, GithubConfig, GithubUsage, JobLookup, RunnerLookup } from "../ports.ts";
import { createGithubApi } from "./api.ts";
import { createCredentials } from "./credentials.ts";
import { type GithubMemory, guardedFetch } from "./guarded-fetch.ts";
import { createJobLookup } from "./job-lookup.ts";
import { createRunnerLookup } from "./runner-lookup.ts";
import { createTimeBudget } from "./time-budget.ts";

/** Calls to GitHub in progress at once; Octokit's own limit is 10. */
const SOCKETS_MAX = 16;

/** GitHub for the runs of one process, which share tokens and cached answers. */
export interface Github {
  /** `deadline`, in milliseconds since the epoch, ends all waiting for GitHub. */
  startRun(deadline: number): GithubRun;
}

/** GitHub for one run, with budgets of its own. */
export interface GithubRun {
  readonly jobs: JobLookup;
  readonly runners: RunnerLookup;
  usage(): GithubUsage;
}

export interface GithubOptions {
  readonly clock: Pick<Clock, "now">;
  /** The text of the secret; with `isFresh`, read again. */
  readonly readSecret: (isFresh: boolean) => Promise<string | undefined>;
  /** For tests: time-out of one call, and the length of a second in Octokit's pauses, both in milliseconds. */
  readonly callTimeoutMilliseconds?: number;
  readonly pauseMilliseconds?: number;
}

export function createGithub(config: GithubConfig, options: GithubOptions): Github {
  const { clock, pauseMilliseconds } = options;
  const credentials = createCredentials(options.readSecret, clock);
  const memory: GithubMemory = { answers: new Map(), limitedUntil: 0 };
  const connections = createConnections(SOCKETS_MAX, config.caCertificates);
  const owners = new Set(config.owners.map((owner) => owner.toLowerCase()));

  return {
    startRun(deadline) {
      connections.close();
      const usage = { requests: 0, rateLimited: 0, statuses: {} };
      const budget = createTimeBudget(config.timeBudgetSeconds * 1_000, clock, deadline);
      const fetch = guardedFetch({ ...config, ...options, signal: budget.signal, connections, memory, usage });
      const api = createGithubApi(config.apiUrl, { fetch, budget, credentials, pauseMilliseconds });
      return {
        // The first page of every workflow run comes first: otherwise a few long runs would use up the calls.
        jobs: createJobLookup(api, owners, () => usage.requests < config.requestsMax / 2),
        runners: createRunnerLookup(api),
        usage: () => structuredClone(usage),
      };
    },
  };
}
