import type { GroupRow } from "../answers/groups.ts";
import type { Answers } from "../answers.ts";
import { SERIES } from "../charts.ts";
import { formatSeconds, formatShare, plural } from "../format.ts";
import { type Section, type Table, tableOf, type Unit } from "../section.ts";

/** How long do they run, and how do they end? */
export function runsSection({ runs, groups }: Answers): Section {
  const total = (get: (row: GroupRow) => number) => groups.flavors.reduce((sum, row) => sum + get(row), 0);
  const success = total(({ success }) => success);
  const failure = total(({ failure }) => failure);
  const other = total(({ otherConclusion }) => otherConclusion);
  const rate = success + failure > 0 ? success / (success + failure) : undefined;
  const flavors = groups.flavors.map(({ flavor = "" }) => flavor).slice(0, SERIES.length);
  const ended = groups.flavors.filter(({ p50 }) => p50 !== undefined);
  return {
    id: "runs",
    question: "How long do they run, and how do they end?",
    headline: {
      value: rate === undefined ? "–" : formatShare(rate),
      label: "success ÷ (success + failure), by GitHub's conclusion",
    },
    summary: [
      ...ended
        .slice(0, FLAVORS_TOLD)
        .map(
          ({ flavor, p50 = 0, p95 = 0 }) =>
            `${flavor}: half of the jobs take less than ${formatSeconds(p50)}, 95 % less than ${formatSeconds(p95)}.`,
        ),
      rate === undefined
        ? "How jobs ended is not known: only GitHub has their conclusions."
        : `${plural(failure, "job")} failed. ${plural(other, "job")} ended in another way, for example cancelled, and count${other === 1 ? "s" : ""} as neither.`,
    ],
    charts: [
      {
        title: "Median duration by day",
        drawing: {
          kind: "lines",
          unit: "seconds",
          xTitle: "Day",
          xType: "day",
          isLogarithmic: true,
          series: flavors,
          points: runs.byDay.flatMap(({ day, flavor, p50 }) =>
            p50 === undefined || !flavors.includes(flavor) ? [] : [{ x: day, series: flavor, y: p50 }],
          ),
        },
        table: tableOf("duration_by_day", "Duration by day and flavor", runs.byDay, [
          ["day", "Day", "text", ({ day }) => day],
          ["flavor", "Flavor", "text", ({ flavor }) => flavor],
          ["jobs", "Jobs", "count", ({ jobs }) => jobs],
          ["p50", "p50", "seconds", ({ p50 }) => p50],
          ["p95", "p95", "seconds", ({ p95 }) => p95],
        ]),
      },
      {
        title: "How jobs ended",
        drawing: {
          kind: "bars",
          unit: "count",
          series: ["success", "failure", "other", "lost", "unknown"],
          rows: groups.flavors.map((row) => ({ name: row.flavor ?? "", values: endings(runs, row) })),
        },
        table: tableOf("conclusions", "GitHub's conclusions by flavor", runs.byConclusion, [
          ["flavor", "Flavor", "text", ({ flavor }) => flavor],
          ["conclusion", "Conclusion", "text", ({ conclusion }) => conclusion ?? "unknown"],
          ["count", "Jobs", "count", ({ count }) => count],
        ]),
      },
    ],
    tables: [
      durations("durations_by_flavor", "Duration by flavor", groups.flavors, [FLAVOR]),
      durations(
        "durations_by_repository",
        "Duration by repository",
        groups.repositories,
        [REPOSITORY],
        groups.counts.repositories,
      ),
      durations(
        "durations_by_workflow",
        "Duration by workflow",
        groups.workflows,
        [REPOSITORY, WORKFLOW],
        groups.counts.workflows,
      ),
      durations("durations_by_job", "Duration by job", groups.jobs, [REPOSITORY, WORKFLOW, JOB], groups.counts.jobs),
      tableOf("statuses", "How the runner says that jobs ended", runs.byStatus, [
        ["flavor", "Flavor", "text", ({ flavor }) => flavor],
        ["status", "Status", "text", ({ status }) => status],
        ["count", "Jobs", "count", ({ count }) => count],
      ]),
    ],
    definitions: [
      "Duration is from the runner's job-started to its job-completed hook. Jobs that were lost have none.",
      "Success is success ÷ (success + failure). Cancelled, skipped and other conclusions are counted apart, and so are jobs of which GitHub's conclusion is not known.",
      "Change compares the median of the second half of the period with that of the first half.",
      "Tables by repository, workflow and job list the ones that took most runner hours.",
    ],
    caveats: [
      "A small group has no meaningful p95 or p99: with fewer than 20 or 100 jobs it is close to the longest job.",
      "Names of workflows and jobs were chosen by the authors of the jobs.",
    ],
  };
}

/** Sentences about more are in the table only. */
const FLAVORS_TOLD = 5;

function endings(runs: Answers["runs"], { flavor, success, failure, otherConclusion, jobs }: GroupRow): number[] {
  const lost = runs.byStatus.find((row) => row.flavor === flavor && row.status === "lost")?.count ?? 0;
  const concluded = success + failure + otherConclusion;
  // GitHub concludes lost jobs, too; they are drawn once.
  const unknown = Math.max(0, jobs - concluded);
  return concluded + lost > jobs
    ? [success, failure, otherConclusion, 0, unknown]
    : [success, failure, otherConclusion, lost, unknown - lost];
}

type Column = readonly [key: string, title: string, unit: Unit, get: (row: GroupRow) => string | number | undefined];

const FLAVOR: Column = ["flavor", "Flavor", "text", ({ flavor }) => flavor];
const REPOSITORY: Column = ["repository", "Repository", "text", ({ repository }) => repository];
const WORKFLOW: Column = ["workflow", "Workflow", "text", ({ workflow }) => workflow];
const JOB: Column = ["job", "Job", "text", ({ job }) => job];

const ROWS = 15;

function durations(
  id: string,
  title: string,
  rows: readonly GroupRow[],
  names: readonly Column[],
  all = rows.length,
): Table {
  return tableOf(
    id,
    title,
    rows.slice(0, ROWS),
    [
      ...names,
      ["jobs", "Jobs", "count", ({ jobs }) => jobs],
      ["success", "Success", "share", ({ successRate }) => successRate],
      ["p50", "p50", "seconds", ({ p50 }) => p50],
      ["p90", "p90", "seconds", ({ p90 }) => p90],
      ["p95", "p95", "seconds", ({ p95 }) => p95],
      ["p99", "p99", "seconds", ({ p99 }) => p99],
      ["max", "Longest", "seconds", ({ max }) => max],
      [
        "change",
        "Change",
        "change",
        ({ earlierP50, laterP50 }) => (earlierP50 && laterP50 !== undefined ? laterP50 / earlierP50 - 1 : undefined),
      ],
    ],
    all - ROWS,
  );
}
