import { Command } from "commander";
import { flavorPrefix, isNamed, RUNNERS_PREFIX, runnerName } from "../../contract/object-keys.ts";
import { eventsOfRunner } from "../archived-events.ts";
import { type ConnectionOptions, openBucket, withBucket } from "../connection.ts";
import { escapeText } from "../escape.ts";
import { EXIT_CODES } from "../exit-codes.ts";
import { age } from "../options.ts";
import { formatTime, printJson, printLines, progress, terminalColumns } from "../print.ts";
import { findQuarantines } from "../quarantine/list.ts";
import { table } from "../table.ts";

interface Options extends ConnectionOptions {
  readonly json?: boolean;
  readonly since?: number;
}

const DEFAULT_SINCE = 7 * 86_400_000;

/** `runner-metrics runner NAME`: everything that is known about one runner. */
export function runnerCommand(): Command {
  return withBucket(new Command("runner"))
    .description(
      "show everything known about one runner: files that wait, events of the archive with what GitHub said, quarantine",
    )
    .argument("<name>", "name of the runner or of its storage")
    .option(
      "--since <age>",
      "how far back to look for events: 12h or 7d, from the start of that day (default: 7d)",
      age,
    )
    .action(async (name: string, options: Options) => {
      const bucket = await openBucket(options);
      const files = [];
      for (const flavor of await bucket.folders(RUNNERS_PREFIX)) {
        const prefix = flavorPrefix(flavor.slice(0, -1));
        for (const storage of await bucket.folders(prefix)) {
          const own = storage.slice(0, -1);
          if (!isNamed(own, (known) => known === name)) continue;
          for await (const object of bucket.list(prefix + storage)) files.push(object);
        }
      }
      const reading = progress("objects of the archive read");
      const now = Date.now();
      const since = now - (options.since ?? DEFAULT_SINCE);
      const events = await eventsOfRunner(bucket, runnerName(name), { since, now, progress: reading });
      reading.end();
      const quarantines = await findQuarantines(bucket, name);
      if (options.json) printJson({ files, events, quarantines: quarantines.map(({ copies: _, ...one }) => one) });
      else {
        const columns = terminalColumns();
        const eventRows = events.map(({ time, type, detail }) => [
          formatTime(Date.parse(time)),
          type,
          String(detail.repo ?? detail.reason ?? "-"),
          String(detail.status ?? detail.cause ?? "-"),
          [detail.verification, detail.job_conclusion, unknownOf(detail)].filter(Boolean).join(", ") || "-",
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
          ...section("Events", table(["published", "event", "about", "status", "GitHub"], eventRows, { columns })),
          ...section("Quarantine", table(["quarantined", "reason", "state", "id"], quarantineRows, { columns })),
        ]);
      }
      if (files.length + events.length + quarantines.length === 0) process.exitCode = EXIT_CODES.problemFound;
    });
}

/** Why GitHub did not say everything about the job. */
function unknownOf({ job_metrics_unknown: reason }: Readonly<Record<string, unknown>>): string {
  return typeof reason === "string" ? `unknown: ${reason}` : "";
}

function section(title: string, lines: readonly string[]): string[] {
  return [`${title}:`, ...(lines.length > 1 ? lines : ["none"]), ""];
}
