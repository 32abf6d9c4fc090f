/**
 * `npm run bench:report [events]`: how long a report of that many events (default 1,000,000) takes, from files to page. Prints seconds of
 * CPU and wall time, and the peak of resident memory.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { REPORT_DEFAULTS } from "../../cli/report/options.ts";
import { filesInFolder } from "../../cli/report/read-archive.ts";
import { answersFrom, render } from "../../cli/report/report.ts";
import { demoFleet } from "../../local/demo/fleet.ts";
import { eventsOf } from "../cli/report/fleet-events.ts";

const EVENTS = Number(process.argv[2] ?? 1_000_000);
const COPIES_PER_FILE = 8;

const folder = mkdtempSync(join(tmpdir(), "runner-metrics-bench-"));
try {
  writeCopies();
  const options = {
    archive: { folder },
    cacheFolder: "",
    from: 0,
    until: 4_000_000_000,
    flavors: [],
    timeZone: "Europe/Berlin",
    ...REPORT_DEFAULTS,
    pricePerHour: { small: 0.09, large: 0.31 },
  };
  const before = process.cpuUsage();
  const began = performance.now();
  const answers = await answersFrom(await filesInFolder(folder, options), options);
  const page = await render(answers, "html");
  const { user, system } = process.cpuUsage(before);
  console.log(
    [
      `${answers.trust.events} events`,
      `${((user + system) / 1e6).toFixed(1)} s of CPU`,
      `${((performance.now() - began) / 1000).toFixed(1)} s`,
      `${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB`,
      `page of ${(page.length / 1024).toFixed(0)} KB`,
    ].join(", "),
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** The demo's fleet as often as needed, each time with other runners and ids. */
function writeCopies(): void {
  const lives = demoFleet({ seed: 7, until: Date.parse("2026-11-23T06:00:00Z") / 1000, days: 28, jobs: 3_000 });
  const partitions = new Map<string, string[]>();
  let count = 0;
  for (const event of lives.flatMap((life) => eventsOf(life))) {
    const place = `dt=${event.time.slice(0, 10)}/flavor=${event.detail.flavor}`;
    partitions.set(place, [...(partitions.get(place) ?? []), `${JSON.stringify(event)}\n`]);
    count++;
  }
  const copies = Math.max(1, Math.round(EVENTS / count));
  for (const [place, lines] of partitions) {
    mkdirSync(join(folder, place), { recursive: true });
    const text = lines.join("");
    for (let copy = 0; copy < copies; copy += COPIES_PER_FILE) {
      const tags = Array.from({ length: Math.min(COPIES_PER_FILE, copies - copy) }, (_, index) =>
        (copy + index).toString(16).padStart(6, "0"),
      );
      const content = tags.map((tag) =>
        text
          .replaceAll(/"event_id":"[0-9a-f]{6}/g, `"event_id":"${tag}`)
          .replaceAll('"runner_name":"', `"runner_name":"${tag}-`),
      );
      writeFileSync(join(folder, place, `run-${copy}.ndjson.gz`), gzipSync(content.join(""), { level: 1 }));
    }
  }
}
