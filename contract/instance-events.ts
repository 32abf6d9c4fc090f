/** EC2's events that say how instances end: the stack's rules select these, and the function that receives them records them. */
import { type InstanceEnd, isInstanceId } from "./object-keys.ts";

/** `source` of EC2's events on the default bus. No one else can put events with a source that begins with `aws.`. */
export const EC2_SOURCE = "aws.ec2";

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instance-state-changes.html */
export const STATE_CHANGE = "EC2 Instance State-change Notification";

/** States of an instance that has no runner: one that is terminated has none any more, one that is stopped may start again. */
export const ENDED_STATES = ["stopped", "terminated"] as const;

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html */
export const INTERRUPTION_WARNING = "EC2 Spot Instance Interruption Warning";

/** What an event of EC2's says, or undefined if it is another event. */
export function instanceEndOf(event: unknown): InstanceEnd | undefined {
  const { source, "detail-type": detailType, time, detail } = fieldsOf(event);
  const { "instance-id": instance, state } = fieldsOf(detail);
  const seconds = typeof time === "string" ? Math.floor(Date.parse(time) / 1000) : Number.NaN;
  const what =
    detailType === INTERRUPTION_WARNING
      ? "spot-interruption"
      : ENDED_STATES.find((ended) => detailType === STATE_CHANGE && ended === state);
  const isValid = source === EC2_SOURCE && typeof instance === "string" && isInstanceId(instance) && seconds >= 0;
  return isValid && what ? { instance, time: seconds, what } : undefined;
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
