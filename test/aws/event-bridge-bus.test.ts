import type { EventBridgeClient, PutEventsResponse } from "@aws-sdk/client-eventbridge";
import { describe, expect, test } from "vitest";
import { eventBridgeBus } from "../../functions/aws/event-bridge-bus.ts";
import type { EventEntry } from "../../functions/ports.ts";
import { thrownBy } from "./sdk-client.ts";

const NEVER = Number.POSITIVE_INFINITY;
const CLOCK = { now: () => 0, sleep: async () => {} };
const ENTRY: EventEntry = { source: "s", detailType: "t", resources: ["r1", "r2"], detail: "{}" };
const [ONE, OTHER] = [
  { ...ENTRY, detail: '{"a":1}' },
  { ...ENTRY, detail: '{"a":2}' },
];

/** A bus whose client answers its first command with the first answer, and so on, the last one again and again; what it was sent. */
function busThat(...answers: (() => unknown)[]) {
  const sent: { name: string; input: unknown }[] = [];
  const send = async (command: { constructor: { name: string }; input: unknown }) => {
    sent.push({ name: command.constructor.name, input: command.input });
    return answers[Math.min(sent.length, answers.length) - 1]?.();
  };
  return { bus: eventBridgeBus({ send } as unknown as EventBridgeClient, "events", CLOCK), sent };
}

function failing(name: string, httpStatusCode?: number, fields: object = {}) {
  const error = Object.assign(new Error("no"), { name, ...fields, $metadata: { httpStatusCode } });
  return () => {
    throw error;
  };
}

describe("a bus", () => {
  test("exists if EventBridge knows its ARN", async () => {
    const { bus, sent } = busThat(() => ({ Arn: "arn:aws:events:us-east-1:111111111111:event-bus/events" }));
    expect(await bus.exists()).toBe(true);
    expect(sent).toEqual([{ name: "DescribeEventBusCommand", input: { Name: "events" } }]);
  });

  test("does not exist if EventBridge says so", async () => {
    expect(await busThat(failing("ResourceNotFoundException", 400)).bus.exists()).toBe(false);
  });

  test.each([{}, { Arn: "" }])("is not known to exist if the answer is %j", async (answer) => {
    expect(await thrownBy(busThat(() => answer).bus.exists())).toEqual({
      code: "IncompleteAnswer",
      retryable: true,
      message: 'Describing event bus "events": IncompleteAnswer (it has no ARN)',
    });
  });

  test("is not known to exist if the call is refused", async () => {
    expect(await thrownBy(busThat(failing("AccessDeniedException", 400)).bus.exists())).toEqual({
      code: "AccessDeniedException",
      retryable: false,
      message: 'Describing event bus "events": AccessDeniedException (HTTP 400)',
    });
  });
});

describe("entries", () => {
  test("are sent as they are, to this bus", async () => {
    const { bus, sent } = busThat(() => ({ FailedEntryCount: 0, Entries: [{ EventId: "1" }, { EventId: "2" }] }));
    expect(await bus.publish([ONE, OTHER], NEVER)).toEqual(["accepted", "accepted"]);
    const fields = { EventBusName: "events", Source: "s", DetailType: "t", Resources: ["r1", "r2"] };
    const Entries = [
      { ...fields, Detail: '{"a":1}' },
      { ...fields, Detail: '{"a":2}' },
    ];
    expect(sent).toEqual([{ name: "PutEventsCommand", input: { Entries } }]);
  });

  test.each([
    ["InternalFailure", 5],
    ["InternalException", 5],
    ["ThrottlingException", 5],
    ["MalformedDetail", 1],
    ["", 1],
  ])("one that fails with %j is sent so often: %d", async (ErrorCode, times) => {
    const { bus, sent } = busThat(() => ({ FailedEntryCount: 1, Entries: [{ ErrorCode }] }));
    expect(await bus.publish([ENTRY], NEVER)).toEqual([{ code: ErrorCode }]);
    expect(sent).toHaveLength(times);
  });

  test("each has the result that stands in its place", async () => {
    const { bus } = busThat(() => ({
      FailedEntryCount: 1,
      Entries: [{ ErrorCode: "MalformedDetail" }, { EventId: "2" }],
    }));
    expect(await bus.publish([ONE, OTHER], NEVER)).toEqual([{ code: "MalformedDetail" }, "accepted"]);
  });

  test.each<[string, PutEventsResponse]>([
    ["there is none", {}],
    ["there are none, and none failed", { FailedEntryCount: 0 }],
    ["there are too few", { FailedEntryCount: 0, Entries: [{ EventId: "1" }] }],
    ["there are too many", { FailedEntryCount: 0, Entries: [{ EventId: "1" }, { EventId: "2" }, { EventId: "3" }] }],
    ["more failed than it shows", { FailedEntryCount: 1, Entries: [{ EventId: "1" }, { EventId: "2" }] }],
    ["fewer failed than it shows", { FailedEntryCount: 0, Entries: [{ EventId: "1" }, { ErrorCode: "X" }] }],
    ["it counts no failures", { Entries: [{ EventId: "1" }, { EventId: "2" }] }],
    ["they have no name", { FailedEntryCount: 0, Entries: [{}, { EventId: "" }] }],
  ])("none is acknowledged, and all are sent again, by an answer in which %s", async (_, answer) => {
    const { bus, sent } = busThat(() => answer);
    const missing = { code: "MissingResult" };
    expect(await bus.publish([ONE, OTHER], NEVER)).toEqual([missing, missing]);
    expect(sent).toHaveLength(5);
  });

  test("one without a result is sent again alone", async () => {
    const { bus, sent } = busThat(
      () => ({ FailedEntryCount: 0, Entries: [{ EventId: "1" }, {}] }),
      () => ({ FailedEntryCount: 0, Entries: [{ EventId: "2" }] }),
    );
    expect(await bus.publish([ONE, OTHER], NEVER)).toEqual(["accepted", "accepted"]);
    expect(sent.map(({ input }) => (input as { Entries: unknown[] }).Entries.length)).toEqual([2, 1]);
  });

  test.each([
    ["the service", failing("InternalException", 500), "InternalException"],
    ["the network", failing("Error", undefined, { code: "ECONNRESET" }), "ECONNRESET"],
  ])("all have the code of a call that failed by %s", async (_, fail, code) => {
    expect(await busThat(fail).bus.publish([ONE, OTHER], NEVER)).toEqual([{ code }, { code }]);
  });

  test("a fault of ours is thrown", async () => {
    await expect(busThat(failing("TypeError")).bus.publish([ENTRY], NEVER)).rejects.toMatchObject({
      name: "TypeError",
    });
  });
});
