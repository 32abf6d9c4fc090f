import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { type CheckOptions, check } from "./check.ts";
import { PROGRAM } from "./program.ts";
import { STEPS, type Step } from "./record.ts";
import { run } from "./run.ts";
import { failureOf, oneLine, print, say } from "./say.ts";
import { readEnvironment } from "./settings.ts";
import { takeStep } from "./steps.ts";

const COMMANDS = {
  "run [--] COMMAND...": "runs the runner (./run.sh): installed, COMMAND with the hooks, ended",
  "check [OPTION]...": "checks files, settings, clock and credentials; exits with 1 if something is wrong",
  "  --name NAME": "the name of the runner at GitHub",
  "  --offline": "without network and credentials, for the build of an image",
  "  --put": "also stores an empty file, which the next run deletes",
  "--version": "prints name and version",
};

const ARGUMENTS: Partial<Record<Step, string>> = {
  "installation-start": " [SECONDS]",
  "policy-failure": " CODE",
  ended: " CODE",
};

const USAGE = [
  "usage: runner-metrics.sh STEP",
  ...Object.entries(STEPS).map(([name, meaning]) => row(`${name}${ARGUMENTS[name as Step] ?? ""}`, meaning)),
  ...Object.entries(COMMANDS).map(([name, meaning]) => row(name, meaning)),
].join("\n");

const home = dirname(process.argv[1] ?? ".");
const [command = "", ...args] = process.argv.slice(2);
const environment = readEnvironment(home, process.env);

// Node's own, of which a job's log is no place.
process.emitWarning = () => {};

if (isStep(command)) {
  // Whatever goes wrong: metrics may be lost, jobs may not.
  const fail = (error: unknown) => end(0, [failureOf(error)]);
  process.on("uncaughtException", fail);
  takeStep(command, args[0], environment).then((problems) => end(0, problems), fail);
} else if (command === "run" && withoutDashes(args).length > 0) {
  run(withoutDashes(args), { home, environment, inherited: process.env }).then((code) => end(code));
} else if (command === "check") {
  checkAndPrint();
} else if (command === "--version") {
  process.stdout.write(`${PROGRAM}\n`);
} else endWithUsage();

async function checkAndPrint(): Promise<void> {
  const options = checkOptions();
  if (!options) return endWithUsage();
  const findings = await check(home, environment, options);
  for (const { isGood, text } of findings) process.stdout.write(`${oneLine(`${isGood ? "ok" : "WRONG"}: ${text}`)}\n`);
  end(findings.every(({ isGood }) => isGood) ? 0 : 1);
}

function checkOptions(): CheckOptions | undefined {
  try {
    const options = { name: { type: "string" }, offline: { type: "boolean" }, put: { type: "boolean" } } as const;
    const { name, offline = false, put = false } = parseArgs({ args: [...args], options }).values;
    return { name, isOffline: offline, putsFile: put };
  } catch {
    return undefined;
  }
}

function row(name: string, meaning: string): string {
  return `  ${name.padEnd(30)}${meaning}`;
}

function isStep(text: string): text is Step {
  return Object.hasOwn(STEPS, text);
}

function withoutDashes(words: readonly string[]): readonly string[] {
  return words[0] === "--" ? words.slice(1) : words;
}

function endWithUsage(): void {
  print(USAGE);
  process.exit(2);
}

/** Ends the process, whatever it still waits for. */
function end(code: number, problems: readonly string[] = []): void {
  say(command, problems);
  process.exit(code);
}
