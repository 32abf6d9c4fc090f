import type { DeathKind, DeathRow } from "../answers/deaths.ts";
import type { Answers } from "../answers.ts";
import { format, formatDay, formatShare, plural } from "../format.ts";
import { type Section, tableOf } from "../section.ts";
import { daysBetween } from "./days.ts";

/** Do machines die? */
export function deathsSection({ deaths, period }: Answers): Section {
  const [all] = deaths.byFlavor;
  const flavors = deaths.byFlavor.filter(({ flavor }) => flavor !== undefined);
  const rate = (count: number, of: number) => (of > 0 ? count / of : undefined);
  const lostRate = all && rate(all.lost, all.jobs);
  const perDay = new Map<string, Map<DeathKind, number>>();
  for (const { day, kind, count } of deaths.byDay) {
    perDay.set(day, (perDay.get(day) ?? new Map<DeathKind, number>()).set(kind, count));
  }
  const days = daysBetween(
    deaths.byDay.map(({ day }) => day),
    period,
  );
  const worst = [...perDay].map(([day, kinds]) => ({
    day,
    count: [...kinds.values()].reduce((sum, count) => sum + count, 0),
  }));
  const worstDay = worst.reduce((most, day) => (day.count > most.count ? day : most), { day: "", count: 0 });
  return {
    id: "deaths",
    question: "Do machines die?",
    headline: {
      value: lostRate === undefined ? "–" : formatShare(lostRate),
      label: "of jobs were lost with their machine",
    },
    summary: all
      ? [
          `${plural(all.lost, "job was", "jobs were")} lost, ${plural(all.installFailed, "installation")} failed, and ${plural(all.neverUsed, "runner was", "runners were")} never used.${
            worstDay.count > 0 ? ` The worst day was ${formatDay(worstDay.day)}, with ${worstDay.count} of these.` : ""
          }`,
          failures(all),
          ...causes(deaths.byCause),
        ]
      : ["There is no runner in this period."],
    charts: [
      {
        title: "Runners that did not do or end a job, by day",
        drawing: {
          kind: "days",
          unit: "count",
          series: KINDS.map(([, name]) => name),
          rows: days.map((day) => ({ day, values: KINDS.map(([kind]) => perDay.get(day)?.get(kind) ?? 0) })),
        },
        table: tableOf(
          "deaths_by_day",
          "By day",
          [...perDay],
          [
            ["day", "Day", "text", ([day]) => day],
            ...KINDS.map(
              ([kind, name]) =>
                [
                  kind.replace("-", "_"),
                  name,
                  "count",
                  ([, kinds]: [string, Map<DeathKind, number>]) => kinds.get(kind) ?? 0,
                ] as const,
            ),
          ],
        ),
      },
    ],
    tables: [
      tableOf(
        "deaths_by_flavor",
        "By flavor",
        [...flavors, ...(all ? [{ ...all, flavor: "all" }] : [])],
        [
          ["flavor", "Flavor", "text", ({ flavor }) => flavor],
          ["jobs", "Jobs", "count", ({ jobs }) => jobs],
          ["lost", "Lost", "count", ({ lost }) => lost],
          ["lost_rate", "Lost rate", "share", ({ lost, jobs }) => rate(lost, jobs)],
          ["install_failed", "Failed installations", "count", ({ installFailed }) => installFailed],
          [
            "install_failed_rate",
            "of installations",
            "share",
            ({ installFailed, installed }) => rate(installFailed, installFailed + installed),
          ],
          ["never_used", "Never used", "count", ({ neverUsed }) => neverUsed],
          [
            "lost_minutes",
            "Time lost",
            "minutes",
            ({ lostMinutes, lostWithKnownEnd }) => (lostWithKnownEnd > 0 ? lostMinutes : undefined),
          ],
          ["lost_with_known_end", "Lost with known end", "count", ({ lostWithKnownEnd }) => lostWithKnownEnd],
          [
            "lost_minutes_at_most",
            "Others, at most",
            "minutes",
            ({ lostMinutesAtMost, lost, lostWithKnownEnd }) =>
              lost > lostWithKnownEnd ? lostMinutesAtMost : undefined,
          ],
          [
            "infrastructure_failures",
            "Infrastructure failures",
            "count",
            ({ infrastructureFailures }) => infrastructureFailures,
          ],
          ["post_steps_skipped", "of these by GitHub only", "count", ({ postStepsSkipped }) => postStepsSkipped],
          ["code_failures", "Code failures", "count", ({ codeFailures }) => codeFailures],
          ["judged", "of judged jobs", "count", ({ judged }) => judged],
        ],
      ),
      tableOf("deaths_by_cause", "By cause", deaths.byCause, [
        ["kind", "What", "text", ({ kind }) => KINDS.find(([name]) => name === kind)?.[1] ?? kind],
        ["cause", "Cause", "text", ({ cause }) => cause],
        ["count", "Count", "count", ({ count }) => count],
      ]),
    ],
    definitions: [
      "Lost: the runner started a job and did not report its end. Failed installation: it started to install and was never installed. Never used: it was installed and had no job.",
      "Infrastructure failure: the job was lost, its runner ended abnormally, or the runner reported a normal end but GitHub lists the job as failed with all its post steps skipped. Code failure: any other job whose runner ended normally and whose conclusion by GitHub is failure.",
      "Time lost is from the start of the job to the end of the machine. If the end is not known, only the upper limit until the detection is.",
    ],
    caveats: [
      "The cause is known only for EC2 instances, if the stack records how they end (setting endedInstances). Others are found by their silence.",
      "A scale-down that removes an idle runner shows as never used, unless the runner still reported its end: that is not a fault.",
      "A runner process that crashes in the middle of a job can look like a normal end. Only GitHub's steps show it then, and only of jobs with a post step (an action that cleans up, or the hooks of the runner).",
    ],
  };
}

const KINDS: readonly (readonly [DeathKind, string])[] = [
  ["lost", "Lost in a job"],
  ["install-failed", "Failed installation"],
  ["never-used", "Never used"],
];

/** Why jobs were lost, most frequent first; nothing if no cause is known. */
function causes(byCause: Answers["deaths"]["byCause"]): string[] {
  const lost = byCause.filter(({ kind }) => kind === "lost");
  if (lost.every(({ cause }) => cause === "unknown")) return [];
  return [`Jobs were lost by cause: ${lost.map(({ cause, count }) => `${cause} ${count}`).join(", ")}.`];
}

function failures(row: DeathRow): string {
  const { infrastructureFailures, postStepsSkipped, codeFailures, lostMinutes, lostWithKnownEnd } = row;
  const witness =
    postStepsSkipped > 0
      ? ` Of ${plural(postStepsSkipped, "job")} only GitHub shows that the machine failed: all post steps were skipped.`
      : "";
  const lost =
    lostWithKnownEnd > 0 ? ` Lost jobs took ${format(lostMinutes, "minutes")} of machine time with them.` : "";
  return `${plural(infrastructureFailures, "job")} failed because of the infrastructure and ${plural(codeFailures, "job")} because of the code.${witness}${lost}`;
}
