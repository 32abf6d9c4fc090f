import { DETAIL_TYPES, type DetailType } from "../../contract/events.ts";
import { runnerName } from "../../contract/object-keys.ts";
import {
  DEFERRAL_REASONS,
  DELETE_RESULTS,
  type DeferralReason,
  type DeleteResult,
  ENDED_UNKNOWN_REASONS,
  type EndedUnknownReason,
  GITHUB_REASONS,
  type GithubReason,
  namesOf,
  OUTCOMES,
  type Outcome,
  QUARANTINE_REASONS,
  type QuarantineReason,
  type StopReason,
  VERIFICATIONS,
  type Verification,
} from "../../contract/reasons.ts";
import type { EventResult } from "../../contract/run-metrics.ts";
import { LIVE_STATES, type LiveState } from "../../contract/runner-files.ts";
import { type JobAnswer, verificationOf } from "../domain/verify-job.ts";
import type { GithubUsage } from "../ports.ts";
import type { EndedUnknown } from "../storage/ended-instances.ts";
import type { ListingReport, RunnerResult } from "./extract.ts";
import type { BatchReport } from "./publish-and-delete.ts";

/** At most this many quarantines and errors are described; all are counted. */
const NOTES_MAX = 20;

/** What one run did: what the handler returns and logs. Counts are of storages unless stated otherwise. */
export interface Summary extends Counts<Outcome> {
  readonly flavor: string;
  readonly listed: number;
  /** Objects outside any storage. */
  readonly strays: number;
  /** Runners that are alive, as far as their uploads show, and the age of the oldest in its state, in seconds. */
  readonly live: Readonly<Record<LiveState, { readonly count: number; readonly oldestSeconds: number }>>;
  readonly quarantineReasons: Counts<QuarantineReason>;
  readonly deferralReasons: Counts<DeferralReason>;
  /** Runners with a job, by the program that wrote their files. `other` is none of ours, or one version too many to be told apart. */
  readonly programs: Readonly<Record<string, number>>;
  /** Runners with a job, by what their claim to it is worth. */
  readonly verifications: Counts<Verification>;
  /** Runners with a job about which GitHub did not say everything, by the reason. */
  readonly jobMetricsUnknown: Counts<GithubReason>;
  /** Why GitHub did not say which runners are online; absent if it did or was not asked. */
  readonly runnersUnknown?: GithubReason;
  /** Why the run does not know about every EC2 instance whether it has ended; absent if it does or did not look. */
  readonly endedUnknown?: EndedUnknownReason;
  /** Runners that uploaded the end of their job while they were collected as lost. */
  readonly lostThenStopped: number;
  /** The calls to GitHub; absent if it is not configured. */
  readonly github?: GithubUsage;
  /** Events by EventBridge's answer. */
  readonly events: Readonly<Record<DetailType, Counts<EventResult>>>;
  /** Events stored in the archive, the objects that hold them, and objects that could not be stored. */
  readonly archive: { readonly events: number; readonly objects: number; readonly failed: number };
  /** Objects to be deleted, by S3's answer. */
  readonly objects: Counts<DeleteResult>;
  readonly stopped: StopReason;
  readonly quarantines: readonly { runner_name: string; reason: QuarantineReason; quarantine_prefix: string }[];
  readonly errors: readonly string[];
}

type Counts<Name extends string> = Readonly<Record<Name, number>>;

/** The summary of a run that has done nothing yet. */
export function emptySummary(flavor: string, runnersUnknown?: GithubReason): Summary {
  return {
    flavor,
    listed: 0,
    ...tally(OUTCOMES, []),
    strays: 0,
    live: Object.fromEntries(LIVE_STATES.map((state) => [state, { count: 0, oldestSeconds: 0 }])) as Summary["live"],
    quarantineReasons: tally(QUARANTINE_REASONS, []),
    deferralReasons: tally(DEFERRAL_REASONS, []),
    programs: {},
    verifications: tally(VERIFICATIONS, []),
    jobMetricsUnknown: tally(GITHUB_REASONS, []),
    ...(runnersUnknown && { runnersUnknown }),
    events: Object.fromEntries(DETAIL_TYPES.map((type) => [type, { accepted: 0, failed: 0 }])) as Summary["events"],
    lostThenStopped: 0,
    archive: { events: 0, objects: 0, failed: 0 },
    objects: tally(DELETE_RESULTS, []),
    stopped: "done",
    quarantines: [],
    errors: [],
  };
}

/** The summary with how far the listing came. */
export function addListing(summary: Summary, report: ListingReport): Summary {
  const { listed, strays, stopped, failure, isAliveContradicted } = report;
  return {
    ...summary,
    listed,
    strays,
    stopped,
    ...(isAliveContradicted && { runnersUnknown: "contradicted" }),
    errors: noted(summary.errors, failure === undefined ? [] : [failure]),
  };
}

/** The summary with why the run does not know about every ended instance. */
export function addEnded(summary: Summary, unknown: EndedUnknown | undefined): Summary {
  if (!unknown) return summary;
  const { reason, failure } = unknown;
  return {
    ...summary,
    endedUnknown: reason,
    errors: noted(summary.errors, [failure ?? new Error(ENDED_UNKNOWN_REASONS[reason])]),
  };
}

/** The summary with what failed apart from storages. */
export function addErrors(summary: Summary, errors: readonly unknown[]): Summary {
  return { ...summary, errors: noted(summary.errors, errors) };
}

/** The summary with what happened to one more batch of runners. */
export function addBatch(summary: Summary, report: BatchReport): Summary {
  const { results, events, archived, deletes, errors } = report;
  const deferred = results.filter((result) => result.outcome === "deferred");
  const quarantines = results.flatMap((result) => (result.outcome === "quarantined" ? [result.quarantine] : []));
  const jobs = results.flatMap(jobOf);
  const eventCounts = DETAIL_TYPES.map((type) => {
    const accepted = events.filter((event) => event.type === type && event.result === "accepted").length;
    const all = events.filter((event) => event.type === type).length;
    return [type, add(summary.events[type], { accepted, failed: all - accepted })];
  });
  const quarantineReasons = quarantines.map(({ reason }) => reason);
  const mismatches = quarantineReasons.filter((reason) => reason === "job-mismatch").map(() => "mismatch" as const);
  return {
    ...summary,
    ...add(
      pickCounts(OUTCOMES, summary),
      tally(
        OUTCOMES,
        results.map(({ outcome }) => outcome),
      ),
    ),
    live: results.reduce(addLive, summary.live),
    quarantineReasons: add(summary.quarantineReasons, tally(QUARANTINE_REASONS, quarantineReasons)),
    deferralReasons: add(
      summary.deferralReasons,
      tally(
        DEFERRAL_REASONS,
        deferred.map(({ reason }) => reason),
      ),
    ),
    programs: results.flatMap(programOf).reduce(addProgram, summary.programs),
    verifications: add(summary.verifications, tally(VERIFICATIONS, [...jobs.map(verificationOf), ...mismatches])),
    jobMetricsUnknown: add(summary.jobMetricsUnknown, tally(GITHUB_REASONS, jobs.flatMap(unknownReason))),
    events: Object.fromEntries(eventCounts),
    lostThenStopped: summary.lostThenStopped + report.lostThenStopped,
    archive: archived.reduce(addArchived, summary.archive),
    objects: deletes.reduce<Counts<DeleteResult>>(add, summary.objects),
    quarantines: [
      ...summary.quarantines,
      ...quarantines.map(({ storage, reason, prefix }) => ({
        runner_name: runnerName(storage),
        reason,
        quarantine_prefix: prefix,
      })),
    ].slice(0, NOTES_MAX),
    errors: noted(summary.errors, [
      ...errors,
      ...deferred.flatMap((result) => ("cause" in result ? [result.cause] : [])),
    ]),
  };
}

/** The rules that every run obeys and this summary violates: the accounting law, and others that follow from the guarantees. */
export function violatedInvariants(summary: Summary): string[] {
  const { listed, extracted, incomplete, quarantined, deferred, events, objects } = summary;
  const invariants = {
    "every listed storage has one outcome": listed === total(pickCounts(OUTCOMES, summary)),
    "every quarantine has one reason": quarantined === total(summary.quarantineReasons),
    "every deferral has one reason": deferred === total(summary.deferralReasons),
    "every quarantine was published": quarantined <= events.MetricsQuarantined.accepted,
    "objects are deleted only for extracted, incomplete or quarantined runners, and leftovers":
      objects.deleted === 0 || extracted + incomplete + quarantined + summary.deferralReasons.leftover > 0,
  };
  return Object.entries(invariants).flatMap(([invariant, holds]) => (holds ? [] : [invariant]));
}

/** How often our role was denied access. */
export function accessDenied({ deferralReasons, objects, endedUnknown }: Summary): number {
  return deferralReasons.denied + objects.denied + (endedUnknown === "denied" ? 1 : 0);
}

function addLive(live: Summary["live"], result: RunnerResult): Summary["live"] {
  if (!("live" in result) || !result.live) return live;
  const { state, since } = result.live;
  const { count, oldestSeconds } = live[state];
  const ageSeconds = Math.max(0, (result.listedAt - since) / 1000);
  return { ...live, [state]: { count: count + 1, oldestSeconds: Math.max(oldestSeconds, ageSeconds) } };
}

function addArchived(
  archive: Summary["archive"],
  { events, isStored }: BatchReport["archived"][number],
): Summary["archive"] {
  return isStored ? add(archive, { events, objects: 1 }) : add(archive, { failed: 1 });
}

/** As the program on the runner names itself, with the numbers of its version: nothing else that a runner says gets into a log. */
const PROGRAM = /^runner-metrics\/[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}$/;
const PROGRAMS_MAX = 10;

function programOf(result: RunnerResult): string[] {
  if (result.outcome !== "extracted" || !result.metrics.preJob) return [];
  const { program = "" } = result.metrics.preJob;
  return [PROGRAM.test(program) ? program : "other"];
}

function addProgram(programs: Summary["programs"], program: string): Summary["programs"] {
  const isKnown = program in programs || Object.keys(programs).length < PROGRAMS_MAX;
  const name = isKnown ? program : "other";
  return { ...programs, [name]: (programs[name] ?? 0) + 1 };
}

/** GitHub's answer about the job of an extracted runner, if there was a job. */
function jobOf(result: RunnerResult): JobAnswer[] {
  if (result.outcome !== "extracted" || !result.metrics.preJob) return [];
  return [result.job ?? { unknown: "not-configured" }];
}

function unknownReason(job: JobAnswer): GithubReason[] {
  if ("unknown" in job) return [job.unknown];
  return job.queue_duration === undefined || job.conclusion === undefined ? ["no-value"] : [];
}

/** Each error once, and no more than fit in a log line. */
function noted(notes: readonly string[], errors: readonly unknown[]): string[] {
  const more = errors.map((error) => {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    return `${name}: ${message}`.slice(0, 300);
  });
  return [...new Set([...notes, ...more])].slice(0, NOTES_MAX);
}

/** How often each name of a closed list occurs. */
function tally<Name extends string>(
  list: Readonly<Record<Name, unknown>>,
  names: readonly NoInfer<Name>[],
): Counts<Name> {
  const counts = Object.fromEntries(namesOf(list).map((name) => [name, 0])) as Record<Name, number>;
  for (const name of names) counts[name]++;
  return counts;
}

function add<Name extends string>(counts: Counts<Name>, more: Partial<Counts<Name>>): Counts<Name> {
  const names = Object.keys(counts) as Name[];
  return Object.fromEntries(names.map((name) => [name, counts[name] + (more[name] ?? 0)])) as Counts<Name>;
}

function pickCounts<Name extends string>(
  list: Readonly<Record<Name, unknown>>,
  counts: Counts<NoInfer<Name>>,
): Counts<Name> {
  return Object.fromEntries(namesOf(list).map((name) => [name, counts[name]])) as Counts<Name>;
}

function total(counts: Counts<string>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
