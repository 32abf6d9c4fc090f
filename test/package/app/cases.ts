import { App, Fn, Stack } from "aws-cdk-lib";
import { EventBus } from "aws-cdk-lib/aws-events";
import { SnsTopic } from "aws-cdk-lib/aws-events-targets";
import { Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Key } from "aws-cdk-lib/aws-kms";
import { Bucket } from "aws-cdk-lib/aws-s3";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import { Topic } from "aws-cdk-lib/aws-sns";
import { RunnerMetrics, type RunnerMetricsBase, type RunnerMetricsProps } from "runner-metrics";

const app = new App();
const flavors: RunnerMetricsProps["flavors"] = { large: {} };

// A bucket, a bus and a secret of other stacks in the app.
const base = new Stack(app, "Base");
const ownBus = new EventBus(base, "Bus");
const inApp = new RunnerMetrics(new Stack(app, "InApp"), "Metrics", {
  flavors,
  bucket: new Bucket(base, "Bucket"),
  manageBucketPolicy: true,
  eventBus: ownBus,
  github: { owners: ["acme"], secret: new Secret(base, "Secret") },
});

// A bucket and a key that a stack outside of the app exports.
const imported = new Stack(app, "Imported");
new RunnerMetrics(imported, "Metrics", {
  flavors,
  bucket: Bucket.fromBucketName(imported, "Bucket", Fn.importValue("MetricsBucketName")),
  encryptionKey: Key.fromKeyArn(imported, "Key", Fn.importValue("MetricsKeyArn")),
});

// Grants, and a consumer in a stack of its own.
inApp.grantWrite("large", new Role(base, "Runner", { assumedBy: new ServicePrincipal("ec2.amazonaws.com") }));
const consumer = new Stack(app, "Consumer");
const events: RunnerMetricsBase = RunnerMetrics.fromRunnerMetricsAttributes(consumer, "Metrics", {
  eventBusName: Fn.importValue("EventBusName"),
});
events.onRunnerLost("Lost", { target: new SnsTopic(new Topic(consumer, "OnCall")) });
