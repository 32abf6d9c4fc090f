import type { Database } from "./database.ts";
import { quote } from "./load.ts";
import type { ReportOptions } from "./options.ts";

/**
 * A timestamp is used for days, hours and concurrency only if it lies in this window around the publication of its event, in seconds. The
 * lower limit is GitHub's for a workflow run, 35 days, and some days until a lost runner is detected; the upper one is that of the files.
 * https://docs.github.com/en/actions/reference/limits
 */
export const CLOCK_WINDOW_SECONDS = { before: 40 * 86_400, after: 86_400 } as const;

/** SQL that says whether a time of a row with `published` is in this window. */
export const isPlausible = (timestamp: string) =>
  `${timestamp} BETWEEN published - ${CLOCK_WINDOW_SECONDS.before} AND published + ${CLOCK_WINDOW_SECONDS.after}`;

/**
 * Makes the tables that all answers are computed from. Values that were clamped to 0 are no measurements: they are NULL here.
 *
 * `jobs`: one row for each job, with what its Start, its Stop or Lost, and its runner's Installed say.
 * `dead`: one row for each failed installation and each runner that was never used.
 * `prices`: dollars for an hour, by flavor.
 */
export async function createJobs(database: Database, options: ReportOptions): Promise<void> {
  const prices = Object.entries(options.pricePerHour).map(([flavor, price]) => `(${quote(flavor)}, ${price}::DOUBLE)`);
  await database.execute("CREATE TABLE prices (flavor VARCHAR, price DOUBLE)");
  if (prices.length > 0) await database.execute(`INSERT INTO prices VALUES ${prices.join(", ")}`);
  for (const statement of STATEMENTS)
    await database.execute(statement.replaceAll("$timeZone", quote(options.timeZone)));
}

const measured = (field: string) => `CASE WHEN list_contains(clamped, '${field}') THEN NULL ELSE "${field}" END`;

// All fields that a Start and its Stop copy from the same pre-job file. The runner chose some of them, but not the first two.
const SAME_JOB = `concat_ws(chr(31), flavor, runner_name, repo, workflow_run_id, coalesce(run_attempt::INTEGER::VARCHAR, ''), coalesce(job, ''))`;

// Times are decimals of seconds; their differences are exact to less than a microsecond.
const milliseconds = (seconds: string) => `round((${seconds}) * 1000)`;

const STATEMENTS = [
  // Starts and ends of one job have the same `same_job` and `began`; `place` tells apart what has both in common.
  `CREATE TABLE starts AS SELECT *, row_number() OVER (PARTITION BY same_job, began ORDER BY event_id) AS place FROM (
     SELECT event_id, published, ${SAME_JOB} AS same_job, ${milliseconds("timestamp")} AS began, timestamp, flavor, runner_name, repo, workflow,
       workflow_run_id, coalesce(job_name, job) AS job, verification, ${measured("idle")} AS idle, ${measured("queue_duration")} AS queue
     FROM events WHERE event = 'runner_start')`,

  `CREATE TABLE ends AS SELECT *, row_number() OVER (PARTITION BY event, same_job, began ORDER BY event_id) AS place FROM (
     SELECT event_id, event, published, ${SAME_JOB} AS same_job, timestamp, flavor, runner_name, repo, workflow, workflow_run_id,
       coalesce(job_name, job) AS job, verification, status, job_conclusion AS conclusion, coalesce(post_steps_skipped, false) AS post_steps_skipped, cause, ended_at,
       ${measured("job_duration")} AS duration, ${measured("job_age")} AS job_age,
       ${milliseconds(`timestamp - CASE event WHEN 'runner_stop' THEN ${measured("job_duration")} ELSE ${measured("job_age")} END`)} AS began
     FROM events WHERE event IN ('runner_stop', 'runner_lost'))`,

  // First by the time at which the job began; what is left (a clock was set back) by order.
  `CREATE TABLE stop_pairs AS SELECT s.event_id AS start_id, e.event_id AS end_id
     FROM starts s JOIN ends e ON e.event = 'runner_stop' AND s.same_job = e.same_job AND s.began = e.began AND s.place = e.place`,
  `INSERT INTO stop_pairs SELECT s.event_id, e.event_id FROM (
     SELECT event_id, same_job, row_number() OVER (PARTITION BY same_job ORDER BY timestamp, event_id) AS place FROM starts
       WHERE same_job IN (SELECT same_job FROM ends WHERE event = 'runner_stop') AND event_id NOT IN (SELECT start_id FROM stop_pairs)) s
     JOIN (SELECT event_id, same_job, row_number() OVER (PARTITION BY same_job ORDER BY timestamp, event_id) AS place FROM ends
       WHERE event = 'runner_stop' AND event_id NOT IN (SELECT end_id FROM stop_pairs)) e
     ON s.same_job = e.same_job AND s.place = e.place`,

  // A Lost of a job that has a Stop does not count: by its Start, by the time at which it began, or, if that is unknown, by its job.
  `CREATE TABLE overridden AS SELECT DISTINCT l.event_id FROM ends l WHERE l.event = 'runner_lost' AND (
     EXISTS (SELECT 1 FROM stop_pairs p JOIN starts s ON s.event_id = p.start_id WHERE s.same_job = l.same_job AND s.began = l.began)
     OR EXISTS (SELECT 1 FROM ends e WHERE e.event = 'runner_stop' AND e.same_job = l.same_job AND (e.began = l.began OR l.began IS NULL)))`,
  "DELETE FROM ends WHERE event_id IN (SELECT event_id FROM overridden)",

  `CREATE TABLE lost_pairs AS SELECT s.event_id AS start_id, e.event_id AS end_id
     FROM starts s JOIN ends e ON e.event = 'runner_lost' AND s.same_job = e.same_job AND s.began = e.began AND s.place = e.place
     WHERE s.event_id NOT IN (SELECT start_id FROM stop_pairs)`,

  `CREATE TABLE installs AS SELECT *, row_number() OVER (PARTITION BY flavor, runner_name, installed ORDER BY event_id) AS place FROM (
     SELECT event_id, published, flavor, runner_name, timestamp, ${milliseconds("timestamp")} AS installed, ${measured("duration")} AS installation
     FROM events WHERE event = 'runner_installed')`,
  `CREATE TABLE install_pairs AS SELECT s.event_id AS start_id, i.event_id AS install_id FROM (
     SELECT *, row_number() OVER (PARTITION BY flavor, runner_name, installed ORDER BY event_id) AS nth FROM (
       SELECT event_id, flavor, runner_name, ${milliseconds("timestamp - idle")} AS installed FROM starts)) s
     JOIN installs i ON s.flavor = i.flavor AND s.runner_name = i.runner_name AND s.installed = i.installed AND s.nth = i.place`,
  // A clock was set back, or there is no \`idle\`: only if there is no other choice.
  `INSERT INTO install_pairs SELECT s.event_id, i.event_id FROM
     (SELECT any_value(event_id) AS event_id, flavor, runner_name FROM starts GROUP BY flavor, runner_name HAVING count(*) = 1) s
     JOIN (SELECT any_value(event_id) AS event_id, flavor, runner_name FROM installs GROUP BY flavor, runner_name HAVING count(*) = 1) i
     USING (flavor, runner_name)
     WHERE s.event_id NOT IN (SELECT start_id FROM install_pairs)`,

  `CREATE TABLE jobs AS SELECT *,
     coalesce(began, timestamp - duration) AS start_time,
     coalesce(duration, CASE WHEN ended_at >= began THEN ended_at - began END) AS busy,
     CASE WHEN queue > idle + installation THEN 'machine' WHEN queue > idle AND installation IS NOT NULL THEN 'installation'
       WHEN queue <= idle THEN 'none' END AS waited_for
   FROM (
     SELECT s.event_id IS NOT NULL AS has_start, e.event IS NOT DISTINCT FROM 'runner_stop' AS has_stop, e.event IS NOT DISTINCT FROM 'runner_lost' AS lost,
       coalesce(s.flavor, e.flavor) AS flavor, coalesce(s.repo, e.repo) AS repo, coalesce(s.workflow, e.workflow) AS workflow,
       coalesce(e.job, s.job) AS job, coalesce(e.verification, s.verification) AS verification,
       s.timestamp AS began, s.idle, s.queue, e.timestamp, e.duration, e.job_age, e.status, e.conclusion, e.post_steps_skipped, e.cause, e.ended_at,
       i.event_id IS NOT NULL AS has_install, i.installation,
       coalesce(e.published, s.published) AS published,
       coalesce(e.published, s.published) - e.timestamp AS lag
     FROM starts s
     FULL JOIN (SELECT p.start_id, e.* FROM ends e LEFT JOIN (FROM stop_pairs UNION ALL FROM lost_pairs) p ON p.end_id = e.event_id) e ON e.start_id = s.event_id
     LEFT JOIN install_pairs ip ON ip.start_id = s.event_id
     LEFT JOIN installs i ON i.event_id = ip.install_id)`,
  `ALTER TABLE jobs ADD COLUMN clock_ok BOOLEAN`,
  `UPDATE jobs SET clock_ok = coalesce(${isPlausible("start_time")}, false)`,
  `ALTER TABLE jobs ADD COLUMN local_start TIMESTAMP`,
  `UPDATE jobs SET local_start = timezone($timeZone, to_timestamp(start_time)) WHERE clock_ok`,

  `CREATE TABLE dead AS SELECT event, flavor, published, timestamp, cause,
     CASE event WHEN 'runner_install_failed' THEN ${measured("installation_age")} ELSE ${measured("installed_age")} END AS age,
     ended_at
   FROM events WHERE event IN ('runner_install_failed', 'runner_never_used')`,
];
