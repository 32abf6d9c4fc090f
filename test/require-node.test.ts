import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const SCRIPT = fileURLToPath(new URL("../package/require-node.js", import.meta.url));
const json = (path: string) => JSON.parse(readFileSync(new URL(`../${path}`, import.meta.url), "utf8"));

/** The check in a process whose Node says that it is this version. */
function check(version: string) {
  const pretend = `Object.defineProperty(process, "versions", { value: { node: "${version}" } }); import(${JSON.stringify(SCRIPT)})`;
  return spawnSync(process.execPath, ["--input-type=module", "--eval", pretend], { encoding: "utf8" });
}

test.each(["20.20.2", "22.23.3"])(
  "Node %s, without the project's own, ends in one line that says what to do",
  (version) => {
    const { status, stderr, stdout } = check(version);
    expect(stderr).toMatch(/^This needs Node 24, .*npm rebuild node esbuild --ignore-scripts=false.*\n$/);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  },
);

test.each(["24.0.0", "24.21.0", "26.1.0"])("Node %s passes without a word", (version) => {
  expect(check(version)).toMatchObject({ status: 0, stderr: "", stdout: "" });
});

test("npm start, npm test and cdk synth check the version first", () => {
  const first = /^node package\/require-node\.js && /;
  const { start, test: tests, "test:all": all } = json("package.json").scripts;
  for (const command of [start, tests, all, json("cdk.json").app]) expect(command).toMatch(first);
});
