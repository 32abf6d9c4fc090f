import { Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import { Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import {
  CfnScheduleGroup,
  Schedule,
  ScheduleExpression,
  ScheduleGroup,
  ScheduleTargetInput,
  TimeWindow,
} from "aws-cdk-lib/aws-scheduler";
import { LambdaInvoke } from "aws-cdk-lib/aws-scheduler-targets";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import type { ScheduleInput } from "../../contract/schedule-input.ts";
import { acknowledgeWildcard } from "../acknowledge.ts";
import type { Settings } from "../settings.ts";

export interface SchedulesProps {
  readonly flavors: Settings["flavors"];
  readonly target: IFunction;
  readonly deadLetterQueue: IQueue;
  /** By flavor; none without workers. */
  readonly workQueues: Readonly<Record<string, IQueue>>;
}

/** How often Scheduler tries to hand a run to Lambda. Then the next run is due anyway. */
const RETRIES_MAX = 2;

/** One schedule for each flavor, which runs the function with that flavor's payload. */
export class Schedules extends Construct {
  readonly groupName: string;

  constructor(scope: Construct, id: string, { flavors, target, deadLetterQueue, workQueues }: SchedulesProps) {
    super(scope, id);
    // Named by CloudFormation: `ScheduleGroup` makes up a name that is the same for two stacks with one construct tree.
    const group = new CfnScheduleGroup(this, "Group");
    group.applyRemovalPolicy(RemovalPolicy.DESTROY);
    this.groupName = group.ref;
    const scheduleGroup = ScheduleGroup.fromScheduleGroupName(this, "NamedGroup", group.ref);
    const role = new Role(this, "Role", {
      assumedBy: new ServicePrincipal("scheduler.amazonaws.com", {
        conditions: {
          StringEquals: { "aws:SourceAccount": Stack.of(this).account },
          ArnEquals: { "aws:SourceArn": scheduleGroup.scheduleGroupArn },
        },
      }),
      description: "Starts runs of runner-metrics",
    });
    acknowledgeWildcard(role, `${target.functionArn}:*`, "CDK's grant to invoke includes the function's versions");
    for (const [flavor, { everyMinutes, orphanAfterSeconds, githubRunners }] of Object.entries(flavors)) {
      const workQueueUrl = workQueues[flavor]?.queueUrl;
      const input: ScheduleInput = {
        flavor,
        orphanAfterSeconds,
        ...(githubRunners && { githubRunners }),
        ...(workQueueUrl && { workQueueUrl }),
      };
      new Schedule(this, flavor, {
        description: `Extracts the metrics of runners of flavor ${flavor}`,
        scheduleGroup,
        schedule: ScheduleExpression.rate(Duration.minutes(everyMinutes)),
        timeWindow: timeWindow(everyMinutes),
        target: new LambdaInvoke(target, {
          role,
          input: ScheduleTargetInput.fromObject(input),
          retryAttempts: RETRIES_MAX,
          maxEventAge: Duration.minutes(everyMinutes),
          deadLetterQueue: deadLetterQueue,
        }),
      });
    }
  }
}

/** Runs of different flavors start at different times: schedules that are created together would all start in the same second. */
function timeWindow(everyMinutes: number): TimeWindow {
  const minutes = Math.min(15, Math.floor(everyMinutes / 5));
  return minutes > 0 ? TimeWindow.flexible(Duration.minutes(minutes)) : TimeWindow.off();
}
