/**
 * An app of your own: the construct in a stack with your VPC, your secret and your roles, and consumers in another stack.
 * `npx cdk synth --app "node examples/own-app.ts"`
 */
import { App, Duration, PermissionsBoundary, RemovalPolicy, Stack, Tags } from "aws-cdk-lib";
import { Alarm } from "aws-cdk-lib/aws-cloudwatch";
import { type IVpc, SubnetType, Vpc } from "aws-cdk-lib/aws-ec2";
import { CloudWatchLogGroup, SnsTopic, SqsQueue } from "aws-cdk-lib/aws-events-targets";
import { AccountPrincipal, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import { Topic } from "aws-cdk-lib/aws-sns";
import { Queue } from "aws-cdk-lib/aws-sqs";
import { RunnerMetrics } from "../infra/runner-metrics.ts";

export const app = new App();

const ci = new Stack(app, "Ci", {
  permissionsBoundary: PermissionsBoundary.fromName("ci-boundary"),
});
Tags.of(ci).add("team", "ci");

const vpc = new Vpc(ci, "Vpc", { maxAzs: 2 }) as IVpc;
const metrics = new RunnerMetrics(ci, "Metrics", {
  flavors: {
    large: { every: Duration.minutes(5), githubRunners: "acme" },
    "arm-small": { every: Duration.minutes(2), orphanAfter: Duration.hours(6) },
    old: { retired: true },
  },
  github: { owners: ["acme"], secret: Secret.fromSecretNameV2(ci, "Github", "ci/github") },
  alarmTopic: Topic.fromTopicArn(ci, "OnCall", ci.formatArn({ service: "sns", resource: "on-call" })),
  vpc,
  vpcSubnets: { subnetType: SubnetType.PRIVATE_WITH_EGRESS },
  memorySize: 2_048,
  logRetention: RetentionDays.THREE_MONTHS,
  runnerRoles: false,
  removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
});

// Permissions: for the role of your own runners, and for people who read the quarantine.
const runners = new Role(ci, "Runners", { assumedBy: new ServicePrincipal("ec2.amazonaws.com") });
metrics.grantWrite("large", runners);
const security = new Role(ci, "Security", { assumedBy: new AccountPrincipal(ci.account) });
metrics.grantReadQuarantine(security);

// Events: one rule for each type, or one rule for several types.
const queue = new Queue(ci, "Queue", { enforceSSL: true });
const target = new SqsQueue(queue);
metrics.onRunnerInstalled("Installed", { target });
metrics.onRunnerStart("Started", { target });
metrics.onRunnerStop("LongJobs", { target, eventPattern: { detail: { job_duration: [{ numeric: [">", 3_600] }] } } });
metrics.onRunnerInstallFailed("InstallFailed", { target });
metrics.onRunnerNeverUsed("NeverUsed", { target });
metrics.onEvent("Waste", ["RunnerLost", "RunnerNeverUsed"], { target });

// Metrics: for your own alarms and dashboards.
new Alarm(ci, "SlowJobs", {
  metric: metrics.metricJobDuration("large"),
  threshold: Duration.hours(2).toSeconds(),
  evaluationPeriods: 3,
});
new Alarm(ci, "TooFewRunners", {
  metric: metrics.metricQueueDuration("large", { statistic: "p50", period: Duration.minutes(15) }),
  threshold: 300,
  evaluationPeriods: 4,
});
export const metricsForDashboards = [
  metrics.metricInstallDuration("large"),
  metrics.metricIdleDuration("large"),
  metrics.metricJobs("large", "abnormal"),
  metrics.metricRunners("large", "deferred"),
  metrics.metricRunDuration("large"),
  metrics.metric("Live.busy", "large", { statistic: "Maximum" }),
];

// Consumers in another stack or another app need only the outputs of the first stack.
const consumers = new Stack(app, "Consumers");
const imported = RunnerMetrics.fromRunnerMetricsAttributes(consumers, "Metrics", {
  eventBusName: metrics.eventBus.eventBusName,
  metricsNamespace: metrics.metricsNamespace,
  bucketName: metrics.bucket.bucketName,
  flavors: ["large"],
});
imported.onRunnerLost("Lost", { target: new SnsTopic(new Topic(consumers, "OnCall")) });
imported.onMetricsQuarantined("Quarantined", { target: new CloudWatchLogGroup(new LogGroup(consumers, "Log")) });
