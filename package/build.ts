/** `npm run build`: writes all that the npm package contains into dist/. */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { namesOf } from "../contract/reasons.ts";
import { BUNDLING } from "../infra/constructs/bundling.ts";
import { buildRunner } from "../runner/build.ts";
import { bundleHandler, bundlePrograms } from "./bundle.ts";
import { licensesOf } from "./licenses.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const DIST = join(ROOT, "dist");

rmSync(DIST, { recursive: true, force: true });
// The modules of `exports` and what they import, with their types.
execFileSync(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.build.json"], {
  cwd: ROOT,
  stdio: "inherit",
});
const bundles = [await bundlePrograms(join(DIST, "bin"))];
for (const name of namesOf(BUNDLING)) bundles.push(await bundleHandler(join(DIST, `lambda/${name}/index.mjs`), name));
// The runner's program contains no package.
writeFileSync(join(DIST, "THIRD-PARTY-LICENSES.txt"), licensesOf(bundles, ROOT));
chmodSync(join(DIST, "bin/runner-metrics.js"), 0o755);
await buildRunner(join(DIST, "runner"));
for (const folder of ["docs/consume/events", "docs/use/files"])
  cpSync(join(ROOT, folder), join(DIST, "schemas"), { recursive: true });
