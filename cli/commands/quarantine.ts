import { Command, Option } from "commander";
import { namesOf, QUARANTINE_REASONS, type QuarantineReason } from "../../contract/reasons.ts";
import type { Bucket } from "../bucket.ts";
import { type ConnectionOptions, callerArn, openBucket, withBucket } from "../connection.ts";
import { escapeText } from "../escape.ts";
import { EXIT_CODES } from "../exit-codes.ts";
import { age, flavorName } from "../options.ts";
import { formatTime, printJson, printLines, progress, terminalColumns, wrap } from "../print.ts";
import { type Assessment, assess } from "../quarantine/assess.ts";
import { describeAssessment, describeQuarantine } from "../quarantine/describe.ts";
import { drop } from "../quarantine/drop.ts";
import {
  type DescribedQuarantine,
  findQuarantines,
  listQuarantines,
  type QuarantineFilter,
} from "../quarantine/list.ts";
import { release } from "../quarantine/release.ts";
import { table } from "../table.ts";

/** `runner-metrics quarantine`: files that runs found not trustworthy. */
export function quarantineCommand(): Command {
  return new Command("quarantine")
    .description("list, inspect, release and drop quarantined files")
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(releaseCommand())
    .addCommand(dropCommand());
}

interface CommonOptions extends ConnectionOptions {
  readonly json?: boolean;
}

interface FilterOptions {
  readonly flavor?: string;
  readonly reason?: QuarantineReason;
  readonly name?: string;
  readonly newerThan?: number;
  readonly olderThan?: number;
}

function withFilter(command: Command): Command {
  return withFlavor(command)
    .addOption(new Option("--reason <reason>", "only with this reason").choices(namesOf(QUARANTINE_REASONS)))
    .option("--name <name>", "only of this runner or storage")
    .option("--newer-than <age>", "only younger than this: 90s, 30m, 12h or 7d", age)
    .option("--older-than <age>", "only at least this old", age);
}

function withFlavor(command: Command): Command {
  return command.option("--flavor <name>", "only of this flavor", flavorName);
}

function filterOf({ flavor, reason, name, newerThan, olderThan }: FilterOptions): QuarantineFilter {
  const ago = (milliseconds: number | undefined) =>
    milliseconds === undefined ? undefined : Date.now() - milliseconds;
  return { flavor, reason, name, from: ago(newerThan), until: ago(olderThan) };
}

function listCommand(): Command {
  return withBucket(withFilter(new Command("list")))
    .description("list quarantined storages, the oldest first")
    .action(async (options: CommonOptions & FilterOptions) => {
      const reading = progress("manifests read");
      const found = await listQuarantines(await openBucket(options), filterOf(options), reading);
      reading.end();
      if (options.json) return printJson(found.map(toJson));
      const rows = found.map(({ quarantinedAt, flavor, manifest, state, id, storage }) => [
        formatTime(quarantinedAt).slice(0, 16),
        flavor,
        manifest?.reason ?? "?",
        state,
        id.slice(0, 8),
        storage,
      ]);
      const heading = ["quarantined (UTC)", "flavor", "reason", "state", "id", "storage"];
      printLines(table(heading, rows, { columns: terminalColumns() }));
      if (process.stdout.isTTY) printLines(["", `${found.length} in all. Details: runner-metrics quarantine show ID`]);
    });
}

function toJson({ flavor, storage, id, prefix, state, copies, quarantinedAt, manifest }: DescribedQuarantine) {
  const quarantined_at = quarantinedAt === undefined ? undefined : new Date(quarantinedAt).toISOString();
  const { reason, file, problems, objects } = manifest ?? {};
  const counts = { objects: objects?.length, copies: copies.length };
  return { flavor, storage, id, prefix, state, quarantined_at, reason, file, problems, ...counts };
}

function showCommand(): Command {
  return withBucket(withFlavor(new Command("show")))
    .description("explain a quarantine, show its files escaped, and say what a release would do")
    .argument("<quarantine>", "id (its first 8 digits or more), storage, runner, or prefix in the bucket")
    .action(async (name: string, options: CommonOptions & FilterOptions) => {
      const bucket = await openBucket(options);
      const found = await named(bucket, name, options.flavor);
      const assessed = [];
      for (const one of found) assessed.push({ one, assessment: await assess(bucket, one) });
      if (options.json) {
        const documents = assessed.map(({ one, assessment }) => ({
          ...toJson(one),
          manifest: one.manifest,
          release: assessmentToJson(assessment),
          files: assessment.files.map(({ name, bytes }) => ({ name, text: Buffer.from(bytes).toString() })),
        }));
        return printJson(documents);
      }
      printLines(
        assessed.flatMap(({ one, assessment }, index) => [
          ...(index > 0 ? ["", "-".repeat(80), ""] : []),
          ...describeQuarantine(one, assessment),
        ]),
      );
    });
}

function assessmentToJson({ impossible, again, events, isReady }: Assessment) {
  return { impossible, again, events, is_ready: isReady };
}

interface ChangeOptions extends CommonOptions, FilterOptions {
  readonly all?: boolean;
  readonly dryRun?: boolean;
  readonly anyway?: boolean;
  readonly repeat?: boolean;
}

function releaseCommand(): Command {
  return withChoice(new Command("release"))
    .description("put files back where the runner stored them, so that the next run collects them")
    .option("--anyway", "also if the next run will quarantine them again")
    .option("--repeat", "also if they were released before")
    .action(async (names: string[], options: ChangeOptions, command: Command) => {
      const { bucket, chosen } = await choose(names, options, command);
      const by = options.dryRun ? "" : await callerArn(options);
      const results = [];
      for (const one of chosen) {
        const done = await release(bucket, one, { ...options, by, now: Date.now });
        const because = "because" in done ? { because: done.because } : {};
        results.push({ ...toJson(one), result: done.result, ...because, release: assessmentToJson(done.assessment) });
        if (!options.json) printLines([titleOf(one, done.result), ...linesOf(done)]);
      }
      if (options.json) printJson(results);
      if (results.some(({ result }) => result === "refused")) process.exitCode = EXIT_CODES.problemFound;
    });
}

function linesOf(done: Awaited<ReturnType<typeof release>>): string[] {
  if ("because" in done) return wrap(escapeText(done.because), "  ");
  return describeAssessment(done.assessment).map((line) => `  ${line.trimStart()}`);
}

function dropCommand(): Command {
  return withChoice(new Command("drop"))
    .description("delete the copies of quarantined files; manifest and record stay until they expire")
    .action(async (names: string[], options: ChangeOptions, command: Command) => {
      const { bucket, chosen } = await choose(names, options, command);
      const by = options.dryRun ? "" : await callerArn(options);
      const results = [];
      for (const one of chosen) {
        const done = await drop(bucket, one, { ...options, by, now: Date.now });
        results.push({ ...toJson(one), ...done });
        if (!options.json) printLines([`${titleOf(one, done.result)}, copies: ${done.copies}`]);
      }
      if (options.json) printJson(results);
      if (results.some(({ result }) => result === "refused")) process.exitCode = EXIT_CODES.problemFound;
    });
}

function titleOf({ id, storage }: DescribedQuarantine, result: string): string {
  return `${id.slice(0, 8)}  ${storage}  ${result}`;
}

function withChoice(command: Command): Command {
  return withBucket(withFilter(command))
    .argument("[quarantines...]", "id (its first 8 digits or more), storage, runner, or prefix in the bucket")
    .option("--all", "all that the other options select")
    .option("--dry-run", "say what would happen, and change nothing");
}

async function choose(
  names: readonly string[],
  options: ChangeOptions,
  command: Command,
): Promise<{ bucket: Bucket; chosen: readonly DescribedQuarantine[] }> {
  if (names.length > 0 === Boolean(options.all))
    command.error("name quarantines, or use --all, optionally with filters");
  const bucket = await openBucket(options);
  if (options.all) {
    const open = (await listQuarantines(bucket, filterOf(options))).filter(({ state }) => state !== "dropped");
    return { bucket, chosen: options.repeat ? open : open.filter(({ state }) => state !== "released") };
  }
  const chosen: DescribedQuarantine[] = [];
  for (const name of names) {
    const found = await named(bucket, name, options.flavor);
    if (found.length > 1) {
      const ids = found.map(({ id, state }) => `${id.slice(0, 8)} (${state})`).join(", ");
      throw new Error(`${escapeText(name)} has ${found.length} quarantines: ${ids}. Name one by its id`);
    }
    chosen.push(...found);
  }
  return { bucket, chosen };
}

async function named(bucket: Bucket, name: string, flavor: string | undefined): Promise<DescribedQuarantine[]> {
  const found = await findQuarantines(bucket, name, flavor);
  if (found.length === 0) throw new Error(`there is no quarantine ${escapeText(name)}`);
  return found;
}
