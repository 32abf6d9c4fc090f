import { writeSync } from "node:fs";

/** Nothing that we say is longer. */
const LINE_LENGTH_MAX = 2_000;
const FAILURE_LENGTH_MAX = 200;

/** Tells problems in one line of the job's log. */
export function say(step: string, problems: readonly string[]): void {
  if (problems.length > 0) print(oneLine(`runner-metrics: ${step}: ${problems.join("; ")}`));
}

/** Prints to stderr, if anybody reads it. */
export function print(text: string): void {
  try {
    writeSync(2, `${text}\n`);
  } catch {
    // Nobody does.
  }
}

/** A text that may have parts of a job's choice, such as paths: on a screen and in a log it is one line. */
export function oneLine(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?").slice(0, LINE_LENGTH_MAX);
}

/** What is said of an error that nobody foresaw. */
export function failureOf(error: unknown): string {
  return `failed (${String(error instanceof Error ? error.message : error).slice(0, FAILURE_LENGTH_MAX)})`;
}
