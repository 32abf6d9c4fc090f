/** Runners as they are: the built program with its shims, installed into a directory of its own next to a runner with Node. */

import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { RunnerFileName } from "../../contract/runner-file-grammar.ts";
import { startLocalAws } from "../../local/server.ts";
import { buildRunner } from "../../runner/build.ts";
import { type Life, lifeOf, parseRecord } from "../../runner/life.ts";
import { findCommand } from "../tools.ts";
import { type Finished, type Settings, takeStepInProcess } from "./in-process.ts";
import type { Platform } from "./platforms.ts";

export type { Finished, Settings };

export const BUCKET = "metrics";
export const BUS = "runner-metrics";

/** Variables of the collector's handler, for runs in the test's process that print nothing. */
export function collectorEnvironment(endpoint: string): Readonly<Record<string, string>> {
  return {
    BUCKET_NAME: BUCKET,
    EVENT_BUS_NAME: BUS,
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    POWERTOOLS_DEV: "false",
    POWERTOOLS_LOG_LEVEL: "SILENT",
    POWERTOOLS_METRICS_DISABLED: "true",
    POWERTOOLS_TRACE_ENABLED: "false",
  };
}
/** The built program: what operators download. */
export const PROGRAM = mkdtempSync(join(tmpdir(), "runner-metrics-"));
await buildRunner(PROGRAM);
process.once("exit", () => rmSync(PROGRAM, { recursive: true, force: true }));

const CLOCK = fileURLToPath(new URL("clock.cjs", import.meta.url));

/** The path of a tool that the test has named in its tags. */
export function pathOf(tool: string): string {
  const path = findCommand(tool);
  if (path === undefined) throw new Error(`There is no ${tool} on the PATH. Name it in the test's tags.`);
  return path;
}

export interface Runner {
  /** Where program and shims are. */
  readonly home: string;
  readonly spool: string;
  /** The directory of GitHub's runner, with its Node. */
  readonly directory: string;
  /** What the program finds in its environment. */
  readonly environment: Settings;
  /** Takes a step, or another command. */
  step(step: string | readonly string[], settings?: Settings): Promise<Finished>;
  /** Starts `run` with a script instead of GitHub's run.sh. */
  start(
    script: string,
    settings?: Settings,
    shell?: "sh" | "bash",
  ): ChildProcess & { readonly finished: Promise<Finished> };
  /** The current life, as the spool has it. */
  life(): Life;
  /** Content of a file that the current life has recorded. */
  spooled(file: RunnerFileName): string;
  /** Writes the configuration next to the program. */
  configure(...lines: readonly string[]): void;
  remove(): void;
}

/** S3 answers in these tests, on a busy machine too, but perhaps not in the 5 s that a step waits for it by default. */
export const PATIENT = { RUNNER_METRICS_TIMEOUT_SECONDS: "60", RUNNER_METRICS_FINAL_SECONDS: "120" } as const;

/** A job, as GitHub describes it to hooks. */
export const JOB = {
  GITHUB_REPOSITORY: "acme/widgets",
  GITHUB_RUN_ID: "6873452345",
  GITHUB_WORKFLOW: "CI",
  GITHUB_EVENT_NAME: "push",
} as const;

/** A clock is off by `CLOCK_OFFSET` seconds. */
export function installRunner(platform: Platform, settings: Settings): Runner {
  const root = mkdtempSync(join(tmpdir(), "runner-"));
  const home = join(root, "runner-metrics");
  const bin = join(root, "bin");
  const spool = join(root, "spool");
  const directory = join(root, "actions-runner");
  cpSync(PROGRAM, home, { recursive: true });
  mkdirSync(bin);
  const nodeDirectory = join(directory, "externals/node24/bin");
  mkdirSync(nodeDirectory, { recursive: true });
  const node = join(nodeDirectory, "node");
  writeFileSync(node, `#!/bin/sh\nexec '${platform.node}' --require '${CLOCK}' "$@"\n`);
  chmodSync(node, 0o755);
  symlinkSync(pathOf(platform.shell[0]), join(bin, "sh"));
  const environment = {
    PATH: `${bin}:${process.env.PATH}`,
    HOME: root,
    RUNNER_METRICS_RUNNER: directory,
    RUNNER_METRICS_SPOOL: spool,
    RUNNER_METRICS_BUCKET: BUCKET,
    RUNNER_METRICS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
    AWS_SECRET_ACCESS_KEY: "secret/+",
    AWS_EC2_METADATA_DISABLED: "true",
    ...PATIENT,
    ...settings,
  };
  const script = join(home, "runner-metrics.sh");
  const command = [pathOf(platform.shell[0]), ...platform.shell.slice(1), script];
  const life = () => lifeIn(spool);
  return {
    home,
    spool,
    directory,
    environment,
    step(step, more = {}) {
      const [args, settings] = [[step].flat(), { ...environment, ...more }];
      return platform.isThisProcess
        ? takeStepInProcess(home, args, settings)
        : launch([...command, ...args], settings).finished;
    },
    start(content, more = {}, shell = "sh") {
      const path = join(directory, "run.sh");
      writeFileSync(path, content);
      return launch([...command, "run", "--", shell, path], { ...environment, ...more });
    },
    life,
    spooled: (file) => life().files[file]?.content ?? "",
    configure: (...lines) =>
      writeFileSync(join(home, "runner-metrics.conf"), lines.map((line) => `${line}\n`).join("")),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** The last life in a spool. */
export function lifeIn(spool: string): Life {
  const name = readdirSync(spool)
    .filter((entry) => entry.startsWith("life-"))
    .sort()
    .at(-1);
  const lines = name === undefined ? [] : readFileSync(join(spool, name), "utf8").split("\n");
  return lifeOf(lines.flatMap((line) => parseRecord(line) ?? []));
}

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
