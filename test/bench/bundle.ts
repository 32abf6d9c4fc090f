/** Size of what is deployed, and how long a cold start reads it: `node test/bench/bundle.ts`. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Metafile } from "esbuild";
import { bundleHandler } from "../../package/bundle.ts";

const RUNS = 11;
const BYTES_MAX = 1.2e6;
const IMPORT_MILLISECONDS_MAX = 150;

const directory = mkdtempSync(join(tmpdir(), "runner-metrics-bundle-"));
try {
  const bundle = join(directory, "index.mjs");
  const empty = join(directory, "empty.mjs");
  writeFileSync(empty, "");
  const { outputs } = await bundleHandler(bundle);
  const bytes = statSync(bundle).size;

  // Interleaved, so that what else the machine does falls on both.
  const times = { bundle: [] as number[], empty: [] as number[] };
  for (let run = 0; run < RUNS; run++) {
    times.empty.push(importMilliseconds(empty));
    times.bundle.push(importMilliseconds(bundle));
  }
  const overhead = median(times.bundle) - median(times.empty);

  report("bundle, minified", `${(bytes / 1e6).toFixed(3)} MB`, `${BYTES_MAX / 1e6} MB`, bytes <= BYTES_MAX);
  const limit = `${IMPORT_MILLISECONDS_MAX} ms`;
  report(
    `import, over an empty module (median of ${RUNS})`,
    `${overhead.toFixed(0)} ms`,
    limit,
    overhead <= IMPORT_MILLISECONDS_MAX,
  );
  console.log(`  heaviest: ${heaviest(outputs)}`);
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function importMilliseconds(module: string): number {
  const code = `const began = performance.now(); await import(${JSON.stringify(module)}); console.log(performance.now() - began); process.exit()`;
  const env = { PATH: process.env.PATH, AWS_REGION: "us-east-1", BUCKET_NAME: "bucket", EVENT_BUS_NAME: "bus" };
  return Number(execFileSync(process.execPath, ["--input-type=module", "-e", code], { env, encoding: "utf8" }));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** The packages that weigh most. */
function heaviest(outputs: Metafile["outputs"]): string {
  const sizes = new Map<string, number>();
  for (const [path, { bytesInOutput }] of Object.values(outputs).flatMap(({ inputs }) => Object.entries(inputs))) {
    const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? "functions";
    sizes.set(name, (sizes.get(name) ?? 0) + bytesInOutput);
  }
  const sorted = [...sizes].sort(([, a], [, b]) => b - a).slice(0, 6);
  return sorted.map(([name, size]) => `${name} ${Math.round(size / 1_000)} KB`).join(", ");
}

function report(what: string, value: string, target: string, isMet: boolean): void {
  console.log(`${isMet ? "ok  " : "MISS"} ${what}: ${value} (target: at most ${target})`);
  if (!isMet) process.exitCode = 1;
}
