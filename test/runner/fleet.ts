/** Runners as they are: the real scripts, under every shell they promise to work in, installed into a directory of their own. */

import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startLocalAws } from "../../local/server.ts";
import { findCommand } from "../tools.ts";

export const BUCKET = "metrics";
export const SCRIPTS = new URL("../../runner/", import.meta.url).pathname;

export interface Shell {
  readonly name: string;
  readonly command: readonly ["dash" | "bash" | "busybox", ...string[]];
}

export const SHELLS: readonly Shell[] = [
  { name: "dash", command: ["dash"] },
  { name: "bash", command: ["bash"] },
  { name: "busybox sh", command: ["busybox", "sh"] },
];

/** The shell of tests that one shell is enough for. */
export const DASH: Shell = { name: "dash", command: ["dash"] };

/** The path of a tool that the test has named in its tags. */
export function pathOf(tool: string): string {
  const path = findCommand(tool);
  if (path === undefined) throw new Error(`There is no ${tool} on the PATH. Name it in the test's tags.`);
  return path;
}

export interface Finished {
  readonly code: number | null;
  readonly stderr: string;
  readonly stdout: string;
  readonly milliseconds: number;
}

export type Settings = Readonly<Record<string, string | undefined>>;

export interface Runner {
  /** Where the scripts are. */
  readonly home: string;
  readonly spool: string;
  /** What the scripts find in their environment. */
  readonly environment: Settings;
  /** Runs one step of `runner-metrics.sh`. */
  step(step: string | readonly string[], settings?: Settings): Promise<Finished>;
  /** Starts `runner-metrics.sh run` with a script instead of GitHub's run.sh. */
  start(script: string, settings?: Settings): ChildProcess & { readonly finished: Promise<Finished> };
  spooled(file: string): string;
  remove(): void;
}

/** A job, as GitHub describes it to hooks. */
export const JOB = {
  GITHUB_REPOSITORY: "acme/widgets",
  GITHUB_RUN_ID: "6873452345",
  GITHUB_WORKFLOW: "CI",
  GITHUB_EVENT_NAME: "push",
} as const;

/** `configuration` goes to runner-metrics.conf; there, each step begins `CLOCK_OFFSET` seconds after the runner was installed. */
export function installRunner(shell: Shell, settings: Settings, configuration = ""): Runner {
  const root = mkdtempSync(join(tmpdir(), "runner-"));
  const home = join(root, "scripts");
  const bin = join(root, "bin");
  const spool = join(root, "spool");
  for (const directory of [home, bin]) mkdirSync(directory);
  for (const file of ["runner-metrics.sh", "job-started.sh", "job-completed.sh"]) {
    copyFileSync(join(SCRIPTS, file), join(home, file));
  }
  symlinkSync(pathOf(shell.command[0]), join(bin, "sh"));
  writeFileSync(join(home, "runner-metrics.conf"), `${clockFrom(Math.floor(Date.now() / 1000))}\n${configuration}\n`);
  const environment = {
    PATH: `${bin}:${process.env.PATH}`,
    HOME: root,
    RUNNER_METRICS_SPOOL: spool,
    RUNNER_METRICS_BUCKET: BUCKET,
    RUNNER_METRICS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
    AWS_SECRET_ACCESS_KEY: "secret/+",
    AWS_EC2_METADATA_DISABLED: "true",
    ...settings,
  };
  const script = join(home, "runner-metrics.sh");
  return {
    home,
    spool,
    environment,
    step: (step, more = {}) =>
      launch([...shell.command, script, ...[step].flat()], { ...environment, ...more }).finished,
    start(content, more = {}) {
      const path = join(root, "run.sh");
      writeFileSync(path, content);
      return launch([...shell.command, script, "run", "--", "bash", path], { ...environment, ...more });
    },
    spooled: (file) => readFileSync(join(spool, file), "utf8"),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

// A function stands before the command of its name. Real seconds pass only within a step, so that its limits are kept.
const clockFrom = (seconds: number) => `
loaded_at=$(command date +%s)
date() {
  case $1 in
    +%s) echo $((${seconds} + \${CLOCK_OFFSET:-0} + $(command date +%s) - loaded_at)) ;;
    *) command date "$@" ;;
  esac
}`;

export function launch(
  command: readonly string[],
  env: Settings,
): ChildProcess & { readonly finished: Promise<Finished> } {
  const [file = "", ...args] = command;
  const began = performance.now();
  const child = spawn(file, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let stderr = "";
  let stdout = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stderr, stdout, milliseconds: performance.now() - began }));
  });
  return Object.assign(child, { finished });
}

/** Local AWS with a bucket, and what is in it. */
export async function startCloud() {
  const aws = await startLocalAws();
  aws.s3.createBucket(BUCKET);
  return {
    ...aws,
    /** Settings of a runner that stores its files here. */
    settings: (flavor: string, storage: string): Settings => ({
      RUNNER_METRICS_FLAVOR: flavor,
      RUNNER_METRICS_STORAGE: storage,
      AWS_ENDPOINT_URL: aws.endpoint,
    }),
    files: (flavor: string): string[] => [...aws.s3.objects(BUCKET, `runners/${flavor}/`)].map(({ key }) => key),
    text(key: string): string | undefined {
      const object = aws.s3.getObject(BUCKET, key);
      return "body" in object && object.body ? Buffer.from(object.body).toString() : undefined;
    },
  };
}
