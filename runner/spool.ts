import { existsSync, lstatSync, mkdirSync, opendirSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Life, type LifeRecord, lifeOf, parseRecord } from "./life.ts";
import {
  appendToPlainFile,
  createPlainFile,
  emptyPlainFile,
  isOurs,
  isPlainFile,
  readPlainFile,
  removeFile,
} from "./plain-file.ts";

/** A life's journal in the spool, or in memory where there is no spool. */
export interface Journal {
  readonly number: number;
  /** The life as it is now, with what other steps have noted. */
  life(): Life;
  /** Adds to the journal. False if it is only in memory, because the disk is full for example: it is lost when this step ends. */
  note(...records: readonly LifeRecord[]): boolean;
}

/** The lives of one runner, one after the other: the directory in which everything waits until it is uploaded. */
export interface Spool {
  /** Absent if nothing can be kept. */
  readonly directory: string | undefined;
  /** All journals, the current life's last. */
  journals(): readonly Journal[];
  /** Begins a life. */
  begin(...records: readonly LifeRecord[]): Journal;
  /** Forgets a life. */
  remove(journal: Journal): void;
}

/** A life takes some thirty lines of some hundred bytes; a job file has at most 1,024 bytes. A job may have written the rest. */
const JOURNAL_BYTES_MAX = 64 * 1024;
const JOURNAL_NAME = /^life-([0-9]{6})\.jsonl$/;
const NUMBER_MAX = 999_999;
const ATTEMPTS_MAX = 10;

/** A job can create any number of files in the spool; ours are few. */
const ENTRIES_MAX = 1_000;

/** Lives that wait for their upload. There are 100 slots. */
const JOURNALS_MAX = 100;

/** Space that is given back when the disk is full: enough for the rest of a life. */
const RESERVE_NAME = "reserve";
const RESERVE_BYTES = 16 * 1024;

/** Opens the spool, or one in memory that ends with this step and says why. */
export function openSpool(directory: string | undefined): { readonly spool: Spool; readonly problem?: string } {
  const problem = directory === undefined ? "no RUNNER_METRICS_SPOOL and no home directory" : prepare(directory);
  if (directory === undefined || problem !== undefined) {
    return { spool: createSpool(undefined), problem: `cannot use the spool directory: ${problem}` };
  }
  return { spool: createSpool(directory) };
}

function prepare(directory: string): string | undefined {
  const problem = makeOwnDirectory(directory);
  // Written while there is room.
  if (problem === undefined) createPlainFile(join(directory, RESERVE_NAME), ".".repeat(RESERVE_BYTES));
  return problem;
}

/** Makes a directory that only its owner can read, or says why it is none of ours. */
export function makeOwnDirectory(directory: string): string | undefined {
  try {
    makeDirectories(directory);
    const stats = lstatSync(directory);
    if (!stats.isDirectory()) return `${directory} is not a directory`;
    if (!isOurs(stats)) return `${directory} belongs to another user than the one that this step runs as`;
    return undefined;
  } catch (error) {
    return `${directory} (${codeOf(error)})`;
  }
}

/** Node's own `recursive` never ends where no directory can be made though the one above exists, as in `/proc`. */
function makeDirectories(directory: string): void {
  const make = () => mkdirSync(directory, { mode: 0o700 });
  try {
    make();
  } catch (error) {
    if (codeOf(error) === "ENOENT" && dirname(directory) !== directory) {
      makeDirectories(dirname(directory));
      make();
    } else if (!existsSync(directory)) throw error;
  }
}

function createSpool(directory: string | undefined): Spool {
  const inMemory: Journal[] = [];
  return {
    directory,
    journals() {
      if (directory === undefined) return inMemory;
      const numbers = numbersIn(directory).filter((number) => isPlainFile(pathOf(directory, number)));
      return numbers.slice(-JOURNALS_MAX).map((number) => openJournal(directory, number));
    },
    begin(...records) {
      if (directory !== undefined) {
        const next = Math.max(0, ...numbersIn(directory)) + 1;
        // Another step may take the same number at this moment.
        for (let attempt = next; attempt < next + ATTEMPTS_MAX && attempt <= NUMBER_MAX; attempt++) {
          if (!createPlainFile(pathOf(directory, attempt), "")) continue;
          const journal = openJournal(directory, attempt);
          journal.note(...records);
          return journal;
        }
      }
      const journal = journalInMemory(NUMBER_MAX + 1, records);
      inMemory.push(journal);
      return journal;
    },
    remove({ number }) {
      if (directory !== undefined) removeFile(pathOf(directory, number));
    },
  };
}

function pathOf(directory: string, number: number): string {
  return join(directory, `life-${String(number).padStart(6, "0")}.jsonl`);
}

function numbersIn(directory: string): number[] {
  const numbers: number[] = [];
  try {
    const entries = opendirSync(directory);
    try {
      for (let left = ENTRIES_MAX; left > 0; left--) {
        const entry = entries.readSync();
        if (!entry) break;
        const [, number] = JOURNAL_NAME.exec(entry.name) ?? [];
        if (number !== undefined) numbers.push(Number(number));
      }
    } finally {
      entries.closeSync();
    }
  } catch {
    // As if it were empty.
  }
  return numbers.sort((one, other) => one - other);
}

function openJournal(directory: string, number: number): Journal {
  const path = pathOf(directory, number);
  // What could not be written is known to this step only.
  const unwritten: LifeRecord[] = [];
  return {
    number,
    life() {
      const lines = readPlainFile(path, JOURNAL_BYTES_MAX)?.split("\n") ?? [];
      return lifeOf([...lines.flatMap((line) => parseRecord(line) ?? []), ...unwritten]);
    },
    note(...records) {
      if (appendToPlainFile(path, textOf(records))) return true;
      giveSpaceBack(directory);
      if (appendToPlainFile(path, textOf(records))) return true;
      unwritten.push(...records);
      return false;
    },
  };
}

function journalInMemory(number: number, first: readonly LifeRecord[]): Journal {
  const all = [...first];
  return {
    number,
    life: () => lifeOf(all),
    note(...records) {
      all.push(...records);
      return false;
    },
  };
}

/** A line that was cut off by a full disk or a crash ends at the line feed before the next one. */
function textOf(records: readonly LifeRecord[]): string {
  return records.map((record) => `\n${JSON.stringify(record)}\n`).join("");
}

function giveSpaceBack(directory: string): void {
  emptyPlainFile(join(directory, RESERVE_NAME));
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown error";
}
