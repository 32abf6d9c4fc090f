import type { Database } from "../database.ts";
import type { ReportOptions } from "../options.ts";

/** Do jobs start in time? From GitHub's `queue_duration`: created to started, by GitHub's clock. */
export interface QueueAnswers {
  /** From when on a job counts as late, in seconds. */
  readonly lateSeconds: number;
  /** The first row is all flavors together and has no `flavor`. */
  readonly byFlavor: readonly QueueRow[];
  /** By the local hour at which the job started; hours without a job are absent. */
  readonly byHour: readonly {
    readonly hour: number;
    readonly count: number;
    readonly p50: number;
    readonly p95: number;
  }[];
  /** Jobs that GitHub shows as cancelled before they had a runner, and the workflow runs about which this is known; absent if it is of none. */
  readonly cancelledInQueue?: { readonly workflowRuns: number; readonly jobs: number };
}

/** Waits of some jobs. Percentiles are absent if GitHub's times are known of none. */
export interface QueueRow {
  readonly flavor?: string;
  readonly jobs: number;
  /** Jobs whose queue time is known. */
  readonly known: number;
  readonly p50?: number;
  readonly p90?: number;
  readonly p95?: number;
  readonly p99?: number;
  readonly max?: number;
  readonly within60: number;
  readonly late: number;
}

export async function queueAnswers(database: Database, { lateSeconds }: ReportOptions): Promise<QueueAnswers> {
  const [cancelledInQueue] = await database.rows<{ workflowRuns: number; jobs: number }>(
    // Every Start of a workflow run counts the same jobs, a later one perhaps more of them.
    `SELECT count(*) AS workflowRuns, sum(jobs) AS jobs FROM (
       SELECT max(jobs_cancelled_in_queue) AS jobs FROM events WHERE event = 'runner_start' AND jobs_cancelled_in_queue IS NOT NULL
       GROUP BY workflow_run_id) HAVING count(*) > 0`,
  );
  return {
    lateSeconds,
    byFlavor: await database.rows(
      `SELECT flavor, jobs, known, q[1] AS p50, q[2] AS p90, q[3] AS p95, q[4] AS p99, max, within60, late FROM (
         SELECT flavor, count(*) AS jobs, count(queue) AS known, quantile_cont(queue, [0.5, 0.9, 0.95, 0.99]) AS q, max(queue) AS max,
           count(*) FILTER (queue <= 60) AS within60, count(*) FILTER (queue > ${lateSeconds}) AS late
         FROM jobs GROUP BY GROUPING SETS ((), (flavor))) ORDER BY flavor NULLS FIRST`,
    ),
    byHour: await database.rows(
      `SELECT hour(local_start) AS hour, count(*) AS count, median(queue) AS p50, quantile_cont(queue, 0.95) AS p95
       FROM jobs WHERE queue IS NOT NULL AND clock_ok GROUP BY hour ORDER BY hour`,
    ),
    ...(cancelledInQueue && { cancelledInQueue }),
  };
}
