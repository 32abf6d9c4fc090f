import type { Database } from "../database.ts";

/** How long do they run, and how do they end? Rows by repository, workflow and job are in `groups`. */
export interface RunAnswers {
  /** By the local day on which the job started. */
  readonly byDay: readonly {
    readonly day: string;
    readonly flavor: string;
    readonly jobs: number;
    readonly p50?: number;
    readonly p95?: number;
  }[];
  /** GitHub's conclusions; absent where it is not known. */
  readonly byConclusion: readonly { readonly flavor: string; readonly conclusion?: string; readonly count: number }[];
  /** How the runner says that the job ended; `lost` if it did not say. */
  readonly byStatus: readonly { readonly flavor: string; readonly status: string; readonly count: number }[];
}

export async function runAnswers(database: Database): Promise<RunAnswers> {
  return {
    byDay: await database.rows(
      `SELECT local_start::DATE::VARCHAR AS day, flavor, count(*) AS jobs, median(duration) AS p50, quantile_cont(duration, 0.95) AS p95
       FROM jobs WHERE clock_ok GROUP BY ALL ORDER BY day, flavor`,
    ),
    byConclusion: await database.rows(
      `SELECT flavor, conclusion, count(*) AS count FROM jobs WHERE has_stop OR lost GROUP BY ALL
       ORDER BY flavor, count DESC, conclusion`,
    ),
    byStatus: await database.rows(
      `SELECT flavor, CASE WHEN lost THEN 'lost' ELSE status END AS status, count(*) AS count FROM jobs WHERE has_stop OR lost
       GROUP BY ALL ORDER BY flavor, count DESC, status`,
    ),
  };
}
