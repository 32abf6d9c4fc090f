/** A fleet of runners: honest ones with the program that real runners have, and some whose files were tampered with. */
import { execFile } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { buildRunner, DIRECTORY } from "../../runner/build.ts";

const PROGRAM = join(DIRECTORY, "runner-metrics.js");
const LIFE = ["installation-start", "installed", "job-started", "job-completed"] as const;

/** The job of every honest runner. */
export const JOB = {
  GITHUB_REPOSITORY: "acme/widgets",
  GITHUB_RUN_ID: "6873452345",
  GITHUB_WORKFLOW: 'CI "quoted"',
  GITHUB_EVENT_NAME: "push",
};

export interface Fleet {
  readonly bucket: string;
  readonly flavor: string;
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Runners that do all of a runner's life, or only so many steps of it. */
export async function liveRunners(fleet: Fleet, names: readonly string[], steps: number = LIFE.length): Promise<void> {
  await buildRunner();
  await Promise.all(
    names.map(async (name) => {
      for (const step of LIFE.slice(0, steps)) await takeStep(fleet, name, step);
    }),
  );
}

async function takeStep({ bucket, flavor, directory, env }: Fleet, name: string, step: string): Promise<void> {
  const spool = join(directory, "spool", name);
  mkdirSync(spool, { recursive: true });
  const settings = {
    PATH: process.env.PATH,
    HOME: directory,
    ...env,
    ...JOB,
    RUNNER_METRICS_BUCKET: bucket,
    RUNNER_METRICS_FLAVOR: flavor,
    RUNNER_METRICS_REGION: env.AWS_REGION,
    RUNNER_METRICS_STORAGE: name,
    RUNNER_METRICS_SPOOL: spool,
  };
  await new Promise<void>((resolve, reject) => {
    execFile(process.execPath, [PROGRAM, step], { env: settings }, (error, _, stderr) => {
      if (error || stderr) reject(new Error(`${name}, ${step}: ${stderr}`));
      else resolve();
    });
  });
}

/** Files that a runner's program would never send. */
export async function putFiles(
  s3: S3Client,
  { bucket, flavor }: Fleet,
  name: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  for (const [file, Body] of Object.entries(files)) {
    const Key = `runners/${flavor}/${name}/${file}`;
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body, IfNoneMatch: "*" }));
  }
}
