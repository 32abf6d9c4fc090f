import { Command, InvalidArgumentError } from "commander";
import { type ConnectionOptions, stackOutputs, withConnection } from "../connection.ts";
import { age, flavorName } from "../options.ts";
import { formatTime, printJson, printLines, terminalColumns } from "../print.ts";
import { awsOperations, type Operations } from "../stack/operations.ts";
import { listRuns, problemsOf } from "../stack/runs.ts";
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

async function open(options: Options): Promise<Operations> {
  return awsOperations(await stackOutputs(options), options);
}

function positive(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 100_000)
    throw new InvalidArgumentError("It must be from 1 to 100000.");
  return number;
}
