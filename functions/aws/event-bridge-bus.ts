import {
  DescribeEventBusCommand,
  type EventBridgeClient,
  PutEventsCommand,
  type PutEventsResponse,
} from "@aws-sdk/client-eventbridge";
import type { Clock, EventBus, EventEntry } from "../ports.ts";
import { MISSING_RESULT, type PutResult, publishEntries } from "./publish-entries.ts";
import { errorCode, incompleteAnswer, toServiceError } from "./service-error.ts";

/** Codes of entries that may be accepted later. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html */
const RETRYABLE_CODES = ["InternalFailure", "InternalException", "ThrottlingException"];

/** An event bus as an `EventBus`. */
export function eventBridgeBus(client: EventBridgeClient, name: string, clock: Clock): EventBus {
  return {
    async exists() {
      const doing = `Describing event bus "${name}"`;
      try {
        const { Arn } = await client.send(new DescribeEventBusCommand({ Name: name }));
        if (!Arn) throw incompleteAnswer(doing, "it has no ARN");
        return true;
      } catch (error) {
        if (errorCode(error) === "ResourceNotFoundException") return false;
        throw toServiceError(error, doing);
      }
    },

    publish: (entries, deadline) => publishEntries((call) => putEvents(client, name, call), entries, clock, deadline),
  };
}

async function putEvents(
  client: EventBridgeClient,
  name: string,
  entries: readonly EventEntry[],
): Promise<PutResult[]> {
  const Entries = entries.map(({ source, detailType, resources, detail }) => ({
    EventBusName: name,
    Source: source,
    DetailType: detailType,
    Resources: [...resources],
    Detail: detail,
  }));
  try {
    return putResults(await client.send(new PutEventsCommand({ Entries })), entries.length);
  } catch (error) {
    throw toServiceError(error, `Publishing on event bus "${name}"`);
  }
}

/**
 * One result for each of `count` entries. An entry is acknowledged only by an `EventId`. An answer with another number of results, or with a
 * count of failures that contradicts them, acknowledges nothing: it has none.
 */
function putResults({ Entries: results = [], FailedEntryCount }: PutEventsResponse, count: number): PutResult[] {
  const failures = results.filter(({ ErrorCode }) => ErrorCode !== undefined).length;
  const isConsistent = results.length === count && FailedEntryCount === failures;
  if (!isConsistent) return [];
  return results.map(({ EventId, ErrorCode }) => {
    if (ErrorCode !== undefined) return { code: ErrorCode, retryable: RETRYABLE_CODES.includes(ErrorCode) };
    return EventId ? "accepted" : MISSING_RESULT;
  });
}
