import type { Database } from "../database.ts";
import { quote } from "../load.ts";
import type { ReportOptions } from "../options.ts";
import { erlangC, peakConcurrency, replay, shareWithin, smallestEnough, sortWork, type Work } from "../pool.ts";

/** How many runners do I need? */
export interface PoolAnswers {
  /** Enough means: this share of jobs starts within `targetSeconds`. */
  readonly targetShare: number;
  readonly targetSeconds: number;
  readonly byFlavor: readonly PoolRow[];
}

export interface PoolRow {
  readonly flavor: string;
  /** Jobs that the replay is made of, and jobs of unknown duration or start, which it lacks. */
  readonly jobs: number;
  readonly jobsLeftOut: number;
  /** Jobs whose arrival is when GitHub created them. The others arrive when they started: their wait is unknown. */
  readonly jobsWithQueue: number;
  /** How long a runner is unavailable after a job, in seconds. */
  readonly turnoverSeconds: number;
  /** Most jobs that really ran at once, and when that was first so. */
  readonly peakRunning: number;
  readonly peakAt: number;
  /** Most runners at once if no job had waited, turnover included: with as many, nobody waits. */
  readonly peakDemand: number;
  /** The smallest number of runners that is enough if it is the same all the time. */
  readonly constant: number;
  /** By local weekday (1 is Monday) and hour, for hours with arrivals. */
  readonly schedule: readonly ScheduleHour[];
  /** Runner hours a week: of the schedule, and of the constant number. */
  readonly scheduleHoursPerWeek: number;
  readonly constantHoursPerWeek: number;
  /** What they cost; absent if the flavor has no price. */
  readonly scheduleDollarsPerWeek?: number;
  readonly constantDollarsPerWeek?: number;
  readonly busiest: BusiestHour;
}

/** An hour of the week. */
export interface ScheduleHour {
  readonly weekday: number;
  readonly hour: number;
  /** In all weeks together. */
  readonly arrivals: number;
  /** The smallest number of runners that is enough for the arrivals of this hour. */
  readonly runners: number;
}

/** The hour of the week with most arrivals, in which replay and Erlang C are compared. */
export interface BusiestHour {
  readonly weekday: number;
  readonly hour: number;
  /** Mean of the weeks in which this hour had an arrival. */
  readonly arrivalsPerHour: number;
  readonly meanHoldSeconds: number;
  /** Share of jobs that start within `targetSeconds`, for each number of runners. */
  readonly curve: readonly { readonly runners: number; readonly replay: number; readonly erlangC: number }[];
}

export async function poolAnswers(database: Database, options: ReportOptions): Promise<PoolAnswers> {
  const { targetShare, targetSeconds } = options;
  const flavors = await database.rows<FlavorFacts>(FLAVORS);
  const byFlavor: PoolRow[] = [];
  for (const facts of flavors) {
    const [began, queued, hold, localArrival] = await database.columns(jobsOf(facts.flavor, options.timeZone));
    if (!began || !queued || !hold || !localArrival || began.length === 0) continue;
    byFlavor.push(poolOf(facts, { began, queued, hold, localArrival }, options));
  }
  return { targetShare, targetSeconds, byFlavor };
}

interface FlavorFacts {
  readonly flavor: string;
  readonly jobs: number;
  readonly usable: number;
  readonly withQueue: number;
  readonly medianInstallation?: number;
}

/** Jobs in the order of their arrival: `began`, `queued` (arrival) and `localArrival` are seconds since 1970, the last in local time. */
interface JobColumns {
  readonly began: Float64Array;
  readonly queued: Float64Array;
  readonly hold: Float64Array;
  readonly localArrival: Float64Array;
}

const USABLE = "clock_ok AND busy IS NOT NULL";

const FLAVORS = `
  SELECT flavor, jobs, usable, withQueue, medianInstallation FROM (
    SELECT flavor, count(*) AS jobs, count(*) FILTER (${USABLE}) AS usable, count(queue) FILTER (${USABLE}) AS withQueue FROM jobs GROUP BY flavor)
  LEFT JOIN (SELECT flavor, median(installation) AS medianInstallation FROM installs GROUP BY flavor) USING (flavor)
  ORDER BY flavor`;

const jobsOf = (flavor: string, timeZone: string) => `
  SELECT start_time, arrival, busy, epoch(timezone(${quote(timeZone)}, to_timestamp(arrival)))
  FROM (SELECT start_time, start_time - coalesce(queue, 0) AS arrival, busy FROM jobs WHERE flavor = ${quote(flavor)} AND ${USABLE})
  ORDER BY arrival, start_time, busy`;

function poolOf(facts: FlavorFacts, columns: JobColumns, options: ReportOptions): PoolRow {
  const { flavor, jobs, usable, withQueue, medianInstallation } = facts;
  const { targetShare, targetSeconds } = options;
  const turnoverSeconds = options.turnoverSeconds ?? medianInstallation ?? 0;
  const running = peakConcurrency(sortWork(columns.began, columns.hold)) ?? { count: 0, at: 0 };
  const work = { arrivals: columns.queued, holds: columns.hold.map((seconds) => seconds + turnoverSeconds) };
  const peakDemand = peakConcurrency(work)?.count ?? 0;
  const isEnough = (share: number | undefined) => share === undefined || share >= targetShare;
  const constant = smallestEnough(peakDemand, (n) => isEnough(shareWithin(replay(work, n), targetSeconds)));
  const hours = hoursOf(work, columns.localArrival);
  const schedule = hours.map(({ weekday, hour, instances }) => {
    const most = Math.max(...instances.map(({ work, busyUntil }) => work.arrivals.length + busyUntil.length));
    return {
      weekday,
      hour,
      arrivals: instances.reduce((sum, { work }) => sum + work.arrivals.length, 0),
      runners: smallestEnough(Math.min(most, peakDemand), (n) => isEnough(shareOf(instances, n, targetSeconds))),
    };
  });
  const scheduleHoursPerWeek = schedule.reduce((sum, { runners }) => sum + runners, 0);
  const price = options.pricePerHour[flavor];
  return {
    flavor,
    jobs: usable,
    jobsLeftOut: jobs - usable,
    jobsWithQueue: withQueue,
    turnoverSeconds,
    peakRunning: running.count,
    peakAt: running.at,
    peakDemand,
    constant,
    schedule,
    scheduleHoursPerWeek,
    constantHoursPerWeek: constant * HOURS_PER_WEEK,
    ...(price !== undefined && {
      scheduleDollarsPerWeek: scheduleHoursPerWeek * price,
      constantDollarsPerWeek: constant * HOURS_PER_WEEK * price,
    }),
    busiest: busiestOf(hours, targetSeconds),
  };
}

const HOURS_PER_WEEK = 168;
const HOUR = 3_600;

/** An hour of the week with all its instances in the period. */
interface Hour {
  readonly weekday: number;
  readonly hour: number;
  readonly instances: readonly Instance[];
}

/** What arrived in one hour, and when the runners were free again that were busy as it began, had nobody waited. */
interface Instance {
  readonly work: Work;
  readonly busyUntil: readonly number[];
}

function hoursOf({ arrivals, holds }: Work, localArrivals: Float64Array): Hour[] {
  const hours = new Map<number, { weekday: number; hour: number; instances: Instance[] }>();
  let busy: number[] = [];
  for (let first = 0; first < arrivals.length; ) {
    // An hour that daylight saving time repeats is two: its offset from UTC differs.
    const begins = hourBegins(first);
    let next = first + 1;
    while (next < arrivals.length && hourBegins(next) === begins) next++;
    busy = busy.filter((end) => end > begins);
    const work = { arrivals: arrivals.subarray(first, next), holds: holds.subarray(first, next) };
    const { weekday, hour } = weekHour(localArrivals[first] ?? 0);
    const key = weekday * 24 + hour;
    const known = hours.get(key) ?? { weekday, hour, instances: [] };
    known.instances.push({ work, busyUntil: busy });
    hours.set(key, known);
    busy = [...busy];
    for (let index = first; index < next; index++) busy.push((arrivals[index] ?? 0) + (holds[index] ?? 0));
    first = next;
  }
  return [...hours.entries()].sort(([a], [b]) => a - b).map(([, hour]) => hour);

  /** UNIX seconds at which the local hour of an arrival began. */
  function hourBegins(index: number): number {
    const offset = Math.round((localArrivals[index] ?? 0) - (arrivals[index] ?? 0));
    return Math.floor(((arrivals[index] ?? 0) + offset) / HOUR) * HOUR - offset;
  }
}

/** From seconds since 1970 in local time, which was a Thursday. */
function weekHour(localSeconds: number): { weekday: number; hour: number } {
  const hours = Math.floor(localSeconds / HOUR);
  return { weekday: ((Math.floor(hours / 24) + 3) % 7) + 1, hour: hours % 24 };
}

function shareOf(instances: readonly Instance[], runners: number, seconds: number): number | undefined {
  let within = 0;
  let arrivals = 0;
  for (const { work, busyUntil } of instances) {
    const waits = replay(work, runners, busyUntil);
    within += (shareWithin(waits, seconds) ?? 0) * waits.length;
    arrivals += waits.length;
  }
  return arrivals === 0 ? undefined : within / arrivals;
}

/** Numbers of runners that a curve shows. */
const CURVE_POINTS = 16;

function busiestOf(hours: readonly Hour[], targetSeconds: number): BusiestHour {
  const count = ({ instances }: Hour) => instances.reduce((sum, { work }) => sum + work.arrivals.length, 0);
  const busiest = hours.reduce((most, hour) => (count(hour) > count(most) ? hour : most));
  const arrivals = count(busiest);
  const arrivalsPerHour = arrivals / busiest.instances.length;
  const meanHoldSeconds =
    busiest.instances.reduce((sum, { work }) => sum + work.holds.reduce((all, hold) => all + hold, 0), 0) / arrivals;
  const most = Math.max(...busiest.instances.map(({ work, busyUntil }) => work.arrivals.length + busyUntil.length));
  const probability = (runners: number) => erlangC(runners, arrivalsPerHour / HOUR, meanHoldSeconds, targetSeconds);
  const share = (runners: number) => shareOf(busiest.instances, runners, targetSeconds) ?? 1;
  // From a number that helps nobody to one with which, by both methods, nearly all start in time.
  const last = smallestEnough(Math.max(most, 1), (n) => share(n) >= 0.999 && probability(n) >= 0.999);
  const step = Math.max(1, Math.ceil(last / CURVE_POINTS));
  const points = Array.from({ length: Math.ceil(last / step) }, (_, index) => last - index * step).reverse();
  return {
    weekday: busiest.weekday,
    hour: busiest.hour,
    arrivalsPerHour,
    meanHoldSeconds,
    curve: points.map((runners) => ({ runners, replay: share(runners), erlangC: probability(runners) })),
  };
}
