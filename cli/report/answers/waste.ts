import type { Database } from "../database.ts";
import type { ReportOptions } from "../options.ts";

/** What is wasted, and what does it cost? */
export interface WasteAnswers {
  /** The first row is all flavors together and has no `flavor`. */
  readonly byFlavor: readonly WasteRow[];
}

/** Hours of runners. A runner's hours are those of its installation, its idle time and its job. */
export interface WasteRow {
  readonly flavor?: string;
  /** Hours of jobs that ended. */
  readonly jobHours: number;
  /** Hours of jobs that were lost, if their end is known. */
  readonly lostHours: number;
  readonly idleHours: number;
  readonly installationHours: number;
  /** Hours of runners that were never used, from installed to the end of the machine; only if that is known. */
  readonly unusedHours: number;
  /** jobHours ÷ all of the above; absent if they are 0. */
  readonly utilisation?: number;
  /** Dollars for an hour; of one flavor only. */
  readonly price?: number;
  /** Hours of flavors that have a price. */
  readonly pricedHours: number;
  /** What the priced hours cost; absent if none has a price. */
  readonly dollars?: number;
  /** What the priced hours that were not job hours cost. */
  readonly wastedDollars?: number;
}

export async function wasteAnswers(database: Database, options: ReportOptions): Promise<WasteAnswers> {
  const rows = await database.rows<WasteRow>(BY_FLAVOR);
  return {
    byFlavor: rows.map((row) => {
      const price = row.flavor === undefined ? undefined : options.pricePerHour[row.flavor];
      return price === undefined ? row : { ...row, price };
    }),
  };
}

const BY_FLAVOR = `
  WITH rows AS (
    SELECT flavor, coalesce(CASE WHEN has_stop THEN duration END, 0) AS job, coalesce(CASE WHEN lost THEN busy END, 0) AS lost,
      coalesce(idle, 0) AS idle, 0 AS installation, 0 AS unused FROM jobs
    UNION ALL SELECT flavor, 0, 0, 0, coalesce(installation, 0), 0 FROM installs
    UNION ALL SELECT flavor, 0, 0, 0, 0, CASE WHEN event = 'runner_never_used' AND ended_at >= timestamp - age THEN ended_at - (timestamp - age) ELSE 0 END FROM dead),
  hours AS (
    SELECT flavor, price, job / 3600 AS job, lost / 3600 AS lost, idle / 3600 AS idle, installation / 3600 AS installation,
      unused / 3600 AS unused, (job + lost + idle + installation + unused) / 3600 AS total
    FROM rows LEFT JOIN prices USING (flavor))
  SELECT flavor, coalesce(sum(job), 0) AS jobHours, coalesce(sum(lost), 0) AS lostHours, coalesce(sum(idle), 0) AS idleHours,
    coalesce(sum(installation), 0) AS installationHours, coalesce(sum(unused), 0) AS unusedHours,
    CASE WHEN sum(total) > 0 THEN sum(job) / sum(total) END AS utilisation,
    coalesce(sum(total) FILTER (price IS NOT NULL), 0) AS pricedHours, sum(total * price) AS dollars, sum((total - job) * price) AS wastedDollars
  FROM hours GROUP BY GROUPING SETS ((), (flavor)) ORDER BY flavor NULLS FIRST`;
