import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import { resolve as absolute } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { hookVariables } from "./hooks.ts";
import { ownSpool } from "./owner.ts";
import { failureOf, say as sayIn } from "./say.ts";
import { type Environment, limitsOf, spoolDirectory } from "./settings.ts";
import { takeStep } from "./steps.ts";

/** Of `run`'s end, once it was asked to stop: the service manager soon kills us. */
const FINAL_MILLISECONDS_WHEN_STOPPED = 5_000;

/** The shim keeps variables under these names that would change Node; the command gets them back. */
const KEPT = "RUNNER_METRICS_KEPT_";

/** Settings that are paths: hooks run in another directory. */
const PATHS = ["RUNNER_METRICS_RUNNER", "RUNNER_METRICS_SPOOL", "RUNNER_METRICS_TICKET"];

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface RunOptions {
  /** Where the program and the hooks are. */
  readonly home: string;
  /** With the configuration. */
  readonly environment: Environment;
  /** Of this process: the command gets it, and the hooks. */
  readonly inherited: Environment;
}

/**
 * Runs a command, GitHub's run.sh, between `installed` and `ended`. The command keeps arguments, environment and stdin, and gets signals;
 * its exit code is returned. Whatever goes wrong with the metrics, it runs.
 */
export async function run(command: readonly string[], options: RunOptions): Promise<number> {
  const { home, environment, inherited } = options;
  let child: ChildProcess | undefined;
  let asked: NodeJS.Signals | undefined;
  const stop = new Promise<void>((resolve) => {
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        asked ??= signal;
        if (child) pass(child, signal);
        resolve();
      });
    }
  });

  const directory = spoolDirectory(environment);
  const owner = directory === undefined ? undefined : ownSpool(directory);
  const isTaken = owner !== undefined && "takenBy" in owner;
  const { limits, problems: wrongLimits } = limitsOf(environment);
  const hooks = isTaken ? { variables: {}, problems: [] } : hookVariables(home, inherited);
  const taken = isTaken
    ? [
        `another runner (process ${owner.takenBy}) uses the spool ${directory}, so nothing of this one is recorded: set RUNNER_METRICS_SPOOL and RUNNER_METRICS_STORAGE for each runner of this machine`,
      ]
    : [];
  const steps = (step: "installed" | "ended", argument?: string, final?: number) =>
    isTaken ? Promise.resolve([]) : takeStep(step, argument, environment, final).catch((error) => [failureOf(error)]);
  say([...taken, ...hooks.problems, ...wrongLimits, ...without(await steps("installed"), wrongLimits)]);

  const settings = {
    ...hooks.variables,
    ...Object.fromEntries(PATHS.flatMap((name) => (inherited[name] ? [[name, absolute(inherited[name])]] : []))),
    ...(directory !== undefined && !isTaken && { RUNNER_METRICS_SPOOL: absolute(directory) }),
    // GitHub's run.sh passes signals on only if this is set.
    RUNNER_MANUALLY_TRAP_SIG: inherited.RUNNER_MANUALLY_TRAP_SIG ?? "1",
  };
  const takeEnd = async (code: number, final?: number) =>
    say(without(await steps("ended", String(code), final), wrongLimits));
  let code = codeOfSignal(asked);
  if (asked) {
    // Before there was anything to stop.
    await takeEnd(code, FINAL_MILLISECONDS_WHEN_STOPPED);
  } else {
    child = start(command, { ...restored(inherited), ...settings });
    const ended = endOf(child, command);
    await Promise.race([ended, stop]);
    if (asked) {
      // Wait a little for the job's own end, then record what is known.
      await Promise.race([ended, sleep(limits.grace)]);
      await takeEnd(codeOfSignal(asked), FINAL_MILLISECONDS_WHEN_STOPPED);
      code = await ended;
    } else {
      code = await ended;
      await takeEnd(code);
    }
  }
  if (owner && "release" in owner) owner.release();
  return code;
}

/** As shells have it. */
function codeOfSignal(signal: NodeJS.Signals | undefined): number {
  return 128 + constants.signals[signal ?? "SIGKILL"];
}

function say(problems: readonly string[]): void {
  sayIn("run", problems);
}

function without(all: readonly string[], known: readonly string[]): string[] {
  return all.filter((problem) => !known.includes(problem));
}

function restored(inherited: Environment): Environment {
  const entries = Object.entries(inherited).map(([name, value]) =>
    name.startsWith(KEPT) ? [name.slice(KEPT.length), value] : [name, value],
  );
  return Object.fromEntries(entries);
}

/** In a group of its own, so that a signal reaches the processes below as well. */
function start([file = "", ...args]: readonly string[], env: Environment): ChildProcess {
  if (process.platform !== "win32") return spawn(file, args, { env, stdio: "inherit", detached: true });
  if (!/\.(cmd|bat)$/i.test(file)) return spawn(file, args, { env, stdio: "inherit" });
  const line = [file, ...args].map((word) => `"${word.replaceAll('"', '""')}"`).join(" ");
  const shell = env.ComSpec || "cmd.exe";
  return spawn(shell, ["/d", "/s", "/c", `"${line}"`], { env, stdio: "inherit", windowsVerbatimArguments: true });
}

/** The command's exit code, or 128 and the number of the signal that ended it, as shells have it. */
function endOf(child: ChildProcess, [file]: readonly string[]): Promise<number> {
  return new Promise((resolve) => {
    child.once("error", (error) => {
      say([`cannot start ${file} (${"code" in error ? error.code : "unknown error"})`]);
      resolve("code" in error && error.code === "EACCES" ? 126 : 127);
    });
    child.once("exit", (code, signal) => resolve(code ?? codeOfSignal(signal ?? undefined)));
  });
}

function pass(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(process.platform === "win32" ? child.pid : -child.pid, signal);
  } catch {
    // It has ended.
  }
}
