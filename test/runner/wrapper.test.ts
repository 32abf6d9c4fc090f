/**
 * @module-tag needs-runner-tools
 * @module-tag needs-dash
 */
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { describeShells } from "./describe-shells.ts";
import { DASH, installRunner, launch, pathOf, type Runner, SHELLS, type Shell, startCloud } from "./fleet.ts";

let cloud: Awaited<ReturnType<typeof startCloud>>;
const runners: Runner[] = [];
beforeAll(async () => {
  cloud = await startCloud();
});
afterAll(async () => {
  for (const runner of runners) runner.remove();
  await cloud.close();
});

/** Longer than it ever takes. */
const LONG = { timeout: 300_000, interval: 50 };

let count = 0;
function newRunner(shell: Shell) {
  const name = `runner-${++count}`;
  const runner = installRunner(shell, cloud.settings("large", name));
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

describeShells("runner-metrics.sh run, under $name,", SHELLS, (shell) => {
  it("tells the end also where it is told to stop while it still tells of the installation", async () => {
    const { runner } = newRunner(shell);
    cloud.faults.use(() => ({ kind: "stall" }));
    const wrapper = runner.start("echo never", {
      RUNNER_METRICS_TIMEOUT_SECONDS: "1",
      RUNNER_METRICS_FINAL_SECONDS: "1",
    });
    await vi.waitUntil(() => existsSync(join(runner.spool, "runner-installed.timestamp")), LONG);
    wrapper.kill("SIGTERM");
    const { code, stdout } = await wrapper.finished;
    cloud.faults.clear();
    expect({ code, stdout }).toEqual({ code: 143, stdout: "" });
    expect(runner.spooled("post-job-metrics.json")).toContain('"status":"abnormal"');
  });

  it("passes arguments, stdin, environment and exit code through", async () => {
    const { runner } = newRunner(shell);
    const script = 'printf "%s|" "$@"; cat; umask; echo "$LC_ALL $PATH"; exit 42';
    const PATH = `${process.env.PATH}`;
    const command = `echo in | ${shell.command.join(" ")} ${runner.home}/runner-metrics.sh run sh -c '${script}' sh 'a b' '$(id)' '*'`;
    const env = { ...process.env, PATH, LC_ALL: "C.UTF-8", RUNNER_METRICS_SPOOL: runner.spool };
    const { stdout, code } = await launch(["bash", "-c", command], env).finished;
    expect(stdout).toBe(`a b|$(id)|*|in\n0022\nC.UTF-8 ${PATH}\n`);
    expect(code).toBe(42);
  });

  it("runs the command though nothing of ours works", async () => {
    const { runner } = newRunner(shell);
    const settings = { RUNNER_METRICS_SPOOL: "/dev/null/x", RUNNER_METRICS_BUCKET: undefined, HOME: undefined };
    const { stdout, code } = await runner.start("echo done; exit 5", settings).finished;
    expect({ stdout, code }).toEqual({ stdout: "done\n", code: 5 });
  });

  it("keeps hooks that are set already", async () => {
    const { runner } = newRunner(shell);
    const { stdout } = await runner.start(
      'echo "$ACTIONS_RUNNER_HOOK_JOB_STARTED $ACTIONS_RUNNER_HOOK_JOB_COMPLETED"',
      {
        ACTIONS_RUNNER_HOOK_JOB_STARTED: "/mine.sh",
      },
    ).finished;
    expect(stdout).toBe(`/mine.sh ${runner.home}/job-completed.sh\n`);
  });
});

// All shells go on as bash where there is one, so that one will do.
describe("runner-metrics.sh run, told to stop,", () => {
  const shell = DASH;

  it.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
    "passes %s on, and gives the command time to end by itself",
    async (signal) => {
      const { runner, file } = newRunner(shell);
      const name = signal.slice(3);
      const script = `trap 'echo got; sleep 0.5; echo ended; exit 7' ${name}; echo up; while :; do sleep 0.1; done`;
      const { stdout, code } = await killed(runner.start(script), signal);
      expect(stdout).toBe("up\ngot\nended\n");
      expect(code).toBe(7);
      expect(file("post-job-metrics.json")).toMatch(/"abnormal","status_info":\{"code":1(43|30|29)\}/);
    },
  );

  it("tells the end without waiting longer for a command that does not end", async () => {
    const { runner, file } = newRunner(shell);
    const goOn = join(runner.home, "go-on");
    const script = `trap '' TERM; echo up; until [ -e ${goOn} ]; do sleep 0.1; done; exit 0`;
    const wrapper = runner.start(script, { RUNNER_METRICS_GRACE_SECONDS: "1" });
    await once(wrapper.stdout ?? wrapper, "data");
    wrapper.kill("SIGTERM");
    await vi.waitFor(() => expect(file("post-job-metrics.json")).toContain('"code":143'), LONG);
    expect(wrapper.exitCode).toBeNull();
    writeFileSync(goOn, "");
    expect((await wrapper.finished).code).toBe(0);
  });

  it("says that RUNNER_METRICS_GRACE_SECONDS is no number, and waits as if it were not set", async () => {
    const { runner } = newRunner(shell);
    const wrapper = runner.start("trap 'exit 7' TERM; echo up; while :; do sleep 0.1; done", {
      RUNNER_METRICS_GRACE_SECONDS: "abc",
    });
    const { code, stderr } = await killed(wrapper, "SIGTERM");
    expect(code).toBe(7);
    expect(stderr).toContain(
      "runner-metrics: run: RUNNER_METRICS_GRACE_SECONDS is not a positive whole number, so 5 counts\n",
    );
  });
});

const OTHER_SHELLS = SHELLS.filter(({ name }) => name !== "bash");
describeShells("in $name alone, where there is no bash,", OTHER_SHELLS, (shell) => {
  function startAlone() {
    const { runner, file } = newRunner(shell);
    const bin = join(runner.home, "bin");
    mkdirSync(bin);
    for (const tool of ["sleep", "env"]) symlinkSync(pathOf(tool), join(bin, tool));
    symlinkSync(pathOf(shell.command[0]), join(bin, "sh"));
    const script = "trap 'echo got; exit 7' TERM; echo up; while :; do sleep 0.1; done";
    const path = join(runner.home, "runner-metrics.sh");
    const command = [pathOf(shell.command[0]), ...shell.command.slice(1), path, "run", "sh", "-c", script];
    return { path, file, start: () => launch(command, { ...runner.environment, PATH: bin }) };
  }

  it("passes SIGTERM on", async () => {
    const { file, start } = startAlone();
    const { stdout, code } = await killed(start(), "SIGTERM");
    expect(stdout).toBe("up\ngot\n");
    expect(code).toBe(7);
    expect(file("post-job-metrics.json")).toContain('"code":143');
  });

  it("exits with the command's code also where the command ended before it was waited for", async () => {
    const { path, start } = startAlone();
    const script = readFileSync(path, "utf8");
    const slow = script.replace("  wait $child\n  code=", "  sleep 1\n$&");
    expect(slow).not.toBe(script);
    writeFileSync(path, slow);
    expect((await killed(start(), "SIGTERM")).code).toBe(7);
  });
});

it("stops GitHub's run.sh in the way that lets it cancel its job: SIGINT reaches the processes below", async () => {
  const { runner } = newRunner(DASH);
  // What run.sh does where RUNNER_MANUALLY_TRAP_SIG is set: https://github.com/actions/runner/blob/main/src/Misc/layoutroot/run.sh
  const script = `
    [ "$RUNNER_MANUALLY_TRAP_SIG" = 1 ] || exit 9
    set -m
    trap 'kill -INT -$PID' INT TERM
    node -e 'process.on("SIGINT", () => { console.log("cancelled"); process.exit(0) }); console.log("up"); setInterval(() => {}, 1000)' &
    PID=$!
    wait $PID
    wait $PID`;
  const { stdout, code } = await killed(runner.start(script), "SIGTERM");
  expect(stdout).toBe("up\ncancelled\n");
  expect(code).toBe(0);
});
