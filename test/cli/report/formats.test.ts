import { describe, expect, test } from "vitest";
import { filesInFolder } from "../../../cli/report/read-archive.ts";
import { answersFrom, render } from "../../../cli/report/report.ts";
import type { RunnerLife } from "../../../local/demo/fleet.ts";
import { effort } from "../../effort.ts";
import { needs } from "../../tools.ts";
import { runCommand } from "../run.ts";
import { archiveFolder, type Line, optionsFor } from "./archive.ts";
import { type ArchivedEvent, eventsOf } from "./fleet-events.ts";

const NOON = Date.parse("2026-11-10T12:00:00Z") / 1000;

const LIFE: RunnerLife = {
  flavor: "large",
  runner: "r-1",
  installationStart: NOON,
  installed: NOON + 60,
  job: {
    repository: "acme/shop",
    workflow: "CI",
    job: "test",
    runId: "1",
    event: "push",
    id: "2",
    queued: NOON - 30,
    began: NOON + 70,
    cancelledInQueue: 0,
    ended: NOON + 370,
    status: "normal",
    conclusion: "success",
  },
};

async function answersTo(objects: readonly (readonly Line[])[], some: Parameters<typeof optionsFor>[1] = {}) {
  const options = optionsFor(archiveFolder(objects), some);
  const folder = "folder" in options.archive ? options.archive.folder : "";
  return answersFrom(await filesInFolder(folder, options), options);
}

function withText(event: ArchivedEvent, text: string): ArchivedEvent {
  const { workflow, job, job_name } = event.detail;
  return {
    ...event,
    detail: {
      ...event.detail,
      ...(workflow !== undefined && { workflow: text }),
      ...(job !== undefined && { job: text }),
      ...(job_name !== undefined && { job_name: text }),
    },
  };
}

describe("A39: hostile text stays text", () => {
  const HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</svg></style><script>alert(1)</script>",
    "'; DROP TABLE events; --",
    "=cmd|' /C calc'!A0",
    "\t=1+1",
    "＝1+1",
    "\u200b@SUM(A1)",
    "-1+1",
    'a "quoted", one',
    "a | b\n| --- |",
    "[click](javascript:alert(1)) @everyone ![x](http://evil.example/x.png)",
    "`code` <!-- comment",
    "\u202egnp.exe\u2066",
    "👩‍👩‍👧‍👦 🏳️‍🌈",
    "x".repeat(700),
    "\u0000\u001b[31mred",
  ];

  test("in page, JSON, Markdown and CSV", async () => {
    const events = HOSTILE.flatMap((text, index) =>
      eventsOf({ ...LIFE, runner: `r-${index}` }).map((event) => withText(event, text)),
    );
    const answers = await answersTo([events]);
    expect(answers.groups.workflows.map(({ workflow }) => workflow).sort()).toEqual([...HOSTILE].sort());

    const page = await render(answers, "html");
    expect(page.match(/<(?:script|img|iframe|link|object)|<[^>]*\s(?:href|src|on\w+)=(?!"#)/gi)).toBeNull();
    expect(page.match(/<\/svg>/g)?.length).toBe(page.match(/<svg /g)?.length);
    expect(page.match(/<style>/g)).toHaveLength(1);
    expect(page).not.toMatch(HIDDEN);
    expect(page).toContain("&#60;script&#62;alert(1)&#60;/script&#62;");

    const json = await render(answers, "json");
    expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(answers)));
    expect(json).not.toMatch(/[<>]/);
    expect(json).not.toMatch(HIDDEN);

    const markdown = await render(answers, "markdown");
    expect(markdown).not.toMatch(/<[a-z!/]|\]\(|!\[|`|@[a-z]|:\/\//i);
    expect(markdown).not.toMatch(HIDDEN);
    for (const table of markdown.split("\n\n").filter((part) => part.startsWith("| "))) {
      expect(new Set(table.split("\n").map((line) => line.split("|").length)).size, table).toBe(1);
    }

    const values = parseCsv(await render(answers, "csv")).map(([, , , , , value = ""]) => value);
    expect(values.filter((value) => Number.isNaN(Number(value)) && FORMULA.test(value))).toEqual([]);
    expect(values).toContain("'=cmd|' /C calc'!A0");
  });

  test("a lone surrogate, which no event may contain, makes its line unreadable", async () => {
    const answers = await answersTo([[...eventsOf(LIFE), withText(eventsOf(LIFE)[1] as ArchivedEvent, "\ud800")]]);
    expect(answers.trust).toMatchObject({ unreadableLines: 1, events: 3 });
  });

  test("a flavor, cause, status or conclusion that nobody knows is text, too", async () => {
    const text = "<b>&'\"";
    const events = eventsOf(LIFE).map((event) => ({
      ...event,
      detail: { ...event.detail, ...(event.detail.status !== undefined && { status: text, job_conclusion: text }) },
    }));
    const page = await render(await answersTo([events]), "html");
    expect(page).not.toContain("<b>");
    expect(page).toContain("&#60;b&#62;");
  });

  /** Control characters but line feeds, and characters that reorder others. */
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  const HIDDEN = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
  const FORMULA = /^[\s\p{Cc}\p{Cf}]*[=+\-@＝＋－＠]/u;
});

describe("an archive with little in it", () => {
  test("empty: every section says that there is nothing", async () => {
    const answers = await answersTo([]);
    expect(answers.period).toMatchObject({ jobs: 0, flavors: [] });
    const page = await render(answers, "html");
    expect(page.match(/<section /g)).toHaveLength(8);
    expect(page).not.toMatch(/NaN|undefined|null|Infinity/);
    expect(await render(answers, "markdown")).not.toMatch(/NaN|undefined|null|Infinity/);
    expect(await render(answers, "csv")).toMatch(/^section,table,row,column,unit,value\r\n/);
  });

  const events = eventsOf(LIFE).map((event) => [event["detail-type"], event] as const);
  test.each(effort(events.slice(-1), events))("one event, %s", async (_, event) => {
    await expectSensiblePage(await answersTo([[event]]));
  });

  test("no GitHub: no queue time, no conclusion, and the page says why", async () => {
    const events = eventsOf(LIFE).map((event) => {
      const { queue_duration, job_conclusion, job_name, job_id, labels, ...detail } = event.detail;
      const isJob = "workflow" in detail;
      return { ...event, detail: { ...detail, ...(isJob && { job_metrics_unknown: "not-configured" }) } };
    });
    const answers = await answersTo([events]);
    expect(answers.queue.byFlavor[0]).toEqual({ jobs: 1, known: 0, within60: 0, late: 0 });
    expect(answers.waits.byFlavor).toEqual([]);
    expect(answers.groups.flavors[0]).not.toHaveProperty("successRate");
    expect(answers.trust.githubUnknown).toEqual([{ reason: "not-configured", count: 2 }]);
    const page = await expectSensiblePage(answers);
    expect(page).toContain("No queue time is known");
    expect(page).toContain("GitHub is not configured.");
  });

  test("only lost runners", async () => {
    const { ended: _, ...job } = LIFE.job as NonNullable<RunnerLife["job"]>;
    const lives = [1, 2].map((number) => ({
      ...LIFE,
      runner: `r-${number}`,
      job,
      ...(number === 1 && { died: { at: NOON + 130, cause: "spot-interruption" as const } }),
    }));
    const answers = await answersTo([lives.flatMap((life) => eventsOf(life))]);
    expect(answers.deaths.byFlavor[0]).toMatchObject({ jobs: 2, lost: 2, lostMinutes: 1, lostWithKnownEnd: 1 });
    expect(answers.deaths.byCause).toEqual([
      { kind: "lost", cause: "spot-interruption", count: 1 },
      { kind: "lost", cause: "unknown", count: 1 },
    ]);
    expect(await expectSensiblePage(answers)).toContain("by cause: spot-interruption 1, unknown 1.");
  });
});

async function expectSensiblePage(answers: Awaited<ReturnType<typeof answersTo>>): Promise<string> {
  const page = await render(answers, "html");
  expect(page.match(/<section /g)).toHaveLength(8);
  expect(page).not.toMatch(/NaN|undefined|\bnull\b|Infinity/);
  return page;
}

test("a normal end whose post steps GitHub lists as skipped is a failure of the infrastructure, and the page says why", async () => {
  const { job } = LIFE as Required<RunnerLife>;
  const failed = { ...job, conclusion: "failure" } as const;
  const lives: RunnerLife[] = [
    { ...LIFE, runner: "r-1", job: failed },
    { ...LIFE, runner: "r-2", job: { ...failed, postStepsSkipped: true } },
    { ...LIFE, runner: "r-3", job: { ...failed, postStepsSkipped: true, status: "abnormal" } },
  ];
  const answers = await answersTo([lives.flatMap((life) => eventsOf(life))]);
  expect(answers.deaths.byFlavor[0]).toMatchObject({
    infrastructureFailures: 2,
    postStepsSkipped: 1,
    codeFailures: 1,
    judged: 3,
  });
  expect(await expectSensiblePage(answers)).toContain(
    "2 jobs failed because of the infrastructure and 1 job because of the code. Of 1 job only GitHub shows",
  );
  const csv = parseCsv(await render(answers, "csv"));
  expect(csv.find(([, table, , column]) => table === "deaths_by_flavor" && column === "post_steps_skipped")?.[5]).toBe(
    "1",
  );
});

test("jobs that were cancelled in the queue are counted once for each workflow run, beside the caveat that they are missing", async () => {
  const { job } = LIFE as Required<RunnerLife>;
  const lives = [
    { runId: "1", cancelledInQueue: 2 },
    { runId: "1", cancelledInQueue: 3 },
    { runId: "2", cancelledInQueue: 1 },
    { runId: "3", cancelledInQueue: 0 },
  ].map((some, index) => ({ ...LIFE, runner: `r-${index}`, job: { ...job, ...some } }));
  const events = lives.flatMap((life) => eventsOf(life));
  const answers = await answersTo([events]);
  expect(answers.queue.cancelledInQueue).toEqual({ workflowRuns: 3, jobs: 4 });
  expect(await expectSensiblePage(answers)).toContain("GitHub shows at least 4 such jobs;");
  expect(await render(answers, "markdown")).toContain("Jobs cancelled in the queue");
  const csv = parseCsv(await render(answers, "csv"));
  expect(csv.find(([, table, , column]) => table === "cancelled_in_queue" && column === "jobs")?.[5]).toBe("4");

  const unknown = events.map((event) => {
    const { jobs_cancelled_in_queue, ...detail } = event.detail;
    return { ...event, detail };
  });
  const without = await answersTo([unknown]);
  expect(without.queue).not.toHaveProperty("cancelledInQueue");
  expect(await expectSensiblePage(without)).not.toContain("GitHub shows at least");
});

describe("what counts", () => {
  test("a line that is no event is counted and changes nothing else", async () => {
    const events = eventsOf(LIFE);
    const answers = await answersTo([[...events, "{", "[]", "null", '{"detail":{"event":7}}', "\u0000"]]);
    expect(answers.trust).toMatchObject({ events: events.length, lines: events.length });
    expect(answers.trust.unreadableLines).toBeGreaterThanOrEqual(4);
    expect(answers.period.jobs).toBe(1);
  });

  test("without a price there are no dollars, and none are 0", async () => {
    const answers = await answersTo([[...eventsOf(LIFE), ...eventsOf({ ...LIFE, flavor: "small", runner: "r-2" })]], {
      pricePerHour: { large: 3.6 },
    });
    const [all, large, small] = answers.waste.byFlavor;
    // 60 s of installation, 10 s idle, 300 s of job.
    expect(large).toMatchObject({ flavor: "large", price: 3.6 });
    expect(large?.dollars).toBeCloseTo(0.37, 10);
    expect(all?.dollars).toBeCloseTo(0.37, 10);
    expect(small).not.toHaveProperty("dollars");
    expect(small).not.toHaveProperty("wastedDollars");
    const csv = parseCsv(await render(answers, "csv"));
    expect(
      csv.filter(([, table, row, column]) => table === "hours_by_flavor" && row === "2" && column === "dollars"),
    ).toEqual([]);
  });

  test("only the flavors and the period that were asked for", async () => {
    const objects = [eventsOf(LIFE), eventsOf({ ...LIFE, flavor: "small", runner: "r-2" })];
    expect((await answersTo(objects, { flavors: ["small"] })).period).toMatchObject({ jobs: 1, flavors: ["small"] });
    expect((await answersTo(objects, { from: NOON + 86_400 })).period.jobs).toBe(0);
    expect((await answersTo(objects, { until: NOON })).period.jobs).toBe(0);
    expect((await answersTo(objects, { from: NOON, until: NOON + 3_600 })).period.jobs).toBe(2);
  });
});

/** Rows of cells, without the header. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  for (const [, quoted, plain = "", end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/g)) {
    rows.at(-1)?.push(quoted?.replaceAll('""', '"') ?? plain);
    if (end === "\r\n") rows.push([]);
  }
  return rows.slice(1).filter((row) => row.length > 1);
}

test("with --redact no format has a name of a workflow or job, and every number is the same", {
  tags: needs("gate"),
}, async () => {
  const names = ["Secret release", "Secret nightly"];
  const events = names.flatMap((name, index) =>
    [0, 1].flatMap((other) =>
      eventsOf({ ...LIFE, runner: `r-${index}-${other}` }).map((event) => withText(event, name)),
    ),
  );
  const plain = await answersTo([events]);
  const redacted = await answersTo([events], { redact: true });
  for (const format of ["html", "json", "markdown", "csv"] as const) {
    expect(await render(plain, format)).toContain("Secret");
    expect(await render(redacted, format)).not.toContain("Secret");
  }
  const counts = ({ groups }: typeof plain) => groups.workflows.map(({ workflow: _, ...numbers }) => numbers);
  expect(counts(redacted)).toEqual(counts(plain));
  expect(redacted.groups.workflows.map(({ workflow }) => workflow)).toEqual([
    expect.stringMatching(/^workflow [0-9a-f]{10}$/),
    expect.stringMatching(/^workflow [0-9a-f]{10}$/),
  ]);
  const options = ["--folder", archiveFolder([events]), "--from", "2026-11-01", "--until", "2026-12-01"];
  const { code, stdout } = await runCommand(["report", ...options, "--json", "--redact"]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/"workflow [0-9a-f]{10}"/);
  expect(stdout).not.toContain("Secret");
});
