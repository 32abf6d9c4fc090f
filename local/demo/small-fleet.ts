/**
 * A small fleet that shows all outcomes: honest runners use the program of `runner/`, as real ones do; hostile ones write anything to S3.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";

export interface Fleet {
  readonly s3: S3Client;
  readonly bucket: string;
  readonly flavor: string;
  /** For the program on the runners. */
  readonly endpoint: string;
}

/** A step in a runner's life, as the program names it. */
type Step = "installation-start" | "installed" | "job-started" | "job-completed";

/** What GitHub tells a runner about its job. */
export interface Job {
  readonly workflow: string;
  readonly repository: string;
  readonly runId: string;
  readonly event: string;
}

/** Records one step of one runner's life. */
export type Recorder = (runner: string, step: Step, job?: Job, seconds?: number) => Promise<void>;

/** Every step is a process of its own, as on a runner. `program` is the path of the program for runners. */
export async function createRecorder(
  program: string,
  fleet: Fleet,
): Promise<{ record: Recorder; end(): Promise<void> }> {
  const spool = await mkdtemp(join(tmpdir(), "runner-metrics-"));
  return { record: byProgram(program, fleet, spool), end: () => rm(spool, { recursive: true }) };
}

function byProgram(program: string, { bucket, flavor, endpoint }: Fleet, spool: string): Recorder {
  return async (runner, step, job, seconds) => {
    const env = {
      PATH: process.env.PATH,
      AWS_REGION: process.env.AWS_REGION,
      AWS_ACCESS_KEY_ID: process.env.AWS_ACCESS_KEY_ID,
      AWS_SECRET_ACCESS_KEY: process.env.AWS_SECRET_ACCESS_KEY,
      AWS_SESSION_TOKEN: process.env.AWS_SESSION_TOKEN,
      RUNNER_METRICS_ENDPOINT: endpoint,
      RUNNER_METRICS_BUCKET: bucket,
      RUNNER_METRICS_FLAVOR: flavor,
      RUNNER_METRICS_STORAGE: runner,
      RUNNER_METRICS_SPOOL: join(spool, runner),
      ...(job && {
        GITHUB_WORKFLOW: job.workflow,
        GITHUB_REPOSITORY: job.repository,
        GITHUB_RUN_ID: job.runId,
        GITHUB_EVENT_NAME: job.event,
      }),
    };
    const args = [program, step, ...(seconds === undefined ? [] : [String(seconds)])];
    const { stderr } = await promisify(execFile)(process.execPath, args, { env: env as NodeJS.ProcessEnv });
    if (stderr) throw new Error(`${runner}: ${stderr.trim()}`);
  };
}

/** An object under the flavor's prefix, not necessarily a runner's. */
export async function put({ s3, bucket, flavor }: Fleet, path: string, body: string): Promise<void> {
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: `runners/${flavor}/${path}`, Body: body }));
}

/** What the fleet did, and what has to come of it. */
export interface FleetMember {
  readonly runner: string;
  readonly story: string;
}

const STORIES: readonly FleetMember[] = [
  { runner: "finished-1", story: "installed, waited, did a job" },
  { runner: "finished-2", story: "installed, waited, did a job" },
  { runner: "finished-3", story: "installed, waited, did a job; its clock was off when it was installed" },
  { runner: "orphan", story: "started a job and died; nothing new from it for a while" },
  { runner: "running", story: "is doing a job" },
  { runner: "idle", story: "waits for a job" },
  { runner: "impostor", story: "hostile: claims the job that finished-1 did" },
  { runner: "corrupt", story: "hostile: its pre-job file claims the repository ../../orgs/evil" },
  { runner: "oversized", story: "hostile: its pre-job file has 5 MB" },
  { runner: "flooding", story: "hostile: uploads 500 files of junk" },
];

/** What GitHub knows about the jobs of this fleet: by workflow run, the runner, how long its job was queued, and how it ended. */
export const GITHUB_JOBS = {
  "7000000001": { runner: "finished-1", queuedSeconds: 42, conclusion: "success" },
  "7000000002": { runner: "finished-2", queuedSeconds: 7, conclusion: "failure" },
  "7000000003": { runner: "finished-3", queuedSeconds: 130, conclusion: "success" },
  "7000000004": { runner: "orphan", queuedSeconds: 3, conclusion: "cancelled" },
} as const;

/** Names of the runners that do a job from beginning to end. */
export const FINISHED = STORIES.map(({ runner }) => runner).filter((runner) => runner.startsWith("finished"));

/** How long an orphan is silent here, in seconds; by default it is a day. */
export const ORPHAN_AFTER_SECONDS = 3;

/** Lets the fleet live. Tells each story as it begins. */
export async function live(fleet: Fleet, record: Recorder, tell: (member: FleetMember) => void): Promise<void> {
  for (const member of STORIES) tell(member);
  const job = (workflow: string, runId: string): Job => ({
    workflow,
    repository: "acme/widgets",
    runId,
    event: "push",
  });
  const now = () => Math.floor(Date.now() / 1000);
  const begin = async (runner: string, installationSeconds: number, doing?: Job) => {
    if (installationSeconds > 0) await record(runner, "installation-start", undefined, now() - installationSeconds);
    // The program does not record a time in the future.
    else await put(fleet, `${runner}/runner-installation-start.timestamp`, String(now() - installationSeconds));
    await record(runner, "installed");
    if (doing) await record(runner, "job-started", doing);
  };
  const finish = async (runner: string, installationSeconds: number, doing: Job, jobSeconds: number) => {
    await begin(runner, installationSeconds);
    await sleep(1_000);
    await record(runner, "job-started", doing);
    await sleep(jobSeconds * 1_000);
    await record(runner, "job-completed", doing);
  };
  const oversized = JSON.stringify({ padding: "x".repeat(5 * 1024 * 1024) });
  const forged = { timestamp: 1, workflow: "CI", workflow_run_id: "1", repository: "../../orgs/evil", event: "push" };
  await Promise.all([
    begin("orphan", 41, job("nightly", "7000000004")),
    finish("finished-1", 38, job("CI", "7000000001"), 1),
    finish("finished-2", 45, job("release", "7000000002"), 2),
    finish("finished-3", -120, job('say "hi" 👋', "7000000003"), 1),
    finish("impostor", 40, job("CI", "7000000001"), 1),
  ]);
  await Promise.all([
    put(fleet, "corrupt/pre-job-metrics.json", JSON.stringify(forged)),
    put(fleet, "corrupt/post-job-metrics.json", '{"timestamp": 2, "status": "normal"}'),
    put(fleet, "oversized/pre-job-metrics.json", oversized),
    put(fleet, "oversized/post-job-metrics.json", '{"timestamp": 2, "status": "normal"}'),
  ]);
  // One after the other in a few lanes: the connections of 500 at once take longer than the client's timeout on a busy machine.
  const lanes = Array.from({ length: 10 }, async (_, lane) => {
    for (let number = lane; number < 500; number += 10) await put(fleet, `flooding/junk-${number}`, "junk");
  });
  await Promise.all(lanes);
  await sleep(1_000);
  // Last, so that they do not count as orphans.
  await Promise.all([begin("running", 39, job("CI", "7000000005")), begin("idle", 37)]);
}
