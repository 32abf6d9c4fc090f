/**
 * A plausible fleet of some weeks: three flavors, working days and nights, spot interruptions, and one Tuesday on which installations
 * took long or failed. The same seed gives the same fleet.
 */

/** One runner from its installation to its end. All times are UNIX seconds; GitHub's and the runner's clock agree unless the story says otherwise. */
export interface RunnerLife {
  readonly flavor: string;
  /** Its name; also the name of its storage. */
  readonly runner: string;
  readonly installationStart: number;
  /** Absent if the installation failed. */
  readonly installed?: number;
  readonly job?: RunnerJob;
  /** Of a runner that did not report its end: when its machine ended, and why. */
  readonly died?: { readonly at: number; readonly cause: "spot-interruption" | "terminated" | "unknown" };
  /** Its pre-job file is forged, so that it is quarantined. */
  readonly isForged?: true;
}

/** The job that a runner did. */
export interface RunnerJob {
  readonly repository: string;
  readonly workflow: string;
  readonly runId: string;
  readonly event: string;
  /** Key of the job in the workflow file. */
  readonly job: string;
  readonly queued: number;
  readonly began: number;
  /** Other jobs of its workflow run that were cancelled before they had a runner. */
  readonly cancelledInQueue: number;
  /** Absent if the machine died. */
  readonly ended?: number;
  readonly status: "normal" | "abnormal";
  readonly conclusion: "success" | "failure" | "cancelled";
  /** By GitHub's account, which then says more than `status`: the runner's process was ended in the midst of the job. */
  readonly postStepsSkipped?: true;
  /** GitHub's id. */
  readonly id: string;
}

export interface FleetOptions {
  readonly seed: number;
  /** The fleet's last moment, in UNIX seconds: everything has ended by then. */
  readonly until: number;
  readonly days: number;
  /** About how many jobs it does. */
  readonly jobs: number;
}

/** All lives of a fleet, in the order in which they ended. */
export function demoFleet({ seed, until, days, jobs }: FleetOptions): RunnerLife[] {
  const random = randomNumbers(seed);
  const from = until - days * DAY;
  const lives = FLAVORS.flatMap((flavor) => {
    const arrivals = arrivalsOf(flavor, from, days, jobs * flavor.shareOfJobs, random);
    return livesOf(flavor, arrivals, badTuesday(until), random);
  });
  return lives.filter((life) => endOf(life) < until).sort((a, b) => endOf(a) - endOf(b));
}

/** When a runner's last file was written or its machine ended, in UNIX seconds. */
export function endOf({ job, died, installed, installationStart }: RunnerLife): number {
  return Math.max(job?.ended ?? 0, died?.at ?? 0, job?.began ?? 0, installed ?? 0, installationStart);
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

interface Flavor {
  readonly name: string;
  readonly shareOfJobs: number;
  /** Runners that wait for a job while nothing happens, and most runners at once. */
  readonly warm: number;
  readonly most: number;
  readonly bootSeconds: number;
  readonly installationSeconds: number;
  readonly spotInterruptions: number;
  readonly workflows: readonly Workflow[];
}

interface Workflow {
  readonly repository: string;
  readonly workflow: string;
  readonly job: string;
  readonly event: string;
  readonly weight: number;
  readonly minutes: number;
  readonly failures: number;
}

const workflow = (
  repository: string,
  workflow: string,
  job: string,
  event: string,
  weight: number,
  minutes: number,
  failures: number,
): Workflow => ({ repository, workflow, job, event, weight, minutes, failures });

const FLAVORS: readonly Flavor[] = [
  {
    name: "small",
    shareOfJobs: 0.62,
    warm: 2,
    most: 12,
    bootSeconds: 24,
    installationSeconds: 31,
    spotInterruptions: 0.004,
    workflows: [
      workflow("acme/shop", "CI", "lint", "pull_request", 9, 1.6, 0.06),
      workflow("acme/shop", "CI", "test", "pull_request", 9, 5.5, 0.14),
      workflow("acme/web", "Pull request", "build", "pull_request", 8, 3.8, 0.09),
      workflow("acme/api", "CI", "unit", "push", 7, 4.2, 0.08),
      workflow("acme/docs", "Publish", "site", "push", 2, 1.1, 0.02),
      workflow("acme/infra", "Plan", "cdk-diff", "pull_request", 2, 2.4, 0.05),
    ],
  },
  {
    name: "large",
    shareOfJobs: 0.33,
    warm: 1,
    most: 8,
    bootSeconds: 38,
    installationSeconds: 74,
    spotInterruptions: 0.022,
    workflows: [
      workflow("acme/shop", "CI", "integration", "pull_request", 6, 14, 0.18),
      workflow("acme/api", "CI", "contract", "push", 5, 9, 0.1),
      workflow("acme/mobile", "Release", "android", "release", 2, 22, 0.09),
      workflow("acme/shop", "Nightly", "end-to-end", "schedule", 2, 41, 0.27),
    ],
  },
  {
    name: "gpu",
    shareOfJobs: 0.05,
    warm: 0,
    most: 3,
    bootSeconds: 95,
    installationSeconds: 160,
    spotInterruptions: 0.05,
    workflows: [
      workflow("acme/vision", "Train", "fine-tune", "workflow_dispatch", 2, 62, 0.2),
      workflow("acme/vision", "CI", "inference", "pull_request", 3, 18, 0.12),
    ],
  },
];

/** Jobs of an hour of a working day, as a share of the busiest hour (UTC). */
const WORKING_HOURS = [1, 1, 6, 1, 1, 2, 8, 30, 62, 88, 100, 92, 58, 76, 96, 90, 70, 44, 20, 10, 6, 4, 2, 1];
const WEEKEND_SHARE = 0.07;

/** A push starts this many jobs more than one, on average. */
const MORE_JOBS = 1.6;

interface Arrival {
  readonly queued: number;
  readonly work: Workflow;
}

function arrivalsOf(flavor: Flavor, from: number, days: number, jobs: number, random: Random): Arrival[] {
  const hours = Array.from({ length: days * 24 }, (_, hour) => ({
    begins: from + hour * HOUR,
    weight: weightOf(from + hour * HOUR),
  }));
  const perWeight = jobs / hours.reduce((sum, { weight }) => sum + weight, 0);
  const arrivals = hours.flatMap(({ begins, weight }) =>
    Array.from({ length: poisson((weight * perWeight) / (1 + MORE_JOBS), random) }, () => {
      const queued = Math.floor(begins + random() * HOUR);
      const work = choose(flavor.workflows, random);
      const more = work.event === "schedule" ? 0 : poisson(MORE_JOBS, random);
      const others = flavor.workflows.filter(({ repository }) => repository === work.repository);
      return [work, ...Array.from({ length: more }, () => choose(others, random))].map((work) => ({ queued, work }));
    }).flat(),
  );
  return arrivals.sort((a, b) => a.queued - b.queued);
}

function weightOf(time: number): number {
  const date = new Date(time * 1000);
  const weekend = [0, 6].includes(date.getUTCDay()) ? WEEKEND_SHARE : 1;
  return (WORKING_HOURS[date.getUTCHours()] ?? 0) * weekend;
}

/** From 09:00 to 15:00 UTC of the Tuesday before last. */
function badTuesday(until: number): { from: number; until: number } {
  const day = Math.floor(until / DAY) * DAY - 7 * DAY;
  const sinceTuesday = (new Date(day * 1000).getUTCDay() + 5) % 7;
  const from = day - sinceTuesday * DAY + 9 * HOUR;
  return { from, until: from + 6 * HOUR };
}

/** Who takes which job: each job that arrives has a runner installed, and takes the one that is ready first. */
function livesOf(
  flavor: Flavor,
  arrivals: readonly Arrival[],
  bad: { from: number; until: number },
  random: Random,
): RunnerLife[] {
  const lives: RunnerLife[] = [];
  const ready: { installationStart: number; installed: number; runner: string }[] = [];
  const ends: number[] = [];
  let number = 0;
  const install = (requested: number) => {
    const isBad = requested >= bad.from && requested < bad.until;
    const installationStart = Math.floor(requested + flavor.bootSeconds * spread(random, 0.25));
    const seconds = flavor.installationSeconds * spread(random, 0.3) * (isBad ? 5 : 1);
    const runner = `${flavor.name}-${(number++).toString(36).padStart(4, "0")}${Math.floor(random() * 36 ** 4).toString(36)}`;
    if (random() < (isBad ? 0.3 : 0.006)) {
      lives.push({ flavor: flavor.name, runner, installationStart });
      return install(installationStart + 3 * seconds);
    }
    ready.push({ installationStart, installed: Math.floor(installationStart + seconds), runner });
    ready.sort((a, b) => a.installed - b.installed);
  };
  const begin = arrivals[0]?.queued ?? 0;
  for (let warm = 0; warm < flavor.warm; warm++) install(begin - 20 * MINUTE);
  for (const { queued, work } of arrivals) {
    // A runner that nobody needed for some hours is removed by the operator's scaling.
    for (const idle of ready.filter(({ installed }) => queued - installed > 7 * HOUR)) {
      ready.splice(ready.indexOf(idle), 1);
      const at = Math.floor(idle.installed + 7 * HOUR);
      lives.push({ flavor: flavor.name, ...idle, died: { at, cause: "terminated" } });
      install(at);
    }
    ends.sort((a, b) => a - b);
    const running = ends.filter((end) => end > queued).length + ready.length;
    install(running < flavor.most ? queued : (ends.filter((end) => end > queued)[0] ?? queued));
    const taken = ready.shift();
    if (!taken) continue;
    const began = Math.floor(Math.max(queued, taken.installed) + 2 + random() * 4);
    const seconds = work.minutes * MINUTE * logNormal(random);
    const life = lifeOf(flavor, work, { ...taken, queued, began, seconds }, random);
    ends.push(endOf(life));
    lives.push(life);
  }
  return lives;
}

interface Doing {
  readonly runner: string;
  readonly installationStart: number;
  readonly installed: number;
  readonly queued: number;
  readonly began: number;
  readonly seconds: number;
}

function lifeOf(flavor: Flavor, work: Workflow, doing: Doing, random: Random): RunnerLife {
  const { runner, installationStart, installed, queued, began, seconds } = doing;
  const { repository, workflow, event, job } = work;
  // Some do not wait for a slow start.
  const isCancelled = began - queued > 5 * MINUTE && random() < 0.3;
  const interrupted = random() < flavor.spotInterruptions;
  const outcome = random();
  const conclusion = outcome < work.failures ? "failure" : outcome > 0.97 ? "cancelled" : "success";
  const isAbnormal = conclusion === "failure" && random() < 0.06;
  const life = {
    flavor: flavor.name,
    runner,
    installationStart,
    // Some machines correct their clock while the runner is installed.
    installed: random() < 0.004 ? installationStart - 2 : installed,
    job: {
      repository,
      workflow,
      event,
      job,
      queued,
      began,
      cancelledInQueue: isCancelled ? 1 + Math.floor(random() * 3) : 0,
      runId: String(9_000_000_000 + Math.floor(random() * 1e9)),
      id: String(30_000_000_000 + Math.floor(random() * 1e9)),
      status: isAbnormal ? ("abnormal" as const) : ("normal" as const),
      conclusion: interrupted ? ("failure" as const) : (conclusion as RunnerJob["conclusion"]),
    },
  };
  if (interrupted) {
    const at = Math.floor(began + seconds * random());
    return { ...life, died: { at, cause: random() < 0.85 ? "spot-interruption" : "unknown" } };
  }
  const ended = Math.floor(began + Math.max(4, seconds));
  const isForged = random() < 0.0012;
  const postStepsSkipped = conclusion === "failure" && !isAbnormal && random() < 0.04;
  return {
    ...life,
    job: { ...life.job, ended, ...(postStepsSkipped && { postStepsSkipped }) },
    ...(isForged && { isForged }),
  };
}

/** Numbers from 0 to below 1. */
type Random = () => number;

/** Mulberry32: small, fast, and good enough for a story. */
function randomNumbers(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function poisson(mean: number, random: Random): number {
  if (mean > 50) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)));
  let count = 0;
  for (let product = random(); product > Math.exp(-mean); product *= random()) count++;
  return count;
}

function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Around 1, with a long tail. */
function logNormal(random: Random): number {
  return Math.exp(0.45 * normal(random));
}

function spread(random: Random, share: number): number {
  return 1 - share + 2 * share * random();
}

function choose(workflows: readonly Workflow[], random: Random): Workflow {
  let left = random() * workflows.reduce((sum, { weight }) => sum + weight, 0);
  for (const work of workflows) {
    left -= work.weight;
    if (left < 0) return work;
  }
  throw new Error("A flavor has no workflows");
}
