import { randomBytes } from "node:crypto";
import * as z from "zod";
import { DETAIL_TYPES, EVENT_SCHEMAS } from "../../contract/events.ts";
import type { Database } from "./database.ts";
import type { ReportOptions } from "./options.ts";

/** What was read, before anything is computed. */
export interface Loaded {
  /** Lines that are JSON documents of the form of an event. */
  readonly lines: number;
  /** Lines that are not. They count nowhere else. */
  readonly unreadableLines: number;
  /** Lines whose event is in another line, too, which counts instead. */
  readonly duplicates: number;
}

/**
 * Fills the table `events` from files of the archive: one row for each `event_id` that was published in the period, for the flavors that
 * are reported. Of several lines with one id the one with the most fields counts, then the last. Columns are the fields of `detail` that
 * answers need, and `published` (UNIX seconds).
 */
export async function loadEvents(
  database: Database,
  files: readonly string[],
  options: ReportOptions,
): Promise<Loaded> {
  await database.execute(
    `CREATE TABLE lines (${LINE_COLUMNS.map(({ name, type }) => `"${name}" ${type}`).join(", ")})`,
  );
  for (let index = 0; index < files.length; index += FILES_PER_STATEMENT) {
    await readFiles(database, files.slice(index, index + FILES_PER_STATEMENT));
  }
  const [{ read = 0 } = {}] = await database.rows<{ read: number }>("SELECT count(*) AS read FROM lines");
  await database.makeRoomFor(read);
  const [{ unreadable = 0 } = {}] = await database.rows<{ unreadable: number }>(
    "SELECT count(*) AS unreadable FROM lines WHERE event IS NULL OR event_id IS NULL OR published IS NULL",
  );
  const { from, until, flavors } = options;
  await database.execute(
    `DELETE FROM lines WHERE event IS NULL OR event_id IS NULL OR published IS NULL OR published < ${from} OR published >= ${until}
     ${flavors.length > 0 ? `OR flavor NOT IN (${flavors.map(quote).join(", ")})` : ""}`,
  );
  const [{ total = 0 } = {}] = await database.rows<{ total: number }>("SELECT count(*) AS total FROM lines");
  await database.execute(KEEP_ONE_LINE_FOR_EACH_EVENT);
  const [{ kept = 0 } = {}] = await database.rows<{ kept: number }>("SELECT count(*) AS kept FROM lines");
  if (options.redact) await redactNames(database);
  await database.execute("ALTER TABLE lines RENAME TO events");
  return { lines: total, unreadableLines: unreadable, duplicates: total - kept };
}

/** The same name has the same alias in one report. Without its key, which is kept nowhere, nobody can try whether a name has an alias. */
async function redactNames(database: Database): Promise<void> {
  const key = randomBytes(32).toString("hex");
  const alias = (column: string, kind: string) =>
    `"${column}" = '${kind} ' || substr(sha256('${key}' || "${column}"), 1, ${ALIAS_DIGITS})`;
  await database.execute(
    `UPDATE lines SET ${[alias("workflow", "workflow"), alias("job", "job"), alias("job_name", "job")].join(", ")}`,
  );
}

/** Hexadecimal: two of 10,000 names have one alias in 1 of 20,000 reports. */
const ALIAS_DIGITS = 10;

/** A statement with a list of 100,000 paths takes longer to parse than to run. */
const FILES_PER_STATEMENT = 2_000;

/** A line holds one event: EventBridge accepts at most 256 KB. */
const LINE_BYTES_MAX = 1_048_576;

/** Field of `detail` -> its type in SQL. From the contract, so that no new field is forgotten when fields are counted. */
export const DETAIL_FIELDS: Readonly<Record<string, string>> = Object.fromEntries(
  DETAIL_TYPES.flatMap((type) =>
    Object.entries(z.toJSONSchema(EVENT_SCHEMAS[type], { io: "input", unrepresentable: "any" }).properties ?? {}),
  ).map(([name, schema]) => [name, sqlType(schema)]),
);

/** Fields that answers are computed from. */
const STORED_FIELDS = [
  "event",
  "timestamp",
  "flavor",
  "runner_name",
  "clamped",
  "implausible",
  "duration",
  "workflow",
  "workflow_run_id",
  "repo",
  "job",
  "job_name",
  "run_attempt",
  "verification",
  "idle",
  "queue_duration",
  "jobs_cancelled_in_queue",
  "job_metrics_unknown",
  "status",
  "job_duration",
  "job_conclusion",
  "post_steps_skipped",
  "installation_age",
  "installed_age",
  "job_age",
  "cause",
  "ended_at",
  "reason",
] as const;

const LINE_COLUMNS = [
  { name: "published", type: "DOUBLE", value: "epoch(try_cast(time AS TIMESTAMPTZ))" },
  // A hexadecimal id of 32 digits is a UUID; anything else becomes one.
  { name: "event_id", type: "UUID", value: "coalesce(try_cast(detail.event_id AS UUID), md5(detail.event_id)::UUID)" },
  {
    name: "fields",
    type: "UTINYINT",
    value: Object.keys(DETAIL_FIELDS)
      .map((name) => `(detail."${name}" IS NOT NULL)::UTINYINT`)
      .join(" + "),
  },
  // Of two equally complete lines of one time, the one in the last file counts.
  { name: "file", type: "VARCHAR", value: "parse_filename(filename)" },
  ...STORED_FIELDS.map((name) => ({ name, type: DETAIL_FIELDS[name] ?? "VARCHAR", value: `detail."${name}"` })),
];

async function readFiles(database: Database, files: readonly string[]): Promise<void> {
  const detail = Object.entries(DETAIL_FIELDS).map(([name, type]) => `"${name}" ${type}`);
  await database.execute(`
    INSERT INTO lines SELECT ${LINE_COLUMNS.map(({ value }) => value).join(", ")}
    FROM read_json([${files.map(quote).join(", ")}], format = 'newline_delimited', filename = true, ignore_errors = true,
      maximum_object_size = ${LINE_BYTES_MAX}, columns = { time: 'VARCHAR', detail: 'STRUCT(${detail.join(", ")})' })`);
}

// Most ids occur once, so only the others are sorted.
const KEEP_ONE_LINE_FOR_EACH_EVENT = `
  DELETE FROM lines WHERE rowid IN (
    SELECT rowid FROM (
      SELECT rowid, row_number() OVER (PARTITION BY event_id ORDER BY fields DESC, published DESC, file DESC, rowid DESC) AS place
      FROM lines WHERE event_id IN (SELECT event_id FROM lines GROUP BY event_id HAVING count(*) > 1)
    ) WHERE place > 1
  )`;

function sqlType(schema: unknown): string {
  const { type } = schema as { type?: string };
  if (type === "number" || type === "integer") return "DOUBLE";
  if (type === "boolean") return "BOOLEAN";
  if (type === "array") return "VARCHAR[]";
  return type === "object" ? "JSON" : "VARCHAR";
}

/** Text as a literal of SQL. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
