import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Metafile } from "esbuild";

/** The packages whose code is in bundles, under the text of their licence: as the licences ask of who distributes them. */
export function licensesOf(bundles: readonly Metafile[], root: string): string {
  const paths = bundles.flatMap(({ outputs }) => Object.values(outputs).flatMap(({ inputs }) => Object.keys(inputs)));
  const folders = new Set(paths.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? []));
  const packages = [...folders].map((folder) => readPackage(join(root, folder)));
  const sections = Map.groupBy(packages, ({ text }) => text);
  return [...sections]
    .map(
      ([text, those]) =>
        `${those
          .map(({ title }) => title)
          .toSorted()
          .join("\n")}\n\n${text}\n`,
    )
    .toSorted()
    .join(`\n${"-".repeat(80)}\n\n`);
}

function readPackage(folder: string): { title: string; text: string } {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  if (typeof license !== "string") throw new Error(`${name} ${version} has no licence in its package.json`);
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice)/i.test(file));
  const texts = files.sort().map((file) => readFileSync(join(folder, file), "utf8").replaceAll("\r\n", "\n").trim());
  return { title: `${name} ${version}, ${license}`, text: texts.join("\n\n") };
}
