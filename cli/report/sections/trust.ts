import { GITHUB_REASONS, QUARANTINE_REASONS, type Reason } from "../../../contract/reasons.ts";
import type { Coverage } from "../answers/trust.ts";
import type { Answers } from "../answers.ts";
import { formatSeconds, formatShare, plural } from "../format.ts";
import { type Section, tableOf } from "../section.ts";

/** Can I trust these numbers? */
export function trustSection({ trust }: Answers): Section {
  const [all] = trust.coverage;
  const jobs = all?.jobs ?? 0;
  const share = all && jobs > 0 ? all.allTimes / jobs : undefined;
  const quarantined = trust.quarantined.reduce((sum, { count }) => sum + count, 0);
  const flavors = trust.coverage.filter(({ flavor }) => flavor !== undefined);
  const part = (row: Coverage | undefined, count: number | undefined) =>
    row && row.jobs > 0 && count !== undefined ? count / row.jobs : undefined;
  const parts: [string, number | undefined][] = [
    ["Installation start, end", part(all, all?.withInstallation)],
    ["Start of the job", part(all, all?.withStart)],
    ["End of the job", part(all, all?.withEnd)],
    ["All four times", share],
    ["GitHub's queue time", part(all, all?.withQueue)],
    ["GitHub's conclusion", part(all, all?.withConclusion)],
  ];
  return {
    id: "trust",
    question: "Can I trust these numbers?",
    headline: {
      value: share === undefined ? "–" : formatShare(share),
      label: "of jobs have all four times of their runner's life",
    },
    summary:
      jobs === 0
        ? ["There is no job in this period."]
        : [
            `${plural(jobs, "job")} in ${plural(trust.events, "event")}. ${lagSentence(trust.lag)}`,
            quarantined === 0
              ? "Nothing was quarantined."
              : `${plural(quarantined, "upload")} went to quarantine and ${quarantined === 1 ? "is" : "are"} in no other number.`,
          ],
    charts: [
      {
        title: "Share of jobs for which a value is known",
        drawing: {
          kind: "bars",
          unit: "share",
          max: 1,
          series: ["share of jobs"],
          rows: parts.map(([name, value]) => ({ name, values: [value ?? 0] })),
        },
        table: tableOf(
          "coverage",
          "Coverage by flavor",
          [...flavors, ...(all ? [{ ...all, flavor: "all" }] : [])],
          [
            ["flavor", "Flavor", "text", ({ flavor }) => flavor],
            ["jobs", "Jobs", "count", ({ jobs }) => jobs],
            ["with_installation", "Installation", "share", (row) => part(row, row.withInstallation)],
            ["with_start", "Job start", "share", (row) => part(row, row.withStart)],
            ["with_end", "Job end", "share", (row) => part(row, row.withEnd)],
            ["all_times", "All four times", "share", (row) => part(row, row.allTimes)],
            ["with_queue", "Queue time", "share", (row) => part(row, row.withQueue)],
            ["with_conclusion", "Conclusion", "share", (row) => part(row, row.withConclusion)],
          ],
        ),
      },
    ],
    tables: [
      tableOf("checks", "Checks", checks(trust, all), [
        ["check", "Check", "text", ({ check }) => check],
        ["count", "Count", "count", ({ count }) => count],
        ["meaning", "What it means", "text", ({ meaning }) => meaning],
      ]),
      ...(trust.gaps.length === 0
        ? []
        : [
            tableOf(
              "gaps",
              "Days without any event",
              trust.gaps.slice(0, ROWS),
              [
                ["flavor", "Flavor", "text", ({ flavor }) => flavor],
                ["first", "From", "text", ({ first }) => first],
                ["last", "To", "text", ({ last }) => last],
                ["days", "Days", "count", ({ days }) => days],
              ],
              trust.gaps.length - ROWS,
            ),
          ]),
      ...(trust.githubUnknown.length === 0
        ? []
        : [
            tableOf("github_unknown", "Why a value from GitHub is missing", trust.githubUnknown, [
              ["reason", "Reason", "text", ({ reason }) => reason],
              ["count", "Events", "count", ({ count }) => count],
              ["meaning", "What it means", "text", ({ reason }) => meaningOf(GITHUB_REASONS, reason)],
            ]),
          ]),
    ],
    definitions: [
      "The four times are: installation started, installed, job started, job ended. A job is everything that one runner reported about one start of a job.",
      "Each event counts once, by its id, however often it was delivered. If a runner that was reported lost reports the end of its job after all, only the end counts.",
      "Lag is the time from the end of a job, by the runner's clock, to the publication of its event.",
    ],
    caveats: [
      "A duration that came out negative (a clock was set back) was set to 0 by the collector. It is counted here and left out of every percentile and sum.",
      "Further jobs of a persistent runner have no installation of their own, so that their four times are never complete.",
      "A day without events is not a fault if there was no work, for example on a weekend.",
    ],
  };
}

const ROWS = 20;

function lagSentence({ count, p50, p95 }: Answers["trust"]["lag"]): string {
  if (count === 0 || p50 === undefined || p95 === undefined) return "";
  return `Half of the events were there ${formatSeconds(Math.max(0, p50))} after the end of the job, 95 % within ${formatSeconds(Math.max(0, p95))}.`;
}

interface Check {
  readonly check: string;
  readonly count: number;
  readonly meaning: string;
}

function checks(trust: Answers["trust"], all: Coverage | undefined): Check[] {
  const total = (rows: readonly { readonly count: number }[]) => rows.reduce((sum, { count }) => sum + count, 0);
  return [
    {
      check: "Claims that GitHub contradicts",
      count: all?.mismatches ?? 0,
      meaning: "GitHub says that the runner did not do this job. They are counted as jobs.",
    },
    {
      check: "Negative durations",
      count: total(trust.clamped),
      meaning: fields(trust.clamped, "A clock was set back between two times."),
    },
    {
      check: "Durations of more than 400 days",
      count: total(trust.implausible),
      meaning: fields(trust.implausible, "A clock was wrong; the events lack these durations."),
    },
    {
      check: "Jobs with a start far from their event",
      count: trust.jobsOutsideClockWindow,
      meaning: "More than 40 days before it or a day after it, or unknown. They are in no answer by day or hour.",
    },
    {
      check: "Duplicate events",
      count: trust.duplicates,
      meaning: "Delivered more than once, as the archive promises. The most complete one counts.",
    },
    {
      check: "Lost runners that came back",
      count: trust.overriddenLost,
      meaning: "Reported lost, and the end of the job came later. They count as ended.",
    },
    {
      check: "Lines that cannot be read",
      count: trust.unreadableLines,
      meaning: "Not an event in JSON. Nobody but the collector may write to the archive.",
    },
    ...trust.quarantined.map(({ flavor, reason, count }) => ({
      check: `Quarantined: ${reason} (${flavor})`,
      count,
      meaning: meaningOf(QUARANTINE_REASONS, reason) ?? "",
    })),
  ];
}

function fields(rows: readonly { readonly field: string; readonly count: number }[], meaning: string): string {
  return rows.length === 0 ? meaning : `${meaning} ${rows.map(({ field, count }) => `${field}: ${count}`).join(", ")}.`;
}

function meaningOf(reasons: Readonly<Record<string, Reason>>, reason: string): string | undefined {
  return Object.hasOwn(reasons, reason) ? reasons[reason]?.meaning : undefined;
}
