/** Builds the program for runners: `node runner/build.ts [DIRECTORY]`. */
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const SOURCES = fileURLToPath(new URL(".", import.meta.url));
const PROGRAM = "runner-metrics.js";
/** SHA-256 sums of all files, as `sha256sum -c` reads them. */
export const SUMS = "SHA256SUMS";

/** The files next to the program: they find a Node and start it. */
export const SHIMS = [
  "runner-metrics.sh",
  "job-started.sh",
  "job-completed.sh",
  "installation-start.sh",
  "runner-metrics.cmd",
  "job-started.ps1",
  "job-completed.ps1",
] as const;

/** They know their steps by their names. */
const HOOKS = new Set<string>(["job-started.sh", "job-completed.sh"]);

/** Where `npm run build:runner` puts it. */
export const DIRECTORY = join(SOURCES, "dist");

/**
 * Writes the program, its shims and their SHA-256 sums into a directory: all that a machine with GitHub's runner needs. Returns the SHA-256
 * of the file with the sums, which a download is verified by.
 */
export async function buildRunner(directory = DIRECTORY): Promise<string> {
  mkdirSync(directory, { recursive: true });
  const { version } = JSON.parse(readFileSync(join(SOURCES, "../package.json"), "utf8")) as { version: string };
  await build({
    entryPoints: [join(SOURCES, "main.ts")],
    outfile: join(directory, PROGRAM),
    bundle: true,
    platform: "node",
    // The oldest Node that GitHub's runner may bring.
    target: "node20",
    format: "cjs",
    // Readable in an audit; and Node prints no more than one line of it if it can't load it.
    minifySyntax: true,
    legalComments: "none",
    define: { RUNNER_METRICS_VERSION: JSON.stringify(version) },
    logLevel: "warning",
  });
  // Where a folder above has a package.json that says "module".
  writeFileSync(join(directory, "package.json"), '{ "type": "commonjs" }\n');
  for (const shim of SHIMS) {
    const source = readFileSync(join(SOURCES, "shims", HOOKS.has(shim) ? "hook.sh" : shim), "utf8");
    // Windows does not always find a label in a file with another line end.
    writeFileSync(join(directory, shim), shim.endsWith(".cmd") ? source.replaceAll(/\r?\n/g, "\r\n") : source);
    if (shim.endsWith(".sh")) chmodSync(join(directory, shim), 0o755);
  }
  const sums = [PROGRAM, "package.json", ...SHIMS].map((name) => {
    const sum = sha256(readFileSync(join(directory, name)));
    return `${sum}  ${name}\n`;
  });
  writeFileSync(join(directory, SUMS), sums.join(""));
  return sha256(sums.join(""));
}

function sha256(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const directory = process.argv[2] ?? DIRECTORY;
  const sum = await buildRunner(directory);
  console.log(`${directory}\nSHA-256 of SHA256SUMS, for the recipes: ${sum}`);
}
