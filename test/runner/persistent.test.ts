/** A persistent runner: its steps as they are, in this process, on a clock that the tests set; local AWS; and the function. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Context } from "aws-lambda";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Step } from "../../runner/record.ts";
import { takeStep } from "../../runner/steps.ts";
import { effort } from "../effort.ts";
import { needs } from "../tools.ts";
import { BUCKET, BUS, collectorEnvironment, JOB, type Settings, startCloud } from "./fleet.ts";

const BEGIN = 1_700_000_000_000;

let cloud: Awaited<ReturnType<typeof startCloud>>;
const spools: string[] = [];

beforeAll(async () => {
  // Also of S3, and of what measures waiting: no real time is part of any duration.
  vi.useFakeTimers({ toFake: ["Date", "performance"], now: BEGIN });
  cloud = await startCloud();
  cloud.eventBridge.createBus(BUS);
  Object.assign(process.env, collectorEnvironment(cloud.endpoint));
  // The handler reads the environment when it is loaded.
  vi.resetModules();
});

beforeEach(() => cloud.requests.reset());

afterAll(async () => {
  vi.useRealTimers();
  for (const spool of spools) rmSync(spool, { recursive: true, force: true });
  await cloud.close();
});

const pass = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000);

async function collect(flavor: string): Promise<Record<string, unknown>[]> {
  const { handler } = await import("../../functions/extract-metrics/handler.ts");
  const before = cloud.eventBridge.events().length;
  await handler({ flavor }, { getRemainingTimeInMillis: () => 60_000 } as Context);
  return cloud.eventBridge
    .events()
    .slice(before)
    .map(({ detail }) => JSON.parse(detail))
    .sort((one, other) => one.timestamp - other.timestamp);
}

let count = 0;
function persistentRunner(settings: Settings = {}) {
  const flavor = `flavor-${++count}`;
  const spool = mkdtempSync(join(tmpdir(), "spool-"));
  spools.push(spool);
  const environment: Settings = {
    ...cloud.settings(flavor, "AROAEXAMPLE:i-0abc"),
    RUNNER_METRICS_SPOOL: spool,
    RUNNER_METRICS_BUCKET: BUCKET,
    RUNNER_METRICS_REGION: "us-east-1",
    RUNNER_METRICS_JOBS_PER_RUNNER: "many",
    AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
    AWS_SECRET_ACCESS_KEY: "secret",
    ...settings,
  };
  const step = (name: Step, argument?: string, more: Settings = {}) =>
    takeStep(name, argument, { ...environment, ...more });
  const job = (number: number) => ({ ...JOB, GITHUB_RUN_ID: String(number), RUNNER_NAME: "i-0abc" });
  return {
    flavor,
    step,
    /** A job that begins after `idle` seconds and takes `duration`; what its two hooks say. */
    async work(number: number, idle: number, duration: number, more: Settings = {}) {
      pass(idle);
      const said = [...(await step("job-started", undefined, { ...job(number), ...more }))];
      pass(duration);
      said.push(...(await step("job-completed", undefined, { ...job(number), ...more })));
      return said;
    },
    async install() {
      expect(await step("installation-start")).toEqual([]);
      pass(60);
      expect(await step("installed")).toEqual([]);
    },
    storages: () => new Set(cloud.files(flavor).map((key) => key.split("/")[2])),
    forget: () => rmSync(spool, { recursive: true }),
  };
}

const START = { event: "runner_start", runner_name: "i-0abc" };
const STOP = { event: "runner_stop", runner_name: "i-0abc", status: "normal" };

describe("a persistent runner", () => {
  const MANY = effort(20, 250);

  it(`reports ${MANY} jobs back to back, with idle and job times, while a run collects after every 15`, async () => {
    const { flavor, install, work, storages } = persistentRunner();
    await install();
    const idle = (number: number) => 1 + (number % 7);
    const duration = (number: number) => 2 + (number % 11);
    const events: Record<string, unknown>[] = [];
    for (let number = 1; number <= MANY; number++) {
      expect(await work(number, idle(number), duration(number))).toEqual([]);
      if (number % 15 > 0 && number < MANY) continue;
      events.push(...(await collect(flavor)));
      expect(storages()).toEqual(new Set());
    }
    const jobs = Array.from({ length: MANY }, (_, index) => String(index + 1));
    const of = (type: string) => events.filter(({ event }) => event === type);
    expect(of("runner_installed")).toEqual([expect.objectContaining({ runner_name: "i-0abc", duration: 60 })]);
    expect(of("runner_start")).toEqual(
      jobs.map((id) => expect.objectContaining({ ...START, workflow_run_id: id, idle: idle(Number(id)) })),
    );
    expect(of("runner_stop")).toEqual(
      jobs.map((id) => expect.objectContaining({ ...STOP, workflow_run_id: id, job_duration: duration(Number(id)) })),
    );
    expect(events).toHaveLength(1 + 2 * MANY);
    expect(new Set(events.map(({ event_id }) => event_id)).size).toBe(1 + 2 * MANY);
    // Each file was sent once, and none where there was one already.
    const puts = cloud.requests
      .log()
      .filter(({ key, operation }) => operation === "PutObject" && key?.startsWith("runners/"));
    expect(puts).toHaveLength(4 + (MANY - 1) * 3);
    expect(puts.every(({ status }) => status === 200)).toBe(true);
  });

  it("says when all slots are full, harms no job, and reports the next one after a collection", {
    tags: [needs("gate")],
  }, async () => {
    const { flavor, install, work, storages } = persistentRunner();
    await install();
    for (let number = 1; number <= 101; number++) expect(await work(number, 1, 1)).toEqual([]);
    expect(storages().size).toBe(101);
    const full = new Map(cloud.files(flavor).map((key) => [key, cloud.text(key)]));
    for (let number = 102; number <= 104; number++) {
      expect(await work(number, 1, 1)).toEqual([
        "5 slots in a row hold files that no run has collected, so this job is not reported: does the collector run?",
      ]);
    }
    expect(new Map(cloud.files(flavor).map((key) => [key, cloud.text(key)]))).toEqual(full);
    expect((await collect(flavor)).filter(({ event }) => event === "runner_stop")).toHaveLength(101);
    expect(await work(105, 3, 4)).toEqual([]);
    expect(await collect(flavor)).toEqual([
      expect.objectContaining({ ...START, workflow_run_id: "105", idle: 3 }),
      expect.objectContaining({ ...STOP, workflow_run_id: "105", job_duration: 4 }),
    ]);
  });

  it("takes another slot where its next ones still have files, and leaves those as they are", async () => {
    const { flavor, install, work, storages } = persistentRunner();
    await install();
    await work(1, 1, 1);
    const old = `runners/${flavor}/AROAEXAMPLE:i-0abc~00/pre-job-metrics.json`;
    cloud.s3.putObject(BUCKET, old, { body: Buffer.from("old") });
    expect(await work(2, 1, 1)).toEqual([]);
    expect(cloud.text(old)).toBe("old");
    expect(storages()).toContain("AROAEXAMPLE:i-0abc~01");
    for (let slot = 2; slot <= 6; slot++) {
      const key = `runners/${flavor}/AROAEXAMPLE:i-0abc~0${slot}/runner-installed.timestamp`;
      cloud.s3.putObject(BUCKET, key, { body: Buffer.from("old") });
    }
    const before = new Map(cloud.files(flavor).map((key) => [key, cloud.text(key)]));
    expect(await work(3, 1, 1)).toEqual([expect.stringContaining("this job is not reported: does the collector run?")]);
    expect(new Map(cloud.files(flavor).map((key) => [key, cloud.text(key)]))).toEqual(before);
    expect(await work(4, 1, 1)).toEqual([]);
    expect(storages()).toContain("AROAEXAMPLE:i-0abc~07");
  });

  it("goes on in any free slot when its spool is lost, and its first storage has files", async () => {
    const { flavor, install, work, step, forget } = persistentRunner();
    await install();
    await work(1, 1, 1);
    const first = new Map(cloud.files(flavor).map((key) => [key, cloud.text(key)]));
    forget();
    expect(await step("installed")).toEqual([]);
    expect(await work(2, 5, 6)).toEqual([]);
    for (const [key, text] of first) expect(cloud.text(key)).toBe(text);
    expect((await collect(flavor)).filter(({ event }) => event === "runner_stop")).toEqual([
      expect.objectContaining({ ...STOP, workflow_run_id: "1" }),
      expect.objectContaining({ ...STOP, workflow_run_id: "2", job_duration: 6 }),
    ]);
  });

  it("reports a job of which one hook had no network with the next one", async () => {
    const { flavor, install, work } = persistentRunner();
    await install();
    await work(1, 1, 1);
    const down = { RUNNER_METRICS_ENDPOINT: "http://127.0.0.1:9", RUNNER_METRICS_TIMEOUT_SECONDS: "1" };
    expect(await work(2, 2, 3, down)).toEqual([
      expect.stringContaining("cannot store runner-installed.timestamp: no answer"),
      expect.stringContaining("cannot store runner-installed.timestamp: no answer"),
    ]);
    expect(await work(3, 4, 5)).toEqual([]);
    const stops = (await collect(flavor)).filter(({ event }) => event === "runner_stop");
    expect(stops.map(({ workflow_run_id }) => workflow_run_id)).toEqual(["1", "2", "3"]);
  });

  it("leaves nothing in the bucket while it waits, and is idle since it was last ready", async () => {
    const { flavor, install, work, step, storages } = persistentRunner();
    await install();
    await work(1, 1, 1);
    await collect(flavor);
    // Its machine is off for the night, twice.
    for (let night = 0; night < 2; night++) {
      expect(await step("ended", "0")).toEqual([]);
      pass(40_000);
      expect(await step("installed")).toEqual([]);
    }
    expect(storages()).toEqual(new Set());
    await work(2, 30, 1);
    expect(await collect(flavor)).toEqual([
      expect.objectContaining({ ...START, workflow_run_id: "2", idle: 30 }),
      expect.objectContaining({ ...STOP, workflow_run_id: "2" }),
    ]);
  });

  it("that is not said to be one reports its first job, and says so once", async () => {
    const { flavor, install, work } = persistentRunner({ RUNNER_METRICS_JOBS_PER_RUNNER: "one" });
    await install();
    expect(await work(1, 1, 1)).toEqual([]);
    expect(await work(2, 1, 1)).toEqual([expect.stringContaining("this runner has had its job")]);
    expect(await work(3, 1, 1)).toEqual([]);
    expect((await collect(flavor)).filter(({ event }) => event === "runner_stop")).toHaveLength(1);
  });
});
