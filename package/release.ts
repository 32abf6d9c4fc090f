/** `npm run release`: writes all files of a release into release/. The same sources give the same bytes. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { packageJson } from "./bundle.ts";
import { lambdaZip } from "./lambda-zip.ts";
import { tar } from "./tar.ts";
import { releaseTemplate, TEMPLATE_OPTIONS, templateName } from "./template.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const RELEASE = join(ROOT, "release");
const { version } = packageJson();

rmSync(RELEASE, { recursive: true, force: true });
mkdirSync(RELEASE);
// Builds dist/ first.
execFileSync("npm", ["pack", "--pack-destination", RELEASE], { cwd: ROOT, stdio: "inherit" });
write(
  `runner-metrics-lambda-${version}.zip`,
  lambdaZip(readFileSync(join(ROOT, "dist/lambda/extract-metrics/index.mjs"))),
);
write(`runner-metrics-runner-${version}.tar.gz`, runnerArchive());
for (const options of TEMPLATE_OPTIONS) write(templateName(options), JSON.stringify(releaseTemplate(options)));
write("SHA256SUMS", sums());

/** The program for runners, its shims and what recipes need. */
function runnerArchive(): Uint8Array {
  const directory = join(ROOT, "dist/runner");
  const files = readdirSync(directory).sort();
  const entries = files.map((name) => ({ name, content: readFileSync(join(directory, name)) }));
  const wrapRun = { name: "wrap-run.sh", content: readFileSync(join(ROOT, "runner/recipes/wrap-run.sh")) };
  return gzipSync(tar([...entries, wrapRun]), { level: 9 });
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
