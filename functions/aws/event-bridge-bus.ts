import { DescribeEventBusCommand, type EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import type { EventBus } from "../ports.ts";
import { errorCode, toServiceError } from "./service-error.ts";

/** Codes of entries that may be accepted later. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html */
const RETRYABLE_CODES = ["InternalFailure", "InternalException", "ThrottlingException"];

/** An event bus as an `EventBus`: translates calls, data and errors, nothing else. */
export function eventBridgeBus(client: EventBridgeClient, name: string): EventBus {
  return {
    async exists() {
      try {
        await client.send(new DescribeEventBusCommand({ Name: name }));
        return true;
      } catch (error) {
        if (errorCode(error) === "ResourceNotFoundException") return false;
        throw toServiceError(error, `Looking for event bus "${name}"`);
      }
    },

    async put(entries) {
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
        throw toServiceError(error, `Putting events on "${name}"`);
      }
    },
  };
}
