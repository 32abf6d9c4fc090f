/** The direction of imports, on the whole graph: direct and transitive, types included. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { build } from "esbuild";
import { expect, test } from "vitest";

const ROOT = new URL("..", import.meta.url).pathname;
const FOLDERS = ["contract", "cli", "functions", "infra", "runner", "local", "examples", "docs", "test"];
const IMPORT = /^(?:import|export)\s(?:[^;"']*?\sfrom\s)?"([^"]+)"|\bimport\("([^"]+)"\)/gm;

const files = FOLDERS.flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(folder, name)),
);

/** File -> what it imports: files by path, packages by name. */
const graph = new Map(
  files.map((file) => {
    const text = readFileSync(join(ROOT, file), "utf8");
    const specifiers = [...text.matchAll(IMPORT)].map(([, one, two]) => one ?? two ?? "");
    return [file, specifiers.map((name) => (name.startsWith(".") ? join(dirname(file), name) : name))];
  }),
);

/** All that a file imports, directly or not. */
function reachable(file: string, seen = new Set<string>()): Set<string> {
  for (const target of graph.get(file) ?? []) {
    if (seen.has(target)) continue;
    seen.add(target);
    reachable(target, seen);
  }
  return seen;
}

const within = (folder: string) => files.filter((file) => file.startsWith(`${folder}/`));

test("the parser finds every import that esbuild finds", async () => {
  const entryPoints = ["functions/extract-metrics/handler.ts", "infra/app.ts", "cli/runner-metrics.ts"];
  const { metafile } = await build({
    entryPoints: entryPoints.map((file) => join(ROOT, file)),
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    outdir: "out",
    write: false,
    metafile: true,
    absWorkingDir: ROOT,
  });
  for (const [file, { imports }] of Object.entries(metafile.inputs)) {
    const targets = imports.filter(({ external }) => !external).map(({ path }) => relative(ROOT, join(ROOT, path)));
    expect(graph.get(file), file).toEqual(expect.arrayContaining(targets));
  }
});

test("contract/ imports zod, node:crypto and itself only", () => {
  for (const file of within("contract")) {
    for (const target of graph.get(file) ?? []) expect(target, file).toMatch(/^(zod$|node:crypto$|contract\/)/);
  }
});

test.each(["infra", "runner"])("%s/ shares only contract/ with the functions", (folder) => {
  for (const file of within(folder)) {
    expect(
      [...reachable(file)].filter((target) => target.startsWith("functions/")),
      file,
    ).toEqual([]);
  }
});

// docs/decisions/0060: the commands say what a run would do, by the rules of the run itself.
test("cli/ imports contract/, packages, itself, and the pure rules in functions/domain only; the demo is loaded when it runs", () => {
  const demo = "local/demo/demo.ts";
  expect(readFileSync(join(ROOT, "cli/commands/demo.ts"), "utf8")).toContain(`await import("../../${demo}")`);
  for (const file of within("cli")) {
    const own = (graph.get(file) ?? []).filter((target) => files.includes(target));
    for (const target of own) {
      const isDemo = file === "cli/commands/demo.ts" && target === demo;
      expect(isDemo ? "cli/" : target, file).toMatch(/^(contract|cli|functions\/domain)\//);
    }
  }
});

test.each([
  ["functions/domain", /^(functions\/domain|contract)\//],
  ["functions/storage", /^(functions\/(storage|domain)|contract)\/|^functions\/ports\.ts$/],
  ["functions/run", /^(functions\/(run|storage|domain)|contract)\/|^functions\/(ports|concurrency)\.ts$/],
  ["functions/aws", /^(functions\/aws|contract)\/|^functions\/(ports|concurrency|connections)\.ts$/],
  ["functions/github", /^(functions\/(github|domain)|contract)\/|^functions\/(ports|connections)\.ts$/],
])("%s imports only what lies below it", (folder, allowed) => {
  for (const file of within(folder)) {
    const own = (graph.get(file) ?? []).filter((target) =>
      /^(cli|functions|contract|infra|runner|local|test)\//.test(target),
    );
    for (const target of own) expect(target, file).toMatch(allowed);
  }
});

test("the rules and the run use no SDK, no network and no files", () => {
  for (const file of ["functions/domain", "functions/storage", "functions/run"].flatMap(within)) {
    const packages = (graph.get(file) ?? []).filter((target) => !/^(functions|contract)\//.test(target));
    expect(
      packages.filter((name) => name !== "zod" && name !== "node:zlib"),
      file,
    ).toEqual([]);
  }
});

test("nothing imports a handler but its tests and npm start", () => {
  const importers = files.filter((file) =>
    graph.get(file)?.some((target) => target.endsWith("extract-metrics/handler.ts")),
  );
  expect(importers.filter((file) => !/^(test|local)\//.test(file))).toEqual([]);
});

test("there is no import cycle", () => {
  const cyclic = files.filter((file) => reachable(file).has(file));
  expect(cyclic).toEqual([]);
});
