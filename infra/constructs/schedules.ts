import { Duration, Stack } from "aws-cdk-lib";
import { Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import { Schedule, ScheduleExpression, ScheduleGroup, ScheduleTargetInput } from "aws-cdk-lib/aws-scheduler";
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
}

/** How often Scheduler tries to hand a run to Lambda. Then the next run is due anyway. */
const RETRIES_MAX = 2;

/** One schedule for each flavor, which runs the function with that flavor's payload. */
export class Schedules extends Construct {
  constructor(scope: Construct, id: string, { flavors, target, deadLetterQueue }: SchedulesProps) {
    super(scope, id);
    const scheduleGroup = new ScheduleGroup(this, "Group");
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
      const input: ScheduleInput = { flavor, orphanAfterSeconds, ...(githubRunners && { githubRunners }) };
      new Schedule(this, flavor, {
        description: `Extracts the metrics of runners of flavor ${flavor}`,
        scheduleGroup,
        schedule: ScheduleExpression.rate(Duration.minutes(everyMinutes)),
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
