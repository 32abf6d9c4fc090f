/** A persistent runner whose slots are not free: each of its jobs has to be in one slot, whole, and nobody's files may be touched. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startLocalAws } from "../../local/server.ts";
import type { Step } from "../../runner/record.ts";
import { takeStep } from "../../runner/steps.ts";

const BUCKET = "metrics";
const PREFIX = "runners/large/";
const OTHERS = "another job's";

/** Plays it, and gives what is wrong. */
export async function playSlots(): Promise<string[]> {
  const aws = await startLocalAws();
  aws.s3.createBucket(BUCKET);
  const spools: string[] = [];
  const plant = (storage: string, file: string) =>
    aws.s3.putObject(BUCKET, `${PREFIX}${storage}/${file}`, { body: Buffer.from(OTHERS) });
  /** Storage -> file -> text. */
  const stored = () => {
    const found: Record<string, Record<string, string>> = {};
    for (const { key, body } of aws.s3.objects(BUCKET, PREFIX)) {
      const [storage = "", file = ""] = key.slice(PREFIX.length).split("/");
      found[storage] = { ...found[storage], [file]: Buffer.from(body ?? []).toString() };
    }
    return found;
  };
  const wrong: string[] = [];
  const expectThat = (isSo: boolean, what: string) => isSo || wrong.push(what);
  /** Slots with the pre-job file of a job: one, with a post-job file of the same life. */
  const expectWhole = (job: number) => {
    const slots = Object.values(stored()).filter((files) => idOf(files["pre-job-metrics.json"]) === String(job));
    expectThat(slots.length === 1, `job ${job} is in ${slots.length} storages`);
    const [
      { "pre-job-metrics.json": pre, "post-job-metrics.json": post, "runner-installed.timestamp": installed } = {},
    ] = slots;
    const isWhole =
      post !== OTHERS && installed !== OTHERS && fieldOf(post, "job_timestamp") === fieldOf(pre, "timestamp");
    expectThat(isWhole && post !== undefined && installed !== undefined, `job ${job} is not whole`);
  };

  function newRunner() {
    const spool = mkdtempSync(join(tmpdir(), "spool-"));
    spools.push(spool);
    const environment = {
      AWS_ENDPOINT_URL: aws.endpoint,
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      RUNNER_METRICS_BUCKET: BUCKET,
      RUNNER_METRICS_FLAVOR: "large",
      RUNNER_METRICS_REGION: "us-east-1",
      RUNNER_METRICS_STORAGE: "r-1",
      RUNNER_METRICS_SPOOL: spool,
      RUNNER_METRICS_JOBS_PER_RUNNER: "many",
      // Of what fails now, nothing is tried again in the same step.
      RUNNER_METRICS_TIMEOUT_SECONDS: "1",
    };
    const step = (name: Step, job = 0) =>
      takeStep(name, undefined, {
        ...environment,
        GITHUB_REPOSITORY: "acme/widgets",
        GITHUB_RUN_ID: String(job),
        RUNNER_NAME: "r-1",
      });
    const work = async (job: number) => {
      await step("job-started", job);
      await step("job-completed", job);
    };
    return { step, work };
  }

  const runner = newRunner();
  await runner.step("installed");
  await runner.work(1);
  expectWhole(1);

  // The next slot holds files that no run has collected.
  for (const file of ["runner-installed.timestamp", "pre-job-metrics.json", "post-job-metrics.json"])
    plant("r-1~00", file);
  await runner.work(2);
  expectWhole(2);

  // A run is deleting the next one, its most telling file last.
  const next = Object.keys(stored()).length === 3 ? "r-1~02" : "r-1~01";
  plant(next, "post-job-metrics.json");
  await runner.work(3);
  aws.s3.deleteObject(BUCKET, `${PREFIX}${next}/post-job-metrics.json`);
  await runner.step("upload");
  expectWhole(3);

  // Its spool is lost, and its first storage is not collected yet.
  const before = stored();
  const another = newRunner();
  await another.step("installed");
  await another.work(4);
  expectWhole(4);
  for (const [storage, files] of Object.entries(before)) {
    const isSame = JSON.stringify(stored()[storage]) === JSON.stringify(files);
    expectThat(isSame, `${storage} is not as it was`);
  }
  const kept = Object.values(stored()["r-1~00"] ?? {});
  expectThat(kept.length === 3 && kept.every((text) => text === OTHERS), "the files of r-1~00 are not as they were");
  await aws.close();
  for (const spool of spools) rmSync(spool, { recursive: true });
  return wrong;
}

function idOf(json: string | undefined): unknown {
  return fieldOf(json, "workflow_run_id");
}

function fieldOf(json: string | undefined, field: string): unknown {
  return json?.startsWith("{") ? (JSON.parse(json) as Record<string, unknown>)[field] : undefined;
}
