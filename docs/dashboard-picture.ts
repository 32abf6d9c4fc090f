/**
 * Draws the dashboard of the template with sample data: `npm run docs` writes docs/dashboard.svg. Shows what
 * widgets there are, where, and what they are called; the lines are made up.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { App } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { RunnerMetricsStack } from "../infra/runner-metrics-stack.ts";
import { parseSettings, stackSettings } from "../infra/settings.ts";

/** Of CloudWatch's grid. */
const COLUMNS = 24;
const CELL = { width: 50, height: 46 };
const GAP = 6;
const POINTS = 36;
const COLOURS = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b"];
const LINES_MAX = 6;

interface Widget {
  readonly type: "text" | "metric" | "log" | "alarm";
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly properties: {
    readonly title?: string;
    readonly markdown?: string;
    readonly stacked?: boolean;
    readonly metrics?: readonly unknown[][];
    readonly alarms?: readonly unknown[];
    readonly query?: string;
  };
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Series in place of those that a SEARCH would find. */
const FOUND = ["large success", "large failure", "large cancelled"];

const SAMPLE_ROWS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  "Top repositories": [
    ["repository", "jobs", "minutes"],
    ["acme/widgets", "412", "3,971"],
    ["acme/website", "268", "1,204"],
    ["acme/infra", "97", "655"],
    ["acme/docs", "120", "88"],
  ],
  "Top workflows": [
    ["workflow", "jobs", "minutes"],
    ["acme/widgets CI", "310", "2,950"],
    ["acme/widgets Release", "22", "1,021"],
    ["acme/website CI", "255", "998"],
    ["acme/infra Plan", "61", "410"],
  ],
  "Latest in quarantine": [
    ["@timestamp", "flavor", "runner_name", "reason"],
    ["2026-11-20 09:14", "large", "i-0d2c4b1a9", "file-too-large"],
    ["2026-11-19 17:02", "large", "i-0a91be77c", "timestamp-in-future"],
    ["2026-11-17 03:40", "large", "i-0c77d1f02", "invalid-schema"],
  ],
};

/** The picture, as SVG. */
export function dashboardPicture(): string {
  const widgets = dashboardOf(["large"]);
  const rows = Math.max(...widgets.map(({ y, height }) => y + height));
  const size = { width: COLUMNS * CELL.width, height: rows * CELL.height };
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" font-family="Helvetica, Arial, sans-serif">`,
    `<title>The dashboard of runner-metrics, with sample data</title>`,
    `<rect width="${size.width}" height="${size.height}" fill="#f2f3f3"/>`,
    ...widgets.map(draw),
    "</svg>\n",
  ].join("\n");
}

/** Widgets of the dashboard, as CloudWatch gets them. */
function dashboardOf(flavors: readonly string[]): Widget[] {
  const outdir = mkdtempSync(join(tmpdir(), "cdk.out-"));
  const app = new App({ outdir, context: { "aws:cdk:bundling-stacks": [] } });
  const input = { flavors: Object.fromEntries(flavors.map((flavor) => [flavor, {}])), github: { owners: ["acme"] } };
  const settings = parseSettings(stackSettings, input, "picture");
  const stack = new RunnerMetricsStack(app, "RunnerMetrics", { settings });
  const [dashboard] = Object.values(Template.fromStack(stack).findResources("AWS::CloudWatch::Dashboard"));
  rmSync(outdir, { recursive: true, force: true });
  const body: unknown = dashboard?.Properties?.DashboardBody;
  return JSON.parse(joined(body)).widgets;
}

/** A Fn::Join, with a word where CloudFormation would fill in a name. */
function joined(value: unknown): string {
  if (typeof value === "string") return value;
  const [, parts] = (value as { "Fn::Join": [string, unknown[]] })["Fn::Join"];
  return parts.map((part) => (typeof part === "string" ? part : "name")).join("");
}

function draw(widget: Widget, index: number): string {
  const box: Box = {
    x: widget.x * CELL.width + GAP,
    y: widget.y * CELL.height + GAP,
    width: widget.width * CELL.width - 2 * GAP,
    height: widget.height * CELL.height - 2 * GAP,
  };
  if (widget.type === "text") return heading(box, widget.properties.markdown ?? "");
  const content = {
    alarm: () => alarms(box, widget.properties.alarms?.length ?? 0),
    log: () => table(box, SAMPLE_ROWS[widget.properties.title ?? ""] ?? []),
    metric: () => graph(box, widget, index),
  }[widget.type];
  return [
    `<rect x="${box.x}" y="${box.y}" width="${box.width}" height="${box.height}" rx="8" fill="#fff" stroke="#d5dbdb"/>`,
    text(box.x + 12, box.y + 22, widget.properties.title ?? "", { size: 14, weight: "bold" }),
    content(),
  ].join("\n");
}

function heading(box: Box, markdown: string): string {
  const [title = "", ...rest] = markdown.split("\n");
  const lines = wrapped(rest.join(" "), Math.floor(box.width / 7.6));
  return [
    text(box.x, box.y + 26, title.replace(/^#+ /, ""), { size: 20, weight: "bold" }),
    ...lines.map((line, index) => text(box.x, box.y + 48 + index * 16, line, { size: 13, colour: "#414d5c" })),
  ].join("\n");
}

function alarms(box: Box, count: number): string {
  const columns = 5;
  const width = (box.width - 24) / columns;
  return Array.from({ length: count }, (_, index) => {
    const x = box.x + 12 + (index % columns) * width;
    const y = box.y + 40 + Math.floor(index / columns) * 58;
    return `<rect x="${x}" y="${y}" width="${width - 6}" height="50" rx="4" fill="#e9f6ec" stroke="#2ca02c"/>${text(x + 8, y + 30, "OK", { size: 12, colour: "#1d8102" })}`;
  }).join("\n");
}

function table(box: Box, rows: readonly (readonly string[])[]): string {
  return rows
    .map((row, line) => {
      const y = box.y + 52 + line * 26;
      const width = (box.width - 24) / row.length;
      const rule = `<line x1="${box.x + 12}" x2="${box.x + box.width - 12}" y1="${y + 8}" y2="${y + 8}" stroke="#eaeded"/>`;
      const cells = row.map((cell, column) =>
        text(box.x + 12 + column * width, y, cell, { size: 12, weight: line === 0 ? "bold" : "normal" }),
      );
      return [rule, ...cells].join("");
    })
    .join("\n");
}

function graph(box: Box, { properties: { metrics = [], stacked = false } }: Widget, seed: number): string {
  const names = metrics.flatMap(labels);
  const plot = { x: box.x + 34, y: box.y + 36, width: box.width - 48, height: box.height - 80 };
  const shown = names.slice(0, LINES_MAX);
  const axes = [0, 0.5, 1].map((share) => {
    const y = plot.y + plot.height * share;
    return `<line x1="${plot.x}" x2="${plot.x + plot.width}" y1="${y}" y2="${y}" stroke="#eaeded"/>`;
  });
  const lines = shown.map((name, index) => line(plot, name, index, seed, stacked));
  const more = names.length > shown.length ? [`+ ${names.length - shown.length} more`] : [];
  return [...axes, ...lines, legend(box, [...shown, ...more])].join("\n");
}

function labels(row: readonly unknown[]): string[] {
  const options = row.at(-1);
  if (typeof options !== "object" || options === null) return [];
  if ("expression" in options) return FOUND;
  return "label" in options ? [String(options.label)] : [];
}

/** How high a sample line runs, of 1, by what it is called. */
const LEVELS: readonly (readonly [RegExp, number])[] = [
  [/failed|dead letters|deferred|quarantined|unverified|mismatch|refused/, 0],
  [/p50/, 0.3],
  [/p90/, 0.6],
  [/failure|abnormal/, 0.2],
  [/success|normal|extracted|verified|left/, 0.8],
  [/cancelled/, 0.08],
];

function line(plot: Box, name: string, index: number, seed: number, stacked: boolean): string {
  const level = LEVELS.find(([pattern]) => pattern.test(name))?.[1] ?? 0.4 - 0.06 * index;
  const points = Array.from({ length: POINTS }, (_, point) => {
    const day = Math.sin((point / POINTS) * Math.PI * 2 - 1.2);
    const noise = Math.sin(point * 1.7 + seed + index) * 0.1 + Math.sin(point * 0.6 + index * 2) * 0.08;
    const height = Math.min(0.98, Math.max(0.01, level * (0.8 + 0.22 * day + noise)));
    return `${(plot.x + (plot.width * point) / (POINTS - 1)).toFixed(1)},${(plot.y + plot.height * (1 - height)).toFixed(1)}`;
  });
  const colour = COLOURS[index % COLOURS.length];
  if (!stacked) return `<polyline points="${points.join(" ")}" fill="none" stroke="${colour}" stroke-width="2"/>`;
  const floor = `${plot.x + plot.width},${plot.y + plot.height} ${plot.x},${plot.y + plot.height}`;
  return `<polygon points="${points.join(" ")} ${floor}" fill="${colour}" fill-opacity="0.55"/>`;
}

function legend(box: Box, names: readonly string[]): string {
  let x = box.x + 12;
  let y = box.y + box.height - 28;
  return names
    .map((name, index) => {
      const width = 24 + name.length * 6;
      if (x + width > box.x + box.width) {
        x = box.x + 12;
        y += 16;
      }
      const entry = `<rect x="${x}" y="${y - 8}" width="9" height="9" fill="${COLOURS[index] ?? "#879596"}"/>${text(x + 13, y, name, { size: 11 })}`;
      x += width;
      return entry;
    })
    .join("\n");
}

function wrapped(words: string, columns: number): string[] {
  const lines = [""];
  for (const word of words.split(" ")) {
    if (`${lines.at(-1)} ${word}`.length > columns) lines.push(word);
    else lines[lines.length - 1] = `${lines.at(-1)} ${word}`.trim();
  }
  return lines;
}

function text(
  x: number,
  y: number,
  content: string,
  { size = 12, weight = "normal", colour = "#16191f" } = {},
): string {
  const escaped = content.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/`/g, "");
  return `<text x="${x}" y="${y}" font-size="${size}" font-weight="${weight}" fill="${colour}">${escaped}</text>`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(new URL("dashboard.svg", import.meta.url), dashboardPicture());
}
