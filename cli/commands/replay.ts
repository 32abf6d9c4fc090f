import { setTimeout } from "node:timers/promises";
import { Command, InvalidArgumentError } from "commander";
import { type ConnectionOptions, type StackOutputs, stackOutputs, withConnection } from "../connection.ts";
import { escapeText } from "../escape.ts";
import { formatTime, printJson, printLines, progress } from "../print.ts";
import { awsOperations, type Operations, type ReplayState } from "../stack/operations.ts";

interface Options extends ConnectionOptions {
  readonly from: number;
  readonly to: number;
  readonly rule?: readonly string[];
  readonly json?: boolean;
  readonly dryRun?: boolean;
}

/** How often EventBridge is asked how far it is, in milliseconds. */
const POLL_MILLISECONDS = 5_000;

/** `runner-metrics replay`: for a consumer that was absent or failed. */
export function replayCommand(): Command {
  return withConnection(new Command("replay"))
    .description(
      "send the events that were published in a period to the rules of the bus again, from EventBridge's archive",
    )
    .requiredOption("--from <time>", "begin of the period, as in 2026-11-23T06:00Z", time)
    .requiredOption("--to <time>", "end of the period", time)
    .option("--rule <arn...>", "ARNs of the rules that receive them (default: all rules of the bus)")
    .option("--dry-run", "say what would be replayed, and start nothing")
    .action(async (options: Options, command: Command) => {
      if (options.from >= options.to) command.error("--from must be before --to");
      const outputs = await stackOutputs(options);
      const replay = {
        ...planReplay(outputs, options.from, options.to, Date.now()),
        rules: options.rule ?? [],
      };
      const operations = awsOperations(outputs, options);
      const ended = options.dryRun
        ? undefined
        : await runReplay(operations, replay, () => setTimeout(POLL_MILLISECONDS));
      if (options.json) return printJson({ ...toJson(replay), ...(ended && { state: ended.state }) });
      const period = `${formatTime(replay.from)} to ${formatTime(replay.to)}`;
      printLines([`${options.dryRun ? "would replay" : "replayed"} ${period} as ${replay.name}`]);
    });
}

interface Replay {
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly from: number;
  readonly to: number;
  readonly rules: readonly string[];
}

/** Throws where the stack cannot replay the period. */
export function planReplay(outputs: StackOutputs, from: number, to: number, now: number): Omit<Replay, "rules"> {
  if (outputs.ReplayArchiveArn === undefined) {
    throw new Error(
      "the stack keeps no events to replay: set archiveRetentionDays, or deploy it again with this version. Past events are in the bucket, under events/",
    );
  }
  if (to > now) throw new Error(`--to ${formatTime(to)} is in the future`);
  // Names of replays are unique in an account and region, and kept for 90 days.
  return { name: `runner-metrics-${now}`, from, to };
}

/** Starts the replay and waits for its end. Throws if EventBridge does not complete it. */
export async function runReplay(
  operations: Pick<Operations, "startReplay" | "replayState">,
  { name, from, to, rules }: Replay,
  pause: () => Promise<unknown>,
): Promise<ReplayState> {
  await operations.startReplay(name, from, to, rules);
  const show = progress("% replayed");
  for (;;) {
    const replay = await operations.replayState(name);
    if (replay.last !== undefined) show(Math.floor((100 * (replay.last - from)) / (to - from)));
    if (replay.state === "COMPLETED") {
      show.end();
      return replay;
    }
    if (!["STARTING", "RUNNING"].includes(replay.state)) {
      show.end();
      throw new Error(
        `the replay ${name} ended as ${escapeText(`${replay.state}: ${replay.reason ?? "no reason given"}`)}`,
      );
    }
    await pause();
  }
}

function toJson({ name, from, to, rules }: Replay) {
  return { name, from: new Date(from).toISOString(), to: new Date(to).toISOString(), rules };
}

/** Reads a time from the command line, in milliseconds since the epoch. Without a zone it could be anybody's. */
function time(text: string): number {
  const milliseconds = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d))?$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (Number.isNaN(milliseconds)) {
    throw new InvalidArgumentError("It must be like 2026-11-23 (in UTC), 2026-11-23T06:00Z or 2026-11-23T06:00+01:00.");
  }
  return milliseconds;
}
