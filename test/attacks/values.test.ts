import fc from "fast-check";
import { expect, test } from "vitest";
import { FILES_TO_READ, parseTimestamp, preJobMetrics } from "../../contract/runner-files.ts";
import { runnerMetrics } from "../../functions/domain/runner-metrics.ts";
import { metricsOf } from "../../functions/extract-metrics/report.ts";
import { effort } from "../effort.ts";
import { createWorld, FILES, NOW } from "../worlds/memory.ts";

const START = "runner-installation-start.timestamp";
const INSTALLED = "runner-installed.timestamp";
const PRE = "pre-job-metrics.json";
const POST = "post-job-metrics.json";

function job(changes: Record<string, unknown>): string {
  return JSON.stringify({ ...JSON.parse(FILES[PRE]), ...changes });
}

async function outcomeOf(files: Record<string, string>) {
  const world = createWorld();
  world.upload("honest");
  world.upload("evil", { ...FILES, ...files });
  const summary = await world.run();
  expect(world.eventsOf("honest")).toHaveLength(3);
  return { world, summary, reason: world.manifests()[0]?.reason, events: world.eventsOf("evil") };
}

test.each([
  ["1e999", undefined],
  ["-0", undefined],
  ["-1", undefined],
  ["1_000", undefined],
  ["0x10", undefined],
  ["\u0661\u0667", undefined],
  ["inf", undefined],
  ["nan", undefined],
  ["1\n2", undefined],
  ["1\0", undefined],
  ["1.", undefined],
  [".5", undefined],
  ["1e", undefined],
  ["1e5.5", undefined],
  ["--1", undefined],
  ["", undefined],
  ["\u00a01", undefined],
  ["\u20281", undefined],
  ["+1", 1],
  [" \t\r\n\v\f1.25\n", 1.25],
  ["1.7e9", 1.7e9],
  ["1.7E+9", 1.7e9],
  ["17e-1", 1.7],
  ["0", 0],
])("A30 the text %j is the timestamp %s", (text, seconds) => {
  expect(parseTimestamp(text)).toBe(seconds);
});

test.each([
  ["1e999", "invalid-schema"],
  ["-1", "invalid-schema"],
  ["true", "invalid-schema"],
  ['"-1"', "invalid-schema"],
  ['"1_0"', "invalid-schema"],
  ['"inf"', "invalid-schema"],
  ["null", "invalid-schema"],
  ["[1]", "invalid-schema"],
  ["01", "invalid-json"],
  ["0x10", "invalid-json"],
])("A30 the JSON timestamp %s is %s", async (timestamp, reason) => {
  const pre = job({ timestamp: "@" }).replace('"@"', timestamp);
  expect((await outcomeOf({ [PRE]: pre })).reason).toBe(reason);
});

test("A30 -0 in JSON becomes 0", () => {
  const parsed = preJobMetrics.parse({ ...JSON.parse(FILES[PRE]), timestamp: -0 });
  expect(Object.is(parsed.timestamp, 0)).toBe(true);
});

test.each([
  ["of the year 9999", { [INSTALLED]: "253370764800" }],
  ["a second too late in a text file", { [START]: String(NOW / 1000 + 86_401) }],
  ["a second too late in the pre-job file", { [PRE]: job({ timestamp: NOW / 1000 + 86_401 }) }],
  ["a second too late in the post-job file", { [POST]: `{"timestamp":"${NOW / 1000 + 86_401}","status":"normal"}` }],
])("A31 a timestamp %s is timestamp-in-future", async (_, files) => {
  expect((await outcomeOf(files as Record<string, string>)).reason).toBe("timestamp-in-future");
});

test("A31 a timestamp of just LastModified + 24 h is believed", async () => {
  const { events } = await outcomeOf({ [POST]: `{"timestamp":${NOW / 1000 + 86_400},"status":"normal"}` });
  expect(events[2]?.detail.timestamp).toBe(NOW / 1000 + 86_400);
});

test.each([
  ["installed before start", { [START]: "1700000061" }, 0, "duration"],
  ["pre before installed", { [INSTALLED]: "1700000121" }, 1, "idle"],
  ["post before pre", { [POST]: '{"timestamp":1700000119,"status":"normal"}' }, 2, "job_duration"],
])("A32 %s: the duration is 0, and named in clamped", async (_, files, index, field) => {
  const { events } = await outcomeOf(files as Record<string, string>);
  expect(events).toHaveLength(3);
  expect(events[index]?.detail).toMatchObject({ [field]: 0, clamped: [field] });
  expect(events.filter(({ detail }) => "clamped" in detail)).toHaveLength(1);
});

test("A33 the limit is in bytes: emoji up to it are issued, one byte more is too large", async () => {
  const empty = Buffer.byteLength(job({ workflow: "" }));
  const emoji = "😀".repeat(Math.floor((1_024 - empty) / 4));
  const full = job({ workflow: emoji }).padEnd(job({ workflow: emoji }).length + ((1_024 - empty) % 4));
  expect(Buffer.byteLength(full)).toBe(1_024);
  const { events } = await outcomeOf({ [PRE]: full });
  expect(events[1]?.detail.workflow).toBe(emoji);
  expect((await outcomeOf({ [PRE]: `${full} ` })).reason).toBe("file-too-large");
});

test("A34 regular expressions are linear: one long text takes less than four times as long as 16 short ones", () => {
  const units = ["1", "1e", "+1", " ", "1.", "a-", "a/", "..", "\\u0000", "{", '"', "1 "];
  const time = (length: number, times: number) => {
    const began = performance.now();
    for (const unit of units) {
      const text = unit.repeat(length / unit.length);
      for (const body of [text, `${text}!`, job({ repository: text, workflow: text, workflow_run_id: `${text}x` })]) {
        for (let round = 0; round < times; round++) {
          for (const name of FILES_TO_READ) {
            runnerMetrics("r", { [name]: { bytes: Buffer.from(body), lastModified: NOW } });
          }
        }
      }
    }
    return performance.now() - began;
  };
  // The least of several: what else this process or the machine does only adds to it. A quadratic expression takes 16 times as long.
  const least = (length: number, times: number) => Math.min(...Array.from({ length: 9 }, () => time(length, times)));
  const short = least(4_096, 16);
  expect(least(65_536, 1) / short).toBeLessThan(4);
});

test.each([
  "../../user",
  "o/..",
  "o/.",
  "../r",
  "o/r?x=",
  "o/r#",
  "..\\x",
  "o/%2e%2e",
  "o/r\t",
  "o/r\n",
  "o /r",
  "a/b/c",
  "a/",
  "/b",
  "a",
  "",
  "ö/r",
  `${"o".repeat(40)}/r`,
  `o/${"r".repeat(101)}`,
])("A35 the repository %j is invalid-schema", async (repository) => {
  expect((await outcomeOf({ [PRE]: job({ repository }) })).reason).toBe("invalid-schema");
});

test("A35 a path made from an accepted repository has just the two segments that were meant", () => {
  const characters = fc.constantFrom("a", "Z", "0", ".", "..", "-", "_", "/", "%", "?", "#", "\\", "\n", "@", ":", "é");
  fc.assert(
    fc.property(fc.array(characters, { maxLength: 8 }), (parts) => {
      const repository = parts.join("");
      const parsed = preJobMetrics.safeParse({ ...JSON.parse(FILES[PRE]), repository });
      if (!parsed.success) return;
      const [owner, name] = repository.split("/");
      expect(new URL(`https://api.github.com/repos/${repository}/actions`).pathname).toBe(
        `/repos/${owner}/${name}/actions`,
      );
    }),
    { numRuns: effort(1_000, 20_000) },
  );
});

const FUZZED_RUNNERS = effort(500, 100_000);

test(`A37 runners' text makes no metric series: the set is closed over ${FUZZED_RUNNERS} fuzzed runners`, async () => {
  const series = new Set<string>();
  const world = createWorld();
  for (let batch = 0; batch < 10; batch++) {
    for (let number = 0; number < FUZZED_RUNNERS / 10; number++) {
      const unique = `${batch}-${number}`;
      const pre = number % 3 === 0 ? `{"workflow":"${unique}` : job({ workflow: unique, event: unique });
      world.upload(unique, { [INSTALLED]: "1", [PRE]: pre, [POST]: '{"timestamp":1,"status":"normal"}' });
    }
    for (const { name } of metricsOf(await world.run(), 1)) series.add(name);
  }
  expect([...series].toSorted()).toEqual([
    "DeadlineReached",
    "Live.busy",
    "Live.idle",
    "Live.installing",
    "ObjectsNotDeleted",
    "Quarantined.invalid-json",
    "RunDuration",
    "Runners.deferred",
    "Runners.extracted",
    "Runners.quarantined",
  ]);
});

test.each(["=cmd|' /C calc'!A0", "<script>alert(1)</script>", "@everyone", "$(reboot)", "'; DROP TABLE"])(
  "A39 %s is passed on as it is",
  async (workflow) => {
    const { events } = await outcomeOf({ [PRE]: job({ workflow, event: workflow }) });
    expect(events[1]?.detail).toMatchObject({ workflow, github_event: workflow });
  },
);
