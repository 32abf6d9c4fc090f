import { Command, CommanderError } from "commander";
import packageJson from "../package.json" with { type: "json" };
import { checkFilesCommand } from "./commands/check-files.ts";
import { deadLettersCommand } from "./commands/dead-letters.ts";
import { demoCommand } from "./commands/demo.ts";
import { quarantineCommand } from "./commands/quarantine.ts";
import { replayCommand } from "./commands/replay.ts";
import { reportCommand } from "./commands/report.ts";
import { runCommand } from "./commands/run.ts";
import { runnerCommand } from "./commands/runner.ts";
import { runsCommand } from "./commands/runs.ts";
import { statusCommand } from "./commands/status.ts";
import { ticketCommand } from "./commands/ticket.ts";
import { EXIT_CODES } from "./exit-codes.ts";

/** One line for each exit code, for `--help` and for the page about the command line. */
export const EXIT_CODE_MEANINGS: Readonly<Record<keyof typeof EXIT_CODES, string>> = {
  success: "success",
  failure: "the command failed; the last line on stderr says why",
  usage: "the command line is wrong; nothing was done",
  problemFound: "the command worked, and what it checked has a problem",
};

/**
 * Runs one command line, without `node` and the program's name, and returns the exit code. Results go to stdout. An error is one line
 * on stderr that begins with the command's name. A command reports a problem it found by setting `process.exitCode` itself.
 */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync(args, { from: "user" });
    return Number(process.exitCode ?? EXIT_CODES.success);
  } catch (error) {
    // Commander has printed it, help included.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_CODES.success : EXIT_CODES.usage;
    console.error(`runner-metrics: ${oneLine(error instanceof Error ? error.message : String(error))}`);
    return EXIT_CODES.failure;
  }
}

/** All commands. Each is a file in `cli/commands/`. */
export function createProgram(): Command {
  const program = new Command("runner-metrics")
    .description("Metrics of self-hosted GitHub Actions runners, from the command line")
    .version(packageJson.version)
    .addHelpText("after", `\n${exitCodesHelp()}`);
  for (const command of [
    statusCommand(),
    runsCommand(),
    runCommand(),
    runnerCommand(),
    quarantineCommand(),
    deadLettersCommand(),
    replayCommand(),
    ticketCommand(),
    checkFilesCommand(),
    reportCommand(),
    demoCommand(),
  ])
    program.addCommand(command);
  reportErrors(program);
  return program;
}

function exitCodesHelp(): string {
  const lines = Object.entries(EXIT_CODE_MEANINGS).map(
    ([name, meaning]) => `  ${EXIT_CODES[name as keyof typeof EXIT_CODES]}  ${meaning}`,
  );
  return ["Exit codes:", ...lines].join("\n");
}

/** Commands that are added don't inherit these settings. */
function reportErrors(command: Command): void {
  command.exitOverride().configureOutput({
    outputError: (text, write) => write(`${fullName(command)}: ${oneLine(text.replace(/^error: /, ""))}\n`),
  });
  for (const child of command.commands) reportErrors(child);
}

function fullName(command: Command): string {
  return command.parent ? `${fullName(command.parent)} ${command.name()}` : command.name();
}

function oneLine(text: string): string {
  return text
    .trim()
    .replace(/\s*\n\s*(?=\()/g, " ")
    .replace(/\s*\n\s*/g, "; ");
}
