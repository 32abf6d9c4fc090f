/** The runbook: complete, and its commands are ones that exist. */
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { createProgram } from "../../cli/program.ts";
import { EVENT_SCHEMAS } from "../../contract/events.ts";
import { DEFERRAL_REASONS, GITHUB_REASONS, QUARANTINE_REASONS, type Reason } from "../../contract/reasons.ts";
import { ALARM_HELP } from "../../contract/runbook.ts";
import { isMatched } from "../infra/filter-pattern.ts";

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

test("an alarm refers to a reason's row, which exists, and does not repeat what it says", () => {
  const lists: Readonly<Record<string, Readonly<Record<string, Reason>>>> = {
    Quarantine: QUARANTINE_REASONS,
    Deferral: DEFERRAL_REASONS,
    GitHub: GITHUB_REASONS,
  };
  const said = Object.values(lists).flatMap((list) =>
    Object.values(list).flatMap(({ action }) => action.split(/(?<=[.:]) /).filter((sentence) => sentence.length > 40)),
  );
  expect(said.length).toBeGreaterThan(20);
  let references = 0;
  for (const [name, { action }] of Object.entries(ALARM_HELP)) {
    expect(
      said.filter((sentence) => action.includes(sentence)),
      name,
    ).toEqual([]);
    for (const [, reasons = "", section = ""] of action.matchAll(/((?:`[a-z-]+`(?: and )?)+) under (\w+)/g)) {
      references += 1;
      const known = Object.keys(lists[section] ?? {});
      expect(known, name).toEqual(expect.arrayContaining(reasons.match(/[a-z]+(-[a-z]+)*(?=`)/g) ?? []));
    }
  }
  expect(references).toBeGreaterThan(5);
});

test("the events that the commands look for are ones that are published", () => {
  const published = Object.values(EVENT_SCHEMAS).flatMap(({ shape }) => [
    { event: shape.event.value },
    ...("verification" in shape ? [{ event: shape.event.value, verification: "mismatch" }] : []),
  ]);
  const patterns = Object.values(ALARM_HELP).flatMap(({ look }) =>
    look.flatMap((line) => /--filter-pattern '(.*?)'/.exec(line)?.[1] ?? []),
  );
  expect(patterns).toHaveLength(3);
  for (const pattern of patterns)
    expect(published.filter((detail) => isMatched(pattern, { detail })).length, pattern).toBeGreaterThan(0);
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
