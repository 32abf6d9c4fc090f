import { once } from "node:events";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Context } from "aws-lambda";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { ScheduleInput } from "../../contract/schedule-input.ts";
import type { Step } from "../../runner/record.ts";
import { takeStep } from "../../runner/steps.ts";
import { effort } from "../effort.ts";
import {
  BUCKET,
  BUS,
  collectorEnvironment,
  installRunner,
  JOB,
  type Runner,
  type Settings,
  startCloud,
} from "./fleet.ts";
import { ANY, describePlatforms, NODES, ONE, type Platform } from "./platforms.ts";

const FULL_DISK = fileURLToPath(new URL("full-disk.cjs", import.meta.url));
/** What a runner's own files make. What else a collector may tell is its own affair. */
const EVENTS = new Set(["runner_installed", "runner_start", "runner_stop"]);
const runners: Runner[] = [];
let cloud: Awaited<ReturnType<typeof startCloud>>;
let collect: (payload: ScheduleInput) => Promise<Record<string, unknown>[]>;

beforeAll(async () => {
  cloud = await startCloud();
  cloud.eventBridge.createBus(BUS);
  Object.assign(process.env, collectorEnvironment(cloud.endpoint));
  // It reads the environment when it is loaded.
  vi.resetModules();
  const { handler } = await import("../../functions/extract-metrics/handler.ts");
  collect = async (payload) => {
    const before = cloud.eventBridge.events().length;
    // S3 tells its time in whole seconds: an orphan of 0 s needs the next one.
    if (payload.orphanAfterSeconds === 0) await setTimeout(1_100);
    await handler(payload, { getRemainingTimeInMillis: () => 60_000 } as Context);
    return cloud.eventBridge
      .events()
      .slice(before)
      .map(({ detail }) => JSON.parse(detail))
      .filter(({ event }) => EVENTS.has(event))
      .sort((one, other) => one.timestamp - other.timestamp || (one.event < other.event ? -1 : 1));
  };
});

afterAll(async () => {
  for (const runner of runners) runner.remove();
  await cloud.close();
});

/** GitHub's runner calls hooks with `bash -e`, and has one job. */
const ONE_JOB = `
CLOCK_OFFSET=\${STARTED-} bash -e "$ACTIONS_RUNNER_HOOK_JOB_STARTED" || exit 9
CLOCK_OFFSET=\${COMPLETED-} bash -e "$ACTIONS_RUNNER_HOOK_JOB_COMPLETED" || exit 9
`;

let count = 0;
function newRunner(platform: Platform, settings: Settings = {}) {
  const flavor = `flavor-${++count}`;
  const runner = installRunner(platform, { ...cloud.settings(flavor, "runner-1"), ...settings });
  runners.push(runner);
  return { runner, flavor };
}

const INSTALLED = { event: "runner_installed", runner_name: "runner-1" };
const START = { event: "runner_start", repo: "acme/widgets", workflow: "CI", github_event: "push" };
const STOP = { event: "runner_stop", workflow_run_id: "6873452345" };

/** Real seconds pass while steps run, more of them where the machine is busy. */
function about(seconds: number) {
  return expect.toSatisfy((value: number) => value >= seconds - 2 && value <= seconds + 7, `about ${seconds}`);
}

function bytesIn(directory: string): number {
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
}

/** Takes a step in this process, where it is not the one that is tested: a process costs a hundred times as much. */
function inProcess(runner: Runner, step: Step, argument?: string): Promise<readonly string[]> {
  return takeStep(step, argument, { ...runner.environment, ...JOB });
}

async function quietly(finished: Promise<{ code: number | null; stderr: string }>, code = 0): Promise<void> {
  expect(await finished).toMatchObject({ code, stderr: "" });
}

describePlatforms("a runner's life, recorded by $name,", NODES, (platform) => {
  it("gives three events with the right durations", async () => {
    const { runner, flavor } = newRunner(platform);
    await quietly(runner.step("installation-start", { CLOCK_OFFSET: "-1000" }));
    const wrapper = runner.start(ONE_JOB, { ...JOB, CLOCK_OFFSET: "-940", STARTED: "-840", COMPLETED: "-240" });
    await quietly(wrapper.finished);
    expect(await collect({ flavor })).toEqual([
      expect.objectContaining({ ...INSTALLED, flavor, duration: about(60) }),
      expect.objectContaining({ ...START, flavor, idle: about(100) }),
      expect.objectContaining({ ...STOP, flavor, status: "normal", job_duration: about(600) }),
    ]);
    expect(cloud.files(flavor)).toEqual([]);
  });

  it("gives three events when the runner ends with an exit code and the completed hook never ran", async () => {
    const { runner, flavor } = newRunner(platform);
    await quietly(runner.step("installation-start"));
    await quietly(runner.start('bash -e "$ACTIONS_RUNNER_HOOK_JOB_STARTED"; exit 3', JOB).finished, 3);
    expect(await collect({ flavor })).toEqual([
      expect.objectContaining(INSTALLED),
      expect.objectContaining(START),
      expect.objectContaining({ ...STOP, status: "abnormal", status_info: { code: 3 } }),
    ]);
  });

  it("gives three events when the runner is told to terminate during the job", async () => {
    const { runner, flavor } = newRunner(platform);
    await quietly(runner.step("installation-start"));
    const wrapper = runner.start('bash -e "$ACTIONS_RUNNER_HOOK_JOB_STARTED"; echo started; exec sleep 60', JOB);
    await once(wrapper.stdout ?? wrapper, "data");
    wrapper.kill("SIGTERM");
    expect(await wrapper.finished).toMatchObject({ code: 143 });
    expect(await collect({ flavor })).toEqual([
      expect.objectContaining(INSTALLED),
      expect.objectContaining(START),
      expect.objectContaining({ ...STOP, status: "abnormal", status_info: { code: 143 } }),
    ]);
  });

  it("gives one event when an idle runner is told to terminate: it was not lost", async () => {
    const { runner, flavor } = newRunner(platform);
    await quietly(runner.step("installation-start"));
    const wrapper = runner.start("echo started; exec sleep 60");
    await once(wrapper.stdout ?? wrapper, "data");
    wrapper.kill("SIGTERM");
    expect(await wrapper.finished).toMatchObject({ code: 143 });
    expect(await collect({ flavor })).toEqual([expect.objectContaining(INSTALLED)]);
    expect(cloud.files(flavor)).toEqual([]);
  });

  it("gives two events when the machine dies during the job", async () => {
    const { runner, flavor } = newRunner(platform);
    await quietly(runner.step("installation-start"));
    await quietly(runner.step("installed"));
    await quietly(runner.step("job-started", JOB));
    expect(await collect({ flavor })).toEqual([]);
    expect(await collect({ flavor, orphanAfterSeconds: 0 })).toEqual([
      expect.objectContaining(INSTALLED),
      expect.objectContaining(START),
    ]);
  });

  it("gives three events when the job is cancelled at once", async () => {
    const { runner, flavor } = newRunner(platform);
    await quietly(runner.step("installation-start"));
    await quietly(runner.start(ONE_JOB, JOB).finished);
    expect(await collect({ flavor })).toEqual([
      expect.objectContaining({ ...INSTALLED, duration: about(0) }),
      expect.objectContaining({ ...START, idle: about(0) }),
      expect.objectContaining({ ...STOP, job_duration: about(0) }),
    ]);
  });

  it("gives one event when there was no job at all", async () => {
    const { runner, flavor } = newRunner(platform);
    await quietly(runner.step("installation-start", { CLOCK_OFFSET: "-30" }));
    await quietly(runner.start("exit 0").finished);
    expect(await collect({ flavor })).toEqual([expect.objectContaining({ ...INSTALLED, duration: about(30) })]);
  });

  it("gives three events when the repository's policy refuses the job, and nothing overwrites that", async () => {
    const { runner, flavor } = newRunner(platform);
    await quietly(runner.step("installation-start"));
    const refused = `
      sh "\${ACTIONS_RUNNER_HOOK_JOB_STARTED%/*}/runner-metrics.sh" policy-failure 403
      bash -e "$ACTIONS_RUNNER_HOOK_JOB_COMPLETED"
      exit 1`;
    await quietly(runner.start(refused, JOB).finished, 1);
    expect(await collect({ flavor })).toEqual([
      expect.objectContaining(INSTALLED),
      expect.objectContaining(START),
      expect.objectContaining({ ...STOP, status: "repo-policy-check-failure", status_info: { code: 403 } }),
    ]);
    expect(cloud.files(flavor)).toEqual([]);
  });

  it("gives three events when the network is down for the first minute", async () => {
    const { runner, flavor } = newRunner(platform);
    const down = { RUNNER_METRICS_ENDPOINT: "http://127.0.0.1:9", RUNNER_METRICS_TIMEOUT_SECONDS: "1" };
    for (const step of ["installation-start", "installed"]) {
      const { code, stderr } = await runner.step(step, { CLOCK_OFFSET: "-60", ...down });
      expect(code).toBe(0);
      expect(stderr).toMatch(
        /^runner-metrics: \S+: cannot store \S+: no answer \(.+\) \(tried .+\); the next step tries again\n$/,
      );
    }
    expect(cloud.files(flavor)).toEqual([]);
    await quietly(runner.step("job-started", JOB));
    await quietly(runner.step("job-completed"));
    expect(await collect({ flavor })).toEqual([
      expect.objectContaining({ ...INSTALLED, duration: about(0) }),
      expect.objectContaining({ ...START, idle: about(60) }),
      expect.objectContaining(STOP),
    ]);
  });

  it("gives three events when the disk is full from the job's start on", async () => {
    const { runner, flavor } = newRunner(platform);
    await quietly(runner.step("installation-start"));
    await quietly(runner.step("installed"));
    const full = { ...JOB, PRELOAD: FULL_DISK, CAPACITY: String(bytesIn(runner.spool)) };
    for (const step of ["job-started", "job-completed", "ended"]) await quietly(runner.step(step, full));
    expect(await collect({ flavor })).toEqual([
      expect.objectContaining(INSTALLED),
      expect.objectContaining(START),
      expect.objectContaining(STOP),
    ]);
  });

  it("sends from memory what the disk never had room for, and no end without its start", async () => {
    const { runner, flavor } = newRunner(platform);
    const full = { ...JOB, PRELOAD: FULL_DISK, CAPACITY: "0" };
    const { code, stderr } = await runner.step("job-started", full);
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining("cannot use the spool directory") });
    expect(cloud.files(flavor)).toEqual([`runners/${flavor}/runner-1/pre-job-metrics.json`]);
    const ended = await runner.step("job-completed", full);
    expect(ended.stderr).toContain("the job's start is not recorded, so its end is not either");
    expect(cloud.files(flavor)).toHaveLength(1);
  });

  it("gives three events with the right durations when the clock is an hour ahead", async () => {
    const { runner, flavor } = newRunner(platform);
    await quietly(runner.step("installation-start", { CLOCK_OFFSET: "3600" }));
    const wrapper = runner.start(ONE_JOB, { ...JOB, CLOCK_OFFSET: "3660", STARTED: "3670", COMPLETED: "3700" });
    await quietly(wrapper.finished);
    expect(await collect({ flavor })).toEqual([
      expect.objectContaining({ ...INSTALLED, duration: about(60) }),
      expect.objectContaining({ ...START, idle: about(10) }),
      expect.objectContaining({ ...STOP, job_duration: about(30) }),
    ]);
  });

  it("gives all events, again under the same id, when it was collected as an orphan while idle and then had a job", async () => {
    const { runner, flavor } = newRunner(platform);
    await quietly(runner.step("installation-start", { CLOCK_OFFSET: "-90000" }));
    await quietly(runner.step("installed", { CLOCK_OFFSET: "-89990" }));
    const [installed, ...none] = await collect({ flavor, orphanAfterSeconds: 0 });
    expect(installed).toMatchObject({ ...INSTALLED, duration: about(10) });
    expect(none).toEqual([]);
    expect(cloud.files(flavor)).toEqual([]);
    await quietly(runner.step("job-started", { ...JOB, CLOCK_OFFSET: "-60" }));
    await quietly(runner.step("job-completed"));
    expect(await collect({ flavor })).toEqual([
      expect.objectContaining({ ...INSTALLED, event_id: installed?.event_id }),
      expect.objectContaining({ ...START, idle: about(89_930) }),
      expect.objectContaining({ ...STOP, job_duration: about(60) }),
    ]);
  });

  it("tells a second job on the same runner nothing but that it is the second", async () => {
    const { runner, flavor } = newRunner(platform);
    await quietly(runner.step("installed"));
    await quietly(runner.step("job-started", JOB));
    await quietly(runner.step("job-completed"));
    const second = await runner.step("job-started", { ...JOB, GITHUB_RUN_ID: "2" });
    expect(second).toMatchObject({ code: 0, stderr: expect.stringContaining("this runner has had its job") });
    await quietly(runner.step("job-completed"));
    expect(await collect({ flavor })).toEqual([
      expect.objectContaining(START),
      expect.objectContaining({ ...STOP, workflow_run_id: "6873452345" }),
    ]);
  });

  it("is over where its machine died in a job: the next run of the runner is another life", async () => {
    const { runner, flavor } = newRunner(platform);
    await quietly(runner.step("installed"));
    await quietly(runner.step("job-started", { ...JOB, GITHUB_RUN_ID: "1" }));
    const next = { ...JOB, GITHUB_RUN_ID: "2", RUNNER_METRICS_STORAGE: "runner-2" };
    await quietly(runner.start(ONE_JOB, next).finished);
    expect(await collect({ flavor })).toEqual([
      expect.objectContaining({ ...START, runner_name: "runner-2", workflow_run_id: "2" }),
      expect.objectContaining({ ...STOP, runner_name: "runner-2", workflow_run_id: "2" }),
    ]);
    expect(await collect({ flavor, orphanAfterSeconds: 0 })).toEqual([
      expect.objectContaining({ ...START, runner_name: "runner-1", workflow_run_id: "1" }),
    ]);
  });

  it("is not mixed with the one before it that left files under the same name, and comes after it", async () => {
    const { runner, flavor } = newRunner(platform);
    await quietly(runner.step("installed"));
    await quietly(runner.step("job-started", { ...JOB, GITHUB_RUN_ID: "1" }));
    const before = cloud.files(flavor).map((key) => cloud.text(key));
    const { stderr } = await runner.start(ONE_JOB, { ...JOB, GITHUB_RUN_ID: "2" }).finished;
    const lines = stderr.trimEnd().split("\n");
    expect(lines).toHaveLength(4); // installed, both hooks, ended
    for (const line of lines) expect(line).toContain("the storage's name, runner-1, is not new");
    expect(cloud.files(flavor).map((key) => cloud.text(key))).toEqual(before);
    expect(await collect({ flavor, orphanAfterSeconds: 0 })).toEqual([
      expect.objectContaining({ ...START, workflow_run_id: "1" }),
    ]);
    await quietly(runner.step("upload"));
    expect(await collect({ flavor })).toEqual([
      expect.objectContaining({ ...START, workflow_run_id: "2" }),
      expect.objectContaining({ ...STOP, workflow_run_id: "2" }),
    ]);
  });

  it("never has the end of another job than its own, and says so", async () => {
    const { runner, flavor } = newRunner(platform);
    await quietly(runner.step("installed"));
    await quietly(runner.step("job-started", { ...JOB, GITHUB_RUN_ID: "1" }));
    const other = { ...JOB, GITHUB_RUN_ID: "2", GITHUB_WORKFLOW: '","workflow_run_id":"1' };
    for (const [step, settings] of [
      [["job-completed"], other], // its job-started did not come through
      [["job-started"], other],
      [["policy-failure", "403"], other],
      [["job-completed"], other],
      [["ended", "0"], {}],
    ] as const) {
      const { code, stderr } = await runner.step(step, settings);
      expect(code).toBe(0);
      expect(stderr).toMatch(
        /^runner-metrics: \S+: the job that is recorded here has not ended, and another has come.*\n$/,
      );
    }
    expect(await collect({ flavor, orphanAfterSeconds: 0 })).toEqual([
      expect.objectContaining({ ...START, workflow_run_id: "1" }),
    ]);
  });

  it("ends though its runner was started by a job of another workflow run", async () => {
    const { runner, flavor } = newRunner(platform);
    const script = `GITHUB_RUN_ID=2 bash -e "$ACTIONS_RUNNER_HOOK_JOB_STARTED"; exit 3`;
    await quietly(runner.start(script, { ...JOB, GITHUB_RUN_ID: "1" }).finished, 3);
    expect(await collect({ flavor })).toEqual([
      expect.objectContaining(START),
      expect.objectContaining({ ...STOP, workflow_run_id: "2", status: "abnormal" }),
    ]);
  });
});

describe("a collector that takes the runner for an orphan while its job ends", () => {
  const START_FILE = "runner-installation-start.timestamp";
  const INSTALLED_FILE = "runner-installed.timestamp";
  const PRE_FILE = "pre-job-metrics.json";
  const POST_FILE = "post-job-metrics.json";

  function eventsOf(files: ReadonlySet<string>): string[] {
    if (!files.has(INSTALLED_FILE)) return [];
    return [
      ...(files.has(START_FILE) ? ["installed"] : []),
      ...(files.has(PRE_FILE) ? ["start"] : []),
      ...(files.has(PRE_FILE) && files.has(POST_FILE) ? ["stop"] : []),
    ];
  }

  /** A collector reads before the one request and deletes before the other, both counted from 1. */
  async function endOfJob(reads: number, deletes: number): Promise<{ events: Set<string>; left: Set<string> }> {
    const { runner, flavor } = newRunner(ANY);
    for (const step of ["installation-start", "installed", "job-started"] as const)
      expect(await inProcess(runner, step)).toEqual([]);
    const names = (keys: string[]) => new Set(keys.map((key) => key.slice(key.lastIndexOf("/") + 1)));
    let requests = 0;
    let taken: string[] = [];
    cloud.faults.use(() => {
      requests++;
      if (requests === reads) taken = cloud.files(flavor);
      if (requests === deletes) for (const key of taken) cloud.s3.deleteObject(BUCKET, key);
      return undefined;
    });
    // So much later that a collector may have presumed it dead.
    await quietly(runner.step("job-completed", { CLOCK_OFFSET: "3000" }));
    cloud.faults.clear();
    const left = names(cloud.files(flavor));
    return { events: new Set([...eventsOf(names(taken)), ...eventsOf(left)]), left };
  }

  it("loses no event, whichever requests it reads and deletes before", async () => {
    const requestsUndisturbed = 7;
    const ONE_IN = effort(9, 1);
    for (let reads = 1; reads <= requestsUndisturbed; reads++) {
      for (let deletes = reads; deletes <= requestsUndisturbed; deletes++) {
        if ((reads + deletes) % ONE_IN > 0) continue;
        const { events, left } = await endOfJob(reads, deletes);
        expect([...events].sort(), `${reads}, ${deletes}`).toEqual(["installed", "start", "stop"]);
        expect(left, `${reads}, ${deletes}`).toContain(POST_FILE);
      }
    }
  });
});

it("keeps post-job-metrics.json back until every earlier file is stored", async () => {
  const { runner, flavor } = newRunner(ANY, { RUNNER_METRICS_TIMEOUT_SECONDS: "1" });
  cloud.faults.use(({ key }) =>
    key?.endsWith("runner-installed.timestamp") ? { kind: "error", status: 503, code: "SlowDown" } : undefined,
  );
  await runner.step("installation-start");
  await runner.step("installed");
  await runner.step("job-started", JOB);
  const { stderr } = await runner.step("job-completed");
  expect(stderr).toContain("cannot store runner-installed.timestamp: HTTP 503");
  expect(cloud.files(flavor).some((key) => key.endsWith("post-job-metrics.json"))).toBe(false);
  cloud.faults.clear();
  await quietly(runner.step("upload"));
  expect(cloud.files(flavor)).toHaveLength(4);
});

it("takes a file for its own that was stored by a request whose answer was lost", async () => {
  const { runner, flavor } = newRunner(ANY);
  for (const step of ["installation-start", "installed"]) await quietly(runner.step(step));
  cloud.faults.use(({ key, attempt }) =>
    key?.endsWith("pre-job-metrics.json") && attempt === 1 ? { kind: "reset", afterEffect: true } : undefined,
  );
  cloud.requests.reset();
  await quietly(runner.step("job-started", JOB));
  expect(cloud.requests.log().map(({ status }) => status)).toContain(412);
  cloud.faults.clear();
  await quietly(runner.step("job-completed", JOB));
  expect(await collect({ flavor })).toHaveLength(3);
});

it("is not mixed with an earlier life under the same name where the network was down at first", async () => {
  const { runner: first, flavor } = newRunner(ANY);
  const second = installRunner(ANY, cloud.settings(flavor, "runner-1"));
  runners.push(second);
  for (const step of ["installation-start", "installed", "job-started"]) await quietly(first.step(step, JOB));
  const down = { RUNNER_METRICS_ENDPOINT: "http://127.0.0.1:9", RUNNER_METRICS_TIMEOUT_SECONDS: "1" };
  for (const step of ["installed", "job-started"]) await second.step(step, { ...JOB, ...down });
  const { stderr } = await second.step("job-completed", JOB);
  expect(stderr).toContain("cannot store runner-installed.timestamp: there is one of another life");
  expect(cloud.files(flavor).some((key) => key.endsWith("post-job-metrics.json"))).toBe(false);
});

describe("a life's files are never taken for another life's", () => {
  const STEPS = ["installation-start", "installed", "job-started", "job-completed"];

  it("where an answer got lost", async () => {
    const { runner, flavor } = newRunner(ANY, { RUNNER_METRICS_TIMEOUT_SECONDS: "1" });
    cloud.faults.use(() => ({ kind: "stall", afterEffect: true }));
    for (const step of STEPS.slice(0, 3)) await runner.step(step, JOB);
    cloud.faults.clear();
    await quietly(runner.step("job-completed", JOB));
    await runner.step(["ended", "0"]);
    expect(cloud.files(flavor)).toHaveLength(4);
  });

  it("where two steps send at once", async () => {
    const { runner, flavor } = newRunner(ANY);
    for (const step of STEPS.slice(0, 2)) await quietly(runner.step(step, JOB));
    let requests = 0;
    // The second step's request comes first.
    cloud.faults.use(({ key }) =>
      key?.endsWith("pre-job-metrics.json") && requests++ === 0 ? { kind: "delay", delayMs: 1_500 } : undefined,
    );
    const hook = runner.step("job-started", JOB);
    while (requests === 0) await setTimeout(10);
    await quietly(runner.step("upload"));
    await quietly(hook);
    expect(requests).toBeGreaterThan(1);
    cloud.faults.clear();
    await quietly(runner.step("job-completed", JOB));
    expect(await collect({ flavor })).toHaveLength(3);
  });
});

describe("a step that is killed", () => {
  const KILLER = fileURLToPath(new URL("killer.cjs", import.meta.url));
  const STEPS = ["installation-start", "installed", "job-started", "job-completed"] as const;
  const ONE_IN = effort(9, 1);

  it("before or after any write or request leaves a life that goes on, and never a wrong event", {
    timeout: 300_000,
  }, async () => {
    for (const [index, step] of STEPS.entries()) {
      for (let at = 1 + (index % ONE_IN); ; at += ONE_IN) {
        const { runner, flavor } = newRunner(ONE);
        for (const before of STEPS.slice(0, STEPS.indexOf(step))) expect(await inProcess(runner, before)).toEqual([]);
        const killed = await runner.step(step, { ...JOB, PRELOAD: KILLER, KILL_AT: String(at) });
        for (const after of STEPS.slice(STEPS.indexOf(step) + 1)) await inProcess(runner, after);
        expect(await inProcess(runner, "ended", "1")).toEqual([]);
        const events = await collect({ flavor });
        for (const event of events.filter((event) => event.event === "runner_stop")) {
          expect(event, `${step} ${at}`).toMatchObject({ ...STOP, job_duration: about(0) });
        }
        const types = events.map(({ event }) => event);
        expect(cloud.files(flavor), `${step} ${at}`).toEqual([]);
        if (killed.stderr === "" && killed.code === 0) {
          // In one process steps are so quick that their order may be lost in the milliseconds.
          expect(types.sort(), `${step} ${at}`).toEqual(["runner_installed", "runner_start", "runner_stop"]);
          expect(at).toBeGreaterThan(5);
          break;
        }
      }
    }
  });
});
