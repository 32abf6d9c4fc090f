import type { Database } from "../database.ts";

/** What do they wait for? */
export interface WaitAnswers {
  /** The first row is all flavors together and has no `flavor`. Flavors without a known queue time are absent. */
  readonly byFlavor: readonly WaitRow[];
}

/**
 * The mean wait of jobs in seconds, in parts: `queue` is the sum of the four. `machine`: queued, until the installation of the runner that
 * took the job started. `installation`: the part of it that the job waited for. `pickUp`: the part of the runner's idle time that the job
 * waited for. `residual`: waits that cannot be split, because the installation is unknown or a clock was set back.
 */
export interface WaitRow {
  readonly flavor?: string;
  /** Jobs whose queue time is known. */
  readonly jobs: number;
  readonly queue: number;
  readonly machine: number;
  readonly installation: number;
  readonly pickUp: number;
  readonly residual: number;
  /** Jobs of which it is known whether their runner's installation started after they were queued, and for how many it did. */
  readonly machineKnown: number;
  readonly newMachine: number;
  /** Jobs of the above that were queued while their runner was being installed. */
  readonly duringInstallation: number;
}

export async function waitAnswers(database: Database): Promise<WaitAnswers> {
  return {
    byFlavor: await database.rows(
      `SELECT flavor, count(*) AS jobs, avg(queue) AS queue, avg(machine) AS machine, avg(installing) AS installation,
         avg(pick_up) AS pickUp, avg(queue - machine - installing - pick_up) AS residual,
         count(waited_for) AS machineKnown, count(*) FILTER (waited_for = 'machine') AS newMachine,
         count(*) FILTER (waited_for = 'installation') AS duringInstallation
       FROM (
         SELECT flavor, queue, waited_for,
           CASE WHEN waited_for = 'machine' THEN queue - idle - installation ELSE 0 END AS machine,
           CASE waited_for WHEN 'machine' THEN installation WHEN 'installation' THEN queue - idle ELSE 0 END AS installing,
           CASE waited_for WHEN 'none' THEN queue WHEN 'machine' THEN idle WHEN 'installation' THEN idle ELSE 0 END AS pick_up
         FROM jobs WHERE queue IS NOT NULL)
       GROUP BY GROUPING SETS ((), (flavor)) HAVING count(*) > 0 ORDER BY flavor NULLS FIRST`,
    ),
  };
}
