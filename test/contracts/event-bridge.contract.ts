import {
  CreateEventBusCommand,
  DeleteEventBusCommand,
  DescribeEventBusCommand,
  PutEventsCommand,
  type PutEventsCommandOutput,
  type PutEventsRequestEntry,
} from "@aws-sdk/client-eventbridge";
import { afterAll, beforeAll, expect } from "vitest";
import { contractTest, outcomeOf } from "./contract-test.ts";
import type { Target } from "./target.ts";

/**
 * What EventBridge does, as far as we rely on it.
 * https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
 */
export function eventBridgeContract(target: Target): void {
  const { events } = target;
  const rule = contractTest("eventBridge", target);
  const bus = `contract-${Date.now().toString(36)}-${process.pid}`;
  const entry: PutEventsRequestEntry = {
    EventBusName: bus,
    Source: "runner-metrics",
    DetailType: "RunnerStart",
    Detail: JSON.stringify({ flavor: "large" }),
    Resources: ["arn:aws:s3:::bucket/runners/large/r-1/"],
  };
  const put = (entries: PutEventsRequestEntry[]): Promise<PutEventsCommandOutput> => {
    return events.send(new PutEventsCommand({ Entries: entries }));
  };
  const codes = async (entries: PutEventsRequestEntry[]): Promise<(string | undefined)[]> => {
    const { Entries = [], FailedEntryCount } = await put(entries);
    expect(FailedEntryCount).toBe(Entries.filter(({ ErrorCode }) => ErrorCode !== undefined).length);
    return Entries.map(({ ErrorCode, EventId }) => ErrorCode ?? (EventId ? "accepted" : undefined));
  };
  beforeAll(() => events.send(new CreateEventBusCommand({ Name: bus })));
  afterAll(() => events.send(new DeleteEventBusCommand({ Name: bus })));

  rule("PutEvents takes 10 entries, and gives each an id of its own, also where they are the same", async () => {
    const { Entries = [], FailedEntryCount } = await put(Array.from({ length: 10 }, () => entry));
    expect(FailedEntryCount).toBe(0);
    expect(new Set(Entries.map(({ EventId }) => EventId)).size).toBe(10);
  });

  rule("PutEvents refuses 11 entries as a whole", async () => {
    const outcome = await outcomeOf(put(Array.from({ length: 11 }, () => entry)));
    expect(outcome).toEqual({ status: 400, code: "ValidationException" });
  });

  rule("PutEvents refuses no entries", async () => {
    expect(await outcomeOf(put([]))).toEqual({ status: 400, code: "ValidationException" });
  });

  rule("PutEvents refuses more than 256 KB as a whole", async () => {
    const big = { ...entry, Detail: JSON.stringify({ text: "x".repeat(200 * 1024) }) };
    expect(await codes([big])).toEqual(["accepted"]);
    expect((await outcomeOf(put([big, big]))).status).toBe(400);
  });

  rule("entries fail one by one, in a 200, at their own index", async () => {
    const malformed = { ...entry, Detail: "{" };
    expect(await codes([entry, malformed, entry, malformed])).toEqual([
      "accepted",
      "MalformedDetail",
      "accepted",
      "MalformedDetail",
    ]);
  });

  for (const Detail of ["[]", '"text"', "1", "null", "{} {}"]) {
    rule(`Detail must be a JSON object, which ${Detail} is not`, async () => {
      expect(await codes([{ ...entry, Detail }])).toEqual(["MalformedDetail"]);
    });
  }

  for (const name of ["Source", "DetailType", "Detail"] as const) {
    rule(`an entry without ${name} fails`, async () => {
      const { [name]: _, ...incomplete } = entry;
      expect(await codes([incomplete, entry])).toEqual(["InvalidArgument", "accepted"]);
    });
  }

  rule("an entry whose Source begins with aws. fails", async () => {
    expect(await codes([{ ...entry, Source: "aws.s3" }])).toEqual(["NotAuthorizedForSourceException"]);
  });

  rule("Detail may hold any text", async () => {
    const text = "\u{1f600} \u2028 \u202e \u0000 </x> é \ud800";
    expect(await codes([{ ...entry, Detail: JSON.stringify({ text }) }])).toEqual(["accepted"]);
  });

  rule("PutEvents to a bus that does not exist reports success", async () => {
    expect(await codes([{ ...entry, EventBusName: `${bus}-absent` }])).toEqual(["accepted"]);
  });

  rule("a bus may be named by its ARN", async () => {
    const { Arn } = await events.send(new DescribeEventBusCommand({ Name: bus }));
    expect(await codes([{ ...entry, EventBusName: Arn }])).toEqual(["accepted"]);
    expect((await events.send(new DescribeEventBusCommand({ Name: Arn }))).Name).toBe(bus);
  });

  rule("DescribeEventBus tells a bus that is there from one that is not: ResourceNotFoundException", async () => {
    const { Name, Arn } = await events.send(new DescribeEventBusCommand({ Name: bus }));
    expect([Name, Arn?.endsWith(`:event-bus/${bus}`)]).toEqual([bus, true]);
    const outcome = await outcomeOf(events.send(new DescribeEventBusCommand({ Name: `${bus}-absent` })));
    expect(outcome).toEqual({ status: 400, code: "ResourceNotFoundException" });
  });

  rule("a bus that was deleted is not there any more, and deleting it again does no harm", async () => {
    const Name = `${bus}-deleted`;
    await events.send(new CreateEventBusCommand({ Name }));
    await events.send(new DeleteEventBusCommand({ Name }));
    await events.send(new DeleteEventBusCommand({ Name }));
    const outcome = await outcomeOf(events.send(new DescribeEventBusCommand({ Name })));
    expect(outcome).toEqual({ status: 400, code: "ResourceNotFoundException" });
  });

  rule("a bus can't be made twice", async () => {
    const outcome = await outcomeOf(events.send(new CreateEventBusCommand({ Name: bus })));
    expect(outcome).toEqual({ status: 400, code: "ResourceAlreadyExistsException" });
  });
}
