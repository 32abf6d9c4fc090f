/** `npm run release`: writes all files of a release into release/. The same sources give the same bytes. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { FunctionName } from "../infra/constructs/bundling.ts";
import { packageJson } from "./bundle.ts";
import { lambdaZip } from "./lambda-zip.ts";
import { runnerArchive } from "./runner-archive.ts";
import { releaseTemplate, TEMPLATE_OPTIONS, templateName } from "./template.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const RELEASE = join(ROOT, "release");
const { version } = packageJson();

rmSync(RELEASE, { recursive: true, force: true });
mkdirSync(RELEASE);
execFileSync("npm", ["run", "build"], { cwd: ROOT, stdio: "inherit" });
for (const path of ["dist", "package.json", "README.md", "LICENSE", "CHANGELOG.md"]) setModes(join(ROOT, path));
execFileSync("npm", ["pack", "--ignore-scripts", "--pack-destination", RELEASE], { cwd: ROOT, stdio: "inherit" });
write(
  `runner-metrics-lambda-${version}.zip`,
  lambdaZip({
    "extract-metrics": bundle("extract-metrics"),
    "record-instance-ends": bundle("record-instance-ends"),
  }),
);
write(`runner-metrics-runner-${version}.tar.gz`, runnerArchive(join(ROOT, "dist/runner")));
for (const options of TEMPLATE_OPTIONS) write(templateName(options), JSON.stringify(releaseTemplate(options)));
write("THIRD-PARTY-LICENSES.txt", readFileSync(join(ROOT, "dist/THIRD-PARTY-LICENSES.txt")));
write("SHA256SUMS", sums());

function bundle(name: FunctionName): Uint8Array {
  return readFileSync(join(ROOT, `dist/lambda/${name}/index.mjs`));
}

/** npm packs files with the modes that they have, which depend on the umask. */
function setModes(path: string): void {
  const stat = statSync(path);
  const isDirectory = stat.isDirectory();
  chmodSync(path, isDirectory || stat.mode & 0o100 ? 0o755 : 0o644);
  if (isDirectory) for (const name of readdirSync(path)) setModes(join(path, name));
}

/** As `sha256sum --check` reads them. */
function sums(): string {
  const lines = readdirSync(RELEASE)
    .sort()
    .map(
      (name) =>
        `${createHash("sha256")
          .update(readFileSync(join(RELEASE, name)))
          .digest("hex")}  ${name}\n`,
    );
  return lines.join("");
}

function write(name: string, content: string | Uint8Array): void {
  writeFileSync(join(RELEASE, name), content);
}
