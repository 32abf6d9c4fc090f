/**
 * The program on Node for Windows, under wine. What wine can't show: PowerShell and the `.ps1` hooks, a process that is asked to stop, and
 * connections that are used again.
 * @module-tag needs-wine
 */
import { spawn } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { WINDOWS_NODE } from "../runner-tools.ts";
import { JOB, lifeIn, PROGRAM, type Settings, startCloud } from "./fleet.ts";

const FILES = [
  "post-job-metrics.json",
  "pre-job-metrics.json",
  "runner-installation-start.timestamp",
  "runner-installed.timestamp",
];
const STEPS = ["installation-start", "installed", "job-started", "job-completed"];

let cloud: Awaited<ReturnType<typeof startCloud>>;
const root = mkdtempSync(join(tmpdir(), "windows-"));
beforeAll(async () => {
  cloud = await startCloud();
});
afterEach(() => cloud.faults.clear());
afterAll(async () => {
  rmSync(root, { recursive: true, force: true });
  await cloud.close();
});

let count = 0;
function newRunner() {
  const name = `runner-${++count}`;
  const spool = join(root, name);
  const environment = {
    ...cloud.settings("large", name),
    RUNNER_METRICS_BUCKET: "metrics",
    RUNNER_METRICS_REGION: "us-east-1",
    RUNNER_METRICS_SPOOL: windowsPath(spool),
    AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
    AWS_SECRET_ACCESS_KEY: "secret/+",
  };
  const program = (args: readonly string[], more: Settings = {}) =>
    onWindows([windowsPath(join(PROGRAM, "runner-metrics.js")), ...args], { ...environment, ...more });
  const stored = () => cloud.files("large").flatMap((key) => key.split(`/${name}/`)[1] ?? []);
  return { name, spool, program, stored };
}

/** Wine has the root of the file system as its drive Z. */
function windowsPath(path: string): string {
  return `Z:${path.replaceAll("/", "\\")}`;
}

/** Node under wine writes to files; to pipes it does not always. */
function onWindows(args: readonly string[], settings: Settings) {
  return inWine([WINDOWS_NODE, ...args], settings);
}

async function inWine(command: readonly string[], settings: Settings) {
  const [out, err] = [join(root, `${++count}.out`), join(root, `${count}.err`)] as const;
  const [outDescriptor, errDescriptor] = [openSync(out, "w"), openSync(err, "w")] as const;
  const { PATH, HOME } = process.env;
  const env = { PATH, HOME, LC_ALL: "C.UTF-8", WINEDEBUG: "-all", NODE_SKIP_PLATFORM_CHECK: "1", ...settings };
  const child = spawn("wine", command, { env, stdio: ["ignore", outDescriptor, errDescriptor] });
  const code = await new Promise((resolve, reject) => child.once("error", reject).once("exit", resolve));
  closeSync(outDescriptor);
  closeSync(errDescriptor);
  const text = (path: string) => readFileSync(path, "utf8").replaceAll("\r\n", "\n");
  // Wine's own lines, about what is installed.
  const stderr = text(err)
    .split("\n")
    .filter((line) => line.startsWith("runner-metrics: "))
    .join("\n");
  return { code, stdout: text(out), stderr };
}

const SILENT = { code: 0, stderr: "" };

it("a whole life is recorded and uploaded in four requests, texts byte for byte", async () => {
  const { name, program, stored } = newRunner();
  const GITHUB_WORKFLOW = 'CI "quoted" ü 😀 %PATH% ^&';
  cloud.requests.reset();
  for (const step of STEPS) expect(await program([step], { ...JOB, GITHUB_WORKFLOW })).toMatchObject(SILENT);
  expect(stored()).toEqual(FILES);
  expect(cloud.requests.count()).toBe(4);
  const preJob = JSON.parse(cloud.text(`runners/large/${name}/pre-job-metrics.json`) ?? "");
  expect(preJob).toMatchObject({ workflow: GITHUB_WORKFLOW, repository: JOB.GITHUB_REPOSITORY });
});

it("what could not be sent while the network was lost is sent by the next step", async () => {
  const { program, stored, spool } = newRunner();
  const lost = await program(["installed"], {
    AWS_ENDPOINT_URL: "http://127.0.0.1:9",
    RUNNER_METRICS_TIMEOUT_SECONDS: "1",
  });
  expect(lost.code).toBe(0);
  expect(lost.stderr).toMatch(/^runner-metrics: installed: cannot store runner-installed.timestamp: no answer .*$/);
  expect(stored()).toEqual([]);
  expect(lifeIn(spool).files["runner-installed.timestamp"]).toBeDefined();
  expect(await program(["job-started"], JOB)).toMatchObject(SILENT);
  expect(stored()).toEqual(["pre-job-metrics.json", "runner-installed.timestamp"]);
});

it("two runners in one spool are not mixed: another runner's job is refused", async () => {
  const { program } = newRunner();
  const [one, two] = [
    { ...JOB, RUNNER_NAME: "one" },
    { ...JOB, RUNNER_NAME: "two" },
  ] as const;
  await program(["installed"]);
  expect(await program(["job-started"], one)).toMatchObject(SILENT);
  expect((await program(["job-started"], two)).stderr).toMatch(/the spool is that of the runner one/);
  expect((await program(["job-completed"], two)).stderr).toMatch(/the spool is that of the runner one/);
  expect(await program(["job-completed"], one)).toMatchObject(SILENT);
});

it("further jobs of a persistent runner are in slots", async () => {
  const { program, stored, name } = newRunner();
  const many = { ...JOB, RUNNER_METRICS_JOBS_PER_RUNNER: "many" };
  for (const step of STEPS) expect(await program([step], many)).toMatchObject(SILENT);
  const next = { ...many, GITHUB_RUN_ID: "6873452346" };
  for (const step of STEPS.slice(2)) expect(await program([step], next)).toMatchObject(SILENT);
  expect(stored()).toEqual(FILES);
  const inSlots = cloud.files("large").flatMap((key) => key.split(`/${name}~00/`)[1] ?? []);
  expect(inSlots).toEqual(FILES.filter((file) => file !== "runner-installation-start.timestamp"));
});

it("`run` passes arguments and the exit code through, and records the end", async () => {
  const { program, stored, name, spool } = newRunner();
  const script = join(root, "command.js");
  writeFileSync(script, "console.log(JSON.stringify(process.argv.slice(2))); process.exit(7);");
  const { code, stdout } = await program(["run", "--", windowsPath(WINDOWS_NODE), windowsPath(script), "a b", 'c"d']);
  expect({ code, stdout }).toEqual({ code: 7, stdout: '["a b","c\\"d"]\n' });
  expect(stored()).toContain("post-job-metrics.json");
  expect(cloud.text(`runners/large/${name}/post-job-metrics.json`)).toContain('"status_info":{"code":7}');
  expect(readdirSync(spool)).not.toContain("owner");
});

/** `runner-metrics.cmd`, next to a runner with Node. */
function newShim() {
  const directory = join(root, `actions-runner-${++count}`);
  mkdirSync(join(directory, "externals/node20/bin"), { recursive: true });
  mkdirSync(join(directory, "externals/node16/bin"), { recursive: true });
  for (const node of ["node20", "node16"]) {
    symlinkSync(WINDOWS_NODE, join(directory, "externals", node, "bin/node.exe"));
  }
  const shim = windowsPath(join(PROGRAM, "runner-metrics.cmd"));
  const settings = { RUNNER_METRICS_RUNNER: windowsPath(directory) };
  const start = (args: readonly string[], more: Settings = {}) =>
    inWine(["cmd", "/c", shim, ...args], { ...settings, ...more });
  return { directory, start };
}

it("the shim finds the runner's Node, and takes away what would change it", async () => {
  // Also the variable by which Node runs on the old Windows that wine stands for by default.
  const version = ["/v", "Version", "/d", "win10", "/f"];
  await inWine(["reg", "add", "HKCU\\Software\\Wine\\AppDefaults\\node.exe", ...version], {});
  const { start } = newShim();
  const changing = { NODE_OPTIONS: "--no-such-option", SSL_CERT_FILE: "Z:\\nonexistent" };
  const { code, stdout } = await start(["--version"], changing);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^runner-metrics\/[0-9]/) });
  const script = join(root, "environment.js");
  writeFileSync(script, "console.log(process.env.NODE_OPTIONS, process.env.NODE_); process.exit(7);");
  const settings = {
    ...changing,
    RUNNER_METRICS_SPOOL: windowsPath(join(root, "shim-spool")),
    NODE_OPTIONS: "--no-deprecation",
  };
  const run = await start(["run", "--", windowsPath(WINDOWS_NODE), windowsPath(script)], settings);
  expect({ code: run.code, stdout: run.stdout }).toEqual({ code: 7, stdout: "--no-deprecation undefined\n" });
});

it("R14 the shim takes nothing in a variable for a command, and fails no step without a Node", async () => {
  const { directory, start } = newShim();
  const command = `echo x>${windowsPath(join(directory, "canary"))}`;
  const hostile = {
    RUNNER_METRICS_RUNNER: `${windowsPath(directory)}" & ${command} & rem "`,
    NODE_X: `a" & ${command} & rem "`,
  };
  expect((await start(["installed"], hostile)).code).toBe(0);
  expect((await start(["--version"], hostile)).code).toBe(1);
  expect((await start(["--version"], { NODE_X: hostile.NODE_X })).code).toBe(0);
  expect(readdirSync(directory)).toEqual(["externals"]);
});

it("R1 the shim has the line ends by which Windows finds its labels", () => {
  const shim = readFileSync(join(PROGRAM, "runner-metrics.cmd"), "utf8");
  expect(shim.split("\n").length).toBeGreaterThan(10);
  expect(shim).not.toMatch(/[^\r]\n/);
});
