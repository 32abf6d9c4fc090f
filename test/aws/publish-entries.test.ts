import { expect, test } from "vitest";
import { type PutEvents, type PutResult, publishEntries } from "../../functions/aws/publish-entries.ts";
import { type EventEntry, ServiceError } from "../../functions/ports.ts";

function entry(name: string, bytes = 10): EventEntry {
  return { source: "s", detailType: "t", resources: [], detail: JSON.stringify({ name, padding: "x".repeat(bytes) }) };
}

/** PutEvents that answers each entry with `answer`, and records its calls. */
function busThat(answer: (entry: EventEntry, call: readonly EventEntry[]) => PutResult) {
  const calls: (readonly EventEntry[])[] = [];
  const putEvents: PutEvents = async (entries) => {
    calls.push(entries);
    return entries.map((one) => answer(one, entries));
  };
  return { putEvents, calls };
}

function clockAt(time: number) {
  const clock = {
    time,
    now: () => clock.time,
    async sleep(milliseconds: number) {
      clock.time += milliseconds;
    },
  };
  return clock;
}

const NEVER = Number.POSITIVE_INFINITY;

test("a call has at most 10 entries", async () => {
  const { putEvents, calls } = busThat(() => "accepted");
  const entries = Array.from({ length: 25 }, (_, number) => entry(String(number)));
  const results = await publishEntries(putEvents, entries, clockAt(0), NEVER);
  expect(calls.map(({ length }) => length)).toEqual([10, 10, 5]);
  expect(results).toEqual(entries.map(() => "accepted"));
});

test("a call has at most 256 KB, counted in bytes of UTF-8", async () => {
  const { putEvents, calls } = busThat(() => "accepted");
  const entries = Array.from({ length: 5 }, (_, number) => ({ ...entry(String(number)), detail: "é".repeat(50_000) }));
  await publishEntries(putEvents, entries, clockAt(0), NEVER);
  expect(calls.map(({ length }) => length)).toEqual([2, 2, 1]);
});

test.each([
  ["fill a call", 0, [2]],
  ["exceed a call by a byte", 1, [1, 1]],
])("entries that %s to the byte: what counts is source, type, resources and detail", async (_, surplus, lengths) => {
  const { putEvents, calls } = busThat(() => "accepted");
  const of = (bytes: number): EventEntry => {
    const fields = { source: "s".repeat(10), detailType: "t".repeat(20), resources: ["r".repeat(30), "r".repeat(40)] };
    return { ...fields, detail: "d".repeat(bytes - 100) };
  };
  await publishEntries(putEvents, [of(128 * 1024), of(128 * 1024 + surplus)], clockAt(0), NEVER);
  expect(calls.map(({ length }) => length)).toEqual(lengths);
});

test("an entry that is larger than a call goes alone, and those after it share the next one", async () => {
  const { putEvents, calls } = busThat(() => "accepted");
  const entries = [entry("a", 300 * 1024), entry("b"), entry("c")];
  await publishEntries(putEvents, entries, clockAt(0), NEVER);
  expect(calls).toEqual([entries.slice(0, 1), entries.slice(1)]);
});

test("of no entries there is no call", async () => {
  const { putEvents, calls } = busThat(() => "accepted");
  expect(await publishEntries(putEvents, [], clockAt(0), NEVER)).toEqual([]);
  expect(calls).toEqual([]);
});

test("what is acknowledged is not sent again, and nothing waits for it", async () => {
  const { putEvents, calls } = busThat(() => "accepted");
  const clock = clockAt(0);
  await publishEntries(putEvents, [entry("a")], clock, NEVER);
  expect([calls.length, clock.time]).toEqual([1, 0]);
});

test("only the entries that may be accepted later are sent again", async () => {
  const codes: Record<string, PutResult> = {
    b: { code: "ThrottlingException", retryable: true },
    c: { code: "MalformedDetail", retryable: false },
  };
  const { putEvents, calls } = busThat(({ detail }) => codes[JSON.parse(detail).name] ?? "accepted");
  const [a, b, c] = [entry("a"), entry("b"), entry("c")];
  const results = await publishEntries(putEvents, [a, b, c], clockAt(0), NEVER);
  expect(results).toEqual(["accepted", { code: "ThrottlingException" }, { code: "MalformedDetail" }]);
  expect(calls).toEqual([[a, b, c], [b], [b], [b], [b]]);
});

test("four calls are in progress at once, however many entries there are", async () => {
  let inProgress = 0;
  let most = 0;
  const putEvents: PutEvents = async (entries) => {
    most = Math.max(most, ++inProgress);
    await new Promise(setImmediate);
    inProgress--;
    return entries.map(() => "accepted");
  };
  const entries = Array.from({ length: 200 }, (_, number) => entry(String(number)));
  await publishEntries(putEvents, entries, clockAt(0), NEVER);
  expect(most).toBe(4);
});

test("a throttled entry is sent five times in all, after pauses that double", async () => {
  const { putEvents, calls } = busThat(() => ({ code: "ThrottlingException", retryable: true }));
  const clock = clockAt(0);
  const results = await publishEntries(putEvents, [entry("a")], clock, Number.POSITIVE_INFINITY);
  expect(calls).toHaveLength(5);
  expect(clock.time).toBe(100 + 200 + 400 + 800);
  expect(results).toEqual([{ code: "ThrottlingException" }]);
});

test("no call is started in the last two seconds before the deadline", async () => {
  const { putEvents, calls } = busThat(() => ({ code: "ThrottlingException", retryable: true }));
  const clock = clockAt(0);
  const results = await publishEntries(putEvents, [entry("a")], clock, 2_250);
  expect(calls).toHaveLength(2);
  expect(results).toEqual([{ code: "DeadlineReached" }]);
  await publishEntries(putEvents, [entry("b")], clock, 2_250);
  expect(calls).toHaveLength(2);
});

test.each([
  ["at", 2_000, "accepted", 1],
  ["after", 2_001, { code: "DeadlineReached" }, 0],
])("a call is started %s the last moment that leaves two seconds: %d", async (_, now, result, count) => {
  const { putEvents, calls } = busThat(() => "accepted");
  const clock = clockAt(now);
  expect(await publishEntries(putEvents, [entry("a")], clock, 4_000)).toEqual([result]);
  expect([calls.length, clock.time]).toEqual([count, now]);
});

test("a call that is refused for good because of one entry affects no other entry", async () => {
  const calls: number[] = [];
  const putEvents: PutEvents = async (entries) => {
    calls.push(entries.length);
    if (entries.some(({ detail }) => detail.includes("bad"))) {
      throw new ServiceError("ValidationException", "no", { retryable: false });
    }
    return entries.map(() => "accepted");
  };
  const entries = [entry("good"), entry("bad"), entry("fine")];
  const results = await publishEntries(putEvents, entries, clockAt(0), NEVER);
  expect(results).toEqual(["accepted", { code: "ValidationException" }, "accepted"]);
  expect(calls).toEqual([3, 1, 1, 1]);
});

test.each([
  ["temporarily", "InternalException", true],
  ["because a permission is missing", "AccessDeniedException", false],
])("a call that is refused as a whole %s fails each entry, and is not split", async (_, code, retryable) => {
  let calls = 0;
  const putEvents: PutEvents = async () => {
    calls++;
    throw new ServiceError(code, "no", { retryable });
  };
  const results = await publishEntries(putEvents, [entry("a"), entry("b")], clockAt(0), NEVER);
  expect(results).toEqual([{ code }, { code }]);
  expect(calls).toBe(1);
});

test("an answer with too few results acknowledges no entry that it does not name", async () => {
  let calls = 0;
  const putEvents: PutEvents = async (entries) => {
    calls++;
    return entries.slice(1).map(() => "accepted");
  };
  const results = await publishEntries(putEvents, [entry("a"), entry("b")], clockAt(0), NEVER);
  expect(results).toEqual(["accepted", { code: "MissingResult" }]);
  expect(calls).toBe(5);
});

test("an error that is not the service's is thrown", async () => {
  const putEvents: PutEvents = () => Promise.reject(new TypeError("ours"));
  await expect(publishEntries(putEvents, [entry("a")], clockAt(0), NEVER)).rejects.toThrow("ours");
});
