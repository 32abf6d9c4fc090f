import type { Database } from "../database.ts";

/** Who uses them? One row for each flavor, repository, workflow and job; of the last three the ones that took most hours. */
export interface GroupAnswers {
  readonly flavors: readonly GroupRow[];
  readonly repositories: readonly GroupRow[];
  readonly workflows: readonly GroupRow[];
  readonly jobs: readonly GroupRow[];
  /** How many there are in all. */
  readonly counts: { readonly repositories: number; readonly workflows: number; readonly jobs: number };
}

/** Jobs that have something in common. */
export interface GroupRow {
  readonly flavor?: string;
  readonly repository?: string;
  readonly workflow?: string;
  /** GitHub's name of the job, else the key that the runner reported; absent if neither is known. */
  readonly job?: string;
  readonly jobs: number;
  readonly lost: number;
  readonly success: number;
  readonly failure: number;
  /** Jobs with another conclusion. */
  readonly otherConclusion: number;
  /** success ÷ (success + failure); absent if there is neither. */
  readonly successRate?: number;
  /** Of the jobs whose duration is known. */
  readonly p50?: number;
  readonly p90?: number;
  readonly p95?: number;
  readonly p99?: number;
  readonly max?: number;
  /** Median duration in the first and in the second half of the period. */
  readonly earlierP50?: number;
  readonly laterP50?: number;
  /** Hours of jobs, including lost ones whose end is known. */
  readonly jobHours: number;
  /** The hours of the runners for these jobs: installation, idle and job. */
  readonly runnerHours: number;
  /** Runner hours of flavors that have a price. */
  readonly pricedHours: number;
  /** What the priced hours cost; absent if none has a price. */
  readonly dollars?: number;
}

/** Rows of repositories, workflows and jobs that are kept. */
export const GROUP_ROWS_MAX = 100;

export async function groupAnswers(database: Database): Promise<GroupAnswers> {
  await database.execute(WITH_COSTS);
  const [counts] = await database.rows<GroupAnswers["counts"]>(
    `SELECT count(DISTINCT repo) AS repositories, count(DISTINCT (repo, workflow)) AS workflows,
       count(DISTINCT (repo, workflow, job)) AS jobs FROM jobs`,
  );
  return {
    flavors: await database.rows(groupBy("flavor")),
    repositories: await database.rows(groupBy("repository")),
    workflows: await database.rows(groupBy("repository, workflow")),
    jobs: await database.rows(groupBy("repository, workflow, job")),
    counts: counts ?? { repositories: 0, workflows: 0, jobs: 0 },
  };
}

const WITH_COSTS = `CREATE VIEW costs AS
  SELECT jobs.* RENAME (repo AS repository), price, coalesce(busy, 0) / 3600 AS job_hours,
    (coalesce(busy, 0) + coalesce(idle, 0) + coalesce(installation, 0)) / 3600 AS runner_hours,
    coalesce(start_time < (SELECT (min(start_time) + max(start_time)) / 2 FROM jobs WHERE clock_ok), true) AS is_early
  FROM jobs LEFT JOIN prices USING (flavor)`;

const groupBy = (columns: string) => `
  SELECT * EXCLUDE (q), success / nullif(success + failure, 0) AS successRate, q[1] AS p50, q[2] AS p90, q[3] AS p95, q[4] AS p99 FROM (
    SELECT ${columns}, count(*) AS jobs, count(*) FILTER (lost) AS lost,
      count(*) FILTER (conclusion = 'success') AS success, count(*) FILTER (conclusion = 'failure') AS failure,
      count(*) FILTER (conclusion NOT IN ('success', 'failure')) AS otherConclusion,
      quantile_cont(duration, [0.5, 0.9, 0.95, 0.99]) AS q, max(duration) AS max,
      median(duration) FILTER (clock_ok AND is_early) AS earlierP50, median(duration) FILTER (clock_ok AND NOT is_early) AS laterP50,
      sum(job_hours) AS jobHours, sum(runner_hours) AS runnerHours,
      coalesce(sum(runner_hours) FILTER (price IS NOT NULL), 0) AS pricedHours, sum(runner_hours * price) AS dollars
    FROM costs GROUP BY ${columns} ORDER BY runnerHours DESC, jobs DESC, ${columns} LIMIT ${GROUP_ROWS_MAX})
  ORDER BY runnerHours DESC, jobs DESC, ${columns}`;
