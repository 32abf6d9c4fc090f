import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { createWorld } from "../worlds/memory.ts";
import { jobsThatSay } from "../worlds/model-ports.ts";

/** A storage, and what the reference (github-runner-manager, November 2024) did with it. */
interface GoldenCase {
  readonly name: string;
  readonly runner: string;
  readonly flavor: string;
  /** Base64, by short name. */
  readonly files: Readonly<Record<string, string>>;
  readonly runners?: string[];
  readonly include?: boolean;
  readonly job?: { readonly queue_duration: number; readonly conclusion: string | null };
  readonly expect: {
    readonly crash: string | null;
    readonly events: readonly Record<string, unknown>[];
    readonly quarantined: boolean;
    readonly left: readonly string[] | null;
  };
}

const FILE_NAMES: Record<string, string> = {
  start: "runner-installation-start.timestamp",
  installed: "runner-installed.timestamp",
  pre: "pre-job-metrics.json",
  post: "post-job-metrics.json",
};

/** After every honest timestamp of the cases. */
const UPLOADED_AT = 1_701_500_000_000;

/** What our events carry beyond the reference's. */
const FIELDS_OF_OURS = ["runner_name", "event_id", "schema_version", "clamped", "implausible", "workflow_run_id"];

const CASES: GoldenCase[] = readFileSync(new URL("cases.jsonl", import.meta.url), "utf8")
  .trim()
  .split("\n")
  // Python writes -0.0, which we give as 0.
  .map((line) => JSON.parse(line, (_, value) => (value === 0 ? 0 : value)));

/** Seconds. A longer duration is left out. */
const LONGEST = 400 * 86_400;

/** The deliberate differences, each recognised by the input alone. All but the last three end in quarantine. */
const DIFFERENCES: readonly { row: string; applies: (input: Input) => boolean }[] = [
  { row: "the reference crashes: invalid UTF-8, deep nesting", applies: ({ golden }) => golden.expect.crash !== null },
  { row: "odd numbers in a timestamp file", applies: ({ texts }) => texts.some(isOddNumber) },
  {
    row: "a timestamp later than LastModified + 24 h",
    applies: ({ texts, jobs }) =>
      [...texts.map(Number), ...jobs.map((job) => Number(job.timestamp))].some(
        (seconds) => seconds > UPLOADED_AT / 1000 + 86_400,
      ),
  },
  {
    row: "workflow_run_id that is not digits, lone surrogates",
    applies: ({ pre }) =>
      pre !== undefined && (pre.workflow_run_id === "" || /\\ud800/.test(JSON.stringify(pre.workflow ?? ""))),
  },
  {
    row: "number or boolean where a string belongs, true as a number",
    applies: ({ pre }) =>
      pre !== undefined &&
      (["number", "boolean"].includes(typeof pre.workflow) ||
        ["number", "boolean"].includes(typeof pre.event) ||
        (typeof pre.workflow_run_id !== "string" && pre.workflow_run_id !== 5) ||
        pre.timestamp === true),
  },
  { row: "{} as a job file", applies: ({ jobs }) => jobs.some((job) => Object.keys(job).length === 0) },
  {
    row: "repository missing or not GitHub's grammar",
    applies: ({ pre, hasInstalled }) =>
      hasInstalled && pre !== undefined && !/^[\w-]+\/(?!\.\.?$)[\w.-]+$(?!\n)/.test(String(pre.repository)),
  },
  {
    row: "a corrupt file next to a missing one",
    applies: ({ golden, hasInstalled, files, broken }) =>
      (!hasInstalled || (files.pre ?? "") === "") && broken && !golden.expect.quarantined,
  },
  {
    row: "job files without an installed timestamp",
    applies: ({ golden, pre, hasInstalled, broken }) =>
      !hasInstalled && pre !== undefined && !broken && !golden.expect.quarantined,
  },
  {
    row: "a duration of more than 400 days",
    applies: ({ golden }) =>
      golden.expect.events.some(({ duration, idle, job_duration }) =>
        [duration, idle, job_duration].some((seconds) => Number(seconds ?? 0) > LONGEST),
      ),
  },
  {
    row: "installed before start",
    applies: ({ golden, files, hasInstalled }) =>
      hasInstalled && !golden.expect.quarantined && Number(files.start) > Number(files.installed),
  },
];

interface Input {
  readonly golden: GoldenCase;
  readonly files: Readonly<Record<string, string>>;
  /** The timestamp files. */
  readonly texts: readonly string[];
  /** The job files that are JSON objects. */
  readonly jobs: readonly Record<string, unknown>[];
  readonly pre: Record<string, unknown> | undefined;
  readonly hasInstalled: boolean;
  /** A job file is no JSON object or lacks what every job file has. */
  readonly broken: boolean;
}

function inputOf(golden: GoldenCase): Input {
  const files = Object.fromEntries(
    Object.entries(golden.files).map(([name, content]) => [name, Buffer.from(content, "base64").toString()]),
  );
  const texts = [files.start, files.installed].filter((text) => text !== undefined);
  const pre = parse(files.pre);
  const post = parse(files.post);
  const jobs = [pre, post].filter((job) => job !== undefined);
  const isBroken = (text: string | undefined, keys: string[]) =>
    Boolean(text) && !keys.every((key) => key in (parse(text) ?? {}));
  return {
    golden,
    files,
    texts,
    jobs,
    pre,
    hasInstalled: Number(files.installed ?? 0) !== 0,
    broken:
      isBroken(files.pre, ["timestamp", "workflow", "workflow_run_id", "repository", "event"]) ||
      isBroken(files.post, ["timestamp", "status"]),
  };
}

function parse(text = ""): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** What Python's float takes and the contract does not. */
function isOddNumber(text: string): boolean {
  const trimmed = text.trim();
  const isInfinite = /^\+?(inf|infinity)$/i.test(trimmed) || Number(trimmed) === Number.POSITIVE_INFINITY;
  return isInfinite || /^-0$|^[0-9]+(_[0-9]+)+$|^\.[0-9]+$|^[0-9]+\.$|^[\u0660-\u0669]+$/.test(trimmed);
}

/** What we did with a case: events without the fields that only ours have. */
async function outcomeOf(golden: GoldenCase) {
  const world = createWorld(UPLOADED_AT);
  const { queue_duration = 0, conclusion } = golden.job ?? {};
  const job = golden.job && { queue_duration, ...(conclusion && { conclusion }) };
  const files = Object.entries(golden.files).map(([name, content]) => [
    FILE_NAMES[name] ?? name,
    Buffer.from(content, "base64"),
  ]);
  world.upload(golden.runner, Object.fromEntries(files), golden.flavor);
  world.upload("beside", undefined, golden.flavor);
  const filter = { runners: new Set(golden.runners ?? []), include: golden.include ?? false };
  await world.run(
    { flavor: golden.flavor, ...filter },
    {
      jobs: { jobsOf: async () => jobsThatSay(job, golden.runner) },
    },
  );
  await world.run({ flavor: golden.flavor, runners: new Set(["beside"]), include: true });
  const events = world.eventsOf(golden.runner).filter(({ detailType }) => detailType !== "MetricsQuarantined");
  return {
    events: events.map(({ detail }) =>
      Object.fromEntries(Object.entries(detail).filter(([name]) => !FIELDS_OF_OURS.includes(name))),
    ),
    clamped: events.flatMap(({ detail }) => detail.clamped ?? []),
    implausible: events.flatMap(({ detail }) => (detail.implausible as string[] | undefined) ?? []),
    quarantined: world.manifests().length > 0,
    left: world.keys(`runners/${golden.flavor}/${golden.runner}/`).map((key) => key.slice(key.lastIndexOf("/") + 1)),
    beside: world.eventsOf("beside").length,
  };
}

describe("golden cases", () => {
  const counts = new Map<string, number>();

  test.each(CASES.map((golden, number) => ({ golden, title: `${number} ${golden.name}` })))(
    "$title",
    async ({ golden }) => {
      const difference = DIFFERENCES.find(({ applies }) => applies(inputOf(golden)));
      const row = golden.expect.quarantined ? undefined : difference?.row;
      counts.set(row ?? "as the reference", (counts.get(row ?? "as the reference") ?? 0) + 1);
      const outcome = await outcomeOf(golden);
      expect(outcome.beside).toBe(3);
      if (row === undefined) {
        expect(outcome).toMatchObject({ events: golden.expect.events, quarantined: golden.expect.quarantined });
        expect(outcome.left).toEqual(golden.expect.left ?? []);
      } else if (row === "job files without an installed timestamp") {
        expect(outcome).toMatchObject({ quarantined: false, left: [] });
        expect(outcome.events[0]).toMatchObject({ event: "runner_start" });
        expect(outcome.events[0]).not.toHaveProperty("idle");
        expect(outcome.events.slice(1).every(({ event }) => event === "runner_stop")).toBe(true);
      } else if (row === "a duration of more than 400 days") {
        expect(outcome).toMatchObject({ quarantined: false, left: [] });
        const kept = golden.expect.events.map(({ duration = 0, idle = 0, job_duration = 0, ...event }) => ({
          ...event,
          ...Object.fromEntries(
            Object.entries({ duration, idle, job_duration }).filter(
              ([name, value]) => event[name] !== undefined && Number(value) <= LONGEST,
            ),
          ),
        }));
        expect(outcome.events).toMatchObject(kept);
        expect(outcome.implausible.length).toBeGreaterThan(0);
      } else if (row === "installed before start") {
        expect(outcome).toMatchObject({ quarantined: false, left: [] });
        expect(outcome.events[0]).toMatchObject({ event: "runner_installed", duration: 0 });
        expect(outcome.clamped).toContain("duration");
      } else {
        expect(outcome).toMatchObject({ events: [], quarantined: true, left: [] });
      }
    },
  );

  test("all 470 are there, and every row of differences occurs", () => {
    expect(CASES).toHaveLength(470);
    for (const { row } of DIFFERENCES) expect(counts.get(row), row).toBeGreaterThan(0);
  });

  test("docs/contribute/reference.md names the differences, with the number of cases of each", () => {
    const document = readFileSync(new URL("../../docs/contribute/reference.md", import.meta.url), "utf8");
    const rows = [...document.matchAll(/^\| (.+?) \| .+ \| .+ \| ([0-9]+) \|$/gm)].map(([, row, cases]) => [
      row,
      cases,
    ]);
    expect(new Map(rows.map(([row, cases]) => [row, Number(cases)]))).toEqual(
      new Map(DIFFERENCES.map(({ row }) => [row, counts.get(row)])),
    );
    expect(document).toContain(`: ${counts.get("as the reference")} come out the same.`);
  });

  afterAll(() => {
    console.log([...counts].map(([row, count]) => `${String(count).padStart(4)} ${row}`).join("\n"));
  });
});
