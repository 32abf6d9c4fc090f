import { type DeathAnswers, deathAnswers } from "./answers/deaths.ts";
import { type GroupAnswers, groupAnswers } from "./answers/groups.ts";
import { type PoolAnswers, poolAnswers } from "./answers/pool.ts";
import { type QueueAnswers, queueAnswers } from "./answers/queue.ts";
import { type RunAnswers, runAnswers } from "./answers/runs.ts";
import { type TrustAnswers, trustAnswers } from "./answers/trust.ts";
import { type WaitAnswers, waitAnswers } from "./answers/waits.ts";
import { type WasteAnswers, wasteAnswers } from "./answers/waste.ts";
import type { Database } from "./database.ts";
import { createJobs } from "./jobs.ts";
import type { Loaded } from "./load.ts";
import type { ReportOptions } from "./options.ts";

/**
 * The numbers of a report, before they are put into words: the content of `--json`. Durations are in seconds, shares from 0 to 1, times
 * UNIX seconds, days ISO 8601 in the operator's time zone. What is not known is absent, never 0. Fields may be added.
 */
export interface Answers {
  readonly period: Period;
  readonly trust: TrustAnswers;
  readonly queue: QueueAnswers;
  readonly waits: WaitAnswers;
  readonly runs: RunAnswers;
  readonly deaths: DeathAnswers;
  readonly waste: WasteAnswers;
  readonly pool: PoolAnswers;
  readonly groups: GroupAnswers;
}

/** What is reported on. */
export interface Period {
  readonly from: number;
  readonly until: number;
  readonly timeZone: string;
  /** Publication of the first and of the last event; absent if there is none. */
  readonly firstEvent?: number;
  readonly lastEvent?: number;
  readonly flavors: readonly string[];
  readonly jobs: number;
}

/** Computes all answers from the table `events`. */
export async function computeAnswers(database: Database, loaded: Loaded, options: ReportOptions): Promise<Answers> {
  await createJobs(database, options);
  return {
    period: await periodOf(database, options),
    trust: await trustAnswers(database, loaded, options),
    queue: await queueAnswers(database, options),
    waits: await waitAnswers(database),
    runs: await runAnswers(database),
    deaths: await deathAnswers(database, options),
    waste: await wasteAnswers(database, options),
    pool: await poolAnswers(database, options),
    groups: await groupAnswers(database),
  };
}

async function periodOf(database: Database, { from, until, timeZone }: ReportOptions): Promise<Period> {
  const [seen] = await database.rows<{ firstEvent?: number; lastEvent?: number; flavors: string[] }>(
    `SELECT min(published) AS firstEvent, max(published) AS lastEvent, coalesce(list_sort(list(DISTINCT flavor)), []) AS flavors FROM events`,
  );
  const [{ jobs = 0 } = {}] = await database.rows<{ jobs: number }>("SELECT count(*) AS jobs FROM jobs");
  return { from, until, timeZone, flavors: [], ...seen, jobs };
}
