import { type DurationField, eventId, type MetricsEvent, SCHEMA_VERSION } from "./events.ts";
import {
  type MetricsFileName,
  POST_JOB_METRICS_FILE_NAME,
  PRE_JOB_METRICS_FILE_NAME,
  type QuarantineReason,
  RUNNER_INSTALLATION_START_TS_FILE_NAME,
  RUNNER_INSTALLED_TS_FILE_NAME,
} from "./files.ts";
import type { PreJobMetrics, RunnerMetrics } from "./runner-metrics.ts";

/** What GitHub knows of a job and the runner does not. */
export interface GithubJobMetrics {
  /** Seconds. */
  readonly queue_duration: number;
  /** GitHub's word: `success`, `failure`, `cancelled`, …; absent while it has none. */
  readonly conclusion?: string;
}

/**
 * The events of one runner, as the reference issues them: Installed if the start of the installation is known, Start if there
 * is a pre-job file, Stop if there are both job files.
 */
export function issueEvents(metrics: RunnerMetrics, flavor: string, job?: GithubJobMetrics): MetricsEvent[] {
  const { installationStartTimestamp, installedTimestamp, preJob, postJob } = metrics;
  const origin = (event: MetricsEvent["detail"]["event"], ...madeFrom: MetricsFileName[]) => ({
    flavor,
    runner_name: runnerName(metrics.storage),
    event_id: eventId(
      flavor,
      metrics.storage,
      event,
      madeFrom.map((name) => metrics.files[name]?.bytes ?? new Uint8Array()),
    ),
    schema_version: SCHEMA_VERSION,
  });

  const events: MetricsEvent[] = [];
  if (installationStartTimestamp) {
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
        ...origin("runner_start", RUNNER_INSTALLED_TS_FILE_NAME, PRE_JOB_METRICS_FILE_NAME),
        ...jobFields(preJob),
        ...durations({
          idle: preJob.timestamp - installedTimestamp,
          ...(job && { queue_duration: job.queue_duration }),
        }),
      },
    });
  }
  if (preJob && postJob) {
    events.push({
      detailType: "RunnerStop",
      detail: {
        event: "runner_stop",
        timestamp: postJob.timestamp,
        ...origin("runner_stop", PRE_JOB_METRICS_FILE_NAME, POST_JOB_METRICS_FILE_NAME),
        ...jobFields(preJob),
        status: postJob.status,
        ...(postJob.status_info && { status_info: postJob.status_info }),
        ...durations({ job_duration: postJob.timestamp - preJob.timestamp }),
        ...(job?.conclusion && { job_conclusion: job.conclusion }),
      },
    });
  }
  return events;
}

/** What has been moved to quarantine. */
export interface Quarantine {
  readonly reason: QuarantineReason;
  /** The storage's name, or a name derived from it where it is no valid one. */
  readonly storage: string;
  /** Derived from what was quarantined: the same objects have the same id. */
  readonly id: string;
  readonly prefix: string;
  readonly objects: number;
  readonly bytes: number;
}

/** The event that tells of a quarantine; `now` in milliseconds since the epoch. */
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

/** On EC2 a storage may be named by the role's `aws:userid`, `AROA…:i-0abc…`: the runner is what follows the last colon. */
export function runnerName(storage: string): string {
  return storage.slice(storage.lastIndexOf(":") + 1) || storage;
}

function jobFields(preJob: PreJobMetrics) {
  return {
    workflow: preJob.workflow,
    workflow_run_id: preJob.workflow_run_id,
    repo: preJob.repository,
    github_event: preJob.event,
  };
}

/** Clocks differ, so a duration may come out negative: it is set to 0, and named. */
function durations<T extends { [Name in DurationField]?: number }>(seconds: T): T & { clamped?: DurationField[] } {
  const names = Object.keys(seconds) as (keyof T & DurationField)[];
  const clamped = names.filter((name) => (seconds[name] ?? 0) < 0);
  if (clamped.length === 0) return seconds;
  return { ...seconds, ...Object.fromEntries(clamped.map((name) => [name, 0])), clamped };
}
