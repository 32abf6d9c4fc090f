import { Command } from "commander";
import { readScheduleInput, scheduleInput } from "../../contract/schedule-input.ts";
import { type ConnectionOptions, stackOutputs, withConnection } from "../connection.ts";
import { escapeText } from "../escape.ts";
import { EXIT_CODES } from "../exit-codes.ts";
import { flavorName } from "../options.ts";
import { printJson, printLines, wrap } from "../print.ts";
import { awsOperations, type Operations } from "../stack/operations.ts";
import { parseSummary, problemsOf, type RunSummary } from "../stack/runs.ts";

interface Options extends ConnectionOptions {
  readonly json?: boolean;
  readonly dryRun?: boolean;
}

const COUNTS = [
  "listed",
  "extracted",
  "quarantined",
  "deferred",
  "notReady",
  "incomplete",
  "excluded",
  "vanished",
] as const;

/** `runner-metrics run FLAVOR`: starts a run, and waits for it. */
export function runCommand(): Command {
  return withConnection(new Command("run"))
    .description("start a run of a flavor with the input of its schedule, wait for it, and print its summary")
    .argument("<flavor>", "name of the flavor", flavorName)
    .option("--dry-run", "print the input, and start nothing")
    .action(async (flavor: string, options: Options) => {
      const operations = awsOperations(await stackOutputs(options), options);
      const input = await inputOf(operations, flavor);
      if (options.dryRun) return printJson(input);
      const { failed, result } = await operations.invoke(input);
      const summary = failed ? undefined : parseSummary(result);
      if (!summary) throw new Error(`the run failed: ${escapeText(errorOf(result))}`);
      if (options.json) printJson(summary);
      else printLines(summaryLines(summary));
      if (problemsOf(summary).length > 0) process.exitCode = EXIT_CODES.problemFound;
    });
}

/** The input of the flavor's schedule, so that a run by hand does the same. */
export async function inputOf(operations: Pick<Operations, "schedules">, flavor: string): Promise<unknown> {
  const inputs = (await operations.schedules()).map(({ input }) => input);
  const flavors = inputs.flatMap((input) => scheduleInput.safeParse(input).data?.flavor ?? []);
  const index = flavors.indexOf(flavor);
  if (index < 0) throw new Error(`the stack has no flavor ${flavor}, only ${flavors.join(", ") || "none"}`);
  readScheduleInput(inputs[index]);
  return inputs[index];
}

function errorOf(result: unknown): string {
  const { errorMessage } = Object(result) as { errorMessage?: unknown };
  return typeof errorMessage === "string" ? errorMessage : JSON.stringify(result);
}

function summaryLines(summary: RunSummary): string[] {
  const problems = problemsOf(summary).flatMap((problem) => wrap(escapeText(problem), "  "));
  return [
    `flavor        ${summary.flavor}`,
    ...COUNTS.map((name) => `${name.padEnd(13)} ${summary[name]}`),
    ...(summary.handedOver ? [`handedOver    ${summary.handedOver}`] : []),
    ...(problems.length > 0 ? ["problems:", ...problems] : ["no problem"]),
  ];
}
