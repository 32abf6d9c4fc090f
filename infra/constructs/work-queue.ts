import { Duration } from "aws-cdk-lib";
import { AnyPrincipal, Effect, type IRole, PolicyStatement } from "aws-cdk-lib/aws-iam";
import { EventSourceMapping, type IFunction } from "aws-cdk-lib/aws-lambda";
import { type IQueue, Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { MESSAGE_BYTES_MAX, MESSAGE_RETENTION_SECONDS } from "../../contract/work-message.ts";
import { type Settings, timeoutSeconds, VISIBILITY_TIMEOUTS } from "../settings.ts";

export interface WorkQueueProps {
  readonly settings: Settings;
  readonly deadLetterQueue: IQueue;
}

/**
 * A worker's message is tried once. The bucket is the truth and the message a hint: the next run finds what it named, long before SQS would
 * let another worker try.
 */
const RECEIVES_MAX = 1;

/** Storages that runs hand over, and the workers: at most as many invocations of the function at once as the settings say. */
export class WorkQueue extends Construct {
  readonly queue: Queue;
  private readonly workers: number;

  constructor(scope: Construct, id: string, { settings, deadLetterQueue }: WorkQueueProps) {
    super(scope, id);
    this.workers = settings.workers;
    this.queue = new Queue(this, "Queue", {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      maxMessageSizeBytes: MESSAGE_BYTES_MAX,
      retentionPeriod: Duration.seconds(MESSAGE_RETENTION_SECONDS),
      visibilityTimeout: Duration.seconds(VISIBILITY_TIMEOUTS * timeoutSeconds(settings)),
      deadLetterQueue: { queue: deadLetterQueue, maxReceiveCount: RECEIVES_MAX },
    });
  }

  /** Lets the function, in its role, work on what it alone may send. */
  serve(target: IFunction, role: IRole): void {
    this.queue.addToResourcePolicy(
      new PolicyStatement({
        sid: "DenyOthersToSend",
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: ["sqs:SendMessage"],
        resources: [this.queue.queueArn],
        conditions: { ArnNotEquals: { "aws:PrincipalArn": role.roleArn } },
      }),
    );
    // Not `SqsEventSource`, which would grant more than a worker needs.
    new EventSourceMapping(this, "Workers", {
      target,
      eventSourceArn: this.queue.queueArn,
      // A message is a run of its own: as much work as one invocation does well, and of one flavor.
      batchSize: 1,
      maxConcurrency: this.workers,
    });
  }
}
