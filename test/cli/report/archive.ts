import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { onTestFinished } from "vitest";
import { REPORT_DEFAULTS, type ReportOptions } from "../../../cli/report/options.ts";
import type { ArchivedEvent } from "./fleet-events.ts";

/** Writes events as the collector does, into a folder that is deleted after the test. Each list is one object. */
export function archiveFolder(objects: readonly (readonly Line[])[]): string {
  const folder = mkdtempSync(join(tmpdir(), "runner-metrics-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeArchive(folder, objects);
  return folder;
}

/** A line as it is, or an event. */
export type Line = ArchivedEvent | string;

export function writeArchive(folder: string, objects: readonly (readonly Line[])[]): void {
  for (const [index, lines] of objects.entries()) {
    const first = lines.find((line) => typeof line !== "string");
    const day = first?.time.slice(0, 10) ?? "2026-11-01";
    const place = join(folder, "events", `dt=${day}`, `flavor=${first?.detail.flavor ?? "small"}`);
    mkdirSync(place, { recursive: true });
    const text = lines.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join("");
    // Names in the order of writing, so that "the last" is known.
    writeFileSync(join(place, `run-${String(index).padStart(6, "0")}.ndjson.gz`), gzipSync(text));
  }
}

/** Options for a report on a folder, over all time. */
export function optionsFor(folder: string, some: Partial<ReportOptions> = {}): ReportOptions {
  return {
    archive: { folder },
    cacheFolder: "",
    from: 0,
    until: 4_000_000_000,
    flavors: [],
    timeZone: "UTC",
    ...REPORT_DEFAULTS,
    ...some,
  };
}
