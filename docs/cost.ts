/** The monthly bill, computed: prices of us-east-1, and quantities that follow from the contract and from what a job and a run do. */
import { outcomeMetric, RUN_METRICS } from "../contract/run-metrics.ts";

/** Dollars, November 2026: the price lists of S3, EventBridge, Scheduler, CloudWatch, Lambda, X-Ray and Secrets Manager. */
const PRICE = {
  putOrList: 0.005 / 1_000,
  getOrHead: 0.0004 / 1_000,
  event: 1 / 1e6,
  invocationByScheduler: 1 / 1e6,
  archiveGigabyte: 0.1,
  storedGigabyte: 0.023,
  logGigabyte: 0.5,
  storedLogGigabyte: 0.03,
  lambdaGigabyteSecond: 0.0000133334,
  lambdaRequest: 0.2 / 1e6,
  trace: 5 / 1e6,
  series: 0.3,
  alarm: 0.1,
  dashboard: 3,
  secret: 0.4,
  key: 1,
  insightsGigabyte: 0.005,
} as const;

const DAYS = 365 / 12;
const RUNS_PER_FLAVOR = (DAYS * 24 * 60) / 5;
/** Of a job with four files and three events. Requests are what `npm run bench` counts. `archiveBytes` are gzipped. */
const JOB = {
  puts: 4,
  headsAndGets: 8,
  objects: 4,
  events: 3,
  bytesPerEvent: 900,
  archiveBytes: 300,
  functionSeconds: 0.004,
} as const;
/** Of a run without runners. */
const RUN = { lists: 1, functionSeconds: 0.5, logBytes: 2_500 } as const;
const GIGABYTE = 1e9;
const OBJECTS_PER_LIST = 1_000;
/** At most so many jobs' events are in one object of the bucket's archive, and those of one run. */
const JOBS_PER_ARCHIVE = 250;
const EVENT_RETENTION_DAYS = 400;
/** A line of S3's access log, for each request. */
const ACCESS_LOG_BYTES = 500;
const ACCESS_LOG_DAYS = 30;
/** CloudWatch's metrics of the jobs that every flavor has: three durations without GitHub, and one series for the status `normal`. */
const SERIES_OF_JOBS = 4;
/** With GitHub: queue time, three conclusions, verified claims; and the list of online runners. */
const SERIES_OF_GITHUB = 6;
const SERIES_OF_GITHUB_IN_ALL = 2;

export interface Fleet {
  readonly flavors: number;
  readonly jobsPerDay: number;
}

/** What the stack has, as the template says. */
export interface Counts {
  /** Alarms that do not depend on the number of flavors, and those of each flavor. */
  readonly alarms: number;
  readonly alarmsOfFlavor: number;
  /** Tables of the dashboard, each a query of Logs Insights. */
  readonly tables: number;
}

/** Dollars a month by part of the bill. */
export function monthlyCosts({ flavors, jobsPerDay }: Fleet, counts: Counts): Record<string, number> {
  const jobs = jobsPerDay * DAYS;
  const runs = RUNS_PER_FLAVOR * flavors;
  const eventGigabytes = (jobs * JOB.events * JOB.bytesPerEvent) / GIGABYTE;
  const lists = runs * RUN.lists + (jobs * JOB.objects) / OBJECTS_PER_LIST;
  const archivePuts = Math.max(jobs / JOBS_PER_ARCHIVE, Math.min(runs, jobs));
  const requests = jobs * (JOB.puts + JOB.headsAndGets) + lists + archivePuts;
  const storedBytes =
    jobsPerDay * JOB.archiveBytes * EVENT_RETENTION_DAYS + (requests / DAYS) * ACCESS_LOG_BYTES * ACCESS_LOG_DAYS;
  const functionSeconds = runs * RUN.functionSeconds + jobs * JOB.functionSeconds;
  return {
    "runners' uploads: 4 PUTs each": jobs * JOB.puts * PRICE.putOrList,
    "S3: HEAD, GET, LIST, archive": jobs * JOB.headsAndGets * PRICE.getOrHead + (lists + archivePuts) * PRICE.putOrList,
    "S3: events of 400 days, access logs of 30": (storedBytes / GIGABYTE) * PRICE.storedGigabyte,
    "EventBridge: events, schedules": jobs * JOB.events * PRICE.event + runs * PRICE.invocationByScheduler,
    "EventBridge's archive, 30 days": eventGigabytes * (PRICE.archiveGigabyte + PRICE.storedGigabyte),
    "log of all events, log of the function":
      (eventGigabytes + (runs * RUN.logBytes) / GIGABYTE) * (PRICE.logGigabyte + PRICE.storedLogGigabyte),
    "Lambda with 1 GB, traces":
      functionSeconds * PRICE.lambdaGigabyteSecond + runs * (PRICE.lambdaRequest + PRICE.trace),
    "CloudWatch: metric series": flavors * seriesOfFlavor() * PRICE.series,
    "CloudWatch: alarms, dashboard": (counts.alarms + flavors * counts.alarmsOfFlavor) * PRICE.alarm + PRICE.dashboard,
  };
}

/** Dollars a month that GitHub adds: its series and the secret. Its alarms are not included. */
export function monthlyCostOfGithub(flavors: number): number {
  return (SERIES_OF_GITHUB_IN_ALL + flavors * SERIES_OF_GITHUB) * PRICE.series + PRICE.secret;
}

/** Metric series of a flavor with runners, without GitHub: those that every run writes, living runners, the ages, and those of the jobs. */
export function seriesOfFlavor(): number {
  const names = Object.entries(RUN_METRICS).filter(
    ([name, { always, ofAllFlavors }]) =>
      !name.startsWith("Github") &&
      !ofAllFlavors &&
      (always || name.startsWith("OldestSeconds.") || name === outcomeMetric("notReady")),
  );
  return names.length + SERIES_OF_JOBS;
}

const FLEETS: readonly Fleet[] = [1, 10].flatMap((flavors) =>
  [1_000, 1_000_000].map((jobsPerDay) => ({ flavors, jobsPerDay })),
);

/** The table of docs/operate/cost.md. */
export function costTable(counts: Counts): string[] {
  const columns = FLEETS.map((fleet) => monthlyCosts(fleet, counts));
  const names = Object.keys(columns[0] ?? {});
  const row = (name: string, values: readonly number[]) =>
    `| ${[name, ...values.map((value) => dollars(value))].join(" | ")} |`;
  const heads = FLEETS.map(
    ({ flavors, jobsPerDay }) =>
      `${flavors} ${flavors === 1 ? "flavor" : "flavors"}, ${jobsPerDay.toLocaleString("en")} jobs a day`,
  );
  const totals = columns.map((column) => Object.values(column).reduce((sum, value) => sum + value, 0));
  return [
    `| | ${heads.join(" | ")} |`,
    `|---|${FLEETS.map(() => "---:").join("|")}|`,
    ...names.map((name) =>
      row(
        name,
        columns.map((column) => column[name] ?? 0),
      ),
    ),
    row("**total**", totals),
    "",
    `GitHub adds ${dollars(monthlyCostOfGithub(1))} dollars with one flavor and ${dollars(monthlyCostOfGithub(10))} with ten: its metric series and the secret. A KMS key of your own costs ${PRICE.key.toFixed(2)}; the bucket key makes most requests to KMS unnecessary. Each alarm costs ${PRICE.alarm} dollars. A metric that is written only if it is not 0, such as one of quarantine, adds ${PRICE.series.toFixed(2)} in a month in which it occurs.`,
    "",
    `Opening the dashboard on one day costs ${dollars(costOfADay(1_000, counts.tables), 4)} dollars with 1,000 jobs a day and ${dollars(costOfADay(1_000_000, counts.tables))} with 1,000,000: each of its ${counts.tables} tables is a query of Logs Insights, which reads the day's events.`,
  ];
}

/** Dollars for one look at the dashboard, with one day shown. */
function costOfADay(jobs: number, tables: number): number {
  return ((jobs * JOB.events * JOB.bytesPerEvent) / GIGABYTE) * tables * PRICE.insightsGigabyte;
}

function dollars(value: number, digits = 2): string {
  return value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(digits);
}
