import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { EXIT_CODES } from "../../cli/exit-codes.ts";
import { createProgram, EXIT_CODE_MEANINGS } from "../../cli/program.ts";
import { runCommand, runProgram } from "./run.ts";

const ROOT = new URL("../../", import.meta.url);
const { version } = JSON.parse(readFileSync(new URL("package.json", ROOT), "utf8"));

test("every file in cli/commands is a command", () => {
  const files = readdirSync(new URL("cli/commands", ROOT)).map((name) => name.replace(/\.ts$/, ""));
  const commands = createProgram().commands.map((command) => command.name());
  expect(commands.toSorted()).toEqual(files.toSorted());
});

test("--version prints the version of the package", async () => {
  expect(await runProgram(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
});

test("--help lists every command and every exit code", async () => {
  const { code, stdout, stderr } = await runCommand(["--help"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  for (const command of createProgram().commands) expect(stdout).toContain(`  ${command.name()} `);
  for (const [name, exitCode] of Object.entries(EXIT_CODES)) {
    expect(stdout).toContain(`  ${exitCode}  ${EXIT_CODE_MEANINGS[name as keyof typeof EXIT_CODES]}\n`);
  }
});

test("without a command, help goes to stderr and the exit code is 2", async () => {
  expect(await runProgram([])).toEqual({
    code: 2,
    stdout: "",
    stderr: expect.stringMatching(/^Usage: runner-metrics/),
  });
});

test.each([
  [["tickets"], /^runner-metrics: unknown command 'tickets' \(Did you mean ticket\?\)\n$/],
  [["ticket", "post", "--buket", "b"], /^runner-metrics ticket post: unknown option '--buket' .*\n$/],
  [["ticket", "post", "--bucket"], /^runner-metrics ticket post: option '--bucket <name>' argument missing\n$/],
])("a wrong command line is one line on stderr, and exit code 2: %j", async (args, stderr) => {
  expect(await runCommand(args)).toEqual({ code: 2, stdout: "", stderr: expect.stringMatching(stderr) });
});

test("the page about the command line has every command and every exit code", () => {
  const page = readFileSync(new URL("docs/use/command-line.md", ROOT), "utf8");
  const names = createProgram().commands.flatMap((command) => {
    const children = command.commands.map((child) => `${command.name()} ${child.name()}`);
    return children.length > 0 ? children : [command.name()];
  });
  for (const [name, exitCode] of Object.entries(EXIT_CODES)) {
    expect(page).toContain(`| ${exitCode} | ${EXIT_CODE_MEANINGS[name as keyof typeof EXIT_CODES]} |`);
  }
  for (const name of names) expect(page).toContain(`| \`${name}\` |`);
});
