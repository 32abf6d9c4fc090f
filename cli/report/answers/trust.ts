import type { Database } from "../database.ts";
import { type Loaded, quote } from "../load.ts";
import type { ReportOptions } from "../options.ts";

/** Can I trust these numbers? */
export interface TrustAnswers extends Loaded {
  /** Events that count, each once. */
  readonly events: number;
  /** The first row is all flavors together and has no `flavor`. */
  readonly coverage: readonly Coverage[];
  readonly quarantined: readonly { readonly flavor: string; readonly reason: string; readonly count: number }[];
  /** Durations that were negative and are in no other answer. */
  readonly clamped: readonly { readonly field: string; readonly count: number }[];
  /** Durations of more than 400 days, which are in no event. */
  readonly implausible: readonly { readonly field: string; readonly count: number }[];
  /** Jobs whose start is unknown or far from the publication of their events: they are in no answer by day or hour. */
  readonly jobsOutsideClockWindow: number;
  /** Lost events that do not count, since the job's Stop came after all. */
  readonly overriddenLost: number;
  /** Seconds from the end of a job (runner's clock) to the publication of its Stop. */
  readonly lag: { readonly count: number; readonly p50?: number; readonly p95?: number; readonly max?: number };
  /** Days between the first and the last event of a flavor without any event of it. */
  readonly gaps: readonly {
    readonly flavor: string;
    readonly days: number;
    readonly first: string;
    readonly last: string;
  }[];
  /** Why values that only GitHub knows are absent. */
  readonly githubUnknown: readonly { readonly reason: string; readonly count: number }[];
}

/** How many of the jobs have which values. */
export interface Coverage {
  readonly flavor?: string;
  readonly jobs: number;
  /** Start and end of the installation, start and end of the job. */
  readonly allTimes: number;
  readonly withInstallation: number;
  readonly withStart: number;
  readonly withEnd: number;
  readonly withQueue: number;
  readonly withConclusion: number;
  readonly mismatches: number;
}

export async function trustAnswers(
  database: Database,
  loaded: Loaded,
  { timeZone }: ReportOptions,
): Promise<TrustAnswers> {
  const durationsIn = (list: string) =>
    database.rows<{ field: string; count: number }>(
      `SELECT field, count(*) AS count FROM (SELECT unnest(${list}) AS field FROM events WHERE ${list} IS NOT NULL) GROUP BY field ORDER BY field`,
    );
  const [counts] = await database.rows<{ outside: number; overridden: number }>(
    "SELECT (SELECT count(*) FROM jobs WHERE NOT clock_ok) AS outside, (SELECT count(*) FROM overridden) AS overridden",
  );
  const [lag] = await database.rows<TrustAnswers["lag"]>(
    `SELECT count(*) AS count, median(lag) AS p50, quantile_cont(lag, 0.95) AS p95, max(lag) AS max FROM jobs WHERE has_stop AND clock_ok`,
  );
  return {
    ...loaded,
    events: loaded.lines - loaded.duplicates,
    coverage: await database.rows(
      `SELECT flavor, count(*) AS jobs,
         count(*) FILTER (has_install AND has_start AND has_stop) AS allTimes,
         count(*) FILTER (has_install) AS withInstallation, count(*) FILTER (has_start) AS withStart,
         count(*) FILTER (has_stop) AS withEnd, count(queue) AS withQueue, count(conclusion) AS withConclusion,
         count(*) FILTER (verification = 'mismatch') AS mismatches
       FROM jobs GROUP BY GROUPING SETS ((), (flavor)) ORDER BY flavor NULLS FIRST`,
    ),
    quarantined: await database.rows(
      `SELECT flavor, coalesce(reason, 'unknown') AS reason, count(*) AS count FROM events WHERE event = 'metrics_quarantined'
       GROUP BY ALL ORDER BY count DESC, flavor, reason`,
    ),
    clamped: await durationsIn("clamped"),
    implausible: await durationsIn("implausible"),
    jobsOutsideClockWindow: counts?.outside ?? 0,
    overriddenLost: counts?.overridden ?? 0,
    lag: lag ?? { count: 0 },
    gaps: await database.rows(gapsIn(timeZone)),
    githubUnknown: await database.rows(
      `SELECT job_metrics_unknown AS reason, count(*) AS count FROM events WHERE job_metrics_unknown IS NOT NULL
       GROUP BY ALL ORDER BY count DESC, reason`,
    ),
  };
}

const gapsIn = (timeZone: string) => `
  WITH days AS (SELECT DISTINCT flavor, timezone(${quote(timeZone)}, to_timestamp(published))::DATE AS day FROM events),
  next AS (SELECT flavor, day, lead(day) OVER (PARTITION BY flavor ORDER BY day) AS following FROM days)
  SELECT flavor, (following - day - 1)::INTEGER AS days, (day + 1)::DATE::VARCHAR AS first, (following - 1)::DATE::VARCHAR AS last
  FROM next WHERE following - day > 1 ORDER BY flavor, day`;
