import * as z from "zod";
import { type GithubJob, summarizeSteps, type WorkflowRunJobs } from "../domain/verify-job.ts";
import type { JobLookup } from "../ports.ts";
import { type GithubApi, PAGE_SIZE } from "./api.ts";
import { GithubFailure, reasonOf } from "./failure.ts";

/** Pages of one workflow run that are read. A matrix has at most 256 jobs, but a run several of them, and many attempts. */
const PAGES_MAX = 30;

/** Jobs in memory. Beyond that, the workflow runs that were requested first are dropped. */
const CACHED_JOBS_MAX = 100_000;

/** GitHub's ids are 64-bit integers. */
const RUN_ID = /^[1-9][0-9]{0,18}$/;

const ACTIONS = { actions: "read" } as const;

/** GitHub's ids are numbers, some of them too large for JavaScript's. */
const id = z.union([z.number(), z.bigint()]).transform(String);

/** A text that the author of a workflow chose, cut to a length that fits into an event. */
const text = z.string().transform((value) => value.slice(0, 1_000));

/** Steps are summarized as they are read: 100 jobs with their steps take 500 KB. Steps of another form are not known. */
const steps = z
  .array(z.object({ name: z.string(), conclusion: z.string().nullish().default(null) }))
  .transform(summarizeSteps)
  .optional()
  .catch(undefined);

/** The fields of GitHub's answer that are used. */
const page = z.object({
  total_count: z.int().nonnegative(),
  jobs: z.array(
    z.object({
      run_id: id,
      id: id.optional(),
      name: text.optional(),
      labels: z.array(text).max(100).optional(),
      run_attempt: z.int().optional(),
      status: z.string(),
      runner_name: z.string().nullish().default(null),
      created_at: z.string(),
      started_at: z.string().nullish().default(null),
      conclusion: z.string().nullish().default(null),
      steps,
    }),
  ),
});

/**
 * GitHub's jobs for one run of ours: requests each workflow run once, with all attempts and pages, and only for repositories of these
 * owners (in lower case). `mayFetchNextPage` is called before every page but the first of a workflow run.
 */
export function createJobLookup(
  api: GithubApi,
  owners: ReadonlySet<string>,
  mayFetchNextPage: () => boolean,
): JobLookup {
  const requested = new Map<string, Promise<WorkflowRunJobs>>();
  const cached = new Map<string, number>();
  let cachedJobs = 0;

  return {
    async jobsOf({ preJob }) {
      if (!preJob || !owners.has(ownerOf(preJob.repository))) return { jobs: [], unknown: "owner-not-allowed" };
      const { repository, workflow_run_id: runId } = preJob;
      if (!RUN_ID.test(runId)) return { jobs: [], unknown: "not-found" };
      try {
        return await api.within(() => requestOnce(repository, runId));
      } catch (error) {
        return { jobs: [], unknown: reasonOf(error) };
      }
    },
  };

  function requestOnce(repository: string, runId: string): Promise<WorkflowRunJobs> {
    const key = `${repository}/${runId}`.toLowerCase();
    const known = requested.get(key);
    if (known) return known;
    const jobs = requestJobs(repository, runId);
    requested.set(key, jobs);
    jobs.then((found) => remember(key, found.jobs.length)).catch(() => {});
    return jobs;
  }

  function remember(key: string, count: number): void {
    cached.set(key, count);
    cachedJobs += count;
    for (const [oldest, jobs] of cached) {
      if (cachedJobs <= CACHED_JOBS_MAX || oldest === key) return;
      requested.delete(oldest);
      cached.delete(oldest);
      cachedJobs -= jobs;
    }
  }

  async function requestJobs(repository: string, runId: string): Promise<WorkflowRunJobs> {
    const path = ["repos", ...repository.split("/"), "actions", "runs", runId, "jobs"];
    const jobs: GithubJob[] = [];
    for (let number = 1; number <= PAGES_MAX; number++) {
      if (number > 1 && !mayFetchNextPage()) return { jobs, unknown: "request-budget" };
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

/** In lower case: owners have no case. */
function ownerOf(repository: string): string {
  return repository.slice(0, repository.indexOf("/")).toLowerCase();
}
