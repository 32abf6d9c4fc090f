import { manifestKey } from "../../contract/object-keys.ts";
import { DEFERRAL_REASONS, type DeferralReason, GITHUB_REASONS } from "../../contract/reasons.ts";
import { scheduleInput } from "../../contract/schedule-input.ts";
import packageJson from "../../package.json" with { type: "json" };
import type { Bucket } from "../bucket.ts";
import type { StackOutputs } from "../connection.ts";
import { formatTime } from "../print.ts";
import { countOpenQuarantines, type Quarantine } from "../quarantine/list.ts";
import type { Operations } from "./operations.ts";
import { type LoggedRun, listRuns, problemsOf, type RunSummary, refusalOf } from "./runs.ts";

/** One thing that was checked. */
export interface Check {
  readonly check: string;
  readonly ok: boolean;
  /** What was found. */
  readonly found: string;
  /** What to do; absent if it is ok. */
  readonly fix?: string;
}

/** Outputs without which commands don't work. */
const OUTPUTS = ["BucketName", "FunctionName", "FunctionLogGroupName", "ScheduleGroupName", "DeadLetterQueueUrl"];

/** Runs of a flavor that are looked at, the last ones. */
const RUNS_MAX = 60;

/** How far back the log is read for the first of the runs that left runners for the next one, in milliseconds. */
const DEFERRED_MILLISECONDS = 7 * 86_400_000;

/** After this many intervals without a run, a flavor is late. */
const LATE_INTERVALS = 3;

/** Checks a deployed stack. A check that can't be made is not ok, and says why. */
export async function checkStack(
  outputs: StackOutputs,
  operations: Operations,
  openBucket: () => Promise<Bucket>,
  now: number,
): Promise<Check[]> {
  const missing = OUTPUTS.filter((name) => !outputs[name]);
  return [
    result(
      "outputs",
      missing.length === 0,
      missing.length === 0 ? "complete" : `missing: ${missing.join(", ")}`,
      "Deploy the stack with this version.",
    ),
    result("version", true, `stack ${outputs.Version ?? "unknown"}, this command ${packageJson.version}`, ""),
    ...(await attempt("alarm e-mail", () => checkSubscriptions(outputs, operations))),
    ...(await attempt("runs", () => checkRuns(operations, now))),
    ...(await attempt("quarantine", async () => [await checkQuarantine(await openBucket(), now)])),
    ...(await attempt("workers", () => checkWorkers(operations))),
    ...(await attempt("dead-letter queue", () => checkDeadLetters(operations))),
    ...(await attempt("alarms", () => checkAlarms(operations))),
  ];
}

function result(check: string, ok: boolean, found: string, fix: string): Check {
  return { check, ok, found, ...(!ok && { fix }) };
}

async function attempt(check: string, body: () => Promise<Check[]>): Promise<Check[]> {
  try {
    return await body();
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    return [
      {
        check,
        ok: false,
        found: `unknown: ${name}: ${message}`.slice(0, 300),
        fix: "Attach OperatorReadPolicyArn to your role if access was denied.",
      },
    ];
  }
}

async function checkSubscriptions(outputs: StackOutputs, operations: Operations): Promise<Check[]> {
  if (!outputs.AlarmTopicArn)
    return [result("alarm e-mail", false, "the stack has no alarms", "Set alarms: true and alarmEmail.")];
  const { confirmed, pending } = await operations.subscriptions();
  const found = `confirmed: ${confirmed}, not confirmed: ${pending}`;
  const fix = pending > 0 ? "Follow the link in the e-mail of SNS." : "Set alarmEmail, or subscribe to AlarmTopicArn.";
  return [result("alarm e-mail", confirmed > 0 && pending === 0, found, fix)];
}

async function checkRuns(operations: Operations, now: number): Promise<Check[]> {
  const checks: Check[] = [];
  for (const { isEnabled, everyMinutes = 1, input } of await operations.schedules()) {
    const { flavor } = scheduleInput.parse(input);
    checks.push(
      result(
        `schedule ${flavor}`,
        isEnabled,
        isEnabled ? `every ${everyMinutes} minutes` : "disabled",
        "Enable the schedule in EventBridge Scheduler.",
      ),
    );
    const intervals = LATE_INTERVALS * everyMinutes * 60_000;
    const since = now - Math.max(intervals, 3_600_000);
    const runs = await listRuns(operations, { since, last: RUNS_MAX, flavor });
    checks.push(...checkFlavor(flavor, runs, intervals, await deferredSince(operations, flavor, runs, now), now));
  }
  return checks.length > 0
    ? checks
    : [result("schedules", false, "none", "Deploy with --revert-drift: docs/operate/stack.md.")];
}

/** The runs of a flavor that left runners for the next one, up to the last run. */
interface DeferredRuns {
  readonly count: number;
  /** When the first of them ended, in milliseconds since the epoch. */
  readonly since: number;
  /** Whether the log does not show a run before them. */
  readonly isAtLeast: boolean;
}

/** Undefined if the last run left none. */
async function deferredSince(
  operations: Operations,
  flavor: string,
  runs: readonly LoggedRun[],
  now: number,
): Promise<DeferredRuns | undefined> {
  const isFinished = ({ summary }: LoggedRun) => summary.deferred === 0;
  if (runs.every(isFinished)) return undefined;
  const all = runs.some(isFinished)
    ? runs
    : await listRuns(operations, { since: now - DEFERRED_MILLISECONDS, last: Number.MAX_SAFE_INTEGER, flavor });
  const deferred = all.slice(all.findLastIndex(isFinished) + 1);
  const [first] = deferred;
  return first && { count: deferred.length, since: first.at, isAtLeast: deferred.length === all.length };
}

function checkFlavor(
  flavor: string,
  runs: readonly LoggedRun[],
  intervals: number,
  deferred: DeferredRuns | undefined,
  now: number,
): Check[] {
  const last = runs.at(-1);
  const fix = `Start one: runner-metrics run ${flavor}`;
  if (!last) return [result(`last run ${flavor}`, false, "none in the log", fix)];
  const age = Math.round((now - last.at) / 1_000);
  const problems = problemsOf(last.summary);
  return [
    result(`last run ${flavor}`, now - last.at <= intervals, `${age} s ago, took ${last.durationMilliseconds} ms`, fix),
    result(`result ${flavor}`, problems.length === 0, problems.join("; ") || "no problem", actionsFor(last.summary)),
    result(`uncollected ${flavor}`, true, waiting(last.summary, deferred, now), ""),
    result(`runner programs ${flavor}`, true, programsOf(runs), ""),
    ...(last.summary.github ? [checkGithub(flavor, runs)] : []),
  ];
}

function actionsFor({ deferralReasons }: RunSummary): string {
  const reasons = Object.keys(deferralReasons).filter((reason) => deferralReasons[reason]);
  const actions = reasons.flatMap((reason) => DEFERRAL_REASONS[reason as DeferralReason]?.action ?? []);
  return [...actions, "See docs/operate/runbook.md."].join(" ");
}

function waiting(
  { live = {}, deferred, handedOver = 0 }: RunSummary,
  runs: DeferredRuns | undefined,
  now: number,
): string {
  const states = Object.entries(live).map(
    ([state, { count, oldestSeconds }]) => `${state} ${count}${count ? ` (oldest ${duration(oldestSeconds)})` : ""}`,
  );
  const inRuns = runs
    ? ` (in ${runs.count} runs in a row, for ${runs.isAtLeast ? "at least " : ""}${duration((now - runs.since) / 1_000)})`
    : "";
  const left = [`deferred ${deferred}${inRuns}`, ...(handedOver > 0 ? [`handed over to workers ${handedOver}`] : [])];
  return [...states, ...left].join(", ");
}

/** Of the runners that these runs have collected. */
function programsOf(runs: readonly LoggedRun[]): string {
  const counts = new Map<string, number>();
  for (const [program, count] of runs.flatMap(({ summary }) => Object.entries(summary.programs ?? {}))) {
    counts.set(program, (counts.get(program) ?? 0) + count);
  }
  return [...counts].map(([program, count]) => `${program}: ${count}`).join(", ") || "no job in the last runs";
}

/** A run without jobs asks GitHub nothing: the last one that did tells. */
function checkGithub(flavor: string, runs: readonly LoggedRun[]): Check {
  const asked = runs.findLast(({ summary }) => summary.github?.requests || refusalOf(summary));
  if (!asked) return result(`GitHub ${flavor}`, true, "not asked by the last runs: no job", "");
  const refusal = refusalOf(asked.summary);
  const { remaining = "?", limit = "?" } = asked.summary.github?.rateLimit ?? {};
  const found = refusal?.found ?? `${remaining} of ${limit} calls left`;
  return result(`GitHub ${flavor}`, !refusal, found, refusal ? GITHUB_REASONS[refusal.reason].action : "");
}

function duration(seconds: number): string {
  if (seconds < 3_600) return `${Math.round(seconds / 60)} min`;
  return seconds < 48 * 3_600 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`;
}

async function checkQuarantine(bucket: Bucket, now: number): Promise<Check> {
  const { counts, oldest } = await countOpenQuarantines(bucket);
  const of = (state: keyof typeof counts) => (counts[state] > 0 ? [`${state} ${counts[state]}`] : []);
  const found = [
    ...(oldest ? [`kept ${counts.kept}, the oldest ${await ageOf(oldest, bucket, now)}`] : []),
    ...of("unfinished"),
    ...of("release-started"),
  ];
  const fix = "A release was not finished: see `runner-metrics quarantine list`, and release it again.";
  return result("quarantine", counts["release-started"] === 0, found.join("; ") || "nothing kept", fix);
}

async function ageOf(
  { id, prefix, flavor, quarantinedAt = 0 }: Quarantine,
  bucket: Bucket,
  now: number,
): Promise<string> {
  const expiry = await bucket.expiry(manifestKey(prefix));
  const end =
    expiry === undefined ? "S3 names no day on which it is deleted" : `deleted on ${formatTime(expiry).slice(0, 10)}`;
  return `for ${duration((now - quarantinedAt) / 1_000)} (${id.slice(0, 8)} of ${flavor}), ${end}`;
}

async function checkWorkers(operations: Operations): Promise<Check[]> {
  const count = await operations.workCount();
  return count === undefined ? [] : [result("workers", true, `messages that wait or are in work: ${count}`, "")];
}

async function checkDeadLetters(operations: Operations): Promise<Check[]> {
  const count = await operations.deadLetterCount();
  return [
    result("dead-letter queue", count === 0, `messages: ${count}`, "Look at them: runner-metrics dead-letters list"),
  ];
}

async function checkAlarms(operations: Operations): Promise<Check[]> {
  const alarms = await operations.alarms();
  const names = alarms.map(({ name }) => name).join(", ");
  const sections = [...new Set(alarms.flatMap(({ section }) => section ?? []))];
  const fix = sections.length > 0 ? `See ${sections.join(", ")}.` : "See docs/operate/runbook.md.";
  return [result("alarms", alarms.length === 0, names ? `in ALARM: ${names}` : "all OK", fix)];
}
