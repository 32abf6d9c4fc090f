import type { QueueRow } from "../answers/queue.ts";
import type { Answers } from "../answers.ts";
import { formatSeconds, formatShare, plural } from "../format.ts";
import { type Section, tableOf } from "../section.ts";

/** Do jobs start in time? */
export function queueSection({ queue }: Answers): Section {
  const { cancelledInQueue: cancelled } = queue;
  const [all] = queue.byFlavor;
  const known = all?.known ?? 0;
  const flavors = queue.byFlavor.filter(({ flavor }) => flavor !== undefined);
  const blind = flavors.filter(({ known }) => known === 0);
  const within = (row: QueueRow) => (row.known > 0 ? row.within60 / row.known : undefined);
  const summary =
    known === 0 || !all
      ? [
          "No queue time is known. Only GitHub knows when a job was created: configure GitHub in the stack to see this answer.",
        ]
      : [
          `Half of the jobs start within ${formatSeconds(all.p50 ?? 0)}, and ${formatShare(within(all) ?? 0)} within a minute.`,
          `${all.late === 0 ? "None" : plural(all.late, "job")} waited more than ${formatSeconds(queue.lateSeconds)}; the longest wait was ${formatSeconds(all.max ?? 0)}.`,
          ...(blind.length > 0
            ? [`GitHub's data is missing for ${blind.map(({ flavor }) => flavor).join(", ")}.`]
            : []),
        ];
  return {
    id: "queue",
    question: "Do jobs start in time?",
    headline: {
      value: all?.p95 === undefined ? "–" : formatSeconds(all.p95),
      label: "95 % of jobs start within this time (queue p95)",
    },
    summary,
    charts: [
      {
        title: "Queue time by flavor: 95th percentile",
        drawing: {
          kind: "bars",
          unit: "seconds",
          series: ["p95"],
          rows: flavors
            .filter(({ known }) => known > 0)
            .map(({ flavor = "", p95 = 0 }) => ({ name: flavor, values: [p95] })),
        },
        table: tableOf(
          "queue_by_flavor",
          "Queue time by flavor",
          [...flavors, ...(all ? [{ ...all, flavor: "all" }] : [])],
          [
            ["flavor", "Flavor", "text", ({ flavor }) => flavor],
            ["jobs", "Jobs", "count", ({ jobs }) => jobs],
            ["known", "With queue time", "count", ({ known }) => known],
            ["p50", "p50", "seconds", ({ p50 }) => p50],
            ["p90", "p90", "seconds", ({ p90 }) => p90],
            ["p95", "p95", "seconds", ({ p95 }) => p95],
            ["p99", "p99", "seconds", ({ p99 }) => p99],
            ["max", "Longest", "seconds", ({ max }) => max],
            ["within_60_s", "Within 60 s", "share", within],
            [
              "late",
              `Over ${formatSeconds(queue.lateSeconds)}`,
              "count",
              ({ known, late }) => (known > 0 ? late : undefined),
            ],
          ],
        ),
      },
      {
        title: "Queue time by hour of the day",
        drawing: {
          kind: "lines",
          unit: "seconds",
          xTitle: "Hour of the day at which the job started",
          xType: "number",
          series: ["p95", "p50"],
          points: queue.byHour.flatMap(({ hour, p50, p95 }) => [
            { x: hour, series: "p95", y: p95 },
            { x: hour, series: "p50", y: p50 },
          ]),
        },
        table: tableOf("queue_by_hour", "Queue time by hour of the day", queue.byHour, [
          ["hour", "Hour", "count", ({ hour }) => hour],
          ["jobs", "Jobs", "count", ({ count }) => count],
          ["p50", "p50", "seconds", ({ p50 }) => p50],
          ["p95", "p95", "seconds", ({ p95 }) => p95],
        ]),
      },
    ],
    tables: cancelled
      ? [
          tableOf(
            "cancelled_in_queue",
            "Jobs cancelled in the queue",
            [cancelled],
            [
              ["workflow_runs", "Workflow runs", "count", ({ workflowRuns }) => workflowRuns],
              ["jobs", "Jobs cancelled in the queue, at least", "count", ({ jobs }) => jobs],
            ],
          ),
        ]
      : [],
    definitions: [
      "Queue time is GitHub's: from the creation of the job to its start, both by GitHub's clock. It includes jobs that wait for a concurrency group or an approval.",
      "Percentiles interpolate linearly between the two nearest jobs.",
      ...(cancelled
        ? [
            "Cancelled in the queue: jobs that GitHub lists as cancelled, without a runner and without a step, in a workflow run in which a runner of these did another job that asked for the same labels. Each workflow run counts once.",
          ]
        : []),
    ],
    caveats: [
      `Jobs that were cancelled while they were queued never had a runner. No runner reports them, so that they are missing here, and the longest waits are the ones most likely to be cancelled.${
        cancelled
          ? ` GitHub shows at least ${plural(cancelled.jobs, "such job")}; workflow runs in which no other job ran are not known.`
          : ""
      }`,
      "Jobs that are waiting now are missing, too.",
    ],
  };
}
