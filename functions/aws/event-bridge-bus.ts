import { DescribeEventBusCommand, type EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import type { Clock, EventBus, EventEntry } from "../ports.ts";
import { type PutResult, publishEntries } from "./publish-entries.ts";
import { errorCode, toServiceError } from "./service-error.ts";

/** Codes of entries that may be accepted later. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html */
const RETRYABLE_CODES = ["InternalFailure", "InternalException", "ThrottlingException"];

/** An event bus as an `EventBus`. */
export function eventBridgeBus(client: EventBridgeClient, name: string, clock: Clock): EventBus {
  return {
    async exists() {
      try {
        await client.send(new DescribeEventBusCommand({ Name: name }));
        return true;
      } catch (error) {
        if (errorCode(error) === "ResourceNotFoundException") return false;
        throw toServiceError(error, `Describing event bus "${name}"`);
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
    const { Entries: results = [] } = await client.send(new PutEventsCommand({ Entries }));
    return results.map(({ ErrorCode }) =>
      ErrorCode === undefined ? "accepted" : { code: ErrorCode, retryable: RETRYABLE_CODES.includes(ErrorCode) },
    );
  } catch (error) {
    throw toServiceError(error, `Publishing on event bus "${name}"`);
  }
}
