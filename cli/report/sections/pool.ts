import type { PoolRow } from "../answers/pool.ts";
import type { Answers } from "../answers.ts";
import { format, formatSeconds, formatShare, formatWeekHour, plural } from "../format.ts";
import { type Chart, type Section, tableOf } from "../section.ts";

/** How many runners do I need? */
export function poolSection({ pool }: Answers): Section {
  const { targetSeconds, targetShare, byFlavor } = pool;
  const target = `${formatShare(targetShare)} of jobs start within ${formatSeconds(targetSeconds)}`.replace(
    ".0 %",
    " %",
  );
  const total = byFlavor.reduce((sum, { constant }) => sum + constant, 0);
  return {
    id: "pool",
    question: "How many runners do I need?",
    headline: {
      value: byFlavor.length === 0 ? "–" : String(total),
      label: byFlavor.length > 1 ? `runners, all flavors together, so that ${target}` : `runners, so that ${target}`,
    },
    summary:
      byFlavor.length === 0
        ? ["There is no job with a known duration in this period."]
        : byFlavor.slice(0, FLAVORS_DRAWN).map(advice),
    charts: byFlavor.slice(0, FLAVORS_DRAWN).flatMap((row) => [weekChart(row), curveChart(row, pool)]),
    tables: [
      tableOf("pool_by_flavor", "Runners by flavor", byFlavor, [
        ["flavor", "Flavor", "text", ({ flavor }) => flavor],
        ["jobs", "Jobs", "count", ({ jobs }) => jobs],
        ["jobs_left_out", "Left out", "count", ({ jobsLeftOut }) => jobsLeftOut],
        ["jobs_with_queue", "With queue time", "count", ({ jobsWithQueue }) => jobsWithQueue],
        ["peak_running", "Most at once", "count", ({ peakRunning }) => peakRunning],
        ["peak_at", "First at", "time", ({ peakAt }) => peakAt],
        ["turnover", "Turnover", "seconds", ({ turnoverSeconds }) => turnoverSeconds],
        ["peak_demand", "Nobody waits with", "count", ({ peakDemand }) => peakDemand],
        ["constant", "Constant number", "count", ({ constant }) => constant],
        ["constant_hours", "Runner hours a week", "count", ({ constantHoursPerWeek }) => constantHoursPerWeek],
        ["constant_dollars", "Cost a week", "dollars", ({ constantDollarsPerWeek }) => constantDollarsPerWeek],
        ["schedule_hours", "By schedule: runner hours", "count", ({ scheduleHoursPerWeek }) => scheduleHoursPerWeek],
        [
          "schedule_dollars",
          "By schedule: cost a week",
          "dollars",
          ({ scheduleDollarsPerWeek }) => scheduleDollarsPerWeek,
        ],
      ]),
    ],
    definitions: [
      "Most at once is the sweep line's peak: the largest number of jobs that really ran at the same time.",
      `The replay lets the jobs arrive when GitHub created them (or, if that is unknown, when they started), first come, first served, on 1, 2, … n runners. The advice is the smallest n with which ${target}.`,
      "By weekday and hour, each hour starts with the runners that are still busy with earlier jobs, and its own arrivals are replayed. Hours without an arrival need none.",
      "A runner is unavailable for its job and for the turnover after it: the median installation time of the flavor, unless set.",
      "Erlang C assumes random arrivals and exponential durations at the mean rate of the hour. It is a sanity check of the replay, not advice.",
    ],
    caveats: [
      "The past is replayed. One unusual week in four changes the advice for its hours; look at the arrivals behind it.",
      "With few arrivals in an hour, 95 % means all of them.",
      "Jobs of unknown duration, among them lost ones, are left out.",
    ],
  };
}

/** Two charts for each. */
const FLAVORS_DRAWN = 6;

function advice({
  flavor,
  constant,
  peakRunning,
  scheduleHoursPerWeek,
  constantHoursPerWeek,
  ...row
}: PoolRow): string {
  const saved = constantHoursPerWeek > 0 ? 1 - scheduleHoursPerWeek / constantHoursPerWeek : 0;
  const dollars =
    row.constantDollarsPerWeek !== undefined && row.scheduleDollarsPerWeek !== undefined
      ? ` (${format(row.scheduleDollarsPerWeek, "dollars")} instead of ${format(row.constantDollarsPerWeek, "dollars")})`
      : "";
  return `${flavor}: ${plural(constant, "runner")} all the time (at most ${plural(peakRunning, "job")} ran at once); by the hours below, ${formatShare(saved)} fewer runner hours a week${dollars}.`;
}

function weekChart({ flavor, schedule }: PoolRow): Chart {
  return {
    title: `${flavor}: runners needed by weekday and hour`,
    drawing: { kind: "week", cells: schedule.map(({ weekday, hour, runners }) => ({ weekday, hour, value: runners })) },
    table: tableOf(`schedule_${flavor}`, `${flavor}: runners needed`, schedule, [
      ["weekday", "Weekday (1 is Monday)", "count", ({ weekday }) => weekday],
      ["hour", "Hour", "count", ({ hour }) => hour],
      ["arrivals", "Arrivals", "count", ({ arrivals }) => arrivals],
      ["runners", "Runners", "count", ({ runners }) => runners],
    ]),
  };
}

function curveChart({ flavor, busiest }: PoolRow, { targetShare, targetSeconds }: Answers["pool"]): Chart {
  const when = formatWeekHour(busiest.weekday, busiest.hour);
  return {
    title: `${flavor}: share that starts within ${formatSeconds(targetSeconds)} in its busiest hour (${when})`,
    drawing: {
      kind: "lines",
      unit: "share",
      xTitle: "Runners",
      xType: "number",
      max: 1,
      target: targetShare,
      series: ["Replay", "Erlang C"],
      points: busiest.curve.flatMap(({ runners, replay, erlangC }) => [
        { x: runners, series: "Replay", y: replay },
        { x: runners, series: "Erlang C", y: erlangC },
      ]),
    },
    table: tableOf(
      `curve_${flavor}`,
      `${flavor}: ${format(busiest.arrivalsPerHour, "number")} arrivals an hour, each for ${formatSeconds(busiest.meanHoldSeconds)} on average`,
      busiest.curve,
      [
        ["runners", "Runners", "count", ({ runners }) => runners],
        ["replay", "Replay", "share", ({ replay }) => replay],
        ["erlang_c", "Erlang C", "share", ({ erlangC }) => erlangC],
      ],
    ),
  };
}
