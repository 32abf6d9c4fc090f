import { workMessage } from "../../contract/work-message.ts";
import type { DeadLetter } from "./operations.ts";

/** What a message in the dead-letter queue is about. */
export interface DescribedLetter {
  readonly letter: DeadLetter;
  /**
   * `run`: a run failed. `schedule`: a schedule could not start a run. `worker`: a worker failed, or could not start; the next run does
   * its work. `event`: an event could not be logged.
   */
  readonly kind: "run" | "schedule" | "worker" | "event" | "unknown";
  /** Why, in the words of the sender. */
  readonly error: string;
  /** Input of the run that did not happen or failed. */
  readonly input?: unknown;
}

/** Says what a message is about, by its form: Lambda, Scheduler, EventBridge and our own runs each have their own. */
export function describeLetter(letter: DeadLetter): DescribedLetter {
  const { attributes } = letter;
  const error = [attributes.ERROR_CODE, attributes.ERROR_MESSAGE].filter(Boolean).join(": ");
  const body = parse(letter.body);
  if (isRecord(body) && "requestPayload" in body) {
    const response = isRecord(body.responsePayload) ? body.responsePayload : {};
    const context = isRecord(body.requestContext) ? body.requestContext : {};
    return {
      letter,
      kind: "run",
      error: String(response.errorMessage ?? context.condition ?? ""),
      input: body.requestPayload,
    };
  }
  if (isRecord(body) && "detail-type" in body) return { letter, kind: "event", error };
  if (workMessage.safeParse(body).success) return { letter, kind: "worker", error };
  if (isRecord(body) && "flavor" in body) return { letter, kind: "schedule", error, input: body };
  return { letter, kind: "unknown", error };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
