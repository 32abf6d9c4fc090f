import { ArnFormat, type RemovalPolicy, Stack } from "aws-cdk-lib";
import { CfnRule, type IEventBus } from "aws-cdk-lib/aws-events";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { FilterPattern, LogGroup, MetricFilter, ResourcePolicy } from "aws-cdk-lib/aws-logs";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { EVENT_SOURCE } from "../../contract/events.ts";
import { METRICS_NAMESPACE } from "../../contract/run-metrics.ts";
import { JOB_METRICS, type JobMetric, type JobMetricName } from "../metrics.ts";

export interface EventLogProps {
  readonly bus: IEventBus;
  readonly deadLetterQueue: IQueue;
  readonly retentionDays: number;
  readonly removalPolicy: RemovalPolicy;
}

/** A log of all events, and the metrics of the jobs that CloudWatch makes of it. docs/decisions/0020-job-metrics.md */
export class EventLog extends Construct {
  readonly logGroup: LogGroup;

  constructor(scope: Construct, id: string, props: EventLogProps) {
    super(scope, id);
    const { retentionDays, removalPolicy } = props;
    this.logGroup = new LogGroup(this, "LogGroup", { retention: retentionDays, removalPolicy });
    const rule = this.logAll(props);
    this.allow(rule, props);
    for (const name of Object.keys(JOB_METRICS) as JobMetricName[]) this.count(name);
  }

  private logAll({ bus, deadLetterQueue }: EventLogProps): CfnRule {
    return new CfnRule(this, "Rule", {
      description: "Logs every event of runner-metrics",
      eventBusName: bus.eventBusName,
      // A replayed event has been logged and counted before.
      eventPattern: { source: [EVENT_SOURCE], "replay-name": [{ exists: false }] },
      targets: [
        {
          id: "EventLog",
          // Not `logGroupArn`: EventBridge wants it without the `:*` at its end.
          arn: Stack.of(this).formatArn({
            service: "logs",
            resource: "log-group",
            resourceName: this.logGroup.logGroupName,
            arnFormat: ArnFormat.COLON_RESOURCE_NAME,
          }),
          deadLetterConfig: { arn: deadLetterQueue.queueArn },
        },
      ],
    });
  }

  private allow(rule: CfnRule, { deadLetterQueue }: EventLogProps): void {
    const conditions = { ArnEquals: { "aws:SourceArn": rule.attrArn } };
    const principals = [
      new ServicePrincipal("events.amazonaws.com"),
      new ServicePrincipal("delivery.logs.amazonaws.com"),
    ];
    const resources = [this.logGroup.logGroupArn];
    new ResourcePolicy(this, "Policy", {
      policyStatements: [
        // The stream is created in no rule's name: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
        new PolicyStatement({ principals, actions: ["logs:CreateLogStream"], resources }),
        new PolicyStatement({ principals, actions: ["logs:PutLogEvents"], resources, conditions }),
      ],
    });
    deadLetterQueue.addToResourcePolicy(
      new PolicyStatement({
        sid: "EventsThatWereNotLogged",
        principals: [new ServicePrincipal("events.amazonaws.com")],
        actions: ["sqs:SendMessage"],
        resources: [deadLetterQueue.queueArn],
        conditions,
      }),
    );
  }

  private count(name: JobMetricName): void {
    const metric: JobMetric = JOB_METRICS[name];
    const { field, dimension } = metric;
    new MetricFilter(this, name, {
      logGroup: this.logGroup,
      metricNamespace: METRICS_NAMESPACE,
      metricName: name,
      filterPattern: FilterPattern.literal(filterPattern(metric)),
      metricValue: field ? `$.detail.${field}` : "1",
      dimensions: { flavor: "$.detail.flavor", ...(dimension && { [dimension]: `$.detail.${dimension}` }) },
    });
  }
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
