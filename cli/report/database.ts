import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import type { DuckDBConnection, DuckDBValue } from "@duckdb/node-api";

/**
 * Memory that DuckDB uses for tables and sorting, in bytes for each event, and at least for a million. What does not fit goes to the temporary
 * file; but some of a sort has to fit.
 */
const MEMORY_BYTES_OF_EVENT = 400;
const EVENTS_MIN = 1_000_000;

/** A temporary database. Numbers come out as JavaScript numbers, SQL's NULL as an absent field. */
export interface Database {
  execute(sql: string, parameters?: Parameters): Promise<void>;
  rows<Row>(sql: string, parameters?: Parameters): Promise<Row[]>;
  /** Allows the memory that so many events take, but no more than half of the machine's. */
  makeRoomFor(events: number): Promise<void>;
  /** Columns of doubles, one typed array for each; NULL is NaN. For results that are too long for rows. */
  columns(sql: string, parameters?: Parameters): Promise<Float64Array[]>;
  /** Ends the connection and deletes the temporary file. */
  close(): Promise<void>;
}

type Parameters = Record<string, DuckDBValue>;

/** Opens a temporary database in a folder of its own. Throws an error that says what to install if DuckDB is missing. */
export async function openDatabase(): Promise<Database> {
  const { DuckDBInstance, DuckDBDoubleVector } = await loadDuckDb();
  const folder = await mkdtemp(join(tmpdir(), "runner-metrics-report-"));
  const instance = await DuckDBInstance.create(join(folder, "report.duckdb"), {
    threads: String(Math.min(4, availableParallelism())),
    memory_limit: memoryLimit(EVENTS_MIN),
    temp_directory: join(folder, "spill"),
    preserve_insertion_order: "false",
    // Nothing in a report needs the network or an extension.
    autoinstall_known_extensions: "false",
  });
  const connection: DuckDBConnection = await instance.connect();
  return {
    async execute(sql, parameters) {
      await connection.run(sql, parameters);
    },
    async makeRoomFor(events) {
      await connection.run(`SET memory_limit = '${memoryLimit(events)}'`);
    },
    async rows<Row>(sql: string, parameters?: Parameters) {
      const reader = await connection.runAndReadAll(sql, parameters);
      return reader.getRowObjectsJS().map((row) => plain(row)) as Row[];
    },
    async columns(sql, parameters) {
      const result = await connection.stream(sql, parameters);
      const parts: Float64Array[][] = Array.from({ length: result.columnCount }, () => []);
      for (let chunk = await result.fetchChunk(); chunk && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
        for (const [index, part] of parts.entries()) {
          const vector = chunk.getColumnVector(index);
          if (!(vector instanceof DuckDBDoubleVector)) throw new TypeError(`Column ${index} is not of type DOUBLE`);
          part.push(Float64Array.from({ length: chunk.rowCount }, (_, row) => vector.getItem(row) ?? Number.NaN));
        }
      }
      return parts.map(concatenate);
    },
    async close() {
      connection.closeSync();
      instance.closeSync();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** As DuckDB reads it: a megabyte has 1,000,000 bytes. */
export function memoryLimit(events: number, machineBytes = totalmem()): string {
  const least = EVENTS_MIN * MEMORY_BYTES_OF_EVENT;
  const bytes = Math.min(events * MEMORY_BYTES_OF_EVENT, machineBytes / 2);
  return `${Math.round(Math.max(least, bytes) / 1_000_000)}MB`;
}

/** DuckDB, which the package does not bring. Throws an error that says how to install it. */
export async function loadDuckDb() {
  try {
    return await import("@duckdb/node-api");
  } catch (error) {
    throw new Error(
      "The report needs DuckDB, which is not installed with this package. Install it with `npm install @duckdb/node-api`.",
      { cause: error },
    );
  }
}

function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== null)
      .map(([name, field]) => [name, plain(field)]),
  );
}

function concatenate(parts: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}
