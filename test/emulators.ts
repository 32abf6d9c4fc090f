/** Emulators of AWS that need no Docker, from PyPI, each in a virtual environment of its own. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const VENVS = new URL("../.venv/", import.meta.url).pathname;
const START_SECONDS_MAX = 90;

/** A program from PyPI. */
export interface PythonProgram {
  readonly name: string;
  /** For pip, pinned. */
  readonly packages: readonly string[];
  /** Minor version of the oldest Python 3 that runs it; the environment's `PYTHON` names the interpreter. */
  readonly pythonMinor: number;
}

interface Release extends PythonProgram {
  /** Below the virtual environment, with its parameters. */
  command(port: number): readonly [string, ...string[]];
  readonly health: string;
  environment(home: string, port: number): Readonly<Record<string, string>>;
}

/** Enforces policies, without their conditions. */
export const MOTO: Release = {
  name: "moto",
  packages: ["moto[server]==5.2.5"],
  pythonMinor: 10,
  command: (port) => ["bin/moto_server", "-H", "127.0.0.1", "-p", String(port)],
  health: "/moto-api/",
  environment: () => ({}),
};

/** Runs Lambda functions and fires schedules. Its Athena runs SQL in DuckDB, if that is there. */
export const MINISTACK: Release = {
  name: "ministack",
  packages: ["ministack==1.5.33", "duckdb==2.0.1"],
  pythonMinor: 10,
  command: () => ["bin/ministack"],
  health: "/_ministack/health",
  environment: (_, port) => ({ BIND_HOST: "127.0.0.1", GATEWAY_PORT: String(port) }),
};

/** The last release that is free to use, on the host: there it runs no Lambda functions. */
export const LOCALSTACK: Release = {
  name: "localstack",
  // Its own list of dependencies lets in versions that it fails with, and forgets one.
  packages: ["localstack-core[runtime]==4.14.0", "cbor2<6", "pyopenssl<26", "service-identity"],
  pythonMinor: 12,
  command: () => ["bin/python", "-m", "localstack.runtime.main"],
  health: "/_localstack/health",
  environment: (home, port) => ({
    GATEWAY_LISTEN: `127.0.0.1:${port}`,
    DNS_ADDRESS: "0",
    SKIP_SSL_CERT_DOWNLOAD: "1",
    DISABLE_EVENTS: "1",
    FILESYSTEM_ROOT: join(home, "localstack"),
  }),
};

export interface Emulator {
  readonly endpoint: string;
  /** Ends it, and whatever it has started. */
  stop(): void;
}

/** Installs the pinned release unless it is there, and starts it on a free port of loopback. Keeps all its files in `home`. */
export async function startEmulator(release: Release, home: string): Promise<Emulator> {
  const venv = installed(release);
  const port = await freePort();
  const log = join(home, `${release.name}.log`);
  const output = openSync(log, "w");
  const [command, ...parameters] = release.command(port);
  const server = spawn(join(venv, command), parameters, {
    cwd: home,
    // A group of its own, so that its Lambda processes end with it.
    detached: true,
    stdio: ["ignore", output, output],
    env: { ...process.env, HOME: home, TMPDIR: home, ...release.environment(home, port) },
  });
  const endpoint = `http://127.0.0.1:${port}`;
  const stop = () => {
    if (server.pid !== undefined && server.exitCode === null) process.kill(-server.pid, "SIGTERM");
  };
  for (let second = 0; second < START_SECONDS_MAX; second += 0.2) {
    const health = await fetch(new URL(release.health, endpoint)).catch(() => undefined);
    if (health?.ok) return { endpoint, stop };
    if (server.exitCode !== null) break;
    await sleep(200);
  }
  stop();
  throw new Error(`${release.packages[0]} did not start:\n${readFileSync(log, "utf8")}`);
}

/** Whether the pinned release is there. */
export function isInstalled({ name, packages }: PythonProgram): boolean {
  const stamp = join(VENVS, name, "packages");
  return existsSync(stamp) && readFileSync(stamp, "utf8").trim() === packages.join(" ");
}

/** The path of the program's virtual environment. Installs the pinned release unless it is there. */
export function installed(program: PythonProgram): string {
  const venv = join(VENVS, program.name);
  if (!isInstalled(program)) install(program, venv);
  return venv;
}

function install({ name, packages, pythonMinor }: PythonProgram, venv: string): void {
  const python = process.env.PYTHON ?? "python3";
  const { status } = spawnSync(python, ["-c", `import sys; sys.exit(sys.version_info < (3, ${pythonMinor}))`]);
  if (status !== 0)
    throw new Error(`${name} needs Python 3.${pythonMinor} or later: name it in PYTHON (now ${python})`);
  execFileSync(python, ["-m", "venv", venv], { stdio: "inherit" });
  const options = ["install", "--quiet", "--disable-pip-version-check", ...packages];
  execFileSync(join(venv, "bin/pip"), options, { stdio: "inherit" });
  writeFileSync(join(venv, "packages"), `${packages.join(" ")}\n`);
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("There is no free port.");
  return address.port;
}
