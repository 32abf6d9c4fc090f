import { type DurationField, eventId, type MetricsEvent, SCHEMA_VERSION } from "../../contract/events.ts";
import { runnerName } from "../../contract/object-keys.ts";
import type { Cause, GithubReason, QuarantineReason } from "../../contract/reasons.ts";
import {
  POST_JOB_METRICS_FILE_NAME,
  PRE_JOB_METRICS_FILE_NAME,
  type PreJobMetrics,
  RUNNER_INSTALLATION_START_TS_FILE_NAME,
  RUNNER_INSTALLED_TS_FILE_NAME,
  type RunnerFileName,
} from "../../contract/runner-files.ts";
import type { Death } from "./instance-ends.ts";
import type { MetricsFiles, RunnerMetrics, UnfinishedInstallation } from "./runner-metrics.ts";
import { type GithubJobMetrics, type JobAnswer, verificationOf } from "./verify-job.ts";

/**
 * The events of one runner, as the reference issues them: Installed if the start of the installation is known, Start if there is a
 * pre-job file, Stop if there are both job files.
 */
export function issueEvents(
  metrics: RunnerMetrics,
  flavor: string,
  answer: JobAnswer = NOT_CONFIGURED,
): MetricsEvent[] {
  const { installationStartTimestamp, installedTimestamp, preJob } = metrics;
  const origin = originOf(metrics, flavor);
  const events: MetricsEvent[] = [];
  if (installationStartTimestamp !== undefined && installedTimestamp !== undefined) {
    events.push({
      detailType: "RunnerInstalled",
      detail: {
        event: "runner_installed",
        timestamp: installedTimestamp,
        ...origin("runner_installed", RUNNER_INSTALLATION_START_TS_FILE_NAME, RUNNER_INSTALLED_TS_FILE_NAME),
        ...durations({ duration: installedTimestamp - installationStartTimestamp }),
      },
    });
  }
  if (preJob) {
    events.push({
      detailType: "RunnerStart",
      detail: {
        event: "runner_start",
        timestamp: preJob.timestamp,
        ...origin("runner_start", PRE_JOB_METRICS_FILE_NAME),
        ...jobFields(preJob, answer),
        ...durations({
          idle: idleOf(metrics),
          queue_duration: "unknown" in answer ? undefined : answer.queue_duration,
        }),
        ...cancelledInQueue(answer),
        ...unknownReason(answer, "queue_duration"),
      },
    });
  }
  return [...events, ...stopEvents(metrics, flavor, answer)];
}

/** The Stop of a runner that reported both ends of its job; otherwise none. */
export function stopEvents(metrics: RunnerMetrics, flavor: string, answer: JobAnswer = NOT_CONFIGURED): MetricsEvent[] {
  const { preJob, postJob } = metrics;
  if (!preJob || !postJob) return [];
  return [
    {
      detailType: "RunnerStop",
      detail: {
        event: "runner_stop",
        timestamp: postJob.timestamp,
        ...originOf(metrics, flavor)("runner_stop", PRE_JOB_METRICS_FILE_NAME, POST_JOB_METRICS_FILE_NAME),
        ...jobFields(preJob, answer),
        status: postJob.status,
        ...(postJob.status_info && { status_info: postJob.status_info }),
        ...durations({ job_duration: postJob.timestamp - preJob.timestamp }),
        ...conclusionOf(answer),
        ...("post_steps_skipped" in answer && { post_steps_skipped: true }),
      },
    },
  ];
}

/**
 * What happened to a runner that is presumed dead and did not report its end: its job did not end, or it had none.
 * `now` in milliseconds since the epoch.
 */
export function lostRunnerEvent(
  metrics: RunnerMetrics,
  flavor: string,
  now: number,
  answer: JobAnswer = NOT_CONFIGURED,
  death: Death = UNKNOWN_DEATH,
): MetricsEvent {
  const { installationStartTimestamp, installedTimestamp, preJob } = metrics;
  const origin = originOf(metrics, flavor);
  const timestamp = now / 1000;
  const ages = {
    installation_age: age(timestamp, installationStartTimestamp),
    installed_age: age(timestamp, installedTimestamp),
  };
  if (!preJob) {
    return {
      detailType: "RunnerNeverUsed",
      detail: {
        event: "runner_never_used",
        timestamp,
        ...origin("runner_never_used", RUNNER_INSTALLATION_START_TS_FILE_NAME, RUNNER_INSTALLED_TS_FILE_NAME),
        ...durations(ages),
        ...deathFields(death),
      },
    };
  }
  return {
    detailType: "RunnerLost",
    detail: {
      event: "runner_lost",
      timestamp,
      ...origin("runner_lost", PRE_JOB_METRICS_FILE_NAME),
      ...jobFields(preJob, answer),
      ...durations({ ...ages, job_age: age(timestamp, preJob.timestamp) }),
      ...deathFields(death),
      ...conclusionOf(answer),
    },
  };
}

/** What happened to a runner that is presumed dead and was never installed. `now` in milliseconds since the epoch. */
export function installFailedEvent(
  installation: UnfinishedInstallation,
  flavor: string,
  now: number,
  death: Death = UNKNOWN_DEATH,
): MetricsEvent {
  const timestamp = now / 1000;
  return {
    detailType: "RunnerInstallFailed",
    detail: {
      event: "runner_install_failed",
      timestamp,
      ...originOf(installation, flavor)("runner_install_failed", RUNNER_INSTALLATION_START_TS_FILE_NAME),
      ...durations({ installation_age: age(timestamp, installation.installationStartTimestamp) }),
      ...deathFields(death),
    },
  };
}

/** What has been moved to quarantine. */
export interface Quarantine {
  readonly reason: QuarantineReason;
  /** The storage's name, or one derived from it if it is not valid. */
  readonly storage: string;
  /** Derived from the quarantined objects: the same objects have the same id. */
  readonly id: string;
  readonly prefix: string;
  readonly objects: number;
  readonly bytes: number;
}

/** The event that reports a quarantine; `now` in milliseconds since the epoch. */
export function quarantineEvent(quarantine: Quarantine, flavor: string, now: number): MetricsEvent {
  const { storage, reason, id, prefix, objects, bytes } = quarantine;
  return {
    detailType: "MetricsQuarantined",
    detail: {
      event: "metrics_quarantined",
      timestamp: now / 1000,
      flavor,
      runner_name: runnerName(storage),
      event_id: eventId(flavor, storage, "metrics_quarantined", [Buffer.from(id)]),
      schema_version: SCHEMA_VERSION,
      reason,
      quarantine_prefix: prefix,
      objects,
      bytes,
    },
  };
}

const UNKNOWN_DEATH: Death = { cause: "unknown" };

function deathFields({ cause, endedAt }: Death): { cause: Cause; ended_at?: number } {
  return { cause, ...(endedAt !== undefined && { ended_at: endedAt }) };
}

const NOT_CONFIGURED: JobAnswer = { unknown: "not-configured" };

/** The fields that identify an event and its runner. The id covers the files that the event is made from, not GitHub's answers. */
function originOf({ storage, files }: { storage: string; files: MetricsFiles }, flavor: string) {
  return (event: MetricsEvent["detail"]["event"], ...madeFrom: RunnerFileName[]) => ({
    flavor,
    runner_name: runnerName(storage),
    event_id: eventId(
      flavor,
      storage,
      event,
      madeFrom.map((name) => files[name]?.bytes ?? new Uint8Array()),
    ),
    schema_version: SCHEMA_VERSION,
  });
}

function jobFields(preJob: PreJobMetrics, answer: JobAnswer) {
  const { job_id, job_name, labels }: GithubJobMetrics = "unknown" in answer ? {} : answer;
  return {
    workflow: preJob.workflow,
    workflow_run_id: preJob.workflow_run_id,
    repo: preJob.repository,
    github_event: preJob.event,
    ...(preJob.job !== undefined && { job: preJob.job }),
    ...(preJob.run_attempt !== undefined && { run_attempt: preJob.run_attempt }),
    ...(job_id !== undefined && { job_id }),
    ...(job_name !== undefined && { job_name }),
    ...(labels !== undefined && { labels: [...labels] }),
    verification: verificationOf(answer),
  };
}

/** Undefined without an installed timestamp, and if the installed file is another life's. */
function idleOf({ installedTimestamp, preJob }: RunnerMetrics): number | undefined {
  if (installedTimestamp === undefined || !preJob) return undefined;
  const isOfSameLife = (preJob.installed_timestamp ?? installedTimestamp) === installedTimestamp;
  return isOfSameLife ? preJob.timestamp - installedTimestamp : undefined;
}

function cancelledInQueue(answer: JobAnswer): { jobs_cancelled_in_queue?: number } {
  if ("unknown" in answer || answer.jobs_cancelled_in_queue === undefined) return {};
  return { jobs_cancelled_in_queue: answer.jobs_cancelled_in_queue };
}

function conclusionOf(answer: JobAnswer): { job_conclusion?: string; job_metrics_unknown?: GithubReason } {
  if ("unknown" in answer || answer.conclusion === undefined) return unknownReason(answer, "conclusion");
  return { job_conclusion: answer.conclusion };
}

function unknownReason(answer: JobAnswer, field: keyof GithubJobMetrics): { job_metrics_unknown?: GithubReason } {
  if ("unknown" in answer) return { job_metrics_unknown: answer.unknown };
  return answer[field] === undefined ? { job_metrics_unknown: "no-value" } : {};
}

/** Seconds, to the millisecond; undefined if it is unknown since when. */
function age(now: number, since: number | undefined): number | undefined {
  return since === undefined ? undefined : Math.round((now - since) * 1000) / 1000;
}

/** Longer durations show that a clock was wrong (at 1970, for example). No job runs for that long, and no runner waits for one. */
const DURATION_SECONDS_MAX = 400 * 24 * 60 * 60;

/**
 * The fields for durations, without unknown ones. Clocks differ, so a duration may come out negative: it is set to 0 and named in
 * `clamped`. One that is too long is left out and named in `implausible`.
 */
function durations<Name extends DurationField>(seconds: Readonly<Record<Name, number | undefined>>) {
  const known = (Object.entries(seconds) as [Name, number | undefined][]).flatMap(([name, value]) =>
    value === undefined ? [] : [{ name, value }],
  );
  const clamped = known.filter(({ value }) => value < 0).map(({ name }) => name);
  const implausible = known.filter(({ value }) => value > DURATION_SECONDS_MAX).map(({ name }) => name);
  const fields = known.flatMap(({ name, value }) => (value > DURATION_SECONDS_MAX ? [] : [[name, Math.max(value, 0)]]));
  return {
    ...(Object.fromEntries(fields) as { [Key in Name]?: number }),
    ...(clamped.length > 0 && { clamped }),
    ...(implausible.length > 0 && { implausible }),
  };
}
