import { describe, expect, test } from "vitest";
import type { InstanceEnd } from "../../contract/object-keys.ts";
import { deathOf, isTerminated } from "../../functions/domain/instance-ends.ts";

const T = 1_700_000_000;
const instance = "i-0123456789abcdef0";
const end = (what: InstanceEnd["what"], time: number): InstanceEnd => ({ instance, what, time });

describe("an instance is gone", () => {
  test("two minutes after it was terminated, and not before", () => {
    expect(isTerminated([end("terminated", T)], (T + 120) * 1000)).toBe(true);
    expect(isTerminated([end("terminated", T)], (T + 120) * 1000 - 1)).toBe(false);
    expect(isTerminated([end("terminated", T + 3_600)], T * 1000)).toBe(false);
    expect(isTerminated([], T * 1000)).toBe(false);
  });

  test("neither when it was stopped nor when it was warned: it may still upload", () => {
    expect(isTerminated([end("stopped", T), end("spot-interruption", T)], (T + 86_400) * 1000)).toBe(false);
  });
});

describe("the cause of a runner's death, and the end of its instance, are", () => {
  test.each<[string, InstanceEnd[], ReturnType<typeof deathOf>]>([
    ["unknown if nothing happened", [], { cause: "unknown" }],
    ["its termination", [end("terminated", T + 60)], { cause: "terminated", endedAt: T + 60 }],
    [
      "its termination, if it was also stopped in that second",
      [end("stopped", T + 60), end("terminated", T + 60)],
      cause("terminated", T + 60),
    ],
    ["its termination before its last upload was stored", [end("terminated", T - 5)], cause("terminated", T - 5)],
    ["its stop, after which it uploaded nothing", [end("stopped", T)], cause("stopped", T)],
    ["not a stop before its last upload: it was started again", [end("stopped", T - 1)], { cause: "unknown" }],
    [
      "its stop, and not its termination a day later",
      [end("terminated", T + 86_400), end("stopped", T + 60)],
      cause("stopped", T + 60),
    ],
    [
      "its termination, if it was stopped and started before",
      [end("stopped", T - 60), end("terminated", T + 60)],
      cause("terminated", T + 60),
    ],
    [
      "a spot interruption that was announced shortly before the end",
      [end("terminated", T + 180), end("spot-interruption", T + 60)],
      cause("spot-interruption", T + 180),
    ],
    [
      "a spot interruption that stopped it",
      [end("spot-interruption", T + 60), end("stopped", T + 180)],
      cause("spot-interruption", T + 180),
    ],
    ["a spot interruption whose end is not known", [end("spot-interruption", T - 60)], { cause: "spot-interruption" }],
    [
      "not a spot interruption long before the last upload: it was started again",
      [end("spot-interruption", T - 901)],
      { cause: "unknown" },
    ],
    [
      "not a spot interruption long before the end",
      [end("spot-interruption", T - 600), end("terminated", T + 301)],
      cause("terminated", T + 301),
    ],
    [
      "not a spot interruption after the end",
      [end("spot-interruption", T + 61), end("terminated", T + 60)],
      cause("terminated", T + 60),
    ],
  ])("%s", (_, ends, expected) => {
    expect(deathOf(ends, T * 1000 + 900)).toEqual(expected);
    expect(deathOf([...ends].reverse(), T * 1000 + 900)).toEqual(expected);
  });

  function cause(name: ReturnType<typeof deathOf>["cause"], endedAt: number) {
    return { cause: name, endedAt };
  }
});
