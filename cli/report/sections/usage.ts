import type { GroupRow } from "../answers/groups.ts";
import type { Answers } from "../answers.ts";
import { format, formatSeconds, plural, visible } from "../format.ts";
import { type Section, type Table, tableOf } from "../section.ts";

/** Who uses them? */
export function usageSection({ groups }: Answers): Section {
  const { repositories, workflows, jobs } = groups.counts;
  const [first] = groups.repositories;
  const slowest = groups.jobs.reduce<GroupRow | undefined>(
    (most, row) => ((row.p95 ?? 0) > (most?.p95 ?? 0) ? row : most),
    undefined,
  );
  return {
    id: "usage",
    question: "Who uses them?",
    headline: { value: repositories.toLocaleString("en-US"), label: "repositories ran jobs on these runners" },
    summary: first
      ? [
          `${plural(workflows, "workflow")} with ${plural(jobs, "job")} in ${plural(repositories, "repository", "repositories")}. ${visible(first.repository ?? "", 60)} used most: ${format(first.runnerHours, "hours")} for ${plural(first.jobs, "job")}.`,
          ...(slowest
            ? [
                `The slowest job is ${visible(slowest.job ?? slowest.workflow ?? "", 60)} of ${visible(slowest.repository ?? "", 60)}: p95 ${formatSeconds(slowest.p95 ?? 0)}.`,
              ]
            : []),
        ]
      : ["There is no job in this period."],
    charts: [
      {
        title: "Runner hours by repository",
        drawing: {
          kind: "bars",
          unit: "hours",
          series: ["Runner hours"],
          rows: groups.repositories
            .slice(0, BARS)
            .map(({ repository = "", runnerHours }) => ({ name: repository, values: [runnerHours] })),
        },
        table: usage("usage_by_repository", "By repository", groups.repositories, ["repository"], repositories),
      },
    ],
    tables: [
      usage("usage_by_workflow", "By workflow", groups.workflows, ["repository", "workflow"], workflows),
      usage("usage_by_job", "By job", groups.jobs, ["repository", "workflow", "job"], jobs),
    ],
    definitions: [
      "Runner hours are installation, idle time and job of the runners that did these jobs.",
      "A workflow is known by its name in a repository. A job is known by GitHub's name, or by its key in the workflow file if GitHub was not asked.",
    ],
    caveats: [
      "Repository and names are what the runner reported, unless GitHub verified the job.",
      "Two workflows of a repository with the same name count as one.",
    ],
  };
}

const BARS = 12;
const ROWS = 20;

function usage(
  id: string,
  title: string,
  rows: readonly GroupRow[],
  names: readonly ("repository" | "workflow" | "job")[],
  all: number,
): Table {
  return tableOf(
    id,
    title,
    rows.slice(0, ROWS),
    [
      ...names.map(
        (name) => [name, name.slice(0, 1).toUpperCase() + name.slice(1), "text", (row: GroupRow) => row[name]] as const,
      ),
      ["jobs", "Jobs", "count", ({ jobs }: GroupRow) => jobs],
      ["runner_hours", "Runner hours", "hours", ({ runnerHours }: GroupRow) => runnerHours],
      ["dollars", "Cost", "dollars", ({ dollars }: GroupRow) => dollars],
      ["success", "Success", "share", ({ successRate }: GroupRow) => successRate],
      ["lost", "Lost", "count", ({ lost }: GroupRow) => lost],
      ["p50", "p50", "seconds", ({ p50 }: GroupRow) => p50],
      ["p95", "p95", "seconds", ({ p95 }: GroupRow) => p95],
      ["max", "Longest", "seconds", ({ max }: GroupRow) => max],
    ],
    all - ROWS,
  );
}
