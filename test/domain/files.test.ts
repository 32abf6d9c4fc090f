import { describe, expect, it } from "vitest";
import { parseTimestamp } from "../../contract/runner-files.ts";
import { isCorrupt } from "../../functions/domain/corrupt.ts";
import { decodeText, parseJson } from "../../functions/domain/decode.ts";

describe("JSON", () => {
  it.each([
    ["arrays", "[", "]", 999],
    ["objects", '{"a":', "}", 999],
    ["both", '[{"a":', "}]", 499],
  ])("may be nested less than 1,000 deep in %s, and no deeper", (_, open, close, times) => {
    const nested = (count: number) => `${open.repeat(count)}1${close.repeat(count)}`;
    expect(parseJson(nested(times))).toBeDefined();
    expect(parseJson(nested(times + 1))).toBeUndefined();
  });

  it("counts only what is open at once", () => {
    expect(parseJson(`[${"[],".repeat(1_000)}{}]`)).toHaveLength(1_001);
    expect(parseJson(`[${"{},".repeat(1_000)}[]]`)).toHaveLength(1_001);
  });

  it("counts no brackets in strings, whatever is escaped there", () => {
    for (const text of ["[".repeat(2_000), `\\"${"{".repeat(2_000)}`, `\\\\\\"${"[".repeat(2_000)}`]) {
      expect(parseJson(`"${text}"`)).toBeTypeOf("string");
    }
    // The string ends before the brackets.
    expect(parseJson(`["\\\\",${"[".repeat(999)}${"]".repeat(999)}]`)).toBeUndefined();
    expect(parseJson(`["\\\\",${"[".repeat(998)}${"]".repeat(998)}]`)).toBeDefined();
  });

  it("that ends amid brackets, or amid a string, is none", () => {
    for (const text of ["", "[", '"', `"${"[".repeat(1_500)}`, "]".repeat(1_500)])
      expect(parseJson(text)).toBeUndefined();
  });
});

describe("a timestamp", () => {
  it.each([
    ["0", 0],
    ["+1", 1],
    ["1.5", 1.5],
    ["1e10", 1e10],
    ["12E-01", 1.2],
    ["1e+2", 100],
    ["\t\n\v\f\r 1 \r\f\v\n\t", 1],
    ["000", 0],
  ])("may be %j", (text, seconds) => {
    expect(parseTimestamp(text)).toBe(seconds);
  });

  it.each([
    "",
    " ",
    "-1",
    "1 2",
    "1.",
    ".5",
    "1e",
    "e1",
    "1e999",
    "0x1",
    "1_0",
    "１",
    "1\u00a0",
    "++1",
    "1e1.5",
    "NaN",
  ])("is not %j", (text) => {
    expect(parseTimestamp(text)).toBeUndefined();
  });
});

describe("text", () => {
  it("is UTF-8 without a byte order mark at its beginning", () => {
    expect(decodeText(Buffer.from("é😀\0"))).toBe("é😀\0");
    expect(decodeText(Buffer.from("a\ufeff"))).toBe("a\ufeff");
    expect(decodeText(Buffer.from("\ufeffa"))).toBeUndefined();
    expect(decodeText(Buffer.from([0xff]))).toBeUndefined();
  });
});

it("what is corrupt says so", () => {
  expect(isCorrupt({ kind: "corrupt", reason: "invalid-json" })).toBe(true);
  for (const value of [null, undefined, "corrupt", {}, { kind: "metrics" }, []]) expect(isCorrupt(value)).toBe(false);
});
