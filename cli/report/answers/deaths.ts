import type { Database } from "../database.ts";
import { isPlausible } from "../jobs.ts";
import { quote } from "../load.ts";
import type { ReportOptions } from "../options.ts";

/** Do machines die? */
export interface DeathAnswers {
  /** The first row is all flavors together and has no `flavor`. */
  readonly byFlavor: readonly DeathRow[];
  readonly byCause: readonly { readonly kind: DeathKind; readonly cause: string; readonly count: number }[];
  /** By the local day on which the machine ended or, if that is unknown, on which the job began, the installation began, or the runner was detected. */
  readonly byDay: readonly { readonly day: string; readonly kind: DeathKind; readonly count: number }[];
}

export type DeathKind = "lost" | "install-failed" | "never-used";

export interface DeathRow {
  readonly flavor?: string;
  readonly jobs: number;
  /** Jobs that started and whose runner did not report an end. */
  readonly lost: number;
  /** Runners whose installation was reported as complete, that failed to install, and that were installed and never used. */
  readonly installed: number;
  readonly installFailed: number;
  readonly neverUsed: number;
  /** Minutes of lost jobs whose end is known, and how many these are. */
  readonly lostMinutes: number;
  readonly lostWithKnownEnd: number;
  /** Minutes from the start of the other lost jobs to the detection: they lost at most this. */
  readonly lostMinutesAtMost: number;
  /** Jobs that failed because of the machine: lost, ended abnormally, or normally with all post steps skipped. */
  readonly infrastructureFailures: number;
  /** Jobs that ended normally by their runner's account and whose post steps were all skipped by GitHub's. They are among the above. */
  readonly postStepsSkipped: number;
  /** Other jobs that ended normally with GitHub's conclusion failure. */
  readonly codeFailures: number;
  /** Jobs with a status and, unless lost or abnormal, a conclusion: of these the two above are a share. */
  readonly judged: number;
}

export async function deathAnswers(database: Database, { timeZone }: ReportOptions): Promise<DeathAnswers> {
  return {
    byFlavor: await database.rows(BY_FLAVOR),
    byCause: await database.rows(
      `SELECT kind, cause, count(*) AS count FROM (${DEATHS}) GROUP BY ALL ORDER BY count DESC, kind, cause`,
    ),
    byDay: await database.rows(
      `SELECT timezone(${quote(timeZone)}, to_timestamp(time))::DATE::VARCHAR AS day, kind, count(*) AS count
       FROM (${DEATHS}) WHERE ${isPlausible("time")} GROUP BY ALL ORDER BY day, kind`,
    ),
  };
}

const DEATHS = `
  SELECT 'lost' AS kind, coalesce(cause, 'unknown') AS cause, coalesce(ended_at, start_time) AS time, published FROM jobs WHERE lost
  UNION ALL
  SELECT CASE event WHEN 'runner_install_failed' THEN 'install-failed' ELSE 'never-used' END, coalesce(cause, 'unknown'),
    coalesce(ended_at, CASE WHEN event = 'runner_install_failed' THEN timestamp - age END, timestamp), published FROM dead`;

const BY_FLAVOR = `
  WITH rows AS (
    SELECT flavor, 1 AS job, lost, false AS installed, false AS failed, false AS unused,
      CASE WHEN lost AND ended_at >= began THEN ended_at - began END AS known_seconds,
      CASE WHEN lost AND NOT coalesce(ended_at >= began, false) THEN job_age END AS at_most_seconds,
      coalesce(lost OR status = 'abnormal' OR post_steps_skipped, false) AS infrastructure,
      coalesce(NOT lost AND status = 'normal' AND post_steps_skipped, false) AS skipped,
      coalesce(NOT lost AND status = 'normal' AND conclusion = 'failure' AND NOT post_steps_skipped, false) AS code,
      coalesce(lost OR status = 'abnormal' OR (has_stop AND conclusion IS NOT NULL), false) AS judged
    FROM jobs
    UNION ALL BY NAME SELECT flavor, 0 AS job, true AS installed FROM installs
    UNION ALL BY NAME SELECT flavor, 0 AS job, event = 'runner_install_failed' AS failed, event = 'runner_never_used' AS unused FROM dead)
  SELECT flavor, coalesce(sum(job), 0) AS jobs, count(*) FILTER (lost) AS lost, count(*) FILTER (installed) AS installed,
    count(*) FILTER (failed) AS installFailed, count(*) FILTER (unused) AS neverUsed,
    coalesce(sum(known_seconds), 0) / 60 AS lostMinutes, count(known_seconds) AS lostWithKnownEnd,
    coalesce(sum(at_most_seconds), 0) / 60 AS lostMinutesAtMost,
    count(*) FILTER (infrastructure) AS infrastructureFailures, count(*) FILTER (skipped) AS postStepsSkipped, count(*) FILTER (code) AS codeFailures, count(*) FILTER (judged) AS judged
  FROM rows GROUP BY GROUPING SETS ((), (flavor)) ORDER BY flavor NULLS FIRST`;
