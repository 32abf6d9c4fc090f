import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { environment } from "../contract/environment.ts";
import { scheduleInput } from "../contract/schedule-input.ts";
import { generatedFiles } from "../docs/generate.ts";

const ROOT = new URL("../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), "utf8");
const FOLDERS = ["docs/use/", "docs/operate/", "docs/consume/", "docs/contribute/", "docs/decisions/"];
const filesOf = (folder: string) =>
  readdirSync(new URL(folder, ROOT))
    .filter((name) => name.endsWith(".md"))
    .sort()
    .map((name) => `${folder}${name}`);

test("the published schemas and the README's event reference are what the event schemas say (npm run docs)", () => {
  for (const [path, content] of Object.entries(generatedFiles())) expect(read(path), path).toBe(content);
});

test("the page of settings names every variable of the environment and every field of the schedule input", () => {
  const readme = read("docs/use/settings.md");
  const names = [...Object.keys(environment.shape), ...Object.keys(scheduleInput.shape)];
  for (const name of names) expect(readme).toContain(`\`${name}\``);
});

test("every file, folder and npm script that the documents name is there", () => {
  const scripts = Object.keys(JSON.parse(read("package.json")).scripts);
  for (const document of ["README.md", "CONTRIBUTING.md", ...FOLDERS.flatMap(filesOf)]) {
    const text = read(document);
    for (const [, path = ""] of text.matchAll(/\]\(([^):#]+)(?:#[^)]*)?\)/g)) {
      expect(existsSync(new URL(path, new URL(document, ROOT))), `${document}: ${path}`).toBe(true);
    }
    for (const [, script = ""] of text.matchAll(/npm run ([\w:-]+)/g)) {
      expect(scripts, `${document}: ${script}`).toContain(script);
    }
  }
});

test("the index of the decisions names each by its title", () => {
  const pages = filesOf("docs/decisions/").filter((path) => !path.endsWith("README.md"));
  const lines = pages.map((path) => {
    const [, number = "", title = ""] = /^# (\d+)\. (.*)/.exec(read(path)) ?? [];
    return `- ${number} [${title}](${path.slice("docs/decisions/".length)})`;
  });
  expect(
    read("docs/decisions/README.md")
      .split("\n")
      .filter((line) => line.startsWith("- ")),
  ).toEqual(lines);
});
