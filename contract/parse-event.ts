import type { z } from "zod";
import { type DetailType, EVENT_SCHEMAS, EVENT_SOURCE, type MetricsEvent } from "./events.ts";

/** The fields of EventBridge's envelope that are used here. */
export interface Envelope {
  readonly source: string;
  readonly "detail-type": string;
  readonly detail: unknown;
}

/** The detail of one kind of event, for example `Detail<"RunnerStop">`. */
export type Detail<Type extends DetailType> = z.infer<(typeof EVENT_SCHEMAS)[Type]>;

/**
 * The event in an envelope, typed: `detailType` tells which. Undefined for an event that is not of runner-metrics, or of a
 * kind that this version does not know. Throws where a known kind does not keep to its schema. A later version may have further values
 * in a list, for example of reasons: an event with one is returned as it is.
 */
export function parseEvent(envelope: Envelope): MetricsEvent | undefined {
  const detailType = envelope["detail-type"];
  if (envelope.source !== EVENT_SOURCE || !isDetailType(detailType)) return undefined;
  const { detail } = envelope;
  const parsed = EVENT_SCHEMAS[detailType].safeParse(detail, { reportInput: true });
  if (parsed.error && !parsed.error.issues.every(isNewValue)) throw parsed.error;
  return { detailType, detail: parsed.success ? parsed.data : detail } as MetricsEvent;
}

/** A text that the list does not have. A constant is a list of one. */
function isNewValue(issue: z.core.$ZodIssue): boolean {
  return issue.code === "invalid_value" && issue.values.length > 1 && typeof issue.input === "string";
}

function isDetailType(name: string): name is DetailType {
  return Object.hasOwn(EVENT_SCHEMAS, name);
}
