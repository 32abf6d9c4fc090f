import { EVENT_SOURCE, type MetricsEvent } from "../../../contract/events.ts";
import {
  installFailedEvent,
  issueEvents,
  lostRunnerEvent,
  quarantineEvent,
} from "../../../functions/domain/issue-events.ts";
import { runnerMetrics } from "../../../functions/domain/runner-metrics.ts";
import type { JobAnswer } from "../../../functions/domain/verify-job.ts";
import { endOf, type RunnerLife } from "../../../local/demo/fleet.ts";
import { filesOf } from "../../../local/demo/fleet-files.ts";

/** A run every five minutes collects runners that reported their end, and others a day after. */
const RUN_EVERY_SECONDS = 300;
const SILENT_SECONDS = 86_400;

/** A line of the archive, before it is written. */
export interface ArchivedEvent {
  readonly source: string;
  readonly "detail-type": string;
  readonly resources: readonly string[];
  /** ISO 8601: when it was published. */
  readonly time: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** The events of a life, as a run publishes and archives them: made by the rules that the function uses. */
export function eventsOf(life: RunnerLife, bucket = "demo"): ArchivedEvent[] {
  const isReported = life.job?.ended !== undefined;
  const ready = endOf(life) + (isReported ? 0 : SILENT_SECONDS);
  const seconds = Math.floor(ready / RUN_EVERY_SECONDS + 1) * RUN_EVERY_SECONDS + 4;
  const resources = [`arn:aws:s3:::${bucket}/runners/${life.flavor}/${life.runner}/`];
  return detailsOf(life, seconds * 1000).map(({ detailType, detail }) => ({
    source: EVENT_SOURCE,
    "detail-type": detailType,
    resources,
    time: new Date(seconds * 1000).toISOString(),
    detail,
  }));
}

interface Detail {
  readonly detailType: MetricsEvent["detailType"];
  readonly detail: Readonly<Record<string, unknown>>;
}

function detailsOf(life: RunnerLife, now: number): Detail[] {
  const { flavor, runner: storage, job, died } = life;
  const files = Object.fromEntries(
    filesOf(life).map(({ name, body, at }) => [name, { bytes: Buffer.from(body), lastModified: at * 1000 }]),
  );
  const metrics = runnerMetrics(storage, files);
  if (metrics.kind === "corrupt") {
    const prefix = `quarantine/${flavor}/${storage}/${storage}/`;
    return [
      quarantineEvent({ storage, reason: metrics.reason, id: storage, prefix, objects: 4, bytes: 400 }, flavor, now),
    ];
  }
  if (metrics.kind === "incomplete") {
    return metrics.unfinishedInstallation ? [installFailedEvent(metrics.unfinishedInstallation, flavor, now)] : [];
  }
  if (metrics.kind === "leftover") return [];
  const answer: JobAnswer = job
    ? {
        queue_duration: job.began - job.queued,
        conclusion: job.conclusion,
        job_id: job.id,
        job_name: job.job,
        labels: ["self-hosted", flavor],
        jobs_cancelled_in_queue: job.cancelledInQueue,
        ...(job.postStepsSkipped && { post_steps_skipped: true }),
      }
    : { unknown: "not-configured" };
  const events = issueEvents(metrics, flavor, answer);
  if (job?.ended !== undefined) return events;
  const lost = lostRunnerEvent(metrics, flavor, now, answer);
  if (!died) return [...events, lost];
  return [...events, { ...lost, detail: { ...lost.detail, cause: died.cause, ended_at: died.at } }];
}
