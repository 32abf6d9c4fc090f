import { Annotations, RemovalPolicy, Stack } from "aws-cdk-lib";
import { CfnArchive, EventBus, type IEventBus } from "aws-cdk-lib/aws-events";
import { AnyPrincipal, Effect, type IRole, PolicyStatement } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import type { OwnEvents } from "../own-events.ts";

export interface MetricsEventBusProps {
  /** A bus that exists already: its policy is its owner's. */
  readonly existing?: IEventBus | undefined;
}

/** The bus that the events are published on, with an archive to replay them from. Both go with the stack: they hold nothing that is not elsewhere. */
export class MetricsEventBus extends Construct {
  readonly bus: IEventBus;
  private readonly own?: EventBus;

  constructor(scope: Construct, id: string, { existing }: MetricsEventBusProps) {
    super(scope, id);
    if (existing) {
      this.bus = existing;
      Annotations.of(this).addWarningV2(
        "runner-metrics:existing-event-bus",
        "An existing event bus keeps its own policy: everyone who may put events on it can forge events of runner-metrics.",
      );
      return;
    }
    this.own = new EventBus(this, "EventBus", {
      // The CDK's own name is the same for two stacks with one construct tree.
      eventBusName: `${Stack.of(this).stackName}-${this.node.addr.slice(-8)}`,
      description: "What became of self-hosted runners and their jobs",
    });
    this.own.applyRemovalPolicy(RemovalPolicy.DESTROY);
    // The CDK's classes don't keep to its own interfaces under `exactOptionalPropertyTypes`.
    this.bus = this.own as IEventBus;
  }

  /** Allows only `role` to put events on the bus, so that none is forged. Replays by EventBridge itself still work. */
  reserveFor(role: IRole): void {
    this.own?.addToResourcePolicy(
      new PolicyStatement({
        // Statement ids are unique in the policy of a bus, not in a stack: https://github.com/aws/aws-cdk/issues/29627
        sid: `DenyOthersToPutEvents${this.node.addr.slice(-8)}`,
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

  /** Keeps this stack's events for so many days, so that they can be replayed. Returns the archive's ARN. */
  archive(events: OwnEvents, retentionDays: number): string {
    // Not `bus.archive()`, which would create it in the stack of the bus.
    const archive = new CfnArchive(this, "Archive", {
      sourceArn: this.bus.eventBusArn,
      description: "Events of runner-metrics, to be replayed",
      eventPattern: events,
      retentionDays,
    });
    archive.applyRemovalPolicy(RemovalPolicy.DESTROY);
    return archive.attrArn;
  }
}
