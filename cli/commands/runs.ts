import { Command, InvalidArgumentError } from "commander";
import { FLAVOR } from "../../contract/object-keys.ts";
import { readScheduleInput, scheduleInput } from "../../contract/schedule-input.ts";
import { type ConnectionOptions, stackOutputs, withConnection } from "../connection.ts";
import { escapeText } from "../escape.ts";
import { EXIT_CODES } from "../exit-codes.ts";
import { formatTime, parseDuration, printJson, printLines, terminalColumns, wrap } from "../print.ts";
import { awsOperations, type Operations } from "../stack/operations.ts";
import { listRuns, parseSummary, problemsOf, type RunSummary } from "../stack/runs.ts";
import { table } from "../table.ts";

interface Options extends ConnectionOptions {
  readonly json?: boolean;
}

interface RunsOptions extends Options {
  readonly flavor?: string;
  readonly last: number;
  readonly since: number;
}

const COUNTS = ["listed", "extracted", "quarantined", "deferred", "notReady"] as const;

/** `runner-metrics runs`: what recent runs did, from the log. */
export function runsCommand(): Command {
  return withConnection(new Command("runs"))
    .description("show what recent runs did, from the function's log, the newest last")
    .option("--flavor <name>", "only of this flavor", flavorName)
    .option("--last <number>", "how many", positive, 20)
    .option("--since <age>", "how far back to look: 90s, 30m, 12h or 7d", age, 24 * 3_600_000)
    .action(async (options: RunsOptions) => {
      const operations = await open(options);
      const runs = await listRuns(operations, { ...options, since: Date.now() - options.since });
      if (options.json) {
        const documents = runs.map(({ at, ...run }) => ({ at: new Date(at).toISOString(), ...run }));
        return printJson(documents);
      }
      const rows = runs.map(({ at, durationMilliseconds, summary }) => [
        formatTime(at),
        summary.flavor,
        String(durationMilliseconds),
        ...COUNTS.map((name) => String(summary[name])),
        problemsOf(summary).join("; ") || "-",
      ]);
      const names = ["listed", "extr.", "quar.", "defer.", "waiting"];
      printLines(table(["ended", "flavor", "ms", ...names, "problems"], rows, { columns: terminalColumns() }));
    });
}

/** `runner-metrics run FLAVOR`: starts a run, and waits for it. */
export function runCommand(): Command {
  return withConnection(new Command("run"))
    .description("start a run of a flavor with the input of its schedule, wait for it, and print its summary")
    .argument("<flavor>", "name of the flavor", flavorName)
    .option("--dry-run", "print the input, and start nothing")
    .action(async (flavor: string, options: Options & { dryRun?: boolean }) => {
      const operations = await open(options);
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
  const counts = [...COUNTS, "incomplete", "excluded", "vanished"] as const;
  const problems = problemsOf(summary).flatMap((problem) => wrap(escapeText(problem), "  "));
  return [
    `flavor        ${summary.flavor}`,
    ...counts.map((name) => `${name.padEnd(13)} ${summary[name]}`),
    ...(problems.length > 0 ? ["problems:", ...problems] : ["no problem"]),
  ];
}

async function open(options: Options): Promise<Operations> {
  return awsOperations(await stackOutputs(options), options);
}

function flavorName(name: string): string {
  if (!FLAVOR.test(name)) throw new InvalidArgumentError("It is not the name of a flavor.");
  return name;
}

function positive(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 100_000)
    throw new InvalidArgumentError("It must be from 1 to 100000.");
  return number;
}

function age(text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds === undefined) throw new InvalidArgumentError("It must be like 90s, 30m, 12h or 7d.");
  return milliseconds;
}
