import { Command } from "commander";
import { type ConnectionOptions, stackOutputs, withConnection } from "../connection.ts";
import { escapeText } from "../escape.ts";
import { EXIT_CODES } from "../exit-codes.ts";
import { formatTime, printJson, printLines, terminalColumns, wrap } from "../print.ts";
import { type DescribedLetter, describeLetter } from "../stack/dead-letters.ts";
import { awsOperations, type Operations } from "../stack/operations.ts";
import { table } from "../table.ts";

/** `runner-metrics dead-letters`: runs that failed or did not start, and events that were not logged. */
export function deadLettersCommand(): Command {
  return new Command("dead-letters")
    .description("list, inspect, redrive and drop the messages of the dead-letter queue")
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(redriveCommand())
    .addCommand(dropCommand());
}

interface Options extends ConnectionOptions {
  readonly json?: boolean;
  readonly all?: boolean;
  readonly dryRun?: boolean;
}

/** More are never read at once. */
const LETTERS_MAX = 10_000;

function listCommand(): Command {
  return withConnection(new Command("list"))
    .description("list the messages, the oldest first")
    .action(async (options: Options) => {
      const letters = await withLetters(await open(options), async (all) => all);
      if (options.json) return printJson(letters.map(toJson));
      const rows = letters.map(({ letter, kind, error, input }) => [
        formatTime(letter.at),
        kind,
        flavorOf(input),
        letter.id.slice(0, 8),
        error,
      ]);
      printLines(table(["sent", "what", "flavor", "id", "error"], rows, { columns: terminalColumns() }));
    });
}

function showCommand(): Command {
  return withConnection(new Command("show"))
    .description("show a message with its content, escaped")
    .argument("<id>", "its first 8 characters or more")
    .action(async (id: string, options: Options) => {
      const chosen = await withLetters(await open(options), async (all) => choose(all, [id]));
      if (options.json) return printJson(chosen.map(toJson));
      for (const { letter, kind, error } of chosen) {
        const attributes = Object.entries(letter.attributes).map(([name, value]) => `${name}: ${value}`);
        const lines = [
          `id    ${letter.id}`,
          `sent  ${formatTime(letter.at)}`,
          `what  ${kind}`,
          error,
          ...attributes,
          letter.body,
        ];
        printLines(lines.filter(Boolean).flatMap((line) => wrap(escapeText(line))));
      }
    });
}

function redriveCommand(): Command {
  return withChoice(new Command("redrive"))
    .description("start the runs again that failed or did not start, and delete the messages of those that work")
    .action(async (ids: string[], options: Options, command: Command) => {
      checkChoice(ids, options, command);
      const operations = await open(options);
      const results: Result[] = [];
      const finished = new Map<string, string>();
      await withLetters(operations, async (all, remove) => {
        for (const one of chosen(all, ids, options)) {
          const key = JSON.stringify(one.input);
          // One run does what all the failed ones of a flavor were to do.
          const result = finished.get(key) ?? (await redrive(operations, one, options));
          if (one.input !== undefined) finished.set(key, result);
          if (result === "done") await remove(one);
          results.push({ ...toJson(one), result });
          if (!options.json) printLines([`${one.letter.id.slice(0, 8)}  ${one.kind}  ${escapeText(result)}`]);
        }
      });
      finish(results, options);
    });
}

/** `done`, or what would happen, or why it was not done. */
async function redrive(operations: Operations, { kind, input }: DescribedLetter, options: Options): Promise<string> {
  if (input === undefined)
    return `not redriven: there is no run to repeat for a message of kind ${kind}. Show it, then drop it`;
  if (options.dryRun) return "would start a run";
  const { failed, result } = await operations.invoke(input);
  return failed ? `the run failed again: ${JSON.stringify(result).slice(0, 300)}` : "done";
}

function dropCommand(): Command {
  return withChoice(new Command("drop"))
    .description("delete messages")
    .action(async (ids: string[], options: Options, command: Command) => {
      checkChoice(ids, options, command);
      const results: Result[] = [];
      await withLetters(await open(options), async (all, remove) => {
        for (const one of chosen(all, ids, options)) {
          if (!options.dryRun) await remove(one);
          results.push({ ...toJson(one), result: options.dryRun ? "would drop" : "done" });
          if (!options.json)
            printLines([`${one.letter.id.slice(0, 8)}  ${options.dryRun ? "would be dropped" : "dropped"}`]);
        }
      });
      finish(results, options);
    });
}

type Result = ReturnType<typeof toJson> & { readonly result: string };

function finish(results: readonly Result[], options: Options): void {
  if (options.json) printJson(results);
  if (!options.dryRun && results.some(({ result }) => result !== "done")) process.exitCode = EXIT_CODES.problemFound;
}

function withChoice(command: Command): Command {
  return withConnection(command)
    .argument("[ids...]", "first 8 characters of an id, or more")
    .option("--all", "all messages")
    .option("--dry-run", "say what would happen, and change nothing");
}

function checkChoice(ids: readonly string[], options: Options, command: Command): void {
  if (ids.length > 0 === Boolean(options.all)) command.error("name messages, or use --all");
}

function chosen(letters: readonly DescribedLetter[], ids: readonly string[], options: Options) {
  return options.all ? letters : choose(letters, ids);
}

function choose(letters: readonly DescribedLetter[], ids: readonly string[]): DescribedLetter[] {
  return ids.map((id) => {
    const [found, ...others] = letters.filter(({ letter }) => id.length >= 8 && letter.id.startsWith(id));
    if (!found || others.length > 0)
      throw new Error(`there is no message ${escapeText(id)}, or another command has it`);
    return found;
  });
}

/** Reads all messages for `use`. What it does not remove is visible again afterwards, so that the next command finds it at once. */
export async function withLetters<Result>(
  operations: Pick<Operations, "deadLetters" | "deleteLetter" | "returnLetters">,
  use: (letters: readonly DescribedLetter[], remove: (one: DescribedLetter) => Promise<void>) => Promise<Result>,
): Promise<Result> {
  const letters = (await operations.deadLetters(LETTERS_MAX)).map(describeLetter);
  const left = new Set(letters);
  try {
    return await use(letters, async (one) => {
      await operations.deleteLetter(one.letter);
      left.delete(one);
    });
  } finally {
    // If that fails, they are visible again after 20 seconds.
    await operations.returnLetters([...left].map(({ letter }) => letter)).catch(() => {});
  }
}

function flavorOf(input: unknown): string {
  const { flavor } = Object(input ?? {}) as { flavor?: unknown };
  return typeof flavor === "string" ? flavor : "-";
}

function toJson({ letter, kind, error, input }: DescribedLetter) {
  const { id, at, body, attributes } = letter;
  return { id, sent: new Date(at).toISOString(), kind, error, input, body, attributes };
}

async function open(options: Options): Promise<Operations> {
  return awsOperations(await stackOutputs(options), options);
}
