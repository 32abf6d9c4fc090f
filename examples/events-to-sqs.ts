import { Duration } from "aws-cdk-lib";
import { type IEventBus, Rule } from "aws-cdk-lib/aws-events";
import { SqsQueue } from "aws-cdk-lib/aws-events-targets";
import { Queue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { EVENT_SOURCE, type MetricsEvent } from "../contract/events.ts";
import { parseEvent } from "../contract/parse-event.ts";

export interface EventsToSqsProps {
  readonly bus: IEventBus;
}

/** A queue with every event of runner-metrics, for whatever reads it at its own pace. */
export class EventsToSqs extends Construct {
  readonly queue: Queue;

  constructor(scope: Construct, id: string, { bus }: EventsToSqsProps) {
    super(scope, id);
    const deadLetterQueue = new Queue(this, "DeadLetters", { enforceSSL: true, retentionPeriod: Duration.days(14) });
    this.queue = new Queue(this, "Queue", {
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
      deadLetterQueue: { queue: deadLetterQueue, maxReceiveCount: 5 },
    });
    new Rule(this, "Rule", {
      eventBus: bus,
      eventPattern: { source: [EVENT_SOURCE] },
      targets: [new SqsQueue(this.queue, { deadLetterQueue })],
    });
  }
}

/** The events in bodies of messages, each once: the same event may arrive again, and then has the same `event_id`. */
export function newEvents(bodies: readonly string[], seen: Set<string>): MetricsEvent[] {
  return bodies.flatMap((body) => {
    const event = parseEvent(JSON.parse(body));
    if (!event || seen.has(event.detail.event_id)) return [];
    seen.add(event.detail.event_id);
    return [event];
  });
}
