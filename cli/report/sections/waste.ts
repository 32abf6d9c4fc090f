import type { GroupRow } from "../answers/groups.ts";
import type { WasteRow } from "../answers/waste.ts";
import type { Answers } from "../answers.ts";
import { format, formatShare } from "../format.ts";
import { type Section, type Table, tableOf } from "../section.ts";

/** What is wasted, and what does it cost? */
export function wasteSection({ waste, groups }: Answers): Section {
  const [all] = waste.byFlavor;
  const flavors = waste.byFlavor.filter(({ flavor }) => flavor !== undefined);
  const isPriced = all?.dollars !== undefined;
  const priced = all && totalHours(all) > 0 ? all.pricedHours / totalHours(all) : undefined;
  return {
    id: "waste",
    question: "What is wasted, and what does it cost?",
    headline: {
      value: all?.utilisation === undefined ? "–" : formatShare(all.utilisation),
      label: "of runner hours went into jobs that ended",
    },
    summary: all
      ? [
          `${format(totalHours(all), "hours")} of runners: ${format(all.jobHours, "hours")} in jobs, ${format(all.idleHours, "hours")} idle before a job, ${format(all.installationHours, "hours")} in installations, ${format(all.unusedHours, "hours")} on runners that were never used.`,
          isPriced
            ? `With prices for ${formatShare(priced ?? 0)} of the hours: ${format(all.dollars, "dollars")}, of which ${format(all.wastedDollars, "dollars")} did not go into jobs that ended.`
            : "No flavor has a price: give --price-per-hour to see dollars.",
        ]
      : ["There is no runner in this period."],
    charts: [
      {
        title: "Runner hours by flavor",
        drawing: {
          kind: "bars",
          unit: "hours",
          series: ["Jobs", "Lost jobs", "Idle", "Installation", "Never used"],
          rows: flavors.map(({ flavor = "", jobHours, lostHours, idleHours, installationHours, unusedHours }) => ({
            name: flavor,
            values: [jobHours, lostHours, idleHours, installationHours, unusedHours],
          })),
        },
        table: tableOf(
          "hours_by_flavor",
          "Hours and cost by flavor",
          [...flavors, ...(all ? [{ ...all, flavor: "all" }] : [])],
          [
            ["flavor", "Flavor", "text", ({ flavor }) => flavor],
            ["job_hours", "Jobs", "hours", ({ jobHours }) => jobHours],
            ["lost_hours", "Lost jobs", "hours", ({ lostHours }) => lostHours],
            ["idle_hours", "Idle", "hours", ({ idleHours }) => idleHours],
            ["installation_hours", "Installation", "hours", ({ installationHours }) => installationHours],
            ["unused_hours", "Never used", "hours", ({ unusedHours }) => unusedHours],
            ["utilisation", "Utilisation", "share", ({ utilisation }) => utilisation],
            ["price_per_hour", "Price per hour", "dollars", ({ price }) => price],
            [
              "priced",
              "Hours with price",
              "share",
              (row) => (totalHours(row) > 0 ? row.pricedHours / totalHours(row) : undefined),
            ],
            ["dollars", "Cost", "dollars", ({ dollars }) => dollars],
            ["wasted_dollars", "Not in ended jobs", "dollars", ({ wastedDollars }) => wastedDollars],
          ],
        ),
      },
    ],
    tables: [
      costs("cost_by_repository", "Cost by repository", groups.repositories, false, groups.counts.repositories),
      costs("cost_by_workflow", "Cost by workflow", groups.workflows, true, groups.counts.workflows),
    ],
    definitions: [
      "Runner hours are those of installation, idle time before the job, and the job. Utilisation is hours of ended jobs ÷ runner hours.",
      "Cost is runner hours × price per hour of the flavor. A job costs its own hours and those that its runner was installed and idle for it. Runners that were never used belong to no repository.",
      "Hours of a flavor without a price have no cost; they are not counted as free.",
    ],
    caveats: [
      "The time from starting a machine to the start of the installation, and from the end of the job to the end of the machine, is billed and not in these hours.",
      "Hours of lost jobs and never used runners are included only if the end of the machine is known.",
    ],
  };
}

function totalHours({ jobHours, lostHours, idleHours, installationHours, unusedHours }: WasteRow): number {
  return jobHours + lostHours + idleHours + installationHours + unusedHours;
}

const ROWS = 15;

function costs(id: string, title: string, rows: readonly GroupRow[], withWorkflow: boolean, all: number): Table {
  return tableOf(
    id,
    title,
    rows.slice(0, ROWS),
    [
      ["repository", "Repository", "text", ({ repository }: GroupRow) => repository],
      ...(withWorkflow ? [["workflow", "Workflow", "text", ({ workflow }: GroupRow) => workflow] as const] : []),
      ["jobs", "Jobs", "count", ({ jobs }: GroupRow) => jobs],
      ["job_hours", "Job hours", "hours", ({ jobHours }: GroupRow) => jobHours],
      ["runner_hours", "Runner hours", "hours", ({ runnerHours }: GroupRow) => runnerHours],
      [
        "priced",
        "Hours with price",
        "share",
        ({ pricedHours, runnerHours }: GroupRow) => (runnerHours > 0 ? pricedHours / runnerHours : undefined),
      ],
      ["dollars", "Cost", "dollars", ({ dollars }: GroupRow) => dollars],
    ],
    all - ROWS,
  );
}
