import { existsSync, globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { environment, RUN_SETTINGS } from "../contract/environment.ts";
import { scheduleInput } from "../contract/schedule-input.ts";
import { generatedFiles } from "../docs/generate.ts";

const ROOT = new URL("../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), "utf8");
const documents = globSync(["*.md", ".github/*.md", "docs/**/*.md"], { cwd: ROOT.pathname }).sort();

test("the published schemas and the README's event reference are what the event schemas say (npm run docs)", () => {
  for (const [path, content] of Object.entries(generatedFiles())) expect(read(path), path).toBe(content);
});

test("the page of settings names every variable of the environment and every field of the schedule input", () => {
  const readme = read("docs/use/settings.md");
  const names = [...Object.keys(environment.shape), ...Object.keys(scheduleInput.shape)];
  for (const name of names) expect(readme).toContain(`\`${name}\``);
});

test("every file, folder and heading that the documents link to is there", () => {
  expect(documents.length).toBeGreaterThan(30);
  for (const document of documents) {
    for (const [, path = "", heading] of withoutCode(read(document)).matchAll(/\]\(([^):#]*)(?:#([^)]*))?\)/g)) {
      const target = path === "" ? new URL(document, ROOT) : new URL(path, new URL(document, ROOT));
      expect(existsSync(target), `${document}: ${path}`).toBe(true);
      if (heading) expect(anchorsOf(readFileSync(target, "utf8")), `${document}: ${path}`).toContain(heading);
    }
  }
});

test("the documents say presumed dead, the glossary's word, and name settings as operators set them", () => {
  const pages = documents.filter((path) => /^docs\/(use|operate|consume)\//.test(path));
  expect(pages.length).toBeGreaterThan(20);
  for (const path of pages) expect(withoutCode(read(path)), path).not.toMatch(/\borphan(s|ed)?\b/i);
  for (const path of pages.filter((path) => path !== "docs/use/settings.md")) {
    for (const { variable } of Object.values(RUN_SETTINGS))
      expect(read(path), path).not.toMatch(new RegExp(`\\b${variable}\\b`));
  }
});

test("every npm script that the documents name is there", () => {
  const scripts = Object.keys(JSON.parse(read("package.json")).scripts);
  for (const document of documents) {
    for (const [, script = ""] of read(document).matchAll(/npm run ([\w:-]+)/g)) {
      expect(scripts, `${document}: ${script}`).toContain(script);
    }
  }
});

test("the index of the decisions names each by its title", () => {
  const pages = documents.filter((path) => /^docs\/decisions\/[0-9]/.test(path));
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

test("every decision has a status", () => {
  for (const path of documents.filter((path) => /^docs\/decisions\/[0-9]/.test(path))) {
    expect(read(path), path).toMatch(/^Status: (Accepted|Superseded)[.,]? ?.*$/m);
  }
});

test("the README has at most 130 lines", () => {
  expect(read("README.md").split("\n").length).toBeLessThanOrEqual(131);
});

function withoutCode(text: string): string {
  return text.replaceAll(/```[\s\S]*?```/g, "");
}

/** The anchors that GitHub makes of headings, and those set by hand. */
function anchorsOf(text: string): string[] {
  const headings = [...withoutCode(text).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, "")
      .replaceAll(" ", "-"),
  );
  return [...headings, ...[...text.matchAll(/<a id="([^"]+)">/g)].map(([, id = ""]) => id)];
}
