import { Annotations, Duration, type RemovalPolicy } from "aws-cdk-lib";
import { EventBus, type IEventBus } from "aws-cdk-lib/aws-events";
import { AnyPrincipal, Effect, type IRole, PolicyStatement } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import { EVENT_SOURCE } from "../../contract/events.ts";

export interface MetricsEventBusProps {
  /** A bus that exists already: its policy is its owner's. */
  readonly existing?: IEventBus | undefined;
  /** Days for which events can be replayed; 0 for no archive. */
  readonly archiveRetentionDays: number;
  readonly removalPolicy: RemovalPolicy;
}

/** The bus that the events are published on, with an archive to replay them from. */
export class MetricsEventBus extends Construct {
  readonly bus: IEventBus;
  private readonly own?: EventBus;

  constructor(scope: Construct, id: string, props: MetricsEventBusProps) {
    super(scope, id);
    if (props.existing) {
      this.bus = props.existing;
      Annotations.of(this).addWarningV2(
        "runner-metrics:existing-event-bus",
        "An existing event bus keeps its own policy: everyone who may put events on it can forge events of runner-metrics.",
      );
    } else {
      this.own = this.createBus(props);
      // The CDK's classes don't keep to its own interfaces under `exactOptionalPropertyTypes`.
      this.bus = this.own as IEventBus;
    }
    if (props.archiveRetentionDays > 0) this.archive(props);
  }

  /** Allows only `role` to put events on the bus, so that none is forged. Replays by EventBridge itself still work. */
  reserveFor(role: IRole): void {
    this.own?.addToResourcePolicy(
      new PolicyStatement({
        sid: "DenyOthersToPutEvents",
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: ["events:PutEvents"],
        resources: [this.bus.eventBusArn],
        conditions: {
          ArnNotEquals: { "aws:PrincipalArn": role.roleArn },
          Bool: { "aws:PrincipalIsAWSService": "false" },
        },
      }),
    );
  }

  private createBus({ removalPolicy }: MetricsEventBusProps): EventBus {
    const bus = new EventBus(this, "EventBus", { description: "What became of self-hosted runners and their jobs" });
    bus.applyRemovalPolicy(removalPolicy);
    return bus;
  }

  private archive({ archiveRetentionDays, removalPolicy }: MetricsEventBusProps): void {
    this.bus
      .archive("Archive", {
        description: "Events of runner-metrics, to be replayed",
        eventPattern: { source: [EVENT_SOURCE] },
        retention: Duration.days(archiveRetentionDays),
      })
      .applyRemovalPolicy(removalPolicy);
  }
}
