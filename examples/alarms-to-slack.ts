/**
 * Sends all alarms to a Slack channel, when they go to ALARM and when they go back to OK.
 * `npx cdk deploy --app "node examples/alarms-to-slack.ts" -c alarmTopicArn=… -c slackWorkspaceId=T… -c slackChannelId=C…`
 */
import { App, Stack } from "aws-cdk-lib";
import { SlackChannelConfiguration } from "aws-cdk-lib/aws-chatbot";
import { ManagedPolicy } from "aws-cdk-lib/aws-iam";
import { type ITopic, Topic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";

export interface AlarmsToSlackProps {
  /** The topic of the alarms: the output `AlarmTopicArn`. */
  readonly topic: ITopic;
  /** The workspace that you authorised in the console, `T…`. */
  readonly slackWorkspaceId: string;
  /** The channel that you invited the app to, `C…`. */
  readonly slackChannelId: string;
}

/** A Slack channel that receives the alarms. People in the channel can read metrics, and nothing else. */
export class AlarmsToSlack extends Construct {
  constructor(scope: Construct, id: string, { topic, slackWorkspaceId, slackChannelId }: AlarmsToSlackProps) {
    super(scope, id);
    const channel = new SlackChannelConfiguration(this, "Channel", {
      slackChannelConfigurationName: `${Stack.of(this).stackName}-${this.node.id}`,
      slackWorkspaceId,
      slackChannelId,
      notificationTopics: [topic],
      // Without guardrails, everyone in the channel could use all that the role may do.
      guardrailPolicies: [ManagedPolicy.fromAwsManagedPolicyName("CloudWatchReadOnlyAccess")],
    });
    channel.role?.addManagedPolicy(ManagedPolicy.fromAwsManagedPolicyName("CloudWatchReadOnlyAccess"));
  }
}

if (import.meta.main) {
  const app = new App();
  const stack = new Stack(app, "RunnerMetricsSlack");
  const setting = (name: string) => {
    const value: unknown = app.node.tryGetContext(name);
    if (typeof value !== "string") throw new Error(`Set -c ${name}=…`);
    return value;
  };
  new AlarmsToSlack(stack, "Alarms", {
    topic: Topic.fromTopicArn(stack, "Topic", setting("alarmTopicArn")),
    slackWorkspaceId: setting("slackWorkspaceId"),
    slackChannelId: setting("slackChannelId"),
  });
}
