import { expect, test } from "vitest";
import { escapeText } from "../../cli/escape.ts";
import { table } from "../../cli/table.ts";

test("in a pipe no cell is shortened", () => {
  expect(table(["a", "b"], [["1", "x".repeat(200)]]).at(-1)).toBe(`1  ${"x".repeat(200)}`);
});

test("on a terminal lines fit, and the widest cells are shortened in the middle", () => {
  const rows = [
    ["2026-11-26 13:05", "timestamp-in-future", "kept", "0123abcd", `AROA0123456789ABCDEF0:i-${"0".repeat(100)}9`],
    ["2026-11-26 13:05", "invalid-json", "kept", "0123abcd", "short"],
  ];
  const lines = table(["quarantined", "reason", "state", "id", "storage"], rows, { columns: 80 });
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
  expect(lines[1]).toMatch(/timestamp-in-future {2}kept {3}0123abcd {2}AROA\w+\.\.0+9$/);
});

test("hostile text becomes printable ASCII, and different texts stay different", () => {
  const hostile = [
    "\u001b[31m",
    "\\u001b[31m",
    "\u202eevil",
    "a\nb",
    "a\\nb",
    "\u0000",
    "\u{1f47b}",
    "\ud800",
    "pаypal",
    "paypal",
  ];
  const escaped = hostile.map(escapeText);
  expect(escaped.join("")).toMatch(/^[ -~]+$/);
  expect(new Set(escaped).size).toBe(hostile.length);
  expect(
    table(
      ["name"],
      hostile.map((text) => [text]),
    ),
  ).toHaveLength(hostile.length + 1);
});
