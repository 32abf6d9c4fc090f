/**
 * `npm run test:all -- emulators`: runs the contracts against moto and MiniStack, which need neither Docker nor an account, or against those
 * that are named (moto, ministack, localstack). Installs them into `.venv/`; they listen on loopback only.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LOCALSTACK, MINISTACK, MOTO, startEmulator } from "../emulators.ts";

const named = process.argv.slice(2);
const releases = [MOTO, MINISTACK, LOCALSTACK].filter(({ name }) =>
  named.length > 0 ? named.includes(name) : name !== "localstack",
);
if (releases.length < named.length) throw new Error("There are moto, ministack and localstack.");

for (const release of releases) {
  console.log(`== ${release.packages.join(" ")}`);
  // A home of its own: emulators keep state and caches there.
  const home = mkdtempSync(join(tmpdir(), "runner-metrics-"));
  const { endpoint, stop } = await startEmulator(release, home);
  const env = { ...process.env, EMULATOR: release.name, AWS_ENDPOINT_URL: endpoint };
  const tests = ["test/contracts/s3.test.ts", "test/contracts/event-bridge.test.ts", "test/contracts/sqs.test.ts"];
  const { status } = spawnSync("npx", ["vitest", "run", ...tests], { stdio: "inherit", env });
  stop();
  rmSync(home, { recursive: true, force: true });
  if (status !== 0) process.exitCode = 1;
}
