import { spawnSync } from "node:child_process";
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { needs } from "./tools.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const samplesOf = (page: string) => [...read(page).matchAll(/```ts\n([\s\S]*?)```/g)].map(([, sample = ""]) => sample);

// docs/use/construct.md is generated from examples/own-app.ts, which is compiled with everything else.
const pages = globSync(["*.md", "docs/**/*.md"], { cwd: ROOT, exclude: ["docs/use/construct.md"] });

test("the documents' code compiles as it stands there, against what the package exports", {
  tags: needs("gate"),
}, () => {
  const samples = pages.flatMap((page) => samplesOf(page).map((sample, index) => ({ page, index, sample })));
  expect(samples.length).toBeGreaterThanOrEqual(2);
  // In the project, where its dependencies are found.
  mkdirSync(join(ROOT, "dist"), { recursive: true });
  const folder = mkdtempSync(join(ROOT, "dist/samples-"));
  try {
    for (const { page, index, sample } of samples) {
      writeFileSync(join(folder, `${page.replaceAll(/\W/g, "-")}-${index}.ts`), sample);
    }
    const { exports } = JSON.parse(read("package.json"));
    const source = (name: string) => `../../${exports[name].types.replace("./dist/", "").replace(".d.ts", ".ts")}`;
    const paths = Object.fromEntries(
      [".", "./events", "./ticket"].map((name) => [name.replace(/^\./, "runner-metrics"), [source(name)]]),
    );
    const configuration = { extends: "../../tsconfig.json", compilerOptions: { paths }, include: ["*.ts"] };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(configuration));
    const { stdout } = spawnSync(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", folder], {
      encoding: "utf8",
    });
    expect(stdout).toBe("");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
