import { DEFERRAL_REASONS, type DeferralReason, GITHUB_REASONS } from "../../contract/reasons.ts";
import { scheduleInput } from "../../contract/schedule-input.ts";
import packageJson from "../../package.json" with { type: "json" };
import type { StackOutputs } from "../connection.ts";
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

/** After this many intervals without a run, a flavor is late. */
const LATE_INTERVALS = 3;

/** Checks a deployed stack. A check that can't be made is not ok, and says why. */
export async function checkStack(outputs: StackOutputs, operations: Operations, now: number): Promise<Check[]> {
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
        "Enable the schedule, or deploy again.",
      ),
    );
    const intervals = LATE_INTERVALS * everyMinutes * 60_000;
    const since = now - Math.max(intervals, 3_600_000);
    checks.push(...checkFlavor(flavor, await listRuns(operations, { since, last: RUNS_MAX, flavor }), intervals, now));
  }
  return checks.length > 0 ? checks : [result("schedules", false, "none", "Deploy again.")];
}

function checkFlavor(flavor: string, runs: readonly LoggedRun[], intervals: number, now: number): Check[] {
  const last = runs.at(-1);
  const fix = `Start one: runner-metrics run ${flavor}`;
  if (!last) return [result(`last run ${flavor}`, false, "none in the log", fix)];
  const age = Math.round((now - last.at) / 1_000);
  const problems = problemsOf(last.summary);
  return [
    result(`last run ${flavor}`, now - last.at <= intervals, `${age} s ago, took ${last.durationMilliseconds} ms`, fix),
    result(`result ${flavor}`, problems.length === 0, problems.join("; ") || "no problem", actionsFor(last.summary)),
    result(`uncollected ${flavor}`, true, waiting(last.summary), ""),
    result(`runner programs ${flavor}`, true, programsOf(runs), ""),
    ...(last.summary.github ? [checkGithub(flavor, runs)] : []),
  ];
}

function actionsFor({ deferralReasons }: RunSummary): string {
  const reasons = Object.keys(deferralReasons).filter((reason) => deferralReasons[reason]);
  const actions = reasons.flatMap((reason) => DEFERRAL_REASONS[reason as DeferralReason]?.action ?? []);
  return [...actions, "See docs/operate/runbook.md."].join(" ");
}

function waiting({ live = {}, deferred, handedOver = 0 }: RunSummary): string {
  const states = Object.entries(live).map(
    ([state, { count, oldestSeconds }]) => `${state} ${count}${count ? ` (oldest ${hours(oldestSeconds)})` : ""}`,
  );
  const left = [`deferred ${deferred}`, ...(handedOver > 0 ? [`handed over to workers ${handedOver}`] : [])];
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

function hours(seconds: number): string {
  return seconds < 3_600 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
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
