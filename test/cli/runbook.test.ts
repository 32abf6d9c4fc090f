/** The runbook: complete, and its commands are ones that exist. */
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { createProgram } from "../../cli/program.ts";
import { ALARM_HELP } from "../../contract/runbook.ts";

const page = readFileSync(new URL("../../docs/operate/runbook.md", import.meta.url), "utf8");
const alarms = readFileSync(new URL("../../docs/operate/alarms.md", import.meta.url), "utf8");

/** Every command line in the text, in blocks and in sentences. */
const COMMANDS = [...page.matchAll(/^(runner-metrics .*)$|`(runner-metrics [^`]+)`/gm)].map(
  ([, one, two]) => one ?? two ?? "",
);

test("every alarm of the stack has a section, and every section is one of an alarm", () => {
  const names = [...alarms.matchAll(/^\| \[`(\w+)`\]\(runbook\.md#\w+\)/gm)].map(([, name]) => name);
  expect(names.toSorted()).toEqual(Object.keys(ALARM_HELP).toSorted());
  for (const name of names) expect(page).toContain(`\n### ${name}\n`);
});

test.each([...new Set(COMMANDS)])("%s is a command with these options", (line) => {
  const [, ...words] = line.replace("FLAVOR", "large").split(" ");
  let command: Command = createProgram();
  while (command.commands.length > 0) {
    const child = command.commands.find((one) => one.name() === words[0]);
    if (!child) throw new Error(`${command.name()} has no command ${words[0]}`);
    command = child;
    words.shift();
  }
  const { operands, unknown } = command.parseOptions(words);
  expect(unknown).toEqual([]);
  expect(operands.length).toBeGreaterThanOrEqual(command.registeredArguments.filter(({ required }) => required).length);
  if (command.registeredArguments.length === 0) expect(operands).toEqual([]);
});
