import { Duration } from "aws-cdk-lib";
import { AnyPrincipal, Effect, type IRole, PolicyStatement } from "aws-cdk-lib/aws-iam";
import { EventSourceMapping, type IFunction } from "aws-cdk-lib/aws-lambda";
import { type IQueue, Queue, QueueEncryption, type QueueProps } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { MESSAGE_BYTES_MAX, MESSAGE_RETENTION_SECONDS } from "../../contract/work-message.ts";
import { type Settings, timeoutSeconds, VISIBILITY_TIMEOUTS, workersOfFlavor } from "../settings.ts";

export interface WorkQueuesProps {
  readonly settings: Settings;
  readonly deadLetterQueue: IQueue;
}

/**
 * A worker's message is tried once. The bucket is the truth and the message a hint: the next run finds what it named, long before SQS would
 * let another worker try.
 */
const RECEIVES_MAX = 1;

/**
 * For each flavor a queue of storages that its runs hand over, and its workers: further invocations of the function. No flavor waits for
 * another one's messages, and each reads a prefix of its own.
 */
export class WorkQueues extends Construct {
  /** By flavor. */
  readonly queues: Readonly<Record<string, Queue>>;
  private readonly maxConcurrency: number;

  constructor(scope: Construct, id: string, { settings, deadLetterQueue }: WorkQueuesProps) {
    super(scope, id);
    const flavors = Object.keys(settings.flavors);
    this.maxConcurrency = workersOfFlavor(settings.workers, flavors.length);
    const props: QueueProps = {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      maxMessageSizeBytes: MESSAGE_BYTES_MAX,
      retentionPeriod: Duration.seconds(MESSAGE_RETENTION_SECONDS),
      visibilityTimeout: Duration.seconds(VISIBILITY_TIMEOUTS * timeoutSeconds(settings)),
      deadLetterQueue: { queue: deadLetterQueue, maxReceiveCount: RECEIVES_MAX },
    };
    this.queues = Object.fromEntries(flavors.map((flavor) => [flavor, new Queue(this, flavor, props)]));
  }

  /** Lets the function, in its role, work on what it alone may send. */
  serve(target: IFunction, role: IRole): void {
    for (const queue of Object.values(this.queues)) {
      queue.addToResourcePolicy(
        new PolicyStatement({
          sid: "DenyOthersToSend",
          effect: Effect.DENY,
          principals: [new AnyPrincipal()],
          actions: ["sqs:SendMessage"],
          resources: [queue.queueArn],
          conditions: { ArnNotEquals: { "aws:PrincipalArn": role.roleArn } },
        }),
      );
      // Not `SqsEventSource`, which would grant more than a worker needs.
      new EventSourceMapping(queue, "Workers", {
        target,
        eventSourceArn: queue.queueArn,
        // A message is a run of its own: as much work as one invocation does well, and of one flavor.
        batchSize: 1,
        maxConcurrency: this.maxConcurrency,
      });
    }
  }
}
