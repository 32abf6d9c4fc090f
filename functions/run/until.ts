import { ServiceError } from "../ports.ts";

/**
 * A port whose calls end when `signal` is aborted, whatever the service does: a call in progress is abandoned, and a new one is not
 * made. Both fail with a `ServiceError`. What the service does with an abandoned call is unknown, as after a lost answer.
 */
export function until<Port extends object>(signal: AbortSignal | undefined, port: Port): Port {
  if (!signal) return port;
  const bounded = Object.entries(port).map(([name, method]) => [
    name,
    (...args: unknown[]) => beforeAbort(signal, () => (method as (...args: unknown[]) => Promise<unknown>)(...args)),
  ]);
  return Object.fromEntries(bounded) as Port;
}

async function beforeAbort<Result>(signal: AbortSignal, call: () => Promise<Result>): Promise<Result> {
  const timeUp = () => new ServiceError(DEADLINE_REACHED, "The time of the run was up", { retryable: true });
  if (signal.aborted) throw timeUp();
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(timeUp());
    signal.addEventListener("abort", onAbort);
  });
  try {
    return await Promise.race([call(), aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Code of the error of a call that the end of the run prevented. */
export const DEADLINE_REACHED = "DeadlineReached";
