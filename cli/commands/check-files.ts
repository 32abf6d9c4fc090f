import { Command } from "commander";
import { checkFiles, type FilesReport } from "../check-files.ts";
import { escapeText } from "../escape.ts";
import { EXIT_CODES } from "../exit-codes.ts";
import { flavorName } from "../options.ts";
import { printJson, printLines } from "../print.ts";

interface Options {
  readonly storage?: string;
  readonly flavor?: string;
  readonly json?: boolean;
}

/** `runner-metrics check-files DIRECTORY`: for those who write the files with a program of their own. */
export function checkFilesCommand(): Command {
  return new Command("check-files")
    .description(
      "say what the collector would decide about the files of a directory, as if a runner had just uploaded them",
    )
    .argument("<directory>", "directory with the files of one runner")
    .option("--storage <name>", "name of the storage, the runner's name")
    .option("--flavor <name>", "name of the flavor", flavorName)
    .option("--json", "print JSON")
    .action(async (directory: string, { json, ...options }: Options) => {
      const report = await checkFiles(directory, options);
      if (json) printJson(report);
      else printLines(reportLines(report).map(escapeText));
      if (report.outcome !== "extracted") process.exitCode = EXIT_CODES.problemFound;
    });
}

function reportLines({ outcome, isReady, reason, file, problems, events, ignored }: FilesReport): string[] {
  return [
    `outcome  ${outcome}${reason ? `: ${reason}` : ""}`,
    `ready    ${isReady ? "yes" : "no: only after orphanAfterSeconds without an upload"}`,
    ...(file ? [`file     ${file}`] : []),
    ...problems.map((problem) => `problem  ${problem}`),
    ...(events.length > 0 ? [`events   ${events.join(", ")}`] : []),
    ...(ignored.length > 0 ? [`ignored  ${ignored.join(", ")}`] : []),
  ];
}
