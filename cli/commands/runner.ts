import { Command } from "commander";
import { flavorPrefix, isNamed, RUNNERS_PREFIX, runnerName } from "../../contract/object-keys.ts";
import { type ConnectionOptions, openBucket, output, stackOutputs, withConnection } from "../connection.ts";
import { escapeText } from "../escape.ts";
import { EXIT_CODES } from "../exit-codes.ts";
import { formatTime, parseDuration, printJson, printLines, terminalColumns } from "../print.ts";
import { findQuarantines } from "../quarantine/list.ts";
import { awsOperations } from "../stack/operations.ts";
import { table } from "../table.ts";

interface Options extends ConnectionOptions {
  readonly json?: boolean;
  readonly since: string;
}

/** `runner-metrics runner NAME`: everything that is known about one runner. */
export function runnerCommand(): Command {
  return withConnection(new Command("runner"))
    .description("show everything known about one runner: files that wait, events from the log, quarantine")
    .argument("<name>", "name of the runner or of its storage")
    .option("--since <age>", "how far back to look for events: 90s, 30m, 12h or 7d", "7d")
    .action(async (name: string, options: Options, command: Command) => {
      const age = parseDuration(options.since);
      if (age === undefined) command.error("--since must be like 90s, 30m, 12h or 7d");
      const outputs = await stackOutputs(options);
      const bucket = await openBucket({ ...options, bucket: output(outputs, "BucketName") });
      const files = [];
      for (const flavor of await bucket.folders(RUNNERS_PREFIX)) {
        const prefix = flavorPrefix(flavor.slice(0, -1));
        for (const storage of await bucket.folders(prefix)) {
          const own = storage.slice(0, -1);
          if (!isNamed(own, (known) => known === name)) continue;
          for await (const object of bucket.list(prefix + storage)) files.push(object);
        }
      }
      const events: { at: number; type: string; detail: Record<string, unknown> }[] = [];
      // The name is part of a pattern: it is compared again below.
      const pattern = `{ $.detail.runner_name = ${JSON.stringify(runnerName(name))} }`;
      const log = awsOperations(outputs, options).logLines("events", Date.now() - Number(age), pattern);
      for await (const { at, message } of log) {
        const event = JSON.parse(message);
        if (event.detail?.runner_name === runnerName(name))
          events.push({ at, type: event["detail-type"], detail: event.detail });
      }
      const quarantines = await findQuarantines(bucket, name);
      if (options.json) printJson({ files, events, quarantines: quarantines.map(({ copies: _, ...one }) => one) });
      else {
        const columns = terminalColumns();
        const eventRows = events.map(({ at, type, detail }) => [
          formatTime(at),
          type,
          String(detail.repo ?? detail.reason ?? "-"),
          String(detail.status ?? detail.verification ?? "-"),
        ]);
        const fileRows = files.map(({ key, size, lastModified }) => [formatTime(lastModified), String(size), key]);
        const quarantineRows = quarantines.map((one) => [
          formatTime(one.quarantinedAt),
          one.manifest?.reason ?? "?",
          one.state,
          one.id.slice(0, 8),
        ]);
        printLines([
          `runner ${escapeText(name)}`,
          "",
          ...section("Files that wait for a run", table(["uploaded", "bytes", "key"], fileRows, { columns })),
          ...section("Events", table(["logged", "event", "about", "status"], eventRows, { columns })),
          ...section("Quarantine", table(["quarantined", "reason", "state", "id"], quarantineRows, { columns })),
        ]);
      }
      if (files.length + events.length + quarantines.length === 0) process.exitCode = EXIT_CODES.problemFound;
    });
}

function section(title: string, lines: readonly string[]): string[] {
  return [`${title}:`, ...(lines.length > 1 ? lines : ["none"]), ""];
}
