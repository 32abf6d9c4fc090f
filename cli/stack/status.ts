import { GITHUB_HELP } from "../../contract/operator-help.ts";
import { scheduleInput } from "../../contract/schedule-input.ts";
import type { StackOutputs } from "../connection.ts";
import type { Operations } from "./operations.ts";
import { type LoggedRun, listRuns, problemsOf } from "./runs.ts";

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
const OUTPUTS = [
  "BucketName",
  "FunctionName",
  "FunctionLogGroupName",
  "EventLogGroupName",
  "ScheduleGroupName",
  "DeadLetterQueueUrl",
];

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
    const [last] = await listRuns(operations, { since: now - Math.max(intervals, 3_600_000), last: 1, flavor });
    checks.push(...checkRun(flavor, last, intervals, now));
  }
  return checks.length > 0 ? checks : [result("schedules", false, "none", "Deploy again.")];
}

function checkRun(flavor: string, last: LoggedRun | undefined, intervals: number, now: number): Check[] {
  const fix = `Start one: runner-metrics run ${flavor}`;
  if (!last) return [result(`last run ${flavor}`, false, "none in the log", fix)];
  const age = Math.round((now - last.at) / 1_000);
  const problems = problemsOf(last.summary);
  const { live, github, jobMetricsUnknown = {} } = last.summary;
  const states = Object.entries(live ?? {}).map(
    ([state, { count, oldestSeconds }]) => `${state} ${count}${count ? ` (oldest ${hours(oldestSeconds)})` : ""}`,
  );
  const { deferred, handedOver = 0 } = last.summary;
  const left = [`deferred ${deferred}`, ...(handedOver > 0 ? [`handed over to workers ${handedOver}`] : [])];
  const waiting = [...states, ...left].join(", ");
  const credentials = (["no-credentials", "unreadable-credentials", "denied", "untrusted-certificate"] as const).filter(
    (reason) => jobMetricsUnknown[reason],
  );
  const [worst] = credentials;
  return [
    result(`last run ${flavor}`, now - last.at <= intervals, `${age} s ago, took ${last.durationMilliseconds} ms`, fix),
    result(
      `result ${flavor}`,
      problems.length === 0,
      problems.join("; ") || "no problem",
      "See the reason in docs/operate/runbook.md.",
    ),
    result(`uncollected ${flavor}`, true, waiting, ""),
    ...(github
      ? [
          result(
            `GitHub ${flavor}`,
            worst === undefined,
            worst ?? `${github.rateLimit?.remaining ?? "?"} of ${github.rateLimit?.limit ?? "?"} calls left`,
            worst ? GITHUB_HELP[worst].action : "",
          ),
        ]
      : []),
  ];
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
  return [
    result("alarms", alarms.length === 0, names ? `in ALARM: ${names}` : "all OK", "See docs/operate/runbook.md."),
  ];
}
