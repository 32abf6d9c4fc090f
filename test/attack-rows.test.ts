/** Every row of docs/operate/attacks.md is proven by a test that bears its id. */

import { globSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const ROOT = new URL("..", import.meta.url).pathname;

/** The rows of the list: A28 and A29 are not in use. */
const ROWS = Array.from({ length: 48 }, (_, index) => `A${String(index + 1).padStart(2, "0")}`).filter(
  (id) => id !== "A28" && id !== "A29",
);

/** The first argument of a call, where it is a text that begins with ids: the name of a test or suite, or of each of many. */
const NAME = /\(\s*["'`]((?:A\d\d[ :,]+)+)/g;

const provenIn = new Map<string, string[]>();
for (const file of globSync("test/**/*.test.ts", { cwd: ROOT })) {
  for (const [, ids = ""] of readFileSync(`${ROOT}${file}`, "utf8").matchAll(NAME)) {
    for (const id of ids.match(/A\d\d/g) ?? []) provenIn.set(id, [...(provenIn.get(id) ?? []), file]);
  }
}

describe("the list of hostile input", () => {
  it("has exactly these rows", () => {
    const listed = readFileSync(`${ROOT}docs/operate/attacks.md`, "utf8").match(/^\| A\d\d(?= \|)/gm) ?? [];
    expect(listed.map((row) => row.slice(2))).toEqual(ROWS);
  });

  it.each(ROWS)("%s is proven by a test that bears its id", (id) => {
    expect(provenIn.get(id) ?? []).not.toEqual([]);
  });

  it("is all that tests claim to prove", () => {
    expect([...provenIn.keys()].filter((id) => !ROWS.includes(id))).toEqual([]);
  });
});

/** What went wrong on runners in the field: each kind has a test whose name begins with its id. */
it.each(Array.from({ length: 14 }, (_, index) => `R${index + 1}`))(
  "the field's %s has a test that bears its id",
  (id) => {
    const name = new RegExp(`\\(\\s*["'\`]${id} `);
    const files = globSync("test/runner/*.test.ts", { cwd: ROOT });
    expect(files.filter((file) => name.test(readFileSync(`${ROOT}${file}`, "utf8")))).not.toEqual([]);
  },
);
