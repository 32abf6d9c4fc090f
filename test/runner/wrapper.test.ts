import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { needs } from "../tools.ts";
import { installRunner, JOB, launch, type Runner, type Settings, startCloud } from "./fleet.ts";
import { describePlatforms, NODES, ONE, type Platform, SHELLS } from "./platforms.ts";

let cloud: Awaited<ReturnType<typeof startCloud>>;
const runners: Runner[] = [];
beforeAll(async () => {
  cloud = await startCloud();
});
afterAll(async () => {
  for (const runner of runners) runner.remove();
  await cloud.close();
});

let count = 0;
function newRunner(platform: Platform, settings: Settings = {}) {
  const name = `runner-${++count}`;
  const runner = installRunner(platform, { ...cloud.settings("large", name), ...settings });
  runners.push(runner);
  const file = (file: string) => cloud.text(`runners/large/${name}/${file}`);
  return { runner, file };
}

/** Waits for the first output, kills, and gives all output. */
async function killed(wrapper: ReturnType<Runner["start"]>, signal: NodeJS.Signals) {
  await once(wrapper.stdout ?? wrapper, "data");
  wrapper.kill(signal);
  return wrapper.finished;
}

describePlatforms("`run`, by $name,", [...SHELLS, ...NODES], (platform) => {
  it("tells the end also where it is told to stop while it still tells of the installation", async () => {
    const { runner } = newRunner(platform);
    cloud.faults.use(() => ({ kind: "stall" }));
    const wrapper = runner.start("echo never", {
      RUNNER_METRICS_TIMEOUT_SECONDS: "1",
      RUNNER_METRICS_FINAL_SECONDS: "1",
    });
    await vi.waitUntil(() => existsSync(join(runner.spool, "life-000001.jsonl")), { timeout: 10_000 });
    wrapper.kill("SIGTERM");
    const { code, stdout } = await wrapper.finished;
    cloud.faults.clear();
    expect({ code, stdout }).toEqual({ code: 143, stdout: "" });
    expect(runner.spooled("post-job-metrics.json")).toContain('"status":"abnormal"');
  });

  it("passes arguments, stdin, environment and exit code through", async () => {
    const { runner } = newRunner(platform);
    const script = 'printf "%s|" "$@"; cat; umask; echo "$LC_ALL $PATH"; exit 42';
    const PATH = `${process.env.PATH}`;
    const command = `echo in | ${platform.shell.join(" ")} ${runner.home}/runner-metrics.sh run sh -c '${script}' sh 'a b' '$(id)' '*'`;
    const env = { ...process.env, ...runner.environment, PATH, LC_ALL: "C.UTF-8" };
    const { stdout, code } = await launch(["bash", "-c", command], env).finished;
    expect(stdout).toBe(`a b|$(id)|*|in\n0022\nC.UTF-8 ${PATH}\n`);
    expect(code).toBe(42);
  });

  it("runs the command though nothing of ours works", async () => {
    const { runner } = newRunner(platform);
    const settings = { RUNNER_METRICS_SPOOL: "/dev/null/x", RUNNER_METRICS_BUCKET: undefined, HOME: undefined };
    const { stdout, code } = await runner.start("echo done; exit 5", settings).finished;
    expect({ stdout, code }).toEqual({ stdout: "done\n", code: 5 });
  });

  it("keeps hooks that are set already", async () => {
    const { runner } = newRunner(platform);
    const { stdout } = await runner.start(
      'echo "$ACTIONS_RUNNER_HOOK_JOB_STARTED $ACTIONS_RUNNER_HOOK_JOB_COMPLETED"',
      {
        ACTIONS_RUNNER_HOOK_JOB_STARTED: "/mine.sh",
      },
    ).finished;
    expect(stdout).toBe(`/mine.sh ${runner.home}/job-completed.sh\n`);
  });
});

describePlatforms("`run`, asked to stop, on $name,", NODES, (platform) => {
  it.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
    "passes %s on, and gives the command time to end by itself",
    async (signal) => {
      const { runner, file } = newRunner(platform);
      const name = signal.slice(3);
      const script = `trap 'echo got; sleep 0.5; echo ended; exit 7' ${name}; echo up; while :; do sleep 0.1; done`;
      const { stdout, code } = await killed(runner.start(script), signal);
      expect(stdout).toBe("up\ngot\nended\n");
      expect(code).toBe(7);
      expect(file("post-job-metrics.json")).toMatch(/"abnormal","status_info":\{"code":1(43|30|29)\}/);
    },
  );

  it("tells the end without waiting longer for a command that does not end", async () => {
    const { runner, file } = newRunner(platform);
    const wrapper = runner.start(`trap '' TERM; echo up; sleep 6; exit 0`, { RUNNER_METRICS_GRACE_SECONDS: "1" });
    await once(wrapper.stdout ?? wrapper, "data");
    wrapper.kill("SIGTERM");
    await vi.waitFor(() => expect(file("post-job-metrics.json")).toContain('"code":143'), { timeout: 5_000 });
    expect(wrapper.exitCode).toBeNull();
    expect((await wrapper.finished).code).toBe(0);
  });

  it("says that RUNNER_METRICS_GRACE_SECONDS is no number, and waits as if it were not set", async () => {
    const { runner } = newRunner(platform);
    const wrapper = runner.start("trap 'exit 7' TERM; echo up; while :; do sleep 0.1; done", {
      RUNNER_METRICS_GRACE_SECONDS: "abc",
    });
    const { code, stderr } = await killed(wrapper, "SIGTERM");
    expect(code).toBe(7);
    expect(stderr).toContain(
      "runner-metrics: run: RUNNER_METRICS_GRACE_SECONDS is not a whole number from 1 to 99999, so 5 counts\n",
    );
  });
});

it("stops GitHub's run.sh in the way that lets it cancel its job: SIGINT reaches the processes below", {
  tags: needs("bash"),
}, async () => {
  const { runner } = newRunner(ONE);
  // What run.sh does where RUNNER_MANUALLY_TRAP_SIG is set: https://github.com/actions/runner/blob/main/src/Misc/layoutroot/run.sh
  const script = `
    [ "$RUNNER_MANUALLY_TRAP_SIG" = 1 ] || exit 9
    set -m
    trap 'kill -INT -$PID' INT TERM
    node -e 'process.on("SIGINT", () => { console.log("cancelled"); process.exit(0) }); console.log("up"); setInterval(() => {}, 1000)' &
    PID=$!
    wait $PID
    wait $PID`;
  const { stdout, code } = await killed(runner.start(script, {}, "bash"), "SIGTERM");
  expect(stdout).toBe("up\ncancelled\n");
  expect(code).toBe(0);
});

it("settings that are relative paths are the same in the hooks, which run in another directory", {
  tags: needs("coreutils"),
}, async () => {
  const { runner, file } = newRunner(ONE);
  writeFileSync(
    join(runner.directory, "run.sh"),
    `#!/bin/sh
     mkdir _work && cd _work && "$ACTIONS_RUNNER_HOOK_JOB_STARTED" && "$ACTIONS_RUNNER_HOOK_JOB_COMPLETED"`,
  );
  chmodSync(join(runner.directory, "run.sh"), 0o755);
  const env = { ...runner.environment, ...JOB, RUNNER_METRICS_RUNNER: undefined, RUNNER_METRICS_SPOOL: "spool" };
  const command = `cd ${runner.directory} && sh ${runner.home}/runner-metrics.sh run -- ./run.sh`;
  expect(await launch(["sh", "-c", command], env).finished).toMatchObject({ code: 0, stderr: "" });
  expect(file("post-job-metrics.json")).toContain('"status":"normal"');
  expect(existsSync(join(runner.directory, "spool/life-000001.jsonl"))).toBe(true);
});

it("the command gets back the variables that would change our Node", async () => {
  const { runner } = newRunner(ONE);
  const changing = { NODE_OPTIONS: "--no-such-option", LD_X: "a  b\nc '\"$x", SSL_CERT_FILE: "/nonexistent" };
  const { stdout, code } = await runner.start('printf "%s|" "$NODE_OPTIONS" "$LD_X" "$SSL_CERT_FILE"', changing)
    .finished;
  expect(stdout).toBe(`--no-such-option|${changing.LD_X}|/nonexistent|`);
  expect(code).toBe(0);
});

describePlatforms("without a Node, by $name,", SHELLS, (platform) => {
  it("`run` runs the command all the same, and steps say so and fail nothing", async () => {
    const { runner } = newRunner(platform);
    rmSync(join(runner.directory, "externals"), { recursive: true });
    const { stdout, code, stderr } = await runner.start('echo "$NODE_OPTIONS"; exit 5', { NODE_OPTIONS: "kept" })
      .finished;
    expect({ stdout, code }).toEqual({ stdout: "kept\n", code: 5 });
    expect(stderr).toMatch(/^runner-metrics: run: no Node 20 or later works in externals\/ of the runner.*\n$/);
    const step = await runner.step("job-started");
    expect(step.code).toBe(0);
    expect(step.stderr).toMatch(/^runner-metrics: job-started: no Node 20 or later works.*\n$/);
    expect((await runner.step("check")).code).toBe(1);
  });

  it("the same where a Node is there but does not start, or the program is damaged", async () => {
    for (const damage of ["node", "program"]) {
      const { runner } = newRunner(platform);
      const node = join(runner.directory, "externals/node24/bin/node");
      if (damage === "node") writeFileSync(node, "#!/nonexistent/interpreter\n");
      else writeFileSync(join(runner.home, "runner-metrics.js"), "}");
      expect(await runner.start("echo ran; exit 5").finished).toMatchObject({ stdout: "ran\n", code: 5 });
      expect((await runner.step("job-started")).code).toBe(0);
    }
  });

  it("the newest one is taken that is no build for Alpine, and none that is older than 20", async () => {
    const { runner } = newRunner(platform);
    const externals = join(runner.directory, "externals");
    for (const name of ["node16", "node100_alpine", "node24_alpine", "node9999", "nodes", "node99"]) {
      const bin = join(externals, name, "bin");
      mkdirSync(bin, { recursive: true });
      writeFileSync(join(bin, "node"), `#!/bin/sh\necho ${name}\n`);
      chmodSync(join(bin, "node"), 0o755);
    }
    expect((await runner.step("--version")).stdout).toBe("node99\n");
    rmSync(join(externals, "node99"), { recursive: true });
    expect((await runner.step("--version")).stdout).toMatch(/^runner-metrics\/[0-9]/);
  });
});

describe("as the first process of a container, `run`", { tags: needs("unshare") }, () => {
  it("reaps what jobs leave behind, and passes signals and the exit code on", async () => {
    const { runner } = newRunner(ONE);
    const run = join(runner.directory, "run.sh");
    writeFileSync(
      run,
      `(sleep 0.2 & exec true); sleep 1
       for stat in /proc/[0-9]*/stat; do read -r _ name state _ <"$stat"; case $state in Z) echo "zombie $name" ;; esac; done
       trap 'echo got; exit 7' TERM; echo up; while :; do sleep 0.1; done`,
    );
    const script = join(runner.home, "runner-metrics.sh");
    const command = [
      "unshare",
      "--user",
      "--map-root-user",
      "--pid",
      "--fork",
      "--mount-proc",
      "--kill-child",
      "sh",
      script,
      "run",
      "--",
      "bash",
      run,
    ];
    const wrapper = launch(command, runner.environment);
    let output = "";
    wrapper.stdout?.on("data", (text: string) => {
      output += text;
    });
    await vi.waitUntil(() => output.includes("up"), { timeout: 20_000 });
    expect(output).toBe("up\n");
    const [first = ""] = readdirSync("/proc").filter((pid) => isChildOf(pid, wrapper.pid));
    process.kill(Number(first), "SIGTERM");
    expect(await wrapper.finished).toMatchObject({ code: 7, stdout: "up\ngot\n" });
  });
});

function isChildOf(pid: string, parent: number | undefined): boolean {
  if (!/^[0-9]+$/.test(pid)) return false;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] === String(parent);
  } catch {
    return false;
  }
}
