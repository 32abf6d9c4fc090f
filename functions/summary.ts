import { DEFERRAL_REASONS, type DeferralReason, type Extraction } from "./extract.ts";
import { type DetailType, EVENT_SCHEMAS } from "./metrics/events.ts";
import { QUARANTINE_REASONS, type QuarantineReason } from "./metrics/files.ts";
import {
  JOB_METRICS_UNKNOWN,
  type JobAnswer,
  type JobMetricsUnknown,
  VERIFICATIONS,
  type Verification,
  verificationOf,
} from "./metrics/github-job.ts";
import { runnerName } from "./metrics/runner-metrics.ts";
import { DELETE_RESULTS, type DeleteResult, type GithubUsage } from "./ports.ts";

/** What can become of a storage. Closed: these are also names of metrics. */
export const OUTCOMES = [
  "extracted",
  "incomplete",
  "quarantined",
  "excluded",
  "notReady",
  "deferred",
  "vanished",
] as const satisfies readonly Extraction["outcome"][];
export type Outcome = (typeof OUTCOMES)[number];

/** At most so many quarantines and errors are told one by one; all are counted. */
const NOTES_MAX = 20;

/** What one run did: what the handler returns and logs. Counts storages unless said otherwise. */
export interface Summary extends Record<Outcome, number> {
  readonly flavor: string;
  listed: number;
  /** Objects beside the storages. */
  strays: number;
  readonly quarantineReasons: Record<QuarantineReason, number>;
  readonly deferralReasons: Record<DeferralReason, number>;
  /** Runners with a job, by what their claim to it is worth. */
  readonly verifications: Record<Verification, number>;
  /** Runners with a job of which GitHub did not tell, by the reason. */
  readonly jobMetricsUnknown: Record<JobMetricsUnknown, number>;
  /** Why GitHub did not tell which runners live; absent if it did or was not asked. */
  runnersUnknown?: JobMetricsUnknown;
  /** What was asked of GitHub; absent where it is not configured. */
  github?: GithubUsage;
  /** Events by what EventBridge said of them. */
  readonly events: Record<DetailType, { accepted: number; failed: number }>;
  /** Objects to be deleted, by what S3 said of them. */
  readonly objects: Record<DeleteResult, number>;
  /** Why the run stopped: it was through, its time was up, or the listing failed. */
  stopped: "done" | "deadline" | "listing-failed";
  readonly quarantines: { runner_name: string; reason: QuarantineReason; quarantine_prefix: string }[];
  readonly errors: string[];
}

export function createSummary(flavor: string): Summary {
  return {
    flavor,
    listed: 0,
    ...zeros(OUTCOMES),
    strays: 0,
    quarantineReasons: zeros(QUARANTINE_REASONS),
    deferralReasons: zeros(DEFERRAL_REASONS),
    verifications: zeros(VERIFICATIONS),
    jobMetricsUnknown: zeros(JOB_METRICS_UNKNOWN),
    events: Object.fromEntries(
      Object.keys(EVENT_SCHEMAS).map((type) => [type, { accepted: 0, failed: 0 }]),
    ) as Summary["events"],
    objects: zeros(DELETE_RESULTS),
    stopped: "done",
    quarantines: [],
    errors: [],
  };
}

/** Counts what became of one storage. */
export function count(summary: Summary, extraction: Extraction): void {
  summary[extraction.outcome]++;
  if (extraction.outcome === "deferred") {
    summary.deferralReasons[extraction.why]++;
    if (extraction.cause !== undefined) noteError(summary, extraction.cause);
  }
  if (extraction.outcome === "extracted" && extraction.metrics.preJob) {
    const job = extraction.job ?? { unknown: "not-configured" };
    summary.verifications[verificationOf(job)]++;
    const why = whyUnknown(job);
    if (why) summary.jobMetricsUnknown[why]++;
  }
  if (extraction.outcome === "quarantined") {
    const { storage, reason, prefix } = extraction.quarantine;
    summary.quarantineReasons[reason]++;
    if (reason === "job-mismatch") summary.verifications.mismatch++;
    if (summary.quarantines.length < NOTES_MAX) {
      summary.quarantines.push({ runner_name: runnerName(storage), reason, quarantine_prefix: prefix });
    }
  }
}

/** Which of the laws that every run obeys a summary breaks: the accounting law, and what else it shows of the guarantees. */
export function brokenLaws(summary: Summary): string[] {
  const { extracted, incomplete, quarantined, deferred, events, objects } = summary;
  const laws = {
    "every storage that was listed has one outcome":
      summary.listed === OUTCOMES.reduce((sum, outcome) => sum + summary[outcome], 0),
    "every quarantine has one reason": quarantined === total(summary.quarantineReasons),
    "every deferral has one reason": deferred === total(summary.deferralReasons),
    "every quarantine was made known": quarantined <= events.MetricsQuarantined.accepted,
    "nothing was deleted of nobody": objects.deleted === 0 || extracted + incomplete + quarantined > 0,
  };
  return Object.entries(laws).flatMap(([law, holds]) => (holds ? [] : [law]));
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** How often our role was denied an object. */
export function accessDenied({ deferralReasons, objects }: Summary): number {
  return deferralReasons.denied + objects.denied;
}

/** Notes an error once, and no more than fit in a log line. */
export function noteError(summary: Summary, error: unknown): void {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const note = `${name}: ${message}`.slice(0, 300);
  if (summary.errors.length < NOTES_MAX && !summary.errors.includes(note)) summary.errors.push(note);
}

function whyUnknown(job: JobAnswer): JobMetricsUnknown | undefined {
  if ("unknown" in job) return job.unknown;
  return job.queue_duration === undefined || job.conclusion === undefined ? "no-value" : undefined;
}

function zeros<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
}
