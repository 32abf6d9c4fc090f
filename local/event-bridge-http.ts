import {
  type EventBridgeError,
  type EventBridgeModel,
  eventBridgeError,
  isEventBridgeError,
  type PutEventsEntry,
} from "./event-bridge.ts";
import type { Call, HttpReply, HttpRequest } from "./http.ts";

/** Understands a request to EventBridge in AWS JSON 1.1, the protocol of the SDK's client. */
export function eventBridgeCall(model: EventBridgeModel, request: HttpRequest): Call {
  const operation = String(request.headers["x-amz-target"]).replace("AWSEvents.", "");
  return {
    service: "events",
    operation,
    run(failEntry) {
      const outcome = answer(model, operation, parseInput(request.body), failEntry);
      return isEventBridgeError(outcome) ? errorReply(outcome) : jsonReply(200, outcome);
    },
    refuse: (code, status, message) => errorReply(eventBridgeError(code, message, status)),
  };
}

/** What the operations here take; anything else in a request is ignored. */
interface Input {
  readonly Name?: string;
  readonly Entries?: readonly PutEventsEntry[];
}

function answer(
  model: EventBridgeModel,
  operation: string,
  input: Input | undefined,
  failEntry: Parameters<Call["run"]>[0],
): object | EventBridgeError {
  if (input === undefined) return eventBridgeError("SerializationException", "The body is not what was expected.");
  const name = input.Name ?? "default";
  if (operation === "PutEvents") {
    const results = model.putEvents(input.Entries ?? [], failEntry);
    if (isEventBridgeError(results)) return results;
    return { FailedEntryCount: results.filter((result) => "ErrorCode" in result).length, Entries: results };
  }
  if (operation === "DescribeEventBus") {
    const arn = model.describeBus(name);
    return isEventBridgeError(arn) ? arn : { Name: arn.slice(arn.indexOf("/") + 1), Arn: arn };
  }
  if (operation === "CreateEventBus") return model.createBus(name) ?? { EventBusArn: model.describeBus(name) };
  if (operation === "DeleteEventBus") {
    model.deleteBus(name);
    return {};
  }
  if (operation === "ListEventBuses") {
    return { EventBuses: model.busNames().map((Name) => ({ Name, Arn: model.describeBus(Name) })) };
  }
  return eventBridgeError("UnknownOperationException", `${operation} is not implemented.`);
}

function parseInput(body: Buffer): Input | undefined {
  try {
    const input: unknown = JSON.parse(body.toString("utf8"));
    return isInput(input) ? input : undefined;
  } catch {
    return undefined;
  }
}

function isInput(input: unknown): input is Input {
  if (!isRecord(input) || !isOptional(input.Name, "string")) return false;
  const entries = input.Entries ?? [];
  return Array.isArray(entries) && entries.every(isEntry);
}

function isEntry(entry: unknown): entry is PutEventsEntry {
  if (!isRecord(entry) || !isOptional(entry.Time, "number")) return false;
  const resources = entry.Resources ?? [];
  const names = ["EventBusName", "Source", "DetailType", "Detail"];
  return (
    names.every((name) => isOptional(entry[name], "string")) &&
    Array.isArray(resources) &&
    resources.every((resource) => typeof resource === "string")
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isOptional(value: unknown, type: "string" | "number"): boolean {
  return value === undefined || typeof value === type;
}

function errorReply({ code, message, httpStatus }: EventBridgeError): HttpReply {
  return jsonReply(httpStatus, { __type: code, message });
}

function jsonReply(status: number, value: object): HttpReply {
  return { status, headers: { "content-type": "application/x-amz-json-1.1" }, body: JSON.stringify(value) };
}
