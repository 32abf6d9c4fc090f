/** What the records of an EC2 instance say about the runner on it. */
import type { InstanceEnd } from "../../contract/object-keys.ts";
import type { Cause } from "../../contract/reasons.ts";

/**
 * For this long after its instance was terminated, in seconds, a runner is left alone: what it uploaded last may not be listed yet, and
 * EC2 and S3 have different clocks.
 */
const TERMINATED_SECONDS = 2 * 60;

/**
 * A warning of a spot interruption explains an end that comes within these seconds. EC2 interrupts after two minutes; the instance may
 * then take some minutes to shut down. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
 */
const INTERRUPTION_SECONDS = 15 * 60;

/** How a runner died that is presumed dead. */
export interface Death {
  readonly cause: Cause;
  /** UNIX seconds; absent if unknown. */
  readonly endedAt?: number;
}

/**
 * Whether an instance is gone for good, and has been for two minutes. One that is stopped may start again, and one that is shutting
 * down or was warned may still upload. `now` in milliseconds since the epoch.
 */
export function isTerminated(ends: readonly InstanceEnd[], now: number): boolean {
  return ends.some(({ what, time }) => what === "terminated" && time + TERMINATED_SECONDS <= now / 1000);
}

/** Of two ends in the same second, the one that is final says how the instance ended. */
function finality({ what }: InstanceEnd): number {
  return what === "terminated" ? 1 : 0;
}

/**
 * Why a runner died, and when its instance ended. `lastUpload`, in milliseconds since the epoch: what happened before it did not end the
 * runner, but for a termination, which is final.
 */
export function deathOf(ends: readonly InstanceEnd[], lastUpload: number): Death {
  const lastUploadSeconds = Math.floor(lastUpload / 1000);
  const [end] = ends
    .filter(({ what, time }) => what === "terminated" || (what === "stopped" && time >= lastUploadSeconds))
    .toSorted((one, other) => one.time - other.time || finality(other) - finality(one));
  const isInterrupted = ends.some(
    ({ what, time }) =>
      what === "spot-interruption" &&
      time + INTERRUPTION_SECONDS >= (end?.time ?? lastUploadSeconds) &&
      time <= (end?.time ?? Number.POSITIVE_INFINITY),
  );
  const cause = isInterrupted ? "spot-interruption" : (end?.what ?? "unknown");
  return { cause, ...(end && { endedAt: end.time }) };
}
