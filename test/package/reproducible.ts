/** Two clones, in other folders and time zones and with other umasks, make the same release. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CLONES = [
  { name: "one", timeZone: "UTC", umask: "0022" },
  { name: "another-folder", timeZone: "Asia/Kathmandu", umask: "0077" },
];

const directory = mkdtempSync(join(tmpdir(), "runner-metrics-clones-"));
try {
  // Both of the same commit, whatever is committed meanwhile.
  for (const { name } of CLONES)
    execFileSync("git", ["clone", "--quiet", ROOT, join(directory, name)], { stdio: "inherit" });
  const [one, other] = CLONES.map(release);
  assert.equal(one?.trim().split("\n").length, 9, "a release has its files");
  assert.equal(other, one);
  console.log(one);
} finally {
  rmSync(directory, { recursive: true, force: true });
}

/** The checksums that a new clone's `npm run release` writes. */
function release({ name, timeZone, umask }: (typeof CLONES)[number]): string {
  const clone = join(directory, name);
  // What `npm ci` would install, without a download.
  execFileSync("cp", ["-al", join(ROOT, "node_modules"), join(clone, "node_modules")]);
  const script = `umask ${umask}; exec npm run --silent release`;
  execFileSync("sh", ["-c", script], { cwd: clone, env: { ...process.env, TZ: timeZone }, stdio: "ignore" });
  execFileSync("sha256sum", ["--check", "--status", "SHA256SUMS"], { cwd: join(clone, "release") });
  return readFileSync(join(clone, "release/SHA256SUMS"), "utf8");
}
