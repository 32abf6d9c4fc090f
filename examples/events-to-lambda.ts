import { fileURLToPath } from "node:url";
import { Duration } from "aws-cdk-lib";
import { type IEventBus, Match, Rule } from "aws-cdk-lib/aws-events";
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets";
import { Architecture, Runtime } from "aws-cdk-lib/aws-lambda";
import { NodejsFunction, OutputFormat } from "aws-cdk-lib/aws-lambda-nodejs";
import { Queue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { type DetailType, EVENT_SOURCE } from "../contract/events.ts";

export interface EventsToLambdaProps {
  readonly bus: IEventBus;
  /** Jobs that ran longer, in seconds, are told of. */
  readonly longerThanSeconds: number;
}

/** A function that is told of long jobs only: EventBridge looks into the detail, so nothing else costs an invocation. */
export class EventsToLambda extends Construct {
  readonly function: NodejsFunction;

  constructor(scope: Construct, id: string, { bus, longerThanSeconds }: EventsToLambdaProps) {
    super(scope, id);
    const detailType: DetailType = "RunnerStop";
    this.function = new NodejsFunction(this, "Function", {
      entry: fileURLToPath(new URL("long-job-handler.ts", import.meta.url)),
      projectRoot: fileURLToPath(new URL("..", import.meta.url)),
      depsLockFilePath: fileURLToPath(new URL("../package-lock.json", import.meta.url)),
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      bundling: { format: OutputFormat.ESM, minify: true, mainFields: ["module", "main"] },
      timeout: Duration.seconds(10),
    });
    new Rule(this, "Rule", {
      eventBus: bus,
      eventPattern: {
        source: [EVENT_SOURCE],
        detailType: [detailType],
        detail: { job_duration: Match.greaterThan(longerThanSeconds) },
      },
      targets: [
        new LambdaFunction(this.function, {
          retryAttempts: 2,
          deadLetterQueue: new Queue(this, "DeadLetters", { enforceSSL: true }),
        }),
      ],
    });
  }
}
