import { ArnFormat, Aws, Fn, type RemovalPolicy, Stack } from "aws-cdk-lib";
import { CfnRule, type IEventBus } from "aws-cdk-lib/aws-events";
import { PolicyDocument, PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { type CfnLogGroup, FilterPattern, LogGroup, MetricFilter } from "aws-cdk-lib/aws-logs";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { JOB_METRICS, type JobMetric, type JobMetricName } from "../metrics.ts";

import type { OwnEvents } from "../own-events.ts";

export interface EventLogProps {
  readonly bus: IEventBus;
  readonly events: OwnEvents;
  /** Namespace of the metrics. */
  readonly metricsNamespace: string;
  readonly deadLetterQueue: IQueue;
  readonly retentionDays: number;
  readonly removalPolicy: RemovalPolicy;
}

/** A log of all events, and the metrics of the jobs that CloudWatch makes of it. docs/decisions/0020-job-metrics.md */
export class EventLog extends Construct {
  readonly logGroup: LogGroup;

  constructor(scope: Construct, id: string, props: EventLogProps) {
    super(scope, id);
    const { bus, retentionDays, removalPolicy, metricsNamespace } = props;
    const { stackName } = Stack.of(this);
    // The log outlives the stack, and its policy names it: a name that no other deployment of the stack has.
    const logGroupName = `/aws/events/${stackName}/${this.node.addr.slice(-8)}-${Fn.select(2, Fn.split("/", Aws.STACK_ID))}`;
    this.logGroup = new LogGroup(this, "LogGroup", { logGroupName, retention: retentionDays, removalPolicy });
    // A policy of its own. Others count: an account may have ten that are for all log groups together.
    (this.logGroup.node.defaultChild as CfnLogGroup).resourcePolicyDocument = mayLog(
      `${this.arnOf("logs", "log-group", logGroupName)}:*`,
      this.arnOf("events", "rule", bus.eventBusName === "default" ? "*" : `${bus.eventBusName}/*`),
    );
    const rule = this.logAll(props);
    for (const name of Object.keys(JOB_METRICS) as JobMetricName[]) this.count(name, metricsNamespace);
    props.deadLetterQueue.addToResourcePolicy(
      new PolicyStatement({
        sid: "EventsThatWereNotLogged",
        principals: [new ServicePrincipal("events.amazonaws.com")],
        actions: ["sqs:SendMessage"],
        resources: [props.deadLetterQueue.queueArn],
        conditions: { ArnEquals: { "aws:SourceArn": rule.attrArn } },
      }),
    );
  }

  private logAll({ bus, events, deadLetterQueue }: EventLogProps): CfnRule {
    return new CfnRule(this, "Rule", {
      description: "Logs every event of this stack",
      eventBusName: bus.eventBusName,
      // A replayed event has been logged and counted before.
      eventPattern: { ...events, "replay-name": [{ exists: false }] },
      targets: [
        {
          id: "EventLog",
          // Not `logGroupArn`: EventBridge wants it without the `:*` at its end.
          arn: this.arnOf("logs", "log-group", this.logGroup.logGroupName),
          deadLetterConfig: { arn: deadLetterQueue.queueArn },
        },
      ],
    });
  }

  private arnOf(service: string, resource: string, resourceName: string): string {
    const arnFormat = service === "logs" ? ArnFormat.COLON_RESOURCE_NAME : ArnFormat.SLASH_RESOURCE_NAME;
    return Stack.of(this).formatArn({ service, resource, resourceName, arnFormat });
  }

  private count(name: JobMetricName, metricNamespace: string): void {
    const metric: JobMetric = JOB_METRICS[name];
    const { field, dimension } = metric;
    new MetricFilter(this, name, {
      logGroup: this.logGroup,
      metricNamespace,
      metricName: name,
      filterPattern: FilterPattern.literal(filterPattern(metric)),
      metricValue: field ? `$.detail.${field}` : "1",
      dimensions: { flavor: "$.detail.flavor", ...(dimension && { [dimension]: `$.detail.${dimension}` }) },
    });
  }
}

/** Lets the rules of the bus write there. */
function mayLog(logGroupArn: string, rulesArn: string): PolicyDocument {
  const principals = [
    new ServicePrincipal("events.amazonaws.com"),
    new ServicePrincipal("delivery.logs.amazonaws.com"),
  ];
  const resources = [logGroupArn];
  return new PolicyDocument({
    statements: [
      // The stream is created in no rule's name: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
      new PolicyStatement({ principals, actions: ["logs:CreateLogStream"], resources }),
      new PolicyStatement({
        principals,
        actions: ["logs:PutLogEvents"],
        resources,
        conditions: { ArnLike: { "aws:SourceArn": rulesArn } },
      }),
    ],
  });
}

/**
 * Events of one kind that have the counted field. An event with a clamped duration is left out: its 0 only shows that clocks differ.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
 */
function filterPattern({ event, field, dimension }: JobMetric): string {
  const terms = [
    `($.detail.event = "${event}")`,
    // A field that is a value or a dimension must be in the pattern.
    '($.detail.flavor = "*")',
    ...(field ? [`($.detail.${field} >= 0)`, "($.detail.clamped NOT EXISTS)"] : []),
    ...(dimension ? [`($.detail.${dimension} = "*")`] : []),
  ];
  return `{ ${terms.join(" && ")} }`;
}
