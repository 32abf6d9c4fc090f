/**
 * What the design says of a listing, without the code under test: which events its files make, or why they are not to be
 * trusted. Works on the meanings that the generators wrote into the history; parses nothing.
 */

import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { FILE_SIZE_BYTES_LIMIT } from "../../contract/runner-files.ts";
import type { JobAnswer } from "../../functions/domain/verify-job.ts";
import type { ListedObject } from "../../functions/ports.ts";
import { FILE_NAMES, type FileName, INSTALLED, POST, PRE, START } from "./bodies.ts";
import type { Meaning, UploadedVersion } from "./history.ts";
import { isValidName, withoutSlot } from "./reading.ts";

/** An event as a consumer should see it. */
export interface ExpectedEvent {
  readonly detailType: string;
  readonly detail: Readonly<Record<string, unknown>>;
  /** The files that it is made from. */
  readonly madeFrom: readonly FileName[];
  /** Ages that its detail has besides, in seconds before its timestamp: the run says when it found the runner dead. */
  readonly since?: Readonly<Record<string, number>>;
}

/** What may become of a storage that was listed so. */
export interface Verdict {
  /** Why it may be quarantined; none if it may not be. */
  readonly reasons: ReadonlySet<string>;
  /** The events that it may be extracted to; undefined if it may not be. */
  readonly events: readonly ExpectedEvent[] | undefined;
  /** The post-job file belongs to another life: it alone may be deleted, and nothing is issued. */
  readonly isLeftover?: boolean;
}

export interface OracleLimits {
  readonly flavor: string;
  readonly objectsMax: number;
  readonly quarantineMismatches?: boolean;
}

/** What is not in the files: GitHub's answer, and whether the runner is taken for dead if there is no word of its end. */
export interface Circumstances {
  readonly job: JobAnswer | undefined;
  readonly takenForDead: boolean;
  /** What is recorded about the end of its EC2 instance, as the detail says it; by default that nothing is. */
  readonly death?: { readonly cause: string; readonly ended_at?: number };
}

/** Gives all that was ever uploaded as this version: the same bytes may have come with other attributes. */
export type VersionsOf = (key: string, etag: string) => readonly UploadedVersion[];

export function verdictOn(
  storage: string,
  prefix: string,
  objects: readonly ListedObject[],
  versionsOf: VersionsOf,
  limits: OracleLimits,
  circumstances: Circumstances,
): Verdict {
  const reasons = new Set<string>();
  const meaningsOf = ({ key, etag }: ListedObject) => versionsOf(key, etag).map(({ meaning }) => meaning);
  const hasInsaneKey = objects.some((object) => meaningsOf(object).some(({ kind }) => kind === "insane-key"));
  const hasBadFolder = objects.some(({ key, size }) => key === prefix && size > 0);
  if (!isValidName(storage) || hasInsaneKey || hasBadFolder) reasons.add("invalid-key");
  if (objects.length > limits.objectsMax) reasons.add("too-many-objects");
  if (reasons.size > 0) return { reasons, events: undefined };

  const files = new Map<FileName, Meaning & { readonly bytes: Uint8Array }>();
  let isSurelyCorrupt = false;
  for (const name of FILE_NAMES) {
    const object = objects.find(({ key }) => key === prefix + name);
    if (!object || object.size === 0) continue;
    const versions = versionsOf(object.key, object.etag);
    const problems = versions.flatMap(({ meaning }) => problemOf(meaning, object.size > FILE_SIZE_BYTES_LIMIT));
    const valid = versions.find(({ meaning, bytes }) => isValid(meaning) && bytes);
    for (const problem of problems) reasons.add(problem);
    if (!valid?.bytes || object.size > FILE_SIZE_BYTES_LIMIT) isSurelyCorrupt = true;
    else files.set(name, { ...valid.meaning, bytes: valid.bytes });
  }
  const { job } = circumstances;
  const isMismatch = limits.quarantineMismatches && job && "unknown" in job && job.isMismatch;
  if (isMismatch) reasons.add("job-mismatch");
  if (isSurelyCorrupt || isMismatch) return { reasons, events: undefined };
  const [pre, post] = [files.get(PRE), files.get(POST)];
  if (pre?.kind === "pre-job" && post?.kind === "post-job" && (post.job_timestamp ?? pre.timestamp) !== pre.timestamp) {
    return { reasons, events: [], isLeftover: true };
  }
  return { reasons, events: expectedEvents(storage, files, limits.flavor, circumstances) };
}

/** The events of files that are all valid. */
export function expectedEvents(
  storage: string,
  files: ReadonlyMap<FileName, Meaning & { readonly bytes: Uint8Array }>,
  flavor: string,
  { job = { unknown: "not-configured" }, takenForDead, death = { cause: "unknown" } }: Circumstances,
): ExpectedEvent[] {
  const events: ExpectedEvent[] = [];
  const add = (
    detailType: string,
    event: string,
    madeFrom: readonly FileName[],
    fields: Record<string, unknown>,
    since?: Record<string, number>,
  ) => {
    const id = createHash("sha256");
    for (const part of [
      flavor,
      storage,
      event,
      ...madeFrom.map((name) => files.get(name)?.bytes ?? new Uint8Array()),
    ]) {
      const bytes = Buffer.from(part);
      id.update(`${bytes.length}:`).update(bytes);
    }
    const identity = { flavor, runner_name: withoutSlot(storage).split(":").at(-1) || storage, schema_version: 1 };
    const detail = { event, ...identity, event_id: id.digest("hex").slice(0, 32), ...withClamped(fields) };
    events.push({ detailType, detail, madeFrom, ...(since && { since }) });
  };

  const startFile = files.get(START);
  const installedFile = files.get(INSTALLED);
  const start = startFile?.kind === "seconds" && startFile.seconds > 0 ? startFile.seconds : undefined;
  const installed = installedFile?.kind === "seconds" && installedFile.seconds > 0 ? installedFile.seconds : undefined;
  const pre = files.get(PRE);
  const post = files.get(POST);
  // Between two jobs a persistent runner may have a file in its next slot.
  if (storage.includes("~") && pre?.kind !== "pre-job") return events;
  const isLost = takenForDead && !post;
  const installationAge = start !== undefined && { installation_age: start };
  if (installed === undefined && pre?.kind !== "pre-job") {
    if (isLost && start !== undefined && !pre) {
      add("RunnerInstallFailed", "runner_install_failed", [START], death, { installation_age: start });
    }
    return events;
  }
  if (start !== undefined && installed !== undefined) {
    const fields = { timestamp: installed, duration: installed - start };
    add("RunnerInstalled", "runner_installed", [START, INSTALLED], fields);
  }
  if (pre?.kind !== "pre-job") {
    if (isLost && installed !== undefined) {
      const since = { ...installationAge, installed_age: installed };
      add("RunnerNeverUsed", "runner_never_used", [START, INSTALLED], death, since);
    }
    return events;
  }
  const { workflow, workflow_run_id, repository, event } = pre;
  const verification = !("unknown" in job) ? "verified" : job.isMismatch ? "mismatch" : "unverified";
  const common = { workflow, workflow_run_id, repo: repository, github_event: event, verification };
  const conclusion = known("job_conclusion", job, "conclusion");
  const hasIdle = installed !== undefined && (pre.installed_timestamp ?? installed) === installed;
  add("RunnerStart", "runner_start", [PRE], {
    timestamp: pre.timestamp,
    ...common,
    ...(hasIdle && { idle: pre.timestamp - installed }),
    ...known("queue_duration", job, "queue_duration"),
  });
  if (isLost) {
    const since = {
      ...installationAge,
      ...(installed !== undefined && { installed_age: installed }),
      job_age: pre.timestamp,
    };
    add("RunnerLost", "runner_lost", [PRE], { ...common, ...conclusion, ...death }, since);
  }
  if (post?.kind !== "post-job") return events;
  add("RunnerStop", "runner_stop", [PRE, POST], {
    timestamp: post.timestamp,
    ...common,
    status: post.status,
    ...(post.status_info && { status_info: post.status_info }),
    job_duration: post.timestamp - pre.timestamp,
    ...conclusion,
  });
  return events;
}

/** Whether this is the event as it should be sent by a run that found the runner as it is at the time that it says. */
export function isAsExpected({ detail, since }: ExpectedEvent, sent: Readonly<Record<string, unknown>>): boolean {
  if (!since) return isDeepStrictEqual(detail, sent);
  // To the millisecond, as they are published.
  const age = (from: number) => Math.round((Number(sent.timestamp) - from) * 1000) / 1000 + 0;
  const ages = Object.entries(since).map(([name, from]) => [name, age(from)]);
  return isDeepStrictEqual({ ...detail, timestamp: sent.timestamp, ...withClamped(Object.fromEntries(ages)) }, sent);
}

/** A value of GitHub's, or why it is not known. */
function known(field: string, job: JobAnswer, value: "queue_duration" | "conclusion"): Record<string, unknown> {
  if ("unknown" in job) return { job_metrics_unknown: job.unknown };
  return job[value] === undefined ? { job_metrics_unknown: "no-value" } : { [field]: job[value] };
}

const DURATIONS = [
  "duration",
  "idle",
  "queue_duration",
  "job_duration",
  "installation_age",
  "installed_age",
  "job_age",
];

function withClamped(fields: Record<string, unknown>): Record<string, unknown> {
  const clamped = DURATIONS.filter((name) => Number(fields[name]) < 0);
  const implausible = DURATIONS.filter((name) => Number(fields[name]) > 400 * 86_400);
  return {
    ...Object.fromEntries(Object.entries(fields).filter(([name]) => !implausible.includes(name))),
    ...Object.fromEntries(clamped.map((name) => [name, 0])),
    ...(clamped.length > 0 && { clamped }),
    ...(implausible.length > 0 && { implausible }),
  };
}

function isValid({ kind }: Meaning): boolean {
  return kind === "seconds" || kind === "pre-job" || kind === "post-job";
}

function problemOf(meaning: Meaning, isTooLarge: boolean): string[] {
  if (meaning.kind === "unreadable")
    return isTooLarge ? ["unreadable-object", "file-too-large"] : ["unreadable-object"];
  if (isTooLarge) return ["file-too-large"];
  return meaning.kind === "corrupt" ? [meaning.reason] : [];
}
