/** MiniStack, an emulator of AWS that runs Lambda functions and fires schedules without Docker. */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const PACKAGE = "ministack==1.5.33";
const VENV = new URL("../../.venv/ministack/", import.meta.url).pathname;
const START_SECONDS_MAX = 60;

export interface Emulator {
  readonly endpoint: string;
  /** Ends it, and whatever it has started. */
  stop(): void;
}

/** Installs the pinned release unless it is there, and starts it on a free port of loopback. Keeps all its files in `home`. */
export async function startMinistack(home: string): Promise<Emulator> {
  install();
  const port = await freePort();
  const log = join(home, "ministack.log");
  const output = openSync(log, "w");
  const server = spawn(join(VENV, "bin/ministack"), {
    cwd: home,
    // A group of its own, so that its Lambda processes end with it.
    detached: true,
    stdio: ["ignore", output, output],
    env: { ...process.env, HOME: home, TMPDIR: home, BIND_HOST: "127.0.0.1", GATEWAY_PORT: String(port) },
  });
  const endpoint = `http://127.0.0.1:${port}`;
  const stop = () => {
    if (server.pid !== undefined && server.exitCode === null) process.kill(-server.pid, "SIGTERM");
  };
  for (let second = 0; second < START_SECONDS_MAX; second += 0.2) {
    const health = await fetch(`${endpoint}/_ministack/health`).catch(() => undefined);
    if (health?.ok) return { endpoint, stop };
    if (server.exitCode !== null) break;
    await sleep(200);
  }
  stop();
  throw new Error(`MiniStack did not start:\n${readFileSync(log, "utf8")}`);
}

function install(): void {
  const stamp = join(VENV, "package");
  if (existsSync(stamp) && readFileSync(stamp, "utf8").trim() === PACKAGE) return;
  execFileSync(process.env.PYTHON ?? "python3", ["-m", "venv", VENV], { stdio: "inherit" });
  const options = ["install", "--quiet", "--disable-pip-version-check", PACKAGE];
  execFileSync(join(VENV, "bin/pip"), options, { stdio: "inherit" });
  writeFileSync(stamp, `${PACKAGE}\n`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("There is no free port.");
  return address.port;
}
