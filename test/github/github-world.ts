/** A local GitHub, and the adapter that asks it: what the tests of this folder have in common. */
import { afterEach } from "vitest";
import { type RunnerMetrics, runnerMetrics } from "../../functions/domain/runner-metrics.ts";
import { type JobAnswer, verifyJob } from "../../functions/domain/verify-job.ts";
import type { GithubApi } from "../../functions/github/api.ts";
import { createGithub, type GithubOptions, type GithubRun } from "../../functions/github/github.ts";
import type { GithubConfig } from "../../functions/ports.ts";
import { type LocalGithub, type LocalGithubOptions, startLocalGithub } from "../../local/github.ts";
import { FILES, NOW } from "../worlds/memory.ts";

/** What the runners of the worlds claim. */
export const REPOSITORY = "acme/widgets";
export const RUN_ID = "6873452345";

/** Times of a job that was queued for 80 s, as the runners of the worlds did it. */
export const QUEUED_80_SECONDS = { createdAt: "2023-11-14T22:14:00Z", startedAt: "2023-11-14T22:15:20Z" };

const started: LocalGithub[] = [];
afterEach(async () => {
  for (const github of started.splice(0)) await github.close();
});

export interface GithubWorld {
  readonly github: LocalGithub;
  readonly config: GithubConfig;
  /** Milliseconds that the adapter's clock is ahead of the real one. */
  readonly clock: { ahead: number; now(): number };
  /** How often the secret was read. */
  readonly secretReads: boolean[];
  /** GitHub for one run. Each shares tokens and kept answers with those before it. */
  startRun(deadline?: number): GithubRun & { jobs: { find(metrics: RunnerMetrics): Promise<JobAnswer> } };
  /** Paths of all requests but those for tokens. */
  asked(): string[];
}

/** Pauses of Octokit's are 100 times shorter than in earnest. */
export async function startGithubWorld(
  changes: Partial<GithubConfig> & Partial<GithubOptions> & LocalGithubOptions & { secret?: () => string } = {},
): Promise<GithubWorld> {
  const clock = { ahead: 0, now: () => Date.now() + clock.ahead };
  const github = await startLocalGithub({ now: clock.now, ...changes });
  started.push(github);
  const secretReads: boolean[] = [];
  const config: GithubConfig = {
    apiUrl: github.apiUrl,
    secretId: "github",
    owners: ["acme"],
    timeBudgetSeconds: 600,
    requestsMax: 500,
    ...changes,
  };
  const { startRun } = createGithub(config, {
    clock,
    pauseMilliseconds: 10,
    ...changes,
    async readSecret(isFresh) {
      secretReads.push(isFresh);
      return changes.secret ? changes.secret() : github.secret;
    },
  });
  return {
    github,
    config,
    clock,
    secretReads,
    startRun(deadline = Number.POSITIVE_INFINITY) {
      const { jobs, ...run } = startRun(deadline);
      const find = async (metrics: RunnerMetrics) => verifyJob(await jobs.jobsOf(metrics), metrics, clock.now());
      return { ...run, jobs: { ...jobs, find } };
    },
    asked: () => github.requests.filter(({ method }) => method === "GET").map(({ path }) => path),
  };
}

/** What a runner of this name claims to have done; uploaded at `uploadedAt`. */
export function claimOf(
  runner: string,
  claim: { repository?: string; workflow_run_id?: string } = {},
  uploadedAt = NOW,
): RunnerMetrics {
  const preJob = { ...JSON.parse(FILES["pre-job-metrics.json"]), ...claim };
  const contents = Object.entries({ ...FILES, "pre-job-metrics.json": JSON.stringify(preJob) });
  const files = contents.map(([name, text]) => [name, { bytes: Buffer.from(text), lastModified: uploadedAt }]);
  const metrics = runnerMetrics(runner, Object.fromEntries(files));
  if (metrics.kind !== "metrics") throw new Error(`The claim is ${metrics.kind}.`);
  return metrics;
}

/** An API whose every page is the next of these; an error fails. `asked` gets path, query and permissions. */
export function pagedApi(pages: readonly unknown[]) {
  const asked: unknown[] = [];
  const api: GithubApi = {
    within: (task) => task(),
    async get(path, query, permissions) {
      const answer = pages[asked.length];
      asked.push([path.join("/"), query, permissions]);
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
  return { api, asked };
}
