import { expect, test } from "vitest";
import { type EntryResult, type EventBus, type EventEntry, ServiceError } from "../functions/ports.ts";
import { publish } from "../functions/publish.ts";

function entry(name: string, bytes = 10): EventEntry {
  return { source: "s", detailType: "t", resources: [], detail: JSON.stringify({ name, padding: "x".repeat(bytes) }) };
}

/** A bus that says what `answer` says of each entry, and what it was asked. */
function busThat(answer: (entry: EventEntry, call: readonly EventEntry[]) => EntryResult) {
  const calls: (readonly EventEntry[])[] = [];
  const bus: EventBus = {
    exists: async () => true,
    async put(entries) {
      calls.push(entries);
      return entries.map((one) => answer(one, entries));
    },
  };
  return { bus, calls };
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

const LATER = { clock: clockAt(0), deadline: Number.POSITIVE_INFINITY };

test("a call has at most 10 entries", async () => {
  const { bus, calls } = busThat(() => "accepted");
  const entries = Array.from({ length: 25 }, (_, number) => entry(String(number)));
  const results = await publish(bus, entries, LATER);
  expect(calls.map(({ length }) => length)).toEqual([10, 10, 5]);
  expect([...results.values()]).toEqual(entries.map(() => "accepted"));
});

test("a call has at most 256 KB, counted in bytes of UTF-8", async () => {
  const { bus, calls } = busThat(() => "accepted");
  const entries = Array.from({ length: 5 }, (_, number) => ({ ...entry(String(number)), detail: "é".repeat(50_000) }));
  await publish(bus, entries, LATER);
  expect(calls.map(({ length }) => length)).toEqual([2, 2, 1]);
});

test("what is throttled is sent again after pauses that double, five times in all", async () => {
  const { bus, calls } = busThat(() => ({ code: "ThrottlingException", retryable: true }));
  const clock = clockAt(0);
  const results = await publish(bus, [entry("a")], { clock, deadline: Number.POSITIVE_INFINITY });
  expect(calls).toHaveLength(5);
  expect(clock.time).toBe(100 + 200 + 400 + 800);
  expect([...results.values()]).toEqual([{ code: "ThrottlingException", retryable: true }]);
});

test("no call is begun in the last two seconds before the deadline", async () => {
  const { bus, calls } = busThat(() => ({ code: "ThrottlingException", retryable: true }));
  const clock = clockAt(0);
  const results = await publish(bus, [entry("a")], { clock, deadline: 2_250 });
  expect(calls).toHaveLength(2);
  expect([...results.values()]).toEqual([{ code: "DeadlineReached", retryable: false }]);
  await publish(bus, [entry("b")], { clock, deadline: 2_250 });
  expect(calls).toHaveLength(2);
});

test("a call that is refused for good because of one entry takes no other along", async () => {
  const calls: number[] = [];
  const bus: EventBus = {
    exists: async () => true,
    async put(entries) {
      calls.push(entries.length);
      if (entries.some(({ detail }) => detail.includes("bad"))) {
        throw new ServiceError("ValidationException", "no", { retryable: false });
      }
      return entries.map(() => "accepted");
    },
  };
  const entries = [entry("good"), entry("bad"), entry("fine")];
  const results = await publish(bus, entries, LATER);
  expect([...results.values()]).toEqual(["accepted", { code: "ValidationException", retryable: false }, "accepted"]);
  expect(calls).toEqual([3, 1, 1, 1]);
});

test.each([
  ["that may pass", "InternalException", true],
  ["for want of a permission", "AccessDeniedException", false],
])("a call that is refused as a whole %s fails each entry, and is not taken apart", async (_, code, retryable) => {
  let calls = 0;
  const bus: EventBus = {
    exists: async () => true,
    async put() {
      calls++;
      throw new ServiceError(code, "no", { retryable });
    },
  };
  const results = await publish(bus, [entry("a"), entry("b")], LATER);
  expect([...results.values()]).toEqual([
    { code, retryable: false },
    { code, retryable: false },
  ]);
  expect(calls).toBe(1);
});

test("an answer with too few results acknowledges nothing that it does not name", async () => {
  const bus: EventBus = { exists: async () => true, put: async (entries) => entries.slice(1).map(() => "accepted") };
  const results = await publish(bus, [entry("a"), entry("b")], LATER);
  expect([...results.values()].filter((result) => result !== "accepted")).toHaveLength(1);
});

test("an error that is none of the service's is thrown", async () => {
  const bus: EventBus = { exists: async () => true, put: () => Promise.reject(new TypeError("ours")) };
  await expect(publish(bus, [entry("a")], LATER)).rejects.toThrow("ours");
});
