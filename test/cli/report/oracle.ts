/**
 * The answers of a report, computed a second time: in plain TypeScript, without SQL, from the definitions in docs/use/report.md. Slow and
 * simple; shares no code with the report.
 */
import type { ArchivedEvent } from "./fleet-events.ts";

export interface OracleOptions {
  readonly timeZone: string;
  readonly pricePerHour: Readonly<Record<string, number>>;
  readonly lateSeconds: number;
  readonly targetShare: number;
  readonly targetSeconds: number;
}

type Detail = Readonly<Record<string, unknown>>;

interface Event {
  readonly detail: Detail;
  readonly id: string;
  readonly kind: string;
  readonly published: number;
  readonly at: number;
}

interface Job {
  start?: Event;
  end?: Event;
  install?: Event;
}

/** All numbers that can be computed without a database: the same shape as the report's, but without texts of ours. */
export function expectedAnswers(objects: readonly (readonly ArchivedEvent[])[], options: OracleOptions) {
  const lines = objects.flat();
  const events = onceEach(lines);
  const { jobs, overridden } = jobsOf(events);
  const facts = jobs.map((job) => factsOf(job, options));
  const installs = events.filter(({ kind }) => kind === "runner_installed");
  const dead = events.filter(({ kind }) => kind === "runner_install_failed" || kind === "runner_never_used");
  const flavorsOfJobs = [...new Set(facts.map(({ flavor }) => flavor))].sort();
  const allAndEach = [undefined, ...flavorsOfJobs];
  const of = (flavor: string | undefined) => facts.filter((fact) => flavor === undefined || fact.flavor === flavor);
  return {
    trust: {
      lines: lines.length,
      duplicates: lines.length - events.length,
      events: events.length,
      overriddenLost: overridden,
      jobsOutsideClockWindow: facts.filter(({ clockOk }) => !clockOk).length,
      coverage: allAndEach.map((flavor) => ({
        ...(flavor !== undefined && { flavor }),
        jobs: of(flavor).length,
        allTimes: of(flavor).filter((f) => f.hasInstall && f.hasStart && f.hasStop).length,
        withInstallation: of(flavor).filter((f) => f.hasInstall).length,
        withStart: of(flavor).filter((f) => f.hasStart).length,
        withEnd: of(flavor).filter((f) => f.hasStop).length,
        withQueue: of(flavor).filter((f) => f.queue !== undefined).length,
        withConclusion: of(flavor).filter((f) => f.conclusion !== undefined).length,
        mismatches: 0,
      })),
      clamped: countsOf(
        events.flatMap(({ detail }) => (detail.clamped as string[] | undefined) ?? []),
        "field",
      ),
      implausible: countsOf(
        events.flatMap(({ detail }) => (detail.implausible as string[] | undefined) ?? []),
        "field",
      ),
    },
    queue: {
      byFlavor: allAndEach.map((flavor) => {
        const waits = of(flavor).flatMap(({ queue }) => (queue === undefined ? [] : [queue]));
        return {
          ...(flavor !== undefined && { flavor }),
          jobs: of(flavor).length,
          known: waits.length,
          ...percentiles(waits),
          within60: waits.filter((wait) => wait <= 60).length,
          late: waits.filter((wait) => wait > options.lateSeconds).length,
        };
      }),
      byHour: Array.from({ length: 24 }, (_, hour) => hour).flatMap((hour) => {
        const waits = facts.flatMap((f) => (f.clockOk && f.queue !== undefined && f.hour === hour ? [f.queue] : []));
        return waits.length === 0
          ? []
          : [{ hour, count: waits.length, p50: quantile(waits, 0.5), p95: quantile(waits, 0.95) }];
      }),
      ...cancelledInQueueOf(events),
    },
    waits: {
      byFlavor: allAndEach.flatMap((flavor) => {
        const some = of(flavor).filter(({ queue }) => queue !== undefined);
        if (some.length === 0) return [];
        const parts = some.map(splitWait);
        const mean = (get: (part: ReturnType<typeof splitWait>) => number) => sum(parts.map(get)) / parts.length;
        return [
          {
            ...(flavor !== undefined && { flavor }),
            jobs: some.length,
            queue: mean(({ queue }) => queue),
            machine: mean(({ machine }) => machine),
            installation: mean(({ installation }) => installation),
            pickUp: mean(({ pickUp }) => pickUp),
            residual: mean(({ queue, machine, installation, pickUp }) => queue - machine - installation - pickUp),
            machineKnown: parts.filter(({ waitedFor }) => waitedFor !== undefined).length,
            newMachine: parts.filter(({ waitedFor }) => waitedFor === "machine").length,
            duringInstallation: parts.filter(({ waitedFor }) => waitedFor === "installation").length,
          },
        ];
      }),
    },
    runs: {
      byDay: [
        ...groupBy(
          facts.filter(({ clockOk }) => clockOk),
          ({ day, flavor }) => `${day} ${flavor}`,
        ),
      ]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, some]) => {
          const durations = some.flatMap(({ duration }) => (duration === undefined ? [] : [duration]));
          return {
            day: key.slice(0, 10),
            flavor: key.slice(11),
            jobs: some.length,
            ...(durations.length > 0 && { p50: quantile(durations, 0.5), p95: quantile(durations, 0.95) }),
          };
        }),
    },
    deaths: {
      byFlavor: [
        undefined,
        ...[
          ...new Set([...flavorsOfJobs, ...[...installs, ...dead].map(({ detail }) => String(detail.flavor))]),
        ].sort(),
      ].map((flavor) => {
        const isOf = ({ detail }: Event) => flavor === undefined || detail.flavor === flavor;
        const some = of(flavor);
        const lost = some.filter((f) => f.lost);
        const known = lost.filter((f) => f.lostSeconds !== undefined);
        return {
          ...(flavor !== undefined && { flavor }),
          jobs: some.length,
          lost: lost.length,
          installed: installs.filter(isOf).length,
          installFailed: dead.filter((e) => isOf(e) && e.kind === "runner_install_failed").length,
          neverUsed: dead.filter((e) => isOf(e) && e.kind === "runner_never_used").length,
          lostMinutes: sum(known.map(({ lostSeconds = 0 }) => lostSeconds)) / 60,
          lostWithKnownEnd: known.length,
          lostMinutesAtMost: sum(lost.filter((f) => f.lostSeconds === undefined).map(({ age = 0 }) => age)) / 60,
          infrastructureFailures: some.filter((f) => f.lost || f.status === "abnormal" || f.postStepsSkipped).length,
          postStepsSkipped: some.filter((f) => f.status === "normal" && f.postStepsSkipped).length,
          codeFailures: some.filter((f) => f.status === "normal" && f.conclusion === "failure" && !f.postStepsSkipped)
            .length,
          judged: some.filter((f) => f.lost || f.status === "abnormal" || (f.hasStop && f.conclusion !== undefined))
            .length,
        };
      }),
    },
    waste: {
      byFlavor: wasteOf(facts, installs, dead, options),
    },
    groups: {
      repositories: groupRows(facts, ["repository"], options),
      jobs: groupRows(facts, ["repository", "workflow", "job"], options),
      counts: {
        repositories: new Set(facts.map((f) => f.repository)).size,
        workflows: new Set(facts.map((f) => JSON.stringify([f.repository, f.workflow]))).size,
        jobs: new Set(facts.map((f) => JSON.stringify([f.repository, f.workflow, f.job]))).size,
      },
    },
    pool: flavorsOfJobs.flatMap((flavor) => poolOf(flavor, of(flavor), installs, options)),
  };
}

/** Of each workflow run the Start that knows of most. */
function cancelledInQueueOf(events: readonly Event[]) {
  const known = events.filter(({ detail }) => detail.jobs_cancelled_in_queue !== undefined);
  const runs = [...groupBy(known, ({ detail }) => String(detail.workflow_run_id)).values()];
  if (runs.length === 0) return {};
  const most = runs.map((run) => Math.max(...run.map(({ detail }) => Number(detail.jobs_cancelled_in_queue))));
  return { cancelledInQueue: { workflowRuns: runs.length, jobs: sum(most) } };
}

function onceEach(lines: readonly ArchivedEvent[]): Event[] {
  const best = new Map<string, { fields: number; line: ArchivedEvent }>();
  for (const line of lines) {
    const id = String(line.detail.event_id);
    const fields = Object.keys(line.detail).length;
    const before = best.get(id);
    const isBetter =
      !before ||
      fields > before.fields ||
      (fields === before.fields && Date.parse(line.time) >= Date.parse(before.line.time));
    if (isBetter) best.set(id, { fields, line });
  }
  return [...best.values()].map(({ line: { detail, time } }) => ({
    detail,
    id: String(detail.event_id),
    kind: String(detail.event),
    published: Date.parse(time) / 1000,
    at: Number(detail.timestamp),
  }));
}

/** A field of an event, or undefined if it is absent or was clamped. */
function value(event: Event | undefined, field: string): number | undefined {
  if (!event || (event.detail.clamped as string[] | undefined)?.includes(field)) return undefined;
  return event.detail[field] as number | undefined;
}

const sameTime = (a: number | undefined, b: number | undefined) =>
  a !== undefined && b !== undefined && Math.round(a * 1000) === Math.round(b * 1000);

const sameJob = ({ detail: a }: Event, { detail: b }: Event) =>
  ["flavor", "runner_name", "repo", "workflow_run_id", "run_attempt", "job"].every((field) => a[field] === b[field]);

const byTime = (a: Event, b: Event) => a.at - b.at || (a.id < b.id ? -1 : 1);
const byId = (a: Event, b: Event) => (a.id < b.id ? -1 : 1);

function jobsOf(events: readonly Event[]): { jobs: Job[]; overridden: number } {
  const kind = (name: string) => events.filter((event) => event.kind === name);
  const [starts, stops, losts] = [
    kind("runner_start").sort(byId),
    kind("runner_stop").sort(byId),
    kind("runner_lost").sort(byId),
  ];
  const jobs: Job[] = starts.map((start) => ({ start }));
  const beganOf = (end: Event) => {
    const length = value(end, end.kind === "runner_stop" ? "job_duration" : "job_age");
    return length === undefined ? undefined : end.at - length;
  };
  const left: Event[] = [];
  for (const stop of stops) {
    const job = jobs.find(
      ({ start, end }) => start && !end && sameJob(start, stop) && sameTime(start.at, beganOf(stop)),
    );
    if (job) job.end = stop;
    else left.push(stop);
  }
  const openJobs = jobs.filter(({ end }) => !end).sort((a, b) => (a.start && b.start ? byTime(a.start, b.start) : 0));
  for (const stop of left.sort(byTime)) {
    const job = openJobs.find(({ start, end }) => start && !end && sameJob(start, stop));
    if (job) job.end = stop;
    else jobs.push({ end: stop });
  }
  let overridden = 0;
  for (const lost of losts) {
    const began = beganOf(lost);
    const isOverridden =
      jobs.some(
        ({ start, end }) => end?.kind === "runner_stop" && start && sameJob(start, lost) && sameTime(start.at, began),
      ) || stops.some((stop) => sameJob(stop, lost) && (began === undefined || sameTime(beganOf(stop), began)));
    if (isOverridden) {
      overridden++;
      continue;
    }
    const job = jobs.find(({ start, end }) => start && !end && sameJob(start, lost) && sameTime(start.at, began));
    if (job) job.end = lost;
    else jobs.push({ end: lost });
  }
  const installs = kind("runner_installed").sort(byId);
  const free = new Set(installs);
  for (const job of jobs.filter(({ start }) => start)) {
    const idle = value(job.start, "idle");
    const { at, detail } = job.start as Event;
    const install = [...free].find(
      (one) => sameRunner(one.detail, detail) && idle !== undefined && sameTime(one.at, at - idle),
    );
    if (!install) continue;
    job.install = install;
    free.delete(install);
  }
  for (const job of jobs.filter(({ start, install }) => start && !install)) {
    const { detail } = job.start as Event;
    const own = installs.filter((one) => sameRunner(one.detail, detail));
    if (own.length === 1 && starts.filter((one) => sameRunner(one.detail, detail)).length === 1)
      job.install = own[0] as Event;
  }
  return { jobs, overridden };
}

const sameRunner = (a: Detail, b: Detail) => a.flavor === b.flavor && a.runner_name === b.runner_name;

type Facts = ReturnType<typeof factsOf>;

function factsOf({ start, end, install }: Job, { timeZone }: OracleOptions) {
  const any = (start ?? end) as Event;
  const published = (end ?? start)?.published ?? 0;
  const lost = end?.kind === "runner_lost";
  const duration = value(end, "job_duration");
  const endedAt = end?.detail.ended_at as number | undefined;
  const startTime = start?.at ?? (end && duration !== undefined ? end.at - duration : undefined);
  const clockOk = startTime !== undefined && startTime >= published - 40 * 86_400 && startTime <= published + 86_400;
  const lostSeconds = start && endedAt !== undefined && endedAt >= start.at ? endedAt - start.at : undefined;
  const local = clockOk ? localOf(startTime, timeZone) : undefined;
  return {
    flavor: String(any.detail.flavor),
    repository: String(any.detail.repo),
    workflow: String(any.detail.workflow),
    job: (end?.detail.job_name ?? end?.detail.job ?? start?.detail.job_name ?? start?.detail.job) as string | undefined,
    hasInstall: install !== undefined,
    hasStart: start !== undefined,
    hasStop: end?.kind === "runner_stop",
    lost,
    queue: value(start, "queue_duration"),
    idle: value(start, "idle"),
    installation: value(install, "duration"),
    duration,
    busy: duration ?? lostSeconds,
    lostSeconds: lost ? lostSeconds : undefined,
    age: value(end, "job_age"),
    status: end?.detail.status as string | undefined,
    conclusion: end?.detail.job_conclusion as string | undefined,
    postStepsSkipped: end?.detail.post_steps_skipped === true,
    startTime,
    clockOk,
    day: local?.day,
    hour: local?.hour,
  };
}

function localOf(seconds: number, timeZone: string): { day: string; weekday: string; hour: number } {
  const parts = new Intl.DateTimeFormat("en-CA", {
    timeZone,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    hourCycle: "h23",
    weekday: "short",
  }).formatToParts(new Date(Math.floor(seconds) * 1000));
  const part = (type: string) => parts.find((one) => one.type === type)?.value ?? "";
  return {
    day: `${part("year")}-${part("month")}-${part("day")}`,
    weekday: part("weekday"),
    hour: Number(part("hour")),
  };
}

function splitWait({ queue = 0, idle, installation }: Facts) {
  if (idle === undefined) return { queue, machine: 0, installation: 0, pickUp: 0, waitedFor: undefined };
  if (queue <= idle) return { queue, machine: 0, installation: 0, pickUp: queue, waitedFor: "none" };
  if (installation === undefined) return { queue, machine: 0, installation: 0, pickUp: 0, waitedFor: undefined };
  if (queue > idle + installation) {
    return { queue, machine: queue - idle - installation, installation, pickUp: idle, waitedFor: "machine" };
  }
  return { queue, machine: 0, installation: queue - idle, pickUp: idle, waitedFor: "installation" };
}

function wasteOf(
  facts: readonly Facts[],
  installs: readonly Event[],
  dead: readonly Event[],
  { pricePerHour }: OracleOptions,
) {
  const flavors = [
    ...new Set([
      ...facts.map(({ flavor }) => flavor),
      ...[...installs, ...dead].map(({ detail }) => String(detail.flavor)),
    ]),
  ].sort();
  const rowOf = (flavor: string) => {
    const some = facts.filter((fact) => fact.flavor === flavor);
    const hours = (seconds: (number | undefined)[]) => sum(seconds.map((one) => one ?? 0)) / 3600;
    const row = {
      jobHours: hours(some.map((f) => (f.hasStop ? f.duration : 0))),
      lostHours: hours(some.map((f) => f.lostSeconds)),
      idleHours: hours(some.map((f) => f.idle)),
      installationHours: hours(installs.filter((e) => e.detail.flavor === flavor).map((e) => value(e, "duration"))),
      unusedHours: hours(
        dead
          .filter((e) => e.detail.flavor === flavor && e.kind === "runner_never_used")
          .map((e) => {
            const age = value(e, "installed_age");
            const end = e.detail.ended_at as number | undefined;
            return age !== undefined && end !== undefined && end >= e.at - age ? end - (e.at - age) : 0;
          }),
      ),
    };
    return { flavor, ...row, total: sum(Object.values(row)) };
  };
  const rows = flavors.map(rowOf);
  const withMoney = (rows: readonly ReturnType<typeof rowOf>[]) => {
    const column = (key: "jobHours" | "lostHours" | "idleHours" | "installationHours" | "unusedHours" | "total") =>
      sum(rows.map((row) => row[key]));
    const priced = rows.filter(({ flavor }) => flavor in pricePerHour);
    return {
      jobHours: column("jobHours"),
      lostHours: column("lostHours"),
      idleHours: column("idleHours"),
      installationHours: column("installationHours"),
      unusedHours: column("unusedHours"),
      ...(column("total") > 0 && { utilisation: column("jobHours") / column("total") }),
      pricedHours: sum(priced.map(({ total }) => total)),
      ...(priced.length > 0 && {
        dollars: sum(priced.map(({ flavor, total }) => total * (pricePerHour[flavor] ?? 0))),
        wastedDollars: sum(
          priced.map(({ flavor, total, jobHours }) => (total - jobHours) * (pricePerHour[flavor] ?? 0)),
        ),
      }),
    };
  };
  return [
    withMoney(rows),
    ...rows.map((row) => ({
      flavor: row.flavor,
      ...withMoney([row]),
      ...(row.flavor in pricePerHour && { price: pricePerHour[row.flavor] }),
    })),
  ];
}

function groupRows(
  facts: readonly Facts[],
  keys: readonly ("repository" | "workflow" | "job")[],
  { pricePerHour }: OracleOptions,
) {
  return [...groupBy(facts, (fact) => JSON.stringify(keys.map((key) => fact[key] ?? null))).values()].map((some) => {
    const first = some[0] as Facts;
    const durations = some.flatMap(({ duration }) => (duration === undefined ? [] : [duration]));
    const count = (isOf: (fact: Facts) => boolean) => some.filter(isOf).length;
    const success = count((f) => f.conclusion === "success");
    const failure = count((f) => f.conclusion === "failure");
    const hours = (f: Facts) => ((f.busy ?? 0) + (f.idle ?? 0) + (f.installation ?? 0)) / 3600;
    const priced = some.filter(({ flavor }) => flavor in pricePerHour);
    return {
      ...Object.fromEntries(keys.flatMap((key) => (first[key] === undefined ? [] : [[key, first[key]]]))),
      jobs: some.length,
      lost: count((f) => f.lost),
      success,
      failure,
      otherConclusion: count((f) => f.conclusion !== undefined && !["success", "failure"].includes(f.conclusion)),
      ...(success + failure > 0 && { successRate: success / (success + failure) }),
      ...percentiles(durations),
      jobHours: sum(some.map(({ busy = 0 }) => busy)) / 3600,
      runnerHours: sum(some.map(hours)),
      pricedHours: sum(priced.map(hours)),
      ...(priced.length > 0 && { dollars: sum(priced.map((f) => hours(f) * (pricePerHour[f.flavor] ?? 0))) }),
    };
  });
}

function poolOf(flavor: string, facts: readonly Facts[], installs: readonly Event[], options: OracleOptions) {
  const usable = facts.flatMap(({ startTime, busy, queue, clockOk }) =>
    clockOk && startTime !== undefined && busy !== undefined ? [{ startTime, busy, queue }] : [],
  );
  if (usable.length === 0) return [];
  const times = installs.flatMap((e) =>
    e.detail.flavor === flavor && value(e, "duration") !== undefined ? [value(e, "duration") as number] : [],
  );
  const turnover = times.length > 0 ? quantile(times, 0.5) : 0;
  const most = (intervals: readonly { at: number; hold: number }[]) =>
    Math.max(
      ...intervals.map(
        ({ at }) => intervals.filter((one) => one.at <= at && at < one.at + Math.max(one.hold, 1e-6)).length,
      ),
    );
  const arrivals = usable
    .map(({ startTime, busy, queue = 0 }) => ({ at: startTime - queue, hold: busy + turnover, startTime, busy }))
    .sort((a, b) => a.at - b.at || a.startTime - b.startTime || a.busy - b.busy);
  const enough = (share: number) => share >= options.targetShare;
  let constant = 1;
  while (!enough(shareInTime(arrivals, constant, [], options.targetSeconds))) constant++;
  return [
    {
      flavor,
      jobs: usable.length,
      jobsLeftOut: facts.length - usable.length,
      jobsWithQueue: usable.filter(({ queue }) => queue !== undefined).length,
      turnoverSeconds: turnover,
      peakRunning: most(usable.map(({ startTime, busy }) => ({ at: startTime, hold: busy }))),
      peakDemand: most(arrivals),
      constant,
      schedule: scheduleOf(arrivals, options),
    },
  ];
}

interface Arrival {
  readonly at: number;
  readonly hold: number;
}

const WEEK = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

function scheduleOf(arrivals: readonly Arrival[], { timeZone, targetShare, targetSeconds }: OracleOptions) {
  const hours = groupBy(arrivals, ({ at }) => {
    const { weekday, hour } = localOf(at, timeZone);
    return String(WEEK.indexOf(weekday) * 24 + hour);
  });
  return [...hours]
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([key, all]) => {
      const instances = [...groupBy(all, ({ at }) => String(hourBegins(at, timeZone)))].map(([begins, some]) => ({
        some,
        busy: arrivals
          .filter((one) => one.at < Number(begins) && one.at + one.hold > Number(begins))
          .map(({ at, hold }) => at + hold),
      }));
      const share = (n: number) =>
        sum(instances.map(({ some, busy }) => shareInTime(some, n, busy, targetSeconds) * some.length)) / all.length;
      let runners = 1;
      while (share(runners) < targetShare) runners++;
      return { weekday: Math.floor(Number(key) / 24) + 1, hour: Number(key) % 24, arrivals: all.length, runners };
    });
}

/** UNIX seconds: goes back from minute to minute until the local hour, or the offset from UTC, is another one. */
function hourBegins(at: number, timeZone: string): number {
  const name = (seconds: number) =>
    new Date(seconds * 1000).toLocaleString("en-CA", {
      timeZone,
      hour: "numeric",
      hourCycle: "h23",
      timeZoneName: "longOffset",
    });
  const minute = Math.floor(at / 60) * 60;
  let begins = minute;
  while (name(begins - 60) === name(at) && begins > minute - 3_600) begins -= 60;
  return begins;
}

/** First come, first served: each job takes the runner that is free first. */
function shareInTime(arrivals: readonly Arrival[], runners: number, busy: readonly number[], seconds: number): number {
  const free = [...busy].sort((a, b) => a - b).slice(-runners);
  while (free.length < runners) free.push(Number.NEGATIVE_INFINITY);
  let within = 0;
  for (const { at, hold } of arrivals) {
    free.sort((a, b) => a - b);
    const starts = Math.max(at, free.shift() ?? at);
    if (starts - at <= seconds + 1e-6) within++;
    free.push(starts + hold);
  }
  return within / arrivals.length;
}

function percentiles(values: readonly number[]) {
  if (values.length === 0) return {};
  return {
    p50: quantile(values, 0.5),
    p90: quantile(values, 0.9),
    p95: quantile(values, 0.95),
    p99: quantile(values, 0.99),
    max: Math.max(...values),
  };
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const [low = 0, high = low] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  return low + (high - low) * (place - Math.floor(place));
}

function sum(values: readonly number[]): number {
  return values.reduce((all, one) => all + one, 0);
}

function groupBy<Item>(items: readonly Item[], key: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return groups;
}

function countsOf(names: readonly string[], key: "field"): { field: string; count: number }[] {
  return [...groupBy(names, (name) => name)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, all]) => ({ [key]: name, count: all.length }) as { field: string; count: number });
}
