/**
 * Situations from the field. Each test begins with the number of its row.
 * @module-tag needs-dash
 */
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type LifeRecord, lifeOf, parseRecord } from "../../runner/life.ts";
import { ownSpool } from "../../runner/owner.ts";
import { installRunner, JOB, launch, type Settings, startCloud } from "./fleet.ts";
import { ANY, describePlatforms, type Platform, SHELLS } from "./platforms.ts";
import { startStub } from "./stub-server.ts";

let cloud: Awaited<ReturnType<typeof startCloud>>;
const cleanUps: (() => void)[] = [];
beforeAll(async () => {
  cloud = await startCloud();
});
afterEach(() => cloud.faults.clear());
afterAll(async () => {
  for (const cleanUp of cleanUps) cleanUp();
  await cloud.close();
});

let count = 0;
function newRunner(settings: Settings = {}, platform: Platform = ANY) {
  const name = `runner-${++count}`;
  const runner = installRunner(platform, { ...cloud.settings("large", name), ...settings });
  cleanUps.push(runner.remove);
  const json = (file: string, storage = name) => JSON.parse(cloud.text(`runners/large/${storage}/${file}`) ?? "null");
  const stored = (storage = name) => cloud.files("large").flatMap((key) => key.split(`/${storage}/`)[1] ?? []);
  return { runner, name, json, stored };
}

const PRE = "pre-job-metrics.json";
const POST = "post-job-metrics.json";
const SILENT = { code: 0, stderr: "" };
/** GitHub's run.sh and run-helper.sh: all exit codes of the listener but 2, 3, 4 and 7 become 0. */
const RUN_HELPER = (listener: string) => `
(
${listener}
)
code=$?
case $code in 2 | 3 | 4 | 7) exit $code ;; *) exit 0 ;; esac
`;
const STARTED = 'bash -e "$ACTIONS_RUNNER_HOOK_JOB_STARTED"';
const COMPLETED = 'bash -e "$ACTIONS_RUNNER_HOOK_JOB_COMPLETED"';

describePlatforms("with carriage returns in all of its files, by $name,", SHELLS, (platform) => {
  it("R1 no job and no runner fails, and a whole life is recorded", async () => {
    const { runner, stored } = newRunner({}, platform);
    runner.configure("RUNNER_METRICS_FLAVOR=large", `RUNNER_METRICS_RUNNER=${runner.directory}`);
    for (const file of readdirSync(runner.home).filter((name) => /\.(sh|js|conf)$/.test(name))) {
      const path = join(runner.home, file);
      writeFileSync(path, readFileSync(path, "utf8").replaceAll("\n", "\r\n"));
    }
    const [shell = "", ...args] = platform.shell;
    const start = [shell, ...args, join(runner.home, "installation-start.sh")];
    expect(await launch(start, runner.environment).finished).toMatchObject(SILENT);
    const script = `${STARTED} && ${COMPLETED} && exit 7`;
    expect(await runner.start(script, JOB).finished).toMatchObject({ code: 7, stderr: "" });
    expect(stored()).toHaveLength(4);
  });
});

describe("a job that started and whose completed hook never ran", () => {
  it.each([134, 137, 1])(
    "R2 is not normal if the listener ends with %d and run-helper.sh makes that a 0",
    async (code) => {
      const { runner, json } = newRunner();
      const script = RUN_HELPER(`${STARTED}\nexit ${code}`);
      expect(await runner.start(script, JOB).finished).toMatchObject(SILENT);
      expect(json(POST)).toMatchObject({ status: "abnormal" });
    },
  );

  it("R2 is normal if its completed hook ran, however the listener ended", async () => {
    const { runner, json } = newRunner();
    await runner.start(RUN_HELPER(`${STARTED}\n${COMPLETED}\nexit 1`), JOB).finished;
    expect(json(POST)).toMatchObject({ status: "normal" });
  });
});

describe("two runners of one user on one machine", () => {
  it("R3 have a state of their own, by default and in jobs of one matrix", async () => {
    const [one, two] = [newRunner({ RUNNER_METRICS_SPOOL: undefined }), newRunner()] as const;
    const HOME = one.runner.environment.HOME;
    const other = { ...two.runner.environment, HOME, RUNNER_METRICS_SPOOL: undefined };
    const step = (name: string) => two.runner.step(name, { ...other, ...JOB });
    for (const name of ["installed", "job-started"]) {
      expect(await one.runner.step(name, JOB)).toMatchObject(SILENT);
      expect(await step(name)).toMatchObject(SILENT);
    }
    expect(await step("job-completed")).toMatchObject(SILENT);
    expect(two.stored()).toContain(POST);
    expect(one.stored()).not.toContain(POST);
    expect(await one.runner.step("job-completed", JOB)).toMatchObject(SILENT);
    expect(one.json(POST).job_timestamp).toBe(one.json(PRE).timestamp);
    expect(two.json(POST).job_timestamp).toBe(two.json(PRE).timestamp);
  });

  it("R3 in one spool are refused: the second one's `run` says so and records nothing", async () => {
    const [one, two] = [newRunner(), newRunner()] as const;
    const goOn = join(one.runner.home, "go-on");
    const first = one.runner.start(`until [ -e ${goOn} ]; do sleep 0.1; done`);
    while (!existsSync(join(one.runner.spool, "owner"))) await new Promise((resolve) => setTimeout(resolve, 20));
    const second = await two.runner.start('echo "<$ACTIONS_RUNNER_HOOK_JOB_STARTED>"', {
      RUNNER_METRICS_SPOOL: one.runner.spool,
    }).finished;
    expect(second).toMatchObject({ code: 0, stdout: "<>\n" });
    expect(second.stderr).toMatch(/^runner-metrics: run: another runner \(process \d+\) uses the spool .*\n$/);
    expect(two.stored()).toEqual([]);
    writeFileSync(goOn, "");
    await first.finished;
  });
});

it.each([
  ["is missing", (path: string) => rmSync(path)],
  ["is not executable", (path: string) => chmodSync(path, 0o644)],
  ["is empty", (path: string) => writeFileSync(path, "")],
])("R4 a hook that %s is not given to GitHub's runner, which would fail every job", async (_, spoil) => {
  const { runner } = newRunner();
  spoil(join(runner.home, "job-completed.sh"));
  const script = 'echo "<$ACTIONS_RUNNER_HOOK_JOB_STARTED><$ACTIONS_RUNNER_HOOK_JOB_COMPLETED>"';
  const { code, stdout, stderr } = await runner.start(script).finished;
  expect({ code, stdout }).toEqual({ code: 0, stdout: `<${join(runner.home, "job-started.sh")}><>\n` });
  expect(stderr).toMatch(/^runner-metrics: run: .*job-completed.sh is .*, so job-completed is not recorded\n$/);
});

it("R5 an endpoint for S3 alone gets no request for STS", async () => {
  const s3 = await startStub(() => ({ headers: { Date: new Date().toUTCString() } }));
  const sts = await startStub(() => ({ body: "<UserId>AROAEXAMPLE:i-1</UserId>" }));
  cleanUps.push(s3.close, sts.close);
  const { runner } = newRunner({
    AWS_ENDPOINT_URL: undefined,
    AWS_ENDPOINT_URL_S3: s3.endpoint,
    AWS_ENDPOINT_URL_STS: sts.endpoint,
    RUNNER_METRICS_STORAGE: undefined,
  });
  expect(await runner.step("installed")).toMatchObject(SILENT);
  expect(s3.requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
    "PUT /metrics/runners/large/AROAEXAMPLE%3Ai-1/runner-installed.timestamp",
  ]);
  expect(sts.requests.map(({ method }) => method)).toEqual(["POST"]);
});

it.each(["1700000000000", "99999999999", "tomorrow"])(
  "R6 `installation-start %s` says so and counts from now",
  async (at) => {
    const before = Date.now() / 1000 - 1;
    const { runner, name } = newRunner();
    const { code, stderr } = await runner.step(["installation-start", at]);
    expect(code).toBe(0);
    expect(stderr).toMatch(/^runner-metrics: installation-start: SECONDS is .*, so now counts\n$/);
    const seconds = Number(cloud.text(`runners/large/${name}/runner-installation-start.timestamp`));
    expect(seconds).toBeGreaterThan(before);
    expect(seconds).toBeLessThan(Date.now() / 1000 + 1);
  },
);

it("R7 with nothing on the PATH, all but the upload of installation-start.sh works", async () => {
  const { runner, stored } = newRunner({ PATH: "/nonexistent" });
  for (const step of ["installation-start", "installed", "job-started", "job-completed"]) {
    expect(await runner.step(step, JOB)).toMatchObject(SILENT);
  }
  expect(stored()).toHaveLength(4);
});

it("R8 only the two hooks: it is said once that `installed` is missing, and the job is recorded", async () => {
  const { runner, stored } = newRunner();
  const first = await runner.step("job-started", JOB);
  expect(first.stderr).toMatch(/^runner-metrics: job-started: `installed` was not called, .*\n$/);
  expect(await runner.step("job-started", JOB)).toMatchObject(SILENT);
  expect(await runner.step("job-completed", JOB)).toMatchObject(SILENT);
  expect(stored()).toEqual([POST, PRE]);
});

it("R9 a runner for one job says of its second one, once, that it is not recorded", async () => {
  const { runner, json } = newRunner();
  for (const step of ["installed", "job-started", "job-completed"]) await runner.step(step, JOB);
  const second = { ...JOB, GITHUB_RUN_ID: "2" };
  expect((await runner.step("job-started", second)).stderr).toMatch(/this runner has had its job/);
  expect(await runner.step("job-completed", second)).toMatchObject(SILENT);
  expect(await runner.step("job-started", { ...JOB, GITHUB_RUN_ID: "3" })).toMatchObject(SILENT);
  expect(json(PRE).workflow_run_id).toBe(JOB.GITHUB_RUN_ID);
});

it.each([
  [
    "/etc/arc/hooks/started.sh",
    "<",
    /is set to \/etc\/arc\/hooks\/started.sh, so job-started is recorded only if that calls .*job-started.sh\n$/,
  ],
  ["", "<", /^$/],
])("R10 a hook that the image has set to '%s' is respected, and `run` says what to do", async (hook, _, line) => {
  const { runner } = newRunner({ ACTIONS_RUNNER_HOOK_JOB_STARTED: hook });
  const { stdout, stderr } = await runner.start('echo "$ACTIONS_RUNNER_HOOK_JOB_STARTED"').finished;
  expect(stdout).toBe(`${hook || join(runner.home, "job-started.sh")}\n`);
  expect(stderr).toMatch(line);
});

it("R11 what a step waits for is no part of a duration", async () => {
  const { runner, json } = newRunner({ RUNNER_METRICS_TIMEOUT_SECONDS: "3" });
  cloud.faults.use(() => ({ kind: "stall" }));
  const began = performance.now();
  await runner.step("installed");
  const { waited } = runner.life();
  expect(waited).toBeGreaterThanOrEqual(3_000);
  cloud.faults.clear();
  await runner.step("job-started", JOB);
  const elapsed = performance.now() - began;
  expect((json(PRE).timestamp - json(PRE).installed_timestamp) * 1000).toBeLessThanOrEqual(elapsed - waited);
});

it("R12 `check` knows GitHub's limit for a runner's name", async () => {
  const { runner } = newRunner();
  const long = await runner.step(["check", "--offline", "--name", "x".repeat(65)]);
  expect(long).toMatchObject({
    code: 1,
    stdout: expect.stringContaining("has 65 characters: GitHub takes 64 at most"),
  });
  expect(await runner.step(["check", "--offline", "--name", "x".repeat(64)])).toMatchObject({ code: 0 });
});

it("`check` asks for clock and credentials, and stores an empty file if asked to", async () => {
  const { runner, stored, name } = newRunner();
  expect(await runner.step(["check", "--put"])).toMatchObject({ code: 0, stderr: "" });
  expect(stored()).toEqual([POST]);
  expect(cloud.text(`runners/large/${name}/${POST}`)).toBe("");
  expect((await runner.step(["check"], { RUNNER_METRICS_FLAVOR: "L" })).code).toBe(1);
  expect((await runner.step(["check"], { CLOCK_OFFSET: "300" })).stdout).toMatch(/WRONG: the clock is \d+ s ahead/);
  expect((await runner.step(["check"], { AWS_ACCESS_KEY_ID: undefined })).stdout).toMatch(/WRONG: no credentials/);
});

describe("what a job has put into the spool", () => {
  it.each(["life-000002.jsonl", "owner", "reserve"])("R13 a pipe named %s stops no step and no `run`", async (name) => {
    const { runner } = newRunner();
    mkdirSync(runner.spool, { mode: 0o700 });
    execFileSync("mkfifo", [join(runner.spool, name)]);
    for (const step of ["installed", "job-started", "job-completed"]) {
      expect((await runner.step(step, JOB)).code).toBe(0);
    }
    expect((await runner.start("echo ran").finished).stdout).toBe("ran\n");
  });

  it.each(["life-000001.jsonl", "life-000002.jsonl", "owner", "reserve"])(
    "R13 a link named %s is not followed",
    async (name) => {
      const { runner } = newRunner();
      mkdirSync(runner.spool, { mode: 0o700 });
      const target = join(runner.home, "target");
      writeFileSync(target, "before");
      symlinkSync(target, join(runner.spool, name));
      for (const step of ["installed", "job-started", "job-completed"]) {
        expect((await runner.step(step, JOB)).code).toBe(0);
      }
      await runner.start("exit 0").finished;
      expect(readFileSync(target, "utf8")).toBe("before");
    },
  );
});

describe("a journal that a job has changed", () => {
  const FILE = "runner-installed.timestamp";

  it("R13 takes time in proportion to its size", () => {
    const steps = Array.from({ length: 50_000 }, (_, index) => String(index));
    const life = lifeOf(steps.flatMap((by): LifeRecord[] => [{ told: by }, { sent: FILE, by }, { unsent: FILE, by }]));
    expect(life.told.size).toBe(steps.length);
  });

  it("R13 is not read if it is larger than a life's can be", async () => {
    const { runner } = newRunner();
    await runner.step("job-started", JOB);
    appendFileSync(join(runner.spool, "life-000001.jsonl"), `${"x".repeat(64 * 1024)}\n`);
    const { code, stderr } = await runner.step("job-completed", JOB);
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining("the job's start is not recorded") });
  });

  it.each([
    { record: POST, content: "é".repeat(513), at: 1 },
    { storage: "../../other" },
    { storage: "x\n::warning::y" },
    { storage: "r", slot: -1 },
    { storage: "r", slot: 100 },
    { storage: "r", slot: 0.5 },
  ])("R13 has no line like %j", (record) => {
    expect(parseRecord(JSON.stringify(record))).toBeUndefined();
  });

  it.each(["null", "[", "x\n::error::y\u001b[31m", '{"timestamp":1e999}'])(
    "R13 has an end if the start in it is %j, and nothing of it is printed",
    async (content) => {
      const { runner, stored } = newRunner();
      mkdirSync(runner.spool, { mode: 0o700 });
      writeFileSync(join(runner.spool, "life-000001.jsonl"), JSON.stringify({ record: PRE, content, at: 1 }));
      expect(await runner.step("job-completed", JOB)).toMatchObject(SILENT);
      expect(stored()).toContain(POST);
    },
  );

  it("R13 in which nothing is as it should be is told in one line", async () => {
    const { runner } = newRunner();
    const RUNNER_METRICS_SPOOL = "/dev/null/x\n::error::y\u001b[31m\u2028";
    const { code, stderr } = await runner.step("job-completed", { RUNNER_METRICS_SPOOL });
    expect(code).toBe(0);
    expect(stderr).toMatch(/^[ -~]*\/dev\/null\/x\?::error::y\?\[31m\? [ -~]*\n$/);
  });
});

describe("the spool's directory", () => {
  it("R13 that cannot be made, though the one above it exists, stops no step", async () => {
    const { runner } = newRunner({ RUNNER_METRICS_SPOOL: "/proc/self/spool" });
    const { code, stderr } = await runner.step("installed");
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining("(ENOENT)") });
  });

  it("R13 that is a link is not used by `run` either: no file behind it is removed", async () => {
    const { runner } = newRunner();
    const elsewhere = join(runner.home, "elsewhere");
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, "owner"), "somebody's");
    symlinkSync(elsewhere, runner.spool);
    expect((await runner.start("echo ran").finished).stdout).toBe("ran\n");
    expect(readFileSync(join(elsewhere, "owner"), "utf8")).toBe("somebody's");
  });

  it("R3 belongs to one of two runners that begin at the same moment, and the other one knows", () => {
    const { runner } = newRunner();
    const path = join(runner.spool, "owner");
    const other = { pid: process.pid, started: "" };
    const readStart = () => {
      other.started = JSON.parse(readFileSync(path, "utf8")).started;
    };
    expect(ownSpool(runner.spool, readStart)).toHaveProperty("release");
    rmSync(path);
    expect(ownSpool(runner.spool, () => writeFileSync(path, JSON.stringify(other)))).toEqual({ takenBy: process.pid });
  });
});

describePlatforms("a hostile environment, by $name,", SHELLS, (platform) => {
  it("R14 puts nothing into curl's configuration, and runs no program or function of the job's", async () => {
    const { runner } = newRunner({ RUNNER_METRICS_STORAGE: undefined, RUNNER_METRICS_TIMEOUT_SECONDS: "1" }, platform);
    const canary = join(runner.home, "canary");
    const planted = join(runner.home, "planted");
    mkdirSync(planted);
    for (const name of ["sh", "node", "printf", "cat", "env"]) {
      writeFileSync(join(planted, name), `#!/bin/sh\n: >'${canary}'\n`, { mode: 0o755 });
    }
    const hostile = {
      ...JOB,
      PATH: `${planted}:${process.env.PATH}`,
      AWS_ENDPOINT_URL_STS: `http://127.0.0.1:9/"\noutput = "${canary}`,
      NODE_OPTIONS: `--require ${canary}.cjs`,
      "BASH_FUNC_printf%%": `() { : >'${canary}'; }`,
      "BASH_FUNC_read%%": `() { : >'${canary}'; }`,
      ENV: `${planted}/sh`,
    };
    writeFileSync(`${canary}.cjs`, `require("fs").writeFileSync(${JSON.stringify(canary)}, "")`);
    const { code, stderr } = await runner.step("job-started", hostile);
    expect(code).toBe(0);
    expect(stderr.trimEnd().split("\n")).toEqual([expect.stringContaining("AWS_ENDPOINT_URL_STS is not a URL")]);
    const [shell = "", ...args] = platform.shell;
    // Before the job, so with the PATH as it was.
    const start = [shell, ...args, join(runner.home, "installation-start.sh")];
    const settings = { ...runner.environment, AWS_ENDPOINT_URL_STS: hostile.AWS_ENDPOINT_URL_STS };
    expect((await launch(start, settings).finished).code).toBe(0);
    expect(existsSync(canary)).toBe(false);
  });
});
