import type { Call } from "./http.ts";

/** One request that was received, whatever became of it. */
export interface LoggedRequest extends Pick<Call, "service" | "operation" | "bucket" | "key"> {
  /** The status that was answered, or was going to be; absent if the request was not carried out. */
  readonly status?: number;
}

/** What was asked, for tests and benchmarks to count. */
export interface RequestLog {
  add(call: Call, status: number | undefined): void;
  /** Of one operation, as the SDK names it, or of all. */
  count(operation?: string): number;
  counts(): Readonly<Record<string, number>>;
  /** In the order of the answers; only the last 10,000 or more are kept. */
  log(): readonly LoggedRequest[];
  reset(): void;
}

const LOGGED_MAX = 20_000;

/** Makes an empty log. */
export function createRequestLog(): RequestLog {
  const counts = new Map<string, number>();
  let log: LoggedRequest[] = [];
  return {
    add({ service, operation, bucket, key }, status) {
      counts.set(operation, (counts.get(operation) ?? 0) + 1);
      if (log.length >= LOGGED_MAX) log = log.slice(LOGGED_MAX / 2);
      log.push({
        service,
        operation,
        ...(bucket !== undefined && { bucket }),
        ...(key !== undefined && { key }),
        ...(status !== undefined && { status }),
      });
    },
    count: (operation) => {
      if (operation !== undefined) return counts.get(operation) ?? 0;
      return [...counts.values()].reduce((sum, count) => sum + count, 0);
    },
    counts: () => Object.fromEntries(counts),
    log: () => log,
    reset() {
      counts.clear();
      log = [];
    },
  };
}
