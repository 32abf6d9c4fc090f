/**
 * The questions that the log of all events answers, as CloudWatch Logs Insights queries. The dashboard shows them as tables, and they are
 * saved in the account. https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
 */
import type { z } from "zod";
import { type DetailType, EVENT_SCHEMAS } from "../contract/events.ts";

type Field = { [Type in DetailType]: Extract<keyof z.infer<(typeof EVENT_SCHEMAS)[Type]>, string> }[DetailType];

/** Names and lines by key. The lines are joined by `|`. An event that came twice, after a crash, counts once where `event_id` is counted. */
export const QUERIES = {
  mismatches: query("Claims that GitHub contradicts", [
    `filter ${detail("verification")} = "mismatch"`,
    `fields @timestamp, ${fields("flavor", "runner_name", "repo", "workflow_run_id")}`,
    "sort @timestamp desc",
    "limit 20",
  ]),
  quarantined: query("Latest in quarantine", [
    `filter ${isOfType("MetricsQuarantined")}`,
    `fields @timestamp, ${fields("flavor", "runner_name", "reason", "objects", "quarantine_prefix")}`,
    "sort @timestamp desc",
    "limit 20",
  ]),
  queueTime: query("Queue time by flavor", [
    `filter ${isOfType("RunnerStart")} and ispresent(${detail("queue_duration")})`,
    `stats count(*) as jobs, ${[50, 90, 95, 99].map((p) => `pct(${detail("queue_duration")}, ${p}) as p${p}`).join(", ")}, max(${detail("queue_duration")}) as longest by ${detail("flavor")} as flavor`,
    "sort p95 desc",
  ]),
  slowStarts: query("Jobs that waited longest", [
    `filter ${isOfType("RunnerStart")}`,
    `fields @timestamp, ${fields("queue_duration", "flavor", "repo", "workflow", "workflow_run_id")}`,
    `sort ${detail("queue_duration")} desc`,
    "limit 20",
  ]),
  endings: query("How jobs end, by flavor", [
    `filter ${isOfType("RunnerStop")}`,
    `stats count_distinct(${detail("event_id")}) as jobs, pct(${detail("job_duration")}, 50) as p50, pct(${detail("job_duration")}, 95) as p95 by ${detail("flavor")} as flavor, ${detail("status")} as status, ${detail("job_conclusion")} as conclusion`,
    "sort jobs desc",
  ]),
  lost: query("Runners that died", [
    `filter ${isOfType("RunnerLost", "RunnerInstallFailed", "RunnerNeverUsed")}`,
    `fields @timestamp, ${fields("event", "cause", "flavor", "runner_name", "repo", "workflow", "workflow_run_id")}`,
    "sort @timestamp desc",
    "limit 50",
  ]),
  deathsByCause: query("Why runners died, by flavor", [
    `filter ${isOfType("RunnerLost", "RunnerInstallFailed", "RunnerNeverUsed")}`,
    `stats count_distinct(${detail("event_id")}) as runners by ${detail("flavor")} as flavor, ${detail("event")} as what, ${detail("cause")} as cause`,
    "sort runners desc",
  ]),
  usage: query("Hours of jobs and hours idle, by flavor", [
    `filter ${isOfType("RunnerStart", "RunnerStop", "RunnerInstalled")}`,
    `stats sum(${detail("job_duration")}) / 3600 as job_hours, sum(${detail("idle")}) / 3600 as idle_hours, sum(${detail("duration")}) / 3600 as installation_hours by ${detail("flavor")} as flavor`,
    "sort job_hours desc",
  ]),
  arrivals: query("Jobs started in each hour, by flavor", [
    `filter ${isOfType("RunnerStart")}`,
    `stats count_distinct(${detail("event_id")}) as jobs by bin(1h), ${detail("flavor")}`,
    "limit 1000",
  ]),
  repositories: top("Top repositories", detail("repo"), "repository"),
  workflows: top("Top workflows", `concat(${detail("repo")}, " ", ${detail("workflow")})`, "workflow"),
} as const satisfies Readonly<Record<string, Query>>;

export interface Query {
  readonly title: string;
  readonly lines: readonly string[];
}

function query(title: string, lines: readonly string[]): Query {
  return { title, lines };
}

function top(title: string, value: string, name: string): Query {
  return query(title, [
    `filter ${isOfType("RunnerStop")}`,
    `stats count_distinct(${detail("event_id")}) as jobs, sum(${detail("job_duration")}) / 60 as minutes by ${value} as ${name}`,
    "sort minutes desc",
    "limit 20",
  ]);
}

/** A field of an event in the log. A field that no event has does not compile. */
function detail(field: Field): string {
  return `detail.${field}`;
}

function fields(...names: readonly Field[]): string {
  return names.map(detail).join(", ");
}

function isOfType(...types: readonly DetailType[]): string {
  const [only, ...others] = types.map((type) => JSON.stringify(EVENT_SCHEMAS[type].shape.event.value));
  return others.length === 0 ? `detail.event = ${only}` : `detail.event in [${[only, ...others].join(", ")}]`;
}
