import * as z from "zod";
import { answerOf, type GithubJob, type JobMetricsUnknown } from "../metrics/github-job.ts";
import { runnerName } from "../metrics/runner-metrics.ts";
import type { Clock, JobLookup } from "../ports.ts";
import { type GithubApi, PAGE_SIZE } from "./api.ts";
import { GithubFailure, reasonOf } from "./failure.ts";

/** Pages of one workflow run that are read. A matrix has at most 256 jobs, but a run several of them, and many attempts. */
const PAGES_MAX = 30;

/** Jobs that are kept in memory. Of the workflow runs beyond that, the ones asked for first are forgotten. */
const JOBS_KEPT_MAX = 100_000;

/** GitHub's ids are 64-bit integers. */
const RUN_ID = /^[1-9][0-9]{0,18}$/;

const ACTIONS = { actions: "read" } as const;

/** What is used of GitHub's answer, and no more. */
const page = z.object({
  total_count: z.int().nonnegative(),
  jobs: z.array(
    z.object({
      run_id: z.union([z.number(), z.bigint()]).transform(String),
      status: z.string(),
      runner_name: z.string().nullish().default(null),
      created_at: z.string(),
      started_at: z.string().nullish().default(null),
      conclusion: z.string().nullish().default(null),
    }),
  ),
});

/** The jobs of a workflow run; with `unknown`, not all of them, and why. */
interface RunJobs {
  readonly jobs: readonly GithubJob[];
  readonly unknown?: JobMetricsUnknown;
}

/**
 * GitHub's jobs for one run of ours: asks for each workflow run once, for all attempts and pages, and only for repositories of
 * these owners (in lower case). `mayReadOn` is asked before each page but a workflow run's first.
 */
export function createJobLookup(
  api: GithubApi,
  owners: ReadonlySet<string>,
  clock: Pick<Clock, "now">,
  mayReadOn: () => boolean,
): JobLookup {
  const asked = new Map<string, Promise<RunJobs>>();
  const kept = new Map<string, number>();
  let jobsKept = 0;

  return {
    async find(metrics) {
      if (!metrics.preJob) return undefined;
      const { repository, workflow_run_id: runId } = metrics.preJob;
      const [owner = "", name = ""] = repository.split("/");
      if (!owners.has(owner.toLowerCase())) return { unknown: "owner-not-allowed" };
      if (!RUN_ID.test(runId)) return { unknown: "not-found" };
      try {
        const { jobs, unknown } = await api.within(() => jobsOf(owner, name, runId));
        const answer = answerOf(jobs, metrics, runnerName(metrics.storage), clock.now());
        return unknown && "unknown" in answer ? { unknown } : answer;
      } catch (error) {
        return { unknown: reasonOf(error) };
      }
    },
  };

  function jobsOf(owner: string, name: string, runId: string): Promise<RunJobs> {
    const key = `${owner}/${name}/${runId}`.toLowerCase();
    const known = asked.get(key);
    if (known) return known;
    const jobs = askForJobs(owner, name, runId);
    asked.set(key, jobs);
    jobs.then((found) => remember(key, found.jobs.length)).catch(() => {});
    return jobs;
  }

  function remember(key: string, count: number): void {
    kept.set(key, count);
    jobsKept += count;
    for (const [oldest, jobs] of kept) {
      if (jobsKept <= JOBS_KEPT_MAX || oldest === key) return;
      asked.delete(oldest);
      kept.delete(oldest);
      jobsKept -= jobs;
    }
  }

  async function askForJobs(owner: string, name: string, runId: string): Promise<RunJobs> {
    const path = ["repos", owner, name, "actions", "runs", runId, "jobs"];
    const jobs: GithubJob[] = [];
    for (let number = 1; number <= PAGES_MAX; number++) {
      if (number > 1 && !mayReadOn()) return { jobs, unknown: "request-budget" };
      let answer: unknown;
      try {
        answer = await api.get(path, { filter: "all", per_page: String(PAGE_SIZE), page: String(number) }, ACTIONS);
      } catch (error) {
        return { jobs, unknown: reasonOf(error) };
      }
      const { data } = page.safeParse(answer);
      if (!data?.jobs.every(({ run_id }) => run_id === runId)) throw new GithubFailure("invalid-answer");
      jobs.push(...data.jobs.map(({ run_id: _, ...job }) => job));
      if (jobs.length >= data.total_count) return { jobs };
      if (data.jobs.length === 0) return { jobs, unknown: "invalid-answer" };
    }
    return { jobs, unknown: "too-many-pages" };
  }
}
