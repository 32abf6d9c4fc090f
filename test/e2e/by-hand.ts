/**
 * The commands of docs/use/deploy.md that need no AWS account, as they stand there, with that page's own cdk.json: `npm run test:all -- by-hand`.
 * Only the port differs, so that nothing else is in the way. Needs Python, and PyPI.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, MINISTACK } from "../emulators.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** What the commands write. */
const OWN = ["cdk.json", "cdk.out", "outputs.json", ".venv"];

const doc = readFileSync(join(ROOT, "docs/use/deploy.md"), "utf8");
const [, settings = ""] = /```json\n([\s\S]*?)```/.exec(doc) ?? [];
const [, commands = ""] = /<!-- run as they stand[^\n]*-->\n```sh\n([\s\S]*?)```/.exec(doc) ?? [];
const [release] = MINISTACK.packages;
assert(commands.includes(`install --quiet ${release}\n`));
const port = String(await freePort());
const script = commands.replace("127.0.0.1:4566", `127.0.0.1:${port}`);
assert.notEqual(script, commands);

const directory = mkdtempSync(join(tmpdir(), "runner-metrics-by-hand-"));
try {
  for (const name of readdirSync(ROOT)) if (!OWN.includes(name)) symlinkSync(join(ROOT, name), join(directory, name));
  const { app, context } = JSON.parse(settings);
  const runnerMetrics = { ...context.runnerMetrics, emulator: true };
  writeFileSync(join(directory, "cdk.json"), JSON.stringify({ app, context: { runnerMetrics } }));
  const output = await run(`set -eo pipefail\n${script}`);
  assert.match(output, /RunnerMetrics\.BucketName = /);
  assert.match(output, /^flavor +large\nlisted +0\n/m);
  assert.match(output, /^no problem$/m);
  console.log("deployed by hand, and the function made a run");
} finally {
  rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}

/** Runs a script in a group of processes of its own, which ends with it: it leaves the emulator running. Returns what it printed. */
async function run(text: string): Promise<string> {
  const { PATH, HOME: _, AWS_PROFILE: __, ...env } = process.env;
  const home = { HOME: directory, GATEWAY_PORT: port, CI: "true" };
  const shell = spawn("bash", ["-c", text], { cwd: directory, detached: true, env: { ...env, PATH, ...home } });
  let output = "";
  for (const stream of [shell.stdout, shell.stderr]) stream.on("data", (bytes) => (output += bytes));
  const code = await new Promise((resolve) => shell.on("exit", resolve));
  if (shell.pid) process.kill(-shell.pid, "SIGKILL");
  assert.equal(code, 0, output);
  return output;
}
