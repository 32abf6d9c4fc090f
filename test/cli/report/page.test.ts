/**
 * The page of the demo's fleet in a real browser.
 * @module-tag needs-chromium
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { filesInFolder } from "../../../cli/report/read-archive.ts";
import { answersFrom, render } from "../../../cli/report/report.ts";
import { demoFleet } from "../../../local/demo/fleet.ts";
import { findCommand } from "../../tools.ts";
import { optionsFor, writeArchive } from "./archive.ts";
import { eventsOf } from "./fleet-events.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const folder = mkdtempSync(join(tmpdir(), "runner-metrics-page-"));
const fullPage = join(folder, "full.html");
const emptyPage = join(folder, "empty.html");
let browser: Browser;

beforeAll(async () => {
  const lives = demoFleet({ seed: 7, until: Date.parse("2026-11-23T06:00:00Z") / 1000, days: 28, jobs: 3_000 });
  writeArchive(folder, [lives.flatMap((life) => eventsOf(life))]);
  const options = optionsFor(folder, { timeZone: "Europe/Berlin", pricePerHour: { small: 0.09, large: 0.31 } });
  const files = await filesInFolder(folder, options);
  writeFileSync(fullPage, await render(await answersFrom(files, options), "html"));
  writeFileSync(emptyPage, await render(await answersFrom([], options), "html"));
  browser = await chromium.launch({
    executablePath: findCommand("chromium") ?? "chromium",
    // The sandbox needs a user that is not root.
    args: ["--no-sandbox"],
  });
});

afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Look {
  readonly width: number;
  readonly colorScheme: "light" | "dark";
}

const LOOKS: readonly Look[] = [390, 1_400].flatMap((width) =>
  (["light", "dark"] as const).map((colorScheme) => ({ width, colorScheme })),
);

/** Opens a page and gives back what it complained about or asked for. */
async function open(file: string, { width, colorScheme }: Look, openAll = false) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, bypassCSP: true });
  const page = await context.newPage();
  const noise: string[] = [];
  page.on("console", (message) => noise.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => noise.push(`error: ${error.message}`));
  page.on("request", (request) => {
    if (request.url() !== pathToFileURL(file).href) noise.push(`request: ${request.url()}`);
  });
  await page.goto(pathToFileURL(file).href);
  if (openAll) {
    await page.$$eval("details", (all) => {
      for (const details of all) details.setAttribute("open", "");
    });
  }
  return { page, noise, close: () => context.close() };
}

describe.each(LOOKS)("at $width px, $colorScheme", (look) => {
  test("eight sections each have a number and a chart that is seen; no request, no error, nothing wider than the page", async () => {
    const { page, noise, close } = await open(fullPage, look, true);
    const sections = await page.$$eval("main > section", (all) =>
      all.map((section) => ({
        title: section.querySelector("h2")?.textContent ?? "",
        headline: section.querySelector(".headline strong")?.textContent ?? "",
        charts: [...section.querySelectorAll("figure svg")].filter((svg) => svg.getBoundingClientRect().width > 200)
          .length,
        tables: section.querySelectorAll("figure table").length,
        notes: section.querySelectorAll(".notes li").length,
      })),
    );
    expect(sections).toHaveLength(8);
    for (const { title, headline, charts, tables, notes } of sections) {
      expect(headline, title).toMatch(/\d/);
      expect(charts, title).toBeGreaterThanOrEqual(1);
      expect(tables, title).toBe(charts);
      expect(notes, title).toBeGreaterThanOrEqual(3);
    }
    expect(noise).toEqual([]);
    expect(await tooWide(page)).toEqual([]);
    await close();
  });

  test("axe-core finds nothing serious", async () => {
    const files = look.width === 390 && look.colorScheme === "light" ? [fullPage, emptyPage] : [fullPage];
    for (const file of files) {
      const { page, close } = await open(file, look, true);
      await page.evaluate(AXE);
      const violations = await page.evaluate(async () => {
        const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: AxeViolation[] }> } };
        return (await axe.run()).violations.map(({ id, impact, nodes }) => ({
          id,
          impact,
          nodes: nodes.slice(0, 3).map(({ html }) => html.slice(0, 200)),
        }));
      });
      expect(violations.filter(({ impact }) => impact === "serious" || impact === "critical")).toEqual([]);
      await close();
    }
  });
});

interface AxeViolation {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string }[];
}

/** Elements whose right edge is beyond the page, but for tables, which scroll in their frame; and text of charts outside its chart. */
async function tooWide(page: Page): Promise<string[]> {
  const { width } = page.viewportSize() ?? { width: 0 };
  const outside = await page.$$eval(
    "body *",
    (all, width) =>
      all
        .filter((element) => {
          const { right, left, width: own } = element.getBoundingClientRect();
          return !element.closest(".scroll, .skip, .defs") && own > 0 && (right > width + 1 || left < -1);
        })
        .map(({ tagName, textContent }) => `${tagName} ${textContent?.slice(0, 60)}`),
    width,
  );
  const cut = await page.$$eval("figure svg text", (all) =>
    all
      .filter((text) => {
        const chart = text.closest("svg")?.getBoundingClientRect();
        const { left, right, width: own } = text.getBoundingClientRect();
        return chart && own > 0 && (left < chart.left - 2 || right > chart.right + 2);
      })
      .map(({ textContent }) => `text ${textContent}`),
  );
  return [...outside, ...cut];
}

test("an empty archive's page is quiet and fits", async () => {
  const { page, noise, close } = await open(emptyPage, { width: 390, colorScheme: "light" }, true);
  expect(await page.$$eval("main > section", (all) => all.length)).toBe(8);
  expect(noise).toEqual([]);
  expect(await tooWide(page)).toEqual([]);
  await close();
});

test("series differ by more than their color", async () => {
  const { page, close } = await open(fullPage, { width: 1_400, colorScheme: "light" });
  const fills = await page.$$eval("#waste figure .wide svg path", (all) => [
    ...new Set(all.map((path) => path.getAttribute("fill") ?? "").filter((fill) => /series/.test(fill))),
  ]);
  expect(fills.filter((fill) => fill.startsWith("url(#"))).toHaveLength(4);
  const defined = await page.$$eval(".defs pattern", (all) => all.map(({ id }) => `url(#${id})`));
  expect(defined).toEqual(expect.arrayContaining(fills.filter((fill) => fill.startsWith("url("))));
  await close();
});
