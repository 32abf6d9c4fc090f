import { SLOTS } from "../contract/object-keys.ts";
import {
  RUNNER_INSTALLED_TS_FILE_NAME as INSTALLED,
  POST_JOB_METRICS_FILE_NAME as POST,
  PRE_JOB_METRICS_FILE_NAME as PRE,
  parseTimestamp,
  type RunnerFileName,
  RUNNER_INSTALLATION_START_TS_FILE_NAME as START,
} from "../contract/runner-file-grammar.ts";
import { seconds } from "./clock.ts";
import { type End, isOtherJob, type Job, jobOf, postJobContent, preJobContent } from "./job.ts";
import type { Life, LifeRecord } from "./life.ts";
import { type Environment, storageSetting } from "./settings.ts";
import type { Journal, Spool } from "./spool.ts";

/** What a runner does. Each step records what it knows, and uploads what is not uploaded yet. */
export const STEPS = {
  "installation-start": "a new runner's installation begins now, or began at the UNIX time SECONDS",
  installed: "the runner is ready for a job",
  "job-started": "hook: records the job that GitHub's environment describes",
  "job-completed": "hook: the job has ended, whatever its result",
  "policy-failure": "the job was refused by a check of yours; CODE is an integer such as an HTTP status",
  ended: "the runner has ended with the exit code CODE",
  upload: "sends what is not stored yet",
} as const;
export type Step = keyof typeof STEPS;

export interface RecordContext {
  readonly spool: Spool;
  readonly environment: Environment;
  /** The runner does more than one job. */
  readonly hasManyJobs: boolean;
  /** When the step began, by the wall clock, in milliseconds. */
  readonly at: number;
}

/** The current life after a step, and what went wrong. */
export interface Recorded {
  readonly journal: Journal | undefined;
  readonly problems: readonly string[];
}

const OTHER_JOB =
  "the job that is recorded here has not ended, and another has come, of which nothing is recorded: is this a runner for one job (--ephemeral)?";
const SECOND_JOB =
  "this runner has had its job, so this one is not recorded: use --ephemeral, or set RUNNER_METRICS_JOBS_PER_RUNNER=many here and jobsPerRunner in the stack";

/** Records a step in the journal of the current life, or of a new one. What was recorded first stands. */
export function record(step: Step, argument: string | undefined, context: RecordContext): Recorded {
  const { spool, environment, at } = context;
  const problems: string[] = [];
  let journal = spool.journals().at(-1);

  switch (step) {
    case "installation-start":
      journal = spool.begin();
      keep(START, `${startTime(argument)}\n`);
      break;
    case "installed": {
      // A job that is recorded can't be this runner's, which only now becomes ready.
      const life = journal?.life();
      // In a slot, it has waited for a job since an earlier start: what was between them is not idle time.
      const hasWaited = life?.slot !== undefined && life.files[INSTALLED];
      if (!life || hasWaited || life.files[PRE] || life.files[POST] || isOfOtherStorage(life, environment)) beginLife();
      keep(INSTALLED, `${stamp()}\n`);
      break;
    }
    case "job-started":
      recordJob();
      break;
    case "job-completed":
      recordEndOfJob({ status: "normal" });
      break;
    case "policy-failure":
      recordJob();
      recordEndOfJob({ status: "repo-policy-check-failure", code: codeOf(argument) });
      break;
    case "ended":
      recordEndOfRunner(argument === undefined ? 0 : codeOf(argument));
      break;
    case "upload":
      break;
  }
  return { journal, problems };

  function beginLife(...records: readonly LifeRecord[]): void {
    journal = spool.begin(...firstRecords(journal?.life(), context), ...records);
  }

  function keep(file: RunnerFileName, content: string, ...more: readonly LifeRecord[]): void {
    const isKept = journal?.life().files[file] || journal?.note({ record: file, content, at }, ...more);
    if (!isKept && spool.directory !== undefined) problems.push(`cannot keep ${file} for later (disk full?)`);
  }

  /** Now, in seconds, as if no step had waited for an upload: what we wait for is not part of any duration. */
  function stamp(): number {
    return seconds(at - (journal?.life().waited ?? 0));
  }

  function tellOnce(id: string, text: string): void {
    if (journal?.life().told.has(id)) return;
    journal?.note({ told: id });
    problems.push(text);
  }

  function startTime(text: string | undefined): number {
    if (text === undefined || text === "") return seconds(at);
    const time = /^[0-9]{1,12}(\.[0-9]{1,9})?$/.test(text) ? Number(text) : undefined;
    if (time === undefined) problems.push(`SECONDS is not a UNIX time, so now counts`);
    else if (time > seconds(at)) problems.push("SECONDS is a time later than now (milliseconds?), so now counts");
    else return time;
    return seconds(at);
  }

  function codeOf(text: string | undefined): number | undefined {
    if (text !== undefined && /^-?[0-9]{1,9}$/.test(text)) return Number(text) + 0;
    problems.push("CODE is not an integer of at most 9 digits, so it is left out");
    return undefined;
  }

  function recordJob(): void {
    const job = jobOf(environment);
    if (!job) {
      problems.push("no job is recorded: GITHUB_REPOSITORY or GITHUB_RUN_ID is missing or not of GitHub's form");
      return;
    }
    const life = journal?.life();
    if (life?.files[PRE] && !mayFollow(life, job)) return;
    if (life?.files[POST] && !life.files[PRE] && !context.hasManyJobs) {
      problems.push("this runner's end is recorded already, so the job is not");
      return;
    }
    if (!life || life.files[PRE] || life.files[POST]) beginLife(...installedForNextJob(life, job));
    const ready = journal?.life().files[INSTALLED];
    const installed = ready && parseTimestamp(ready.content);
    keep(PRE, preJobContent(job, stamp(), installed), { job: job.identity });
    if (installed === undefined) {
      tellOnce(
        "not-installed",
        "`installed` was not called, so it is not known how long this runner was idle: call it, or start the runner with `run`",
      );
    }
  }

  /** Whether a job is another one than that of the life, and to be recorded in a new life. */
  function mayFollow({ job: known, files }: Life, job: Job): boolean {
    const isOther = known !== undefined && isOtherJob(known, job.identity);
    if (!files[POST]) {
      if (!isOther) return false; // the hook was called twice
      const runner = job.identity.runner;
      if (known.runner !== undefined && runner !== undefined && known.runner !== runner) {
        problems.push(otherRunner(known.runner));
        return false;
      }
      if (!context.hasManyJobs) problems.push(otherJob());
      return context.hasManyJobs;
    }
    if (!isOther && files[POST].content.includes('"repo-policy-check-failure"')) return false;
    if (!context.hasManyJobs && step === "job-started") tellOnce("second-job", SECOND_JOB);
    return context.hasManyJobs;
  }

  /** Of the journal: the next `ended` is not this job's either. */
  function otherJob(): string {
    journal?.note({ told: "other-job" });
    return OTHER_JOB;
  }

  function otherRunner(name: string): string {
    const safe = name.replace(/[^\w.:-]/g, "?").slice(0, 64);
    return `the spool is that of the runner ${safe}, whose job has not ended: set RUNNER_METRICS_SPOOL and RUNNER_METRICS_STORAGE for each runner of this machine`;
  }

  function recordEndOfJob(end: End): void {
    const life = journal?.life();
    if (!life?.files[PRE]) {
      if (step === "job-completed") problems.push("the job's start is not recorded, so its end is not either");
      return;
    }
    if (life.files[POST]) return;
    const job = jobOf(environment);
    if (life.job && job && isOtherJob(life.job, job.identity)) {
      const { runner } = job.identity;
      const isOtherRunner = life.job.runner !== undefined && runner !== undefined && life.job.runner !== runner;
      const problem = isOtherRunner ? otherRunner(life.job.runner ?? "") : otherJob();
      if (!problems.includes(problem)) problems.push(problem);
      return;
    }
    keepEnd(end, life);
  }

  function recordEndOfRunner(code: number | undefined): void {
    const life = journal?.life();
    if (!life || life.files[POST] || Object.keys(life.files).length === 0) return;
    if (life.told.has("other-job")) {
      problems.push(OTHER_JOB);
      return;
    }
    // An idle runner's slot is still free for a job.
    if (!life.files[PRE] && life.slot !== undefined) return;
    // Whatever the runner's exit code: a job that began and whose hook for the end never ran was cut off.
    const isNormal = code === 0 && !life.files[PRE];
    keepEnd(isNormal ? { status: "normal" } : { status: "abnormal", code: code === 0 ? undefined : code }, life);
  }

  function keepEnd(end: End, { files }: Life): void {
    keep(POST, postJobContent(end, stamp(), timestampOf(files[PRE]?.content)));
  }

  /** In the next life of a persistent runner, it was ready since its last job. */
  function installedForNextJob(life: Life | undefined, job: Job): LifeRecord[] {
    const ended = life?.files[POST];
    if (!life || !ended || !context.hasManyJobs || isOfOtherStorage(life, environment)) return [];
    if (life.job?.runner !== job.identity.runner) return [];
    return [{ record: INSTALLED, content: `${seconds(ended.at)}\n`, at: ended.at }, { waited: life.waitedSinceRecord }];
  }
}

/** Of a new life: its slot, and what has been said already. */
function firstRecords(previous: Life | undefined, { hasManyJobs, environment }: RecordContext): LifeRecord[] {
  if (!previous) return [];
  const told = [...previous.told].filter((id) => id === "not-installed").map((id) => ({ told: id }));
  if (!hasManyJobs || isOfOtherStorage(previous, environment)) return told;
  const slot = nextSlot(previous);
  return [{ storage: previous.storage ?? "", slot }, ...told];
}

/** The slot after that of the previous life, or the same if there was no job in it. */
function nextSlot({ slot, files }: Life): number {
  if (slot === undefined) return 0;
  return files[PRE] || files[POST] ? (slot + 1) % SLOTS : slot;
}

/** Whether the runner has got another name since. */
function isOfOtherStorage({ storage }: Life, environment: Environment): boolean {
  const setting = storageSetting(environment);
  const name = "value" in setting ? setting.value : undefined;
  return storage !== undefined && name !== undefined && name !== storage;
}

/** Undefined also if a job has changed the journal. */
function timestampOf(content: string | undefined): number | undefined {
  try {
    const { timestamp } = JSON.parse(content ?? "") as { timestamp?: unknown };
    return typeof timestamp === "number" && Number.isFinite(timestamp) ? timestamp : undefined;
  } catch {
    return undefined;
  }
}
