import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build, type Metafile } from "esbuild";
import { ALIASES, BUNDLING, type FunctionName } from "../infra/constructs/bundling.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Bundles a Lambda handler as the stack does at synthesis: one file, which Lambda loads as `index.handler`. */
export async function bundleHandler(outfile: string, name: FunctionName = "extract-metrics"): Promise<Metafile> {
  const { minify, target, mainFields, banner } = BUNDLING[name];
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [`functions/${name}/handler.ts`],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    minify,
    target,
    mainFields,
    alias: ALIASES,
    banner: { js: banner },
    metafile: true,
    logLevel: "warning",
  });
  return metafile;
}

/**
 * Bundles the command line and the module for tickets, so that the package brings none of their dependencies. What only some commands need
 * is in files of its own, which are loaded when such a command runs. Optional peer dependencies stay outside.
 */
export async function bundlePrograms(outdir: string): Promise<Metafile> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: { "runner-metrics": "cli/runner-metrics.ts", ticket: "package/exports/ticket.ts" },
    outdir,
    bundle: true,
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
    platform: "node",
    format: "esm",
    // The oldest Node that the package supports.
    target: "node20",
    external: Object.keys(packageJson().peerDependencies),
    mainFields: ["module", "main"],
    // CommonJS dependencies require Node's own modules.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    metafile: true,
    logLevel: "warning",
  });
  return metafile;
}

export interface PackageJson {
  readonly version: string;
  readonly peerDependencies: Readonly<Record<string, string>>;
}

export function packageJson(): PackageJson {
  return JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
}
