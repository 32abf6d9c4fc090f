/** The construct in somebody else's app: whatever its parts come from, the app synthesises, also with cdk-nag on it. */
import { type App, CfnParameter, Duration, Fn, NestedStack, RemovalPolicy, Stack, Stage, Tags } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { type IVpc, SecurityGroup, Vpc } from "aws-cdk-lib/aws-ec2";
import { EventBus } from "aws-cdk-lib/aws-events";
import { SqsQueue } from "aws-cdk-lib/aws-events-targets";
import { ManagedPolicy, PermissionsBoundary, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { type IKey, Key } from "aws-cdk-lib/aws-kms";
import { RetentionDays } from "aws-cdk-lib/aws-logs";
import { Bucket, type IBucket } from "aws-cdk-lib/aws-s3";
import { type ISecret, Secret } from "aws-cdk-lib/aws-secretsmanager";
import { Topic } from "aws-cdk-lib/aws-sns";
import { Queue } from "aws-cdk-lib/aws-sqs";
import { AwsSolutionsChecks } from "cdk-nag";
import type { Construct } from "constructs";
import { beforeAll, describe, expect, test } from "vitest";
import { environment } from "../../contract/environment.ts";
import { DETAIL_TYPES } from "../../contract/events.ts";
import { propsOf, settingsOf } from "../../infra/props.ts";
import { RunnerMetrics, type RunnerMetricsProps } from "../../infra/runner-metrics.ts";
import { parseSettings, settings, stackSettings } from "../../infra/settings.ts";
import { toolsAreRequired } from "../tools.ts";
import { createApp } from "./app.ts";
import { statementsOf } from "./iam.ts";
import { resources } from "./synthesize.ts";

const FLAVORS = { large: {} };
const ENV = { account: "123456789012", region: "eu-central-1" };

/** A stack of theirs, with the construct in it. */
function withMetrics(app: Construct, id: string, props: (stack: Stack) => Partial<RunnerMetricsProps> = () => ({})) {
  const stack = new Stack(app, id);
  const metrics = new RunnerMetrics(stack, "Metrics", { flavors: FLAVORS, ...props(stack) });
  return { stack, metrics };
}

/** Statements of the role of the collector that name the resource, as the template has it. */
function grantsOn(template: Template, resource: string): string[] {
  return Object.values(resources(template, "AWS::IAM::Policy"))
    .flatMap(
      ({ Properties }) => (Properties.PolicyDocument as { Statement: { Sid?: string; Resource: unknown }[] }).Statement,
    )
    .filter(({ Resource }) => JSON.stringify(Resource).includes(resource))
    .flatMap(({ Sid }) => Sid ?? []);
}

describe("what is somebody else's can be", () => {
  test.each<[string, (app: App) => { stack: Stack; expected: string; grants: string[] }]>([
    [
      "a bucket whose name is a parameter",
      (app) => ({
        ...withMetrics(app, "Theirs", (stack) => ({
          bucket: Bucket.fromBucketName(stack, "Bucket", new CfnParameter(stack, "Name").valueAsString),
        })),
        expected: '{"Ref":"Name"}',
        grants: ["ListRunners", "ReadAndDeleteRunners", "CopyIntoQuarantine", "WriteManifestOnce"],
      }),
    ],
    [
      "a bucket that another app exports",
      (app) => ({
        ...withMetrics(app, "Theirs", (stack) => ({
          bucket: Bucket.fromBucketName(stack, "Bucket", Fn.importValue("their-bucket")),
          manageBucketPolicy: true,
        })),
        expected: '{"Fn::ImportValue":"their-bucket"}',
        grants: ["ListRunners", "ReadAndDeleteRunners", "CopyIntoQuarantine", "WriteManifestOnce"],
      }),
    ],
    [
      "a bus whose ARN another app exports",
      (app) => ({
        ...withMetrics(app, "Theirs", (stack) => ({
          eventBus: EventBus.fromEventBusArn(stack, "Bus", Fn.importValue("their-bus")),
        })),
        expected: '{"Fn::ImportValue":"their-bus"}',
        grants: ["PublishEvents"],
      }),
    ],
    [
      "a secret of the same app, with a key",
      (app) => ({
        ...withMetrics(app, "Theirs", (stack) => ({
          github: {
            owners: ["acme"],
            // The CDK's classes don't keep to its own interfaces under `exactOptionalPropertyTypes`.
            secret: new Secret(stack, "Secret", { encryptionKey: new Key(stack, "Key") }) as ISecret,
          },
        })),
        expected: '{"Ref":"SecretA720EF05"}',
        grants: ["ReadGithubSecret"],
      }),
    ],
    [
      "a secret that is known by its name alone",
      (app) => ({
        ...withMetrics(app, "Theirs", (stack) => ({
          github: { owners: ["acme"], secret: Secret.fromSecretNameV2(stack, "Secret", "github") },
        })),
        expected: ":secret:github",
        grants: ["ReadGithubSecret"],
      }),
    ],
  ])("%s", (_, build) => {
    const app = createApp();
    const { stack, expected, grants } = build(app);
    app.synth();
    // In the gate, since cdk-nag takes seconds. Their own key, bucket and secret have findings of their own: only ours are asked for.
    if (toolsAreRequired) expect(findings(app).filter((finding) => finding.includes("Theirs/Metrics"))).toEqual([]);
    const template = Template.fromStack(stack);
    expect(JSON.stringify(template.toJSON())).toContain(expected);
    expect(grantsOn(template, expected.slice(1, -1))).toEqual(expect.arrayContaining(grants));
  });

  test("a secret that is known by its name alone is found with the six characters that Secrets Manager adds", () => {
    const { stack } = withMetrics(createApp(), "Theirs", (scope) => ({
      github: { owners: ["acme"], secret: Secret.fromSecretNameV2(scope, "Secret", "github") },
    }));
    expect(JSON.stringify(Template.fromStack(stack).toJSON())).toContain(":secret:github-??????");
  });

  test("a bucket whose name no bookkeeping for cdk-nag can read", () => {
    const app = createApp();
    const { stack } = withMetrics(app, "Theirs", (scope) => ({
      bucket: Bucket.fromBucketName(scope, "Bucket", Fn.join("-", Fn.split("/", Fn.importValue("their-bucket")))),
    }));
    expect(() => app.synth()).not.toThrow();
    expect(JSON.stringify(Template.fromStack(stack).toJSON())).toContain('"Fn::Split"');
  });

  test("settings that only the deployment knows", () => {
    const { stack } = withMetrics(createApp(), "Theirs", (scope) => ({
      alarmEmail: new CfnParameter(scope, "Email").valueAsString,
      memorySize: new CfnParameter(scope, "Memory", { type: "Number" }).valueAsNumber,
      github: { owners: [new CfnParameter(scope, "Owner").valueAsString] },
      flavors: { large: { githubRunners: Fn.ref("Owner") } },
    }));
    const template = Template.fromStack(stack);
    template.hasResourceProperties("AWS::SNS::Subscription", { Endpoint: { Ref: "Email" } });
    template.hasResourceProperties("AWS::Lambda::Function", { MemorySize: { Ref: "Memory" } });
    template.hasResourceProperties("AWS::Lambda::Function", {
      Environment: { Variables: { GITHUB_OWNERS: { Ref: "Owner" } } },
    });
  });
});

describe("a bucket of another stack", () => {
  const build = (props: Partial<RunnerMetricsProps>) => {
    const app = createApp();
    const theirs = new Stack(app, "Theirs");
    const bucket = new Bucket(theirs, "Bucket", { enforceSSL: true }) as IBucket;
    const { stack } = withMetrics(app, "Ours", () => ({ bucket, ...props }));
    return { theirs: Template.fromStack(theirs), ours: Template.fromStack(stack) };
  };
  const sids = (template: Template) =>
    Object.values(resources(template, "AWS::S3::BucketPolicy")).flatMap(({ Properties }) =>
      statementsOf(template, Properties.PolicyDocument).flatMap(({ Sid }) => Sid ?? []),
    );

  test("is left alone", () => {
    const { theirs, ours } = build({});
    expect(sids(theirs)).toEqual([]);
    ours.resourceCountIs("AWS::S3::BucketPolicy", 0);
  });

  test("gets all statements by choice, in its own policy, and knows the collector by name", () => {
    const { theirs, ours } = build({ manageBucketPolicy: true });
    expect(sids(theirs)).toEqual(
      expect.arrayContaining([
        "DenySseC",
        "DenyOverwritingRunners",
        expect.stringMatching(/^DenyOthersToWriteIntoQuarantine[0-9a-f]{8}$/),
      ]),
    );
    ours.resourceCountIs("AWS::S3::BucketPolicy", 0);
    const [name] = Object.values(resources(ours, "AWS::IAM::Role")).flatMap(
      ({ Properties }) => Properties.RoleName ?? [],
    );
    expect(String(name).length).toBeLessThanOrEqual(64);
    expect(JSON.stringify(theirs.toJSON())).toContain(`:role/${name}`);
  });
});

test("a key, a bus and a topic of another stack are used from there, and nothing is created in it", () => {
  const app = createApp();
  const theirs = new Stack(app, "Theirs");
  const shared = {
    encryptionKey: new Key(theirs, "Key"),
    eventBus: new EventBus(theirs, "Bus"),
    alarmTopic: new Topic(theirs, "Topic"),
  } as Pick<RunnerMetricsProps, "encryptionKey" | "eventBus" | "alarmTopic">;
  const { stack } = withMetrics(app, "Ours", () => shared);
  withMetrics(app, "Others", () => ({ ...shared, flavors: { small: {} } }));
  const types = Object.values(Template.fromStack(theirs).toJSON().Resources as Record<string, { Type: string }>);
  expect(types.map(({ Type }) => Type).sort()).toEqual(["AWS::Events::EventBus", "AWS::KMS::Key", "AWS::SNS::Topic"]);
  const ours = Template.fromStack(stack);
  ours.resourceCountIs("AWS::Events::Archive", 1);
  expect(JSON.stringify(ours.toJSON())).toContain("Theirs:ExportsOutput");
});

test("a nested stack and a stage can hold it", () => {
  const app = createApp();
  const stage = new Stage(app, "Production", { env: ENV });
  const parent = new Stack(stage, "Parent");
  const nested = new NestedStack(parent, "Nested");
  const metrics = new RunnerMetrics(nested, "Metrics", { flavors: FLAVORS });
  const template = Template.fromStack(nested);
  const namespace = nested.resolve(metrics.metricsNamespace);
  expect(JSON.stringify(namespace)).toContain("AWS::StackName");
  template.hasResourceProperties("AWS::Lambda::Function", {
    Environment: { Variables: { METRICS_NAMESPACE: namespace } },
  });
});

test("a VPC takes the function in, with a role that may join it", () => {
  const { stack, metrics } = withMetrics(createApp(), "Theirs", (scope) => {
    const vpc = new Vpc(scope, "Vpc") as IVpc;
    return { vpc, securityGroups: [new SecurityGroup(scope, "Group", { vpc })], vpcSubnets: { onePerAz: true } };
  });
  const template = Template.fromStack(stack);
  template.hasResourceProperties("AWS::Lambda::Function", {
    VpcConfig: { SecurityGroupIds: [{ "Fn::GetAtt": ["GroupC77FDACD", "GroupId"] }] },
  });
  expect(grantsOn(template, '"*"')).toContain("JoinVpc");
  expect(metrics.extractMetrics.function.connections.securityGroups).toHaveLength(1);
});

test("a permissions boundary and tags reach everything that can have them", () => {
  const app = createApp();
  const { stack } = withMetrics(app, "Theirs", () => ({ schemaRegistry: true, github: { owners: ["acme"] } }));
  const boundary = "arn:aws:iam::123456789012:policy/boundary";
  PermissionsBoundary.of(stack).apply(ManagedPolicy.fromManagedPolicyArn(stack, "Boundary", boundary));
  Tags.of(stack).add("team", "ci");
  const template = Template.fromStack(stack);
  template.allResourcesProperties("AWS::IAM::Role", {
    PermissionsBoundary: boundary,
  });
  const tagged = [
    "AWS::S3::Bucket",
    "AWS::Events::EventBus",
    "AWS::SQS::Queue",
    "AWS::Lambda::Function",
    "AWS::Logs::LogGroup",
    "AWS::Scheduler::ScheduleGroup",
    "AWS::SNS::Topic",
    "AWS::IAM::Role",
    "AWS::SecretsManager::Secret",
    "AWS::CloudWatch::Alarm",
  ];
  for (const type of tagged) {
    for (const [id, { Properties }] of Object.entries(resources(template, type))) {
      expect(Properties.Tags, id).toContainEqual({ Key: "team", Value: "ci" });
    }
  }
});

describe("what is not wanted is left out:", () => {
  const TYPES: Partial<Record<keyof RunnerMetricsProps, string[]>> = {
    alarms: ["AWS::CloudWatch::Alarm", "AWS::SNS::Topic"],
    dashboard: ["AWS::CloudWatch::Dashboard", "AWS::Logs::QueryDefinition"],
    instanceProfiles: ["AWS::IAM::InstanceProfile"],
    runnerRoles: ["AWS::IAM::InstanceProfile"],
    schemaRegistry: ["AWS::EventSchemas::Registry"],
    endedInstances: ["AWS::Lambda::Permission"],
  };
  let having: Template;
  beforeAll(() => {
    const all = Object.fromEntries(Object.keys(TYPES).map((name) => [name, true]));
    having = Template.fromStack(withMetrics(createApp(), "With", () => all).stack);
  });

  test.each(Object.entries(TYPES))("%s", (name, types) => {
    const without = Template.fromStack(withMetrics(createApp(), "Without", () => ({ [name]: false })).stack);
    for (const type of types) {
      without.resourceCountIs(type, 0);
      expect(Object.keys(resources(having, type)), type).not.toEqual([]);
    }
  });

  test("without roles of runners, the policies are there for roles of one's own", () => {
    const { stack, metrics } = withMetrics(createApp(), "Theirs", () => ({ runnerRoles: false }));
    const template = Template.fromStack(stack);
    template.resourceCountIs("AWS::IAM::ManagedPolicy", 4);
    expect(JSON.stringify(template.toJSON())).not.toContain("ec2.amazonaws.com");
    expect(metrics.runnerAccess.large?.instanceRole).toBeUndefined();
  });
});

test("D3: a retired flavor is still collected, but has no policies for runners", () => {
  const { stack } = withMetrics(createApp(), "Theirs", () => ({ flavors: { large: {}, old: { retired: true } } }));
  const template = Template.fromStack(stack);
  template.resourceCountIs("AWS::Scheduler::Schedule", 2);
  const policies = Object.keys(resources(template, "AWS::IAM::ManagedPolicy"));
  expect(policies.filter((id) => id.includes("old"))).toEqual([]);
  expect(policies.filter((id) => id.includes("large"))).toHaveLength(2);
  expect(grantsOn(template, "/runners/old/*")).toEqual(["ReadAndDeleteRunners"]);
});

describe("consumers", () => {
  const patternsOf = (stack: Stack) =>
    Object.values(resources(Template.fromStack(stack), "AWS::Events::Rule")).flatMap(({ Properties }) =>
      "detail-type" in (Properties.EventPattern as object) ? [Properties.EventPattern] : [],
    );
  const target = (scope: Construct) => new SqsQueue(new Queue(scope, "Queue"));

  test("get the events of this stack's flavors and bucket only, and can narrow them", () => {
    const { stack, metrics } = withMetrics(createApp(), "Theirs", () => ({ flavors: { large: {}, small: {} } }));
    const detail = { repo: ["acme/widgets"] };
    metrics.onRunnerStop("Stop", { target: target(stack), eventPattern: { source: ["other"], detail } });
    const prefix = {
      "Fn::Join": ["", [{ "Fn::GetAtt": [expect.stringContaining("StorageBucket"), "Arn"] }, "/runners/"]],
    };
    expect(patternsOf(stack)).toEqual([
      {
        source: ["runner-metrics"],
        "detail-type": ["RunnerStop"],
        resources: [{ prefix }],
        detail: { flavor: ["large", "small"], ...detail },
      },
    ]);
  });

  test("in another stack get the same, or without bucket and flavors all events of the bus", () => {
    const stack = new Stack(createApp(), "Consumers");
    const bus = { eventBusName: "shared" };
    const of = (id: string, attributes: object) =>
      RunnerMetrics.fromRunnerMetricsAttributes(stack, id, { ...bus, ...attributes });
    of("All", {}).onRunnerLost("Lost", { target: target(stack) });
    const narrow = of("Narrow", { bucketName: "metrics", flavors: ["large"], metricsNamespace: "Ours" });
    narrow.onRunnerLost("Lost", { target: target(narrow) });
    const common = { source: ["runner-metrics"], "detail-type": ["RunnerLost"] };
    const prefix = { "Fn::Join": ["", ["arn:", { Ref: "AWS::Partition" }, ":s3:::metrics/runners/"]] };
    expect(patternsOf(stack)).toEqual([common, { ...common, resources: [{ prefix }], detail: { flavor: ["large"] } }]);
    expect(narrow.metricJobDuration("large").namespace).toBe("Ours");
    expect(of("Default", {}).metricJobDuration("large").namespace).toBe("RunnerMetrics");
  });

  test.each(DETAIL_TYPES)("have a method for %s", (detailType) => {
    const { stack, metrics } = withMetrics(createApp(), "Theirs");
    metrics[`on${detailType}`]("Rule", { target: target(stack) });
    expect(patternsOf(stack)).toMatchObject([{ "detail-type": [detailType] }]);
  });

  test("find metrics by the names, dimensions and statistics that they are written with", () => {
    const { metrics } = withMetrics(createApp(), "Theirs");
    const run = { service: "extract-metrics", flavor: "large" };
    const job = { flavor: "large" };
    const found = [
      [metrics.metric("Live.busy", "large"), "Live.busy", run, "Average"],
      [metrics.metric("StrayObjects", "large"), "StrayObjects", { service: "extract-metrics" }, "Average"],
      [metrics.metricRunDuration("large"), "RunDuration", run, "Maximum"],
      [metrics.metricRunners("large", "deferred"), "Runners.deferred", run, "Sum"],
      [metrics.metricQueueDuration("large"), "QueueDuration", job, "p90"],
      [metrics.metricInstallDuration("large"), "InstallDuration", job, "p90"],
      [metrics.metricIdleDuration("large"), "IdleDuration", job, "p90"],
      [metrics.metricJobDuration("large", { statistic: "p50" }), "JobDuration", job, "p50"],
      [metrics.metricJobs("large", "abnormal"), "JobsByStatus", { ...job, status: "abnormal" }, "Sum"],
    ] as const;
    for (const [metric, metricName, dimensions, statistic] of found)
      expect(metric).toMatchObject({ namespace: "Theirs-Metrics", metricName, dimensions, statistic });
  });
});

describe("a role of one's own", () => {
  const build = () => {
    const app = createApp();
    const { stack, metrics } = withMetrics(app, "Theirs", (scope) => ({
      flavors: { large: {}, macs: { jobsPerRunner: "many" }, old: { retired: true } },
      encryptionKey: new Key(scope, "Key") as IKey,
    }));
    const roleOf = (name: string) => new Role(stack, name, { assumedBy: new ServicePrincipal("ec2.amazonaws.com") });
    return { stack, metrics, roleOf };
  };
  /** What a policy document allows, without the names of its statements. */
  const allowed = (template: Template, type: string, id: string) => {
    const [found] = Object.entries(resources(template, type)).filter(([name]) => name.startsWith(id));
    return statementsOf(template, found?.[1].Properties.PolicyDocument).map(({ Sid: _, ...statement }) => statement);
  };

  test.each(["large", "macs"])("gets for %s what the stack's own policy for instances allows", (flavor) => {
    const { stack, metrics, roleOf } = build();
    metrics.grantWrite(flavor, roleOf("Runners"));
    const template = Template.fromStack(stack);
    const own = allowed(template, "AWS::IAM::ManagedPolicy", `MetricsRunnerAccess${flavor}InstancePolicy`);
    expect(own).toHaveLength(2);
    expect(JSON.stringify(own).includes("~??")).toBe(flavor === "macs");
    expect(allowed(template, "AWS::IAM::Policy", "RunnersDefaultPolicy")).toEqual(own);
  });

  test.each(["old", "none"])("gets nothing for %s, which is retired or is not there", (flavor) => {
    const { metrics, roleOf } = build();
    expect(() => metrics.grantWrite(flavor, roleOf("Runners"))).toThrow(`has no flavor ${flavor}, or it is retired`);
  });

  test("reads the quarantine of these flavors, with the key, and nothing else", () => {
    const { stack, metrics, roleOf } = build();
    metrics.grantReadQuarantine(roleOf("Security"));
    const template = Template.fromStack(stack);
    const statements = allowed(template, "AWS::IAM::Policy", "SecurityDefaultPolicy");
    expect(statements.map(({ Action }) => Action)).toEqual([["s3:ListBucket"], ["s3:GetObject"], ["kms:Decrypt"]]);
    const prefixes = ["large", "macs", "old"].map((flavor) => `quarantine/${flavor}/*`);
    expect(statements[0]?.Condition).toEqual({ StringLike: { "s3:prefix": prefixes } });
    expect(statements[1]?.Resource.map((arn) => arn.replace(/^[^/]*\//, ""))).toEqual(prefixes);
  });
});

describe("D3: two in one app", () => {
  test("have names, series and events of their own, in one stack or in two", () => {
    const app = createApp();
    const { stack, metrics } = withMetrics(app, "One");
    const second = new RunnerMetrics(stack, "Second", { flavors: FLAVORS });
    const { metrics: third } = withMetrics(app, "Two");
    const namespaces = [metrics, second, third].map(({ metricsNamespace }) => metricsNamespace);
    expect(namespaces).toEqual(["One-Metrics", "One-Second", "Two-Metrics"]);
    const template = Template.fromStack(stack);
    const statementIds = Object.values(resources(template, "AWS::Events::EventBusPolicy")).map(
      ({ Properties }) => Properties.StatementId,
    );
    expect(new Set(statementIds).size).toBe(2);
    const filtered = Object.values(resources(template, "AWS::Logs::MetricFilter")).map(
      ({ Properties }) => (Properties.MetricTransformations as { MetricNamespace: string }[])[0]?.MetricNamespace,
    );
    expect(new Set(filtered)).toEqual(new Set(["One-Metrics", "One-Second"]));
    const alarmed = Object.values(resources(template, "AWS::CloudWatch::Alarm")).map(
      ({ Properties }) => Properties.Namespace,
    );
    expect(new Set(alarmed)).toEqual(new Set(["One-Metrics", "One-Second", "AWS/Lambda", "AWS/SQS"]));
  });

  test("have namespaces that the function accepts, whatever the constructs are called", () => {
    const stack = new Stack(createApp(), "Theirs");
    const { metricsNamespace } = new RunnerMetrics(stack, "Läufer & Metriken", { flavors: FLAVORS });
    expect(metricsNamespace).toBe("Theirs-L-ufer---Metriken");
    expect(environment.shape.METRICS_NAMESPACE.safeParse(metricsNamespace).success).toBe(true);
  });

  test("of one tree, deployed under two names, share no name of anything", () => {
    const names = ["one", "two"].map((stackName) => {
      const stack = new Stack(createApp(), "Theirs", { stackName });
      new RunnerMetrics(stack, "Metrics", { flavors: FLAVORS });
      const template = Template.fromStack(stack).toJSON().Resources as Record<string, { Properties?: object }>;
      return Object.entries(template).flatMap(([id, { Properties = {} }]) =>
        Object.entries(Properties)
          // An inline policy's name is one of its role.
          .filter(
            ([name, value]) => /Name$/.test(name) && !/^(Metric|Policy)Name$/.test(name) && typeof value === "string",
          )
          .map(([name, value]) => `${id} ${name} ${value}`),
      );
    });
    const [one = [], two = []] = names;
    expect(one.length).toBeGreaterThan(0);
    expect(one.filter((name) => two.includes(name))).toEqual([]);
  });

  test("can't collect one flavor from one bucket", () => {
    const app = createApp();
    const shared = (stack: Stack) => ({ bucket: Bucket.fromBucketName(stack, "Shared", "shared") });
    withMetrics(app, "One", shared);
    withMetrics(app, "Two", shared);
    expect(() => app.synth()).toThrow("One/Metrics collects the flavor large from the same bucket");
  });

  test("cannot both record how instances end in one bucket: each would deny it to the other", () => {
    const app = createApp();
    const { stack, metrics } = withMetrics(app, "One", () => ({ endedInstances: true }));
    const flavors = { other: {} };
    const second = new RunnerMetrics(stack, "Second", { flavors, bucket: metrics.bucket, endedInstances: true });
    expect(second.recordInstanceEnds).toBeDefined();
    expect(() => app.synth()).toThrow("One/Metrics has endedInstances on the same bucket");
  });

  test("can collect two flavors from one bucket, and one's quarantine is not closed to the other", () => {
    const app = createApp();
    const { metrics, stack } = withMetrics(app, "One");
    withMetrics(app, "Two", () => ({ bucket: metrics.bucket, flavors: { small: {} } }));
    expect(() => app.synth()).not.toThrow();
    const [policy] = Object.entries(resources(Template.fromStack(stack), "AWS::S3::BucketPolicy")).filter(([id]) =>
      id.includes("StorageBucketPolicy"),
    );
    const text = JSON.stringify(policy);
    expect(text).toContain("/quarantine/large/*");
    expect(text).not.toContain("/quarantine/*");
  });

  test("have statement ids of their own in the policy of one bucket", () => {
    const app = createApp();
    const theirs = new Stack(app, "Theirs");
    const bucket = new Bucket(theirs, "Bucket") as IBucket;
    withMetrics(app, "One", () => ({ bucket, manageBucketPolicy: true }));
    withMetrics(app, "Two", () => ({ bucket, manageBucketPolicy: true, flavors: { small: {} } }));
    app.synth();
    const [policy] = Object.values(resources(Template.fromStack(theirs), "AWS::S3::BucketPolicy"));
    const sids = statementsOf(Template.fromStack(theirs), policy?.Properties.PolicyDocument).map(({ Sid = "" }) => Sid);
    expect(sids.filter((sid) => sid.startsWith("DenyOthersToWrite"))).toHaveLength(4);
    expect(new Set(sids).size).toBe(sids.length);
  });

  test("can't both create the policy of an imported bucket, which can have one only", () => {
    const app = createApp();
    const shared = (flavor: string) => (stack: Stack) => ({
      flavors: { [flavor]: {} },
      bucket: Bucket.fromBucketName(stack, "Shared", "shared"),
      manageBucketPolicy: true,
    });
    withMetrics(app, "One", shared("large"));
    withMetrics(app, "Two", shared("small"));
    expect(() => app.synth()).toThrow("One/Metrics has manageBucketPolicy for the same imported bucket");
  });

  test("can't have one series for two", () => {
    const app = createApp();
    withMetrics(app, "One", () => ({ metricsNamespace: "Ours" }));
    withMetrics(app, "Two", () => ({ metricsNamespace: "Ours" }));
    expect(() => app.synth()).toThrow("has the flavor large in the same metricsNamespace");
  });
});

test("properties and settings are the same, with units in types or in names", () => {
  const alarms = { queueSeconds: 1, lostPercent: 2, failedInstallations: 3, nothingExtractedHours: 4, busyHours: 5 };
  const large = { everyMinutes: 7, orphanAfterSeconds: 7_200, githubRunners: "acme", jobsPerRunner: "many" };
  const input = {
    flavors: { large: { ...large, retired: true, alarms } },
    github: {
      owners: ["acme"],
      apiUrl: "https://github.example.com/api/v3",
      timeBudgetSeconds: 7,
      requestsMax: 9,
      mismatch: "quarantine",
    },
    maxObjectsPerRunner: 40,
    concurrency: 30,
    memoryMegabytes: 2_048,
    timeoutSeconds: 77,
    reservedConcurrency: 3,
    workers: 2,
    uncollectedRetentionDays: 5,
    quarantineRetentionDays: 6,
    eventRetentionDays: 9,
    archiveRetentionDays: 8,
    logRetentionDays: 90,
    manageBucketPolicy: true,
    bucketName: "ours",
    accessLogs: false,
    schemaRegistry: true,
    endedInstances: true,
    dashboard: false,
    alarms: false,
    runnerRoles: false,
    instanceProfiles: false,
    metricsNamespace: "Ours",
    alarmEmail: "ops@example.com",
    noRunAlarmAfterIntervals: 4,
    deferredAlarmAfterRuns: 5,
    emulator: true,
    removalPolicy: "destroy",
  };
  const parsed = parseSettings(stackSettings, input, "test");
  const props = propsOf(parsed);
  expect(props).toMatchObject({
    logRetention: RetentionDays.THREE_MONTHS,
    removalPolicy: RemovalPolicy.DESTROY,
    memorySize: 2_048,
  });
  expect(props.timeout?.toSeconds()).toBe(77);
  expect(props.archiveRetention).toEqual(Duration.days(8));
  // A setting that the way there and back loses would be its default again.
  const byDefault = parseSettings(settings, { flavors: FLAVORS }, "test");
  for (const name of Object.keys(settings.shape) as (keyof typeof byDefault)[])
    expect(parsed[name], name).not.toEqual(byDefault[name]);
  expect(parsed).toMatchObject(parseSettings(settings, settingsOf(props), "test"));
});

/** What cdk-nag finds: rule and construct. */
function findings(app: App): string[] {
  const { violations } = new AwsSolutionsChecks(app).validateScope(app) as unknown as {
    violations: { ruleName: string; violatingResources: { constructPath: string }[] }[];
  };
  return violations.flatMap(({ ruleName, violatingResources }) =>
    violatingResources.map(({ constructPath }) => `${ruleName} ${constructPath}`),
  );
}
