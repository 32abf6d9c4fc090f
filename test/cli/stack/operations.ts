import type { DeadLetter, LogLine, Operations } from "../../../cli/stack/operations.ts";
import { emptySummary, type Summary } from "../../../functions/run/summary.ts";

export const NOW = Date.parse("2026-11-26T12:00:00Z");

/** A stack in memory in which nothing is wrong: one flavor, whose last run was a minute ago. */
export function healthyStack(changes: Partial<Operations> = {}): Operations {
  return {
    logLines: async function* () {
      yield runLine(NOW - 60_000, {});
    },
    schedules: async () => [
      { isEnabled: true, everyMinutes: 5, input: { flavor: "large", orphanAfterSeconds: 86_400 } },
    ],
    invoke: async () => ({ failed: false, result: emptySummary("large") }),
    deadLetters: async () => [],
    returnLetters: async () => {},
    deadLetterCount: async () => 0,
    workCount: async () => undefined,
    deleteLetter: async () => {},
    alarms: async () => [],
    subscriptions: async () => ({ confirmed: 1, pending: 0 }),
    environment: async () => ({}),
    startReplay: async () => {},
    replayState: async () => ({ state: "COMPLETED" }),
    ...changes,
  };
}

/** The line that a run of the function writes, with this in its summary. */
export function runLine(at: number, changes: Partial<Summary>): LogLine {
  const summary = { ...emptySummary("large"), ...changes };
  const log = {
    level: "INFO",
    message: "run",
    timestamp: new Date(at).toISOString(),
    durationMilliseconds: 120,
    summary,
  };
  return { at, message: `${JSON.stringify(log)}\n` };
}

export function letter(body: unknown, attributes: Record<string, string> = {}): DeadLetter {
  return { id: "0123456789", at: NOW, body: JSON.stringify(body), attributes, handle: "h" };
}
