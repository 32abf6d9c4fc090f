import type { Template } from "aws-cdk-lib/assertions";
import { describe, expect, test } from "vitest";
import { readScheduleInput } from "../../contract/schedule-input.ts";
import { readConfig } from "../../functions/extract-metrics/config.ts";
import { metricsOf } from "../../functions/extract-metrics/report.ts";
import { emptySummary } from "../../functions/run/summary.ts";
import { environmentOf } from "./deployed-run.ts";
import { arnOf, BUCKET, BUCKET_ARN, isAllowed, only, resolve, statementsOf } from "./iam.ts";
import { resources, synthesize } from "./synthesize.ts";

const template = synthesize();

describe("the bucket", () => {
  test("is private, encrypted, without ACLs, and without versions", () => {
    const [, { Properties }] = only(template, "AWS::S3::Bucket", "StorageBucket");
    expect(Properties).toMatchObject({
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
      OwnershipControls: { Rules: [{ ObjectOwnership: "BucketOwnerEnforced" }] },
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [
          {
            ServerSideEncryptionByDefault: { SSEAlgorithm: "AES256" },
            BlockedEncryptionTypes: { EncryptionType: ["SSE-C"] },
          },
        ],
      },
    });
    expect(Properties).not.toHaveProperty("VersioningConfiguration");
  });

  test("forgets what nobody collected, the quarantine, the archive and the access logs after the days that were set", () => {
    const days = {
      uncollectedRetentionDays: 3,
      quarantineRetentionDays: 400,
      eventRetentionDays: 500,
      logRetentionDays: 7,
    };
    const rules = (id: string) => only(synthesize(days), "AWS::S3::Bucket", id)[1].Properties.LifecycleConfiguration;
    expect(rules("StorageBucket")).toMatchObject({
      Rules: expect.arrayContaining([
        { Id: "ExpireUncollectedMetrics", Prefix: "runners/", Status: "Enabled", ExpirationInDays: 3 },
        { Id: "ExpireQuarantine", Prefix: "quarantine/", Status: "Enabled", ExpirationInDays: 400 },
        { Id: "ExpireEvents", Prefix: "events/", Status: "Enabled", ExpirationInDays: 500 },
      ]),
    });
    expect(rules("AccessLogs")).toEqual({
      Rules: [{ Id: "ExpireAccessLogs", Status: "Enabled", ExpirationInDays: 7 }],
    });
  });

  test("logs accesses into a bucket of its own, without an ACL, unless switched off", () => {
    const [logsId, logs] = only(template, "AWS::S3::Bucket", "AccessLogs");
    expect(logs.Properties).not.toHaveProperty("AccessControl");
    const [, { Properties }] = only(template, "AWS::S3::Bucket", "StorageBucket");
    expect(Properties.LoggingConfiguration).toEqual({ DestinationBucketName: { Ref: logsId } });
    const [, without] = only(synthesize({ accessLogs: false }), "AWS::S3::Bucket");
    expect(without.Properties).not.toHaveProperty("LoggingConfiguration");
  });

  test("may be one that exists: then nothing of it is changed", () => {
    const existing = synthesize({ bucketName: "ours" });
    existing.resourceCountIs("AWS::S3::Bucket", 0);
    existing.resourceCountIs("AWS::S3::BucketPolicy", 0);
    expect(environmentOf(existing).BUCKET_NAME).toBe("ours");
  });

  test("that exists gets all statements of a new one, by choice, and keeps them when the stack goes", () => {
    const sids = (of: Template) => {
      const [, policy] = only(of, "AWS::S3::BucketPolicy", of === template ? "BucketPolicy" : "");
      expect(policy.DeletionPolicy).toBe("RetainExceptOnCreate");
      return statementsOf(of, policy.Properties.PolicyDocument).flatMap(({ Sid }) => Sid ?? []);
    };
    const managed = synthesize({ bucketName: "ours", manageBucketPolicy: true });
    const withoutSuffix = sids(managed).map((sid) => sid.replace(/^(DenyOthersTo\w+)[0-9a-f]{8}$/, "$1"));
    expect(withoutSuffix).toEqual([...sids(template), "DenyWithoutTls", "DenyOldTls"]);
    managed.hasResourceProperties("AWS::S3::BucketPolicy", { Bucket: "ours" });
  });
});

describe("the Lambda", () => {
  const [, { Properties: lambda }] = only(template, "AWS::Lambda::Function");

  test("is Node 24 on ARM, with tracing, and with a time-out below the shortest interval", () => {
    expect(lambda).toMatchObject({
      Runtime: "nodejs24.x",
      Architectures: ["arm64"],
      TracingConfig: { Mode: "Active" },
      MemorySize: 1024,
      Timeout: 96,
    });
    expect(lambda).not.toHaveProperty("ReservedConcurrentExecutions");
  });

  test("gets an environment that its own configuration accepts", () => {
    const config = readConfig({ ...environmentOf(template) });
    expect(config).toMatchObject({ bucketName: BUCKET, maxObjectsPerRunner: 32 });
    const limits = { maxObjectsPerRunner: 64, concurrency: 16, kmsKeyArn: KEY };
    const changed = readConfig({ ...environmentOf(synthesize(limits)) });
    expect(changed).toMatchObject(limits);
  });

  test("is not run again by Lambda when it fails, and its failure is told of", () => {
    const [queueId] = only(template, "AWS::SQS::Queue");
    const [, { Properties }] = only(template, "AWS::Lambda::EventInvokeConfig");
    expect(resolve(template, Properties)).toMatchObject({
      MaximumRetryAttempts: 0,
      // The longest interval: a run that could not start in it is overtaken by the next.
      MaximumEventAgeInSeconds: 300,
      DestinationConfig: { OnFailure: { Destination: arnOf(queueId) } },
    });
  });

  test.each([
    ["of a minute", 1, 60],
    ["of a day", 480, 3_600],
  ])("waits for its concurrency at most as long as an interval %s is worth", (_, everyMinutes, seconds) => {
    const flavors = { large: { everyMinutes } };
    synthesize({ flavors }).hasResourceProperties("AWS::Lambda::EventInvokeConfig", {
      MaximumEventAgeInSeconds: seconds,
    });
  });

  test("logs into a group of its own that forgets", () => {
    const [logGroupId] = only(template, "AWS::Logs::LogGroup", "ExtractMetrics");
    expect(resolve(template, lambda.LoggingConfig)).toEqual({ LogGroup: logGroupId });
    for (const { Properties } of Object.values(resources(synthesize({ logRetentionDays: 7 }), "AWS::Logs::LogGroup"))) {
      expect(Properties.RetentionInDays).toBe(7);
    }
  });

  test("gets reserved concurrency only if wanted", () => {
    synthesize({ reservedConcurrency: 2 }).hasResourceProperties("AWS::Lambda::Function", {
      ReservedConcurrentExecutions: 2,
    });
  });
});

describe("the schedules", () => {
  const schedules = Object.values(resources(template, "AWS::Scheduler::Schedule")).map(({ Properties }) => Properties);

  test("of several minutes start at times of their own", () => {
    const windows = schedules.map(({ FlexibleTimeWindow }) => FlexibleTimeWindow);
    expect(windows).toEqual([{ Mode: "FLEXIBLE", MaximumWindowInMinutes: 1 }, { Mode: "OFF" }]);
  });

  test.each([
    ["large", "rate(5 minutes)", 86_400, 300],
    ["arm-small", "rate(2 minutes)", 3_600, 120],
  ])("run the Lambda for %s at its rate, with a payload that it accepts", (flavor, rate, orphanAfterSeconds, age) => {
    const [functionId] = only(template, "AWS::Lambda::Function");
    const [queueId] = only(template, "AWS::SQS::Queue");
    const schedule = schedules
      .map((one) => resolve(template, one) as ScheduleProperties)
      .find(({ Target }) => readScheduleInput(JSON.parse(Target.Input)).flavor === flavor);
    expect(schedule).toMatchObject({
      ScheduleExpression: rate,
      State: "ENABLED",
      Target: {
        Arn: arnOf(functionId),
        RetryPolicy: { MaximumRetryAttempts: 2, MaximumEventAgeInSeconds: age },
        DeadLetterConfig: { Arn: arnOf(queueId) },
      },
    });
    expect(readScheduleInput(JSON.parse(schedule?.Target.Input ?? ""))).toMatchObject({ flavor, orphanAfterSeconds });
  });

  test("are one for each flavor, and their role may start this function only, for this group only", () => {
    expect(schedules).toHaveLength(2);
    const [, role] = only(template, "AWS::IAM::Role", "Schedules");
    const [groupId, group] = only(template, "AWS::Scheduler::ScheduleGroup");
    expect(group).not.toHaveProperty("Properties.Name");
    const arn = `arn:aws:scheduler:eu-central-1:123456789012:schedule-group/${groupId}`;
    expect(resolve(template, role.Properties.AssumeRolePolicyDocument)).toMatchObject({
      Statement: [{ Condition: { ArnEquals: { "aws:SourceArn": arn } } }],
    });
    expect(schedules.map(({ GroupName }) => GroupName)).toEqual([{ Ref: groupId }, { Ref: groupId }]);
  });
});

describe("the events", () => {
  test("are archived for replay, for the days that were set", () => {
    synthesize({ archiveRetentionDays: 7 }).hasResourceProperties("AWS::Events::Archive", {
      EventPattern: { source: ["runner-metrics"], detail: { flavor: ["large", "arm-small"] } },
      RetentionDays: 7,
    });
    synthesize({ archiveRetentionDays: 0 }).resourceCountIs("AWS::Events::Archive", 0);
  });

  test("are all logged, by a rule for this stack's own, and else go to the dead letters", () => {
    const [, { Properties: rule }] = only(template, "AWS::Events::Rule");
    const [logGroupId] = only(template, "AWS::Logs::LogGroup", "EventLog");
    const [queueId] = only(template, "AWS::SQS::Queue");
    expect(resolve(template, rule.Targets)).toEqual([
      {
        Id: "EventLog",
        Arn: `arn:aws:logs:eu-central-1:123456789012:log-group:${logGroupId}`,
        DeadLetterConfig: { Arn: arnOf(queueId) },
      },
    ]);
    expect(resolve(template, rule.EventPattern)).toEqual({
      source: ["runner-metrics"],
      resources: [{ prefix: `${BUCKET_ARN}/runners/` }],
      detail: { flavor: ["large", "arm-small"] },
      "replay-name": [{ exists: false }],
    });
  });

  test("that could not be logged are sent to the dead letters by that rule alone", () => {
    const [ruleId] = only(template, "AWS::Events::Rule");
    const [queueId] = only(template, "AWS::SQS::Queue");
    const [, { Properties }] = only(template, "AWS::SQS::QueuePolicy");
    const policy = statementsOf(template, Properties.PolicyDocument);
    const sends = (context: Record<string, string>) =>
      isAllowed({ action: "sqs:SendMessage", resource: arnOf(queueId), context }, policy);
    const tls = { "aws:SecureTransport": "true" };
    expect(sends({ ...tls, "aws:SourceArn": arnOf(ruleId) })).toBe(true);
    expect(sends({ ...tls, "aws:SourceArn": "arn:aws:events:eu-central-1:999999999999:rule/theirs" })).toBe(false);
    expect(sends(tls)).toBe(false);
    const allowed = policy.filter(({ Effect }) => Effect === "Allow");
    expect(allowed.map(({ Principal }) => Principal)).toEqual([{ Service: "events.amazonaws.com" }]);
  });

  test("are put on the bus by the collector alone, but for EventBridge's own replays", () => {
    const [busId] = only(template, "AWS::Events::EventBus");
    const [roleId] = only(template, "AWS::IAM::Role", "ExtractMetricsRole");
    const [, { Properties }] = only(template, "AWS::Events::EventBusPolicy");
    const policy = statementsOf(template, { Statement: [Properties.Statement] });
    const everything = [{ Effect: "Allow", Action: ["events:*"], Resource: ["*"], Condition: {} } as const];
    const puts = (principal: string, isService: boolean) => {
      const context = { "aws:PrincipalArn": principal, "aws:PrincipalIsAWSService": String(isService) };
      return isAllowed({ action: "events:PutEvents", resource: arnOf(busId), context }, everything, policy);
    };
    expect(puts(arnOf(roleId), false)).toBe(true);
    expect(puts("arn:aws:iam::123456789012:role/admin", false)).toBe(false);
    expect(puts("events.amazonaws.com", true)).toBe(true);
  });

  test("are logged by the rules of the bus only, without a policy of the account's ten for all log groups", () => {
    template.resourceCountIs("AWS::Logs::ResourcePolicy", 0);
    const [, { Properties }] = only(template, "AWS::Logs::LogGroup", "EventLog");
    const [busId] = only(template, "AWS::Events::EventBus");
    const arn = `arn:aws:logs:eu-central-1:123456789012:log-group:${resolve(template, Properties.LogGroupName)}:*`;
    const statements = statementsOf(template, Properties.ResourcePolicyDocument);
    expect(statements.map(({ Action, Resource, Condition }) => [...Action, ...Resource, Condition])).toEqual([
      ["logs:CreateLogStream", arn, {}],
      [
        "logs:PutLogEvents",
        arn,
        { ArnLike: { "aws:SourceArn": [`arn:aws:events:eu-central-1:123456789012:rule/${busId}/*`] } },
      ],
    ]);
  });

  test("are logged by rules without the bus in their names where it is the default bus", () => {
    const onDefault = synthesize({ eventBusName: "default" });
    const [, { Properties }] = only(onDefault, "AWS::Logs::LogGroup", "EventLog");
    const text = JSON.stringify(resolve(onDefault, Properties.ResourcePolicyDocument));
    expect(text).toContain("arn:aws:events:eu-central-1:123456789012:rule/*");
  });

  test("may go to a bus that exists: then its policy is its owner's", () => {
    const existing = synthesize({ eventBusName: "ours" });
    existing.resourceCountIs("AWS::Events::EventBus", 0);
    existing.resourceCountIs("AWS::Events::EventBusPolicy", 0);
    expect(environmentOf(existing).EVENT_BUS_NAME).toBe("ours");
  });
});

test.each([
  ["aws", "console.aws.amazon.com"],
  ["aws-cn", "console.amazonaws.cn"],
  ["aws-us-gov", "console.amazonaws-us-gov.com"],
  ["aws-eusc", "console.amazonaws-eusc.eu"],
])("the dashboard's URL is that of the console of the partition %s", (partition, host) => {
  const { Conditions } = template.toJSON() as { Conditions: Record<string, { "Fn::Equals": [unknown, string] }> };
  const holds = (name: string) => {
    expect(Conditions[name]?.["Fn::Equals"][0]).toEqual({ Ref: "AWS::Partition" });
    return Conditions[name]?.["Fn::Equals"][1] === partition;
  };
  const choose = (value: unknown): unknown => {
    const [name, yes, no] = (value as { "Fn::If"?: [string, unknown, unknown] })["Fn::If"] ?? [];
    return name === undefined ? value : choose(holds(name) ? yes : no);
  };
  const [, parts] = template.toJSON().Outputs.DashboardUrl.Value["Fn::Join"] as [string, unknown[]];
  expect(parts.map(choose).slice(0, 3).join("")).toMatch(new RegExp(`^https://${host}/cloudwatch/home\\?region=`));
});

describe("an alarm", () => {
  const alarms = Object.entries(resources(template, "AWS::CloudWatch::Alarm"));
  const alarm = (part: string) => only(template, "AWS::CloudWatch::Alarm", part)[1].Properties;

  test("of each kind is there, and each acts and says what to do", () => {
    const ofFlavor = ["NoRun", "Quarantined", "Deferred", "DeadlineReached", "NotDeleted"];
    const ofAll = ["RunErrors", "Throttles", "DeadLetterQueue", "AccessDenied", "StrayObjects", "InvariantViolated"];
    expect(alarms).toHaveLength(2 * ofFlavor.length + ofAll.length);
    const [topicId] = only(template, "AWS::SNS::Topic");
    for (const [id, { Properties }] of alarms) {
      expect(resolve(template, Properties.AlarmActions), id).toEqual([arnOf(topicId)]);
      expect(String(Properties.AlarmDescription).length, id).toBeGreaterThan(60);
    }
  });

  test("rings when no run came to its end in three intervals, and when nothing is heard at all", () => {
    expect(alarm("NoRunlarge")).toMatchObject({
      MetricName: "RunDuration",
      Statistic: "SampleCount",
      ComparisonOperator: "LessThanThreshold",
      Threshold: 1,
      Period: 300,
      EvaluationPeriods: 3,
      TreatMissingData: "breaching",
    });
    expect(alarm("NoRunarmsmall")).toMatchObject({ Period: 120 });
  });

  test.each([
    ["Deferredlarge", "Runners.deferred"],
    ["DeadlineReachedlarge", "DeadlineReached"],
    ["NotDeletedlarge", "ObjectsNotDeleted"],
  ])("%s rings when each of three runs in a row had one, and not before", (id, MetricName) => {
    expect(alarm(id)).toMatchObject({
      MetricName,
      Statistic: "Minimum",
      Period: 3 * 300,
      EvaluationPeriods: 1,
      Threshold: 1,
      ComparisonOperator: "GreaterThanOrEqualToThreshold",
      TreatMissingData: "notBreaching",
    });
    // A run that had none says so: the smallest of the three is then zero.
    expect(metricsOf(emptySummary("large"), 1)).toContainEqual({ name: MetricName, unit: "Count", value: 0 });
  });

  test.each([
    // An interval of the flavor; five minutes for all flavors.
    ["Quarantinedlarge", "Runners.quarantined", "Sum", 300],
    ["Quarantinedarmsmall", "Runners.quarantined", "Sum", 120],
    ["AccessDenied", "AccessDenied", "Sum", 300],
    ["InvariantViolated", "InvariantViolated", "Sum", 300],
    ["StrayObjects", "StrayObjects", "Sum", 300],
    ["RunErrors", "Errors", "Sum", 300],
    ["Throttles", "Throttles", "Sum", 300],
    ["DeadLetterQueue", "ApproximateNumberOfMessagesVisible", "Maximum", 300],
  ])("%s rings at the first one", (id, MetricName, Statistic, Period) => {
    const once = {
      MetricName,
      Statistic,
      Period,
      Threshold: 1,
      EvaluationPeriods: 1,
      TreatMissingData: "notBreaching",
    };
    expect(alarm(id)).toMatchObject({ ...once, ComparisonOperator: "GreaterThanOrEqualToThreshold" });
  });

  test("A41 A45: of a failed run and of denied access reach the e-mail address", () => {
    const mailed = synthesize({ alarmEmail: "ops@example.com" });
    mailed.hasResourceProperties("AWS::SNS::Subscription", { Protocol: "email", Endpoint: "ops@example.com" });
  });

  test("may be published on the topic by CloudWatch of this account", () => {
    const [, { Properties }] = only(template, "AWS::SNS::TopicPolicy");
    expect(statementsOf(template, Properties.PolicyDocument)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          Effect: "Allow",
          Principal: { Service: "cloudwatch.amazonaws.com" },
          Action: ["sns:Publish"],
          Condition: { StringEquals: { "aws:SourceAccount": ["123456789012"] } },
        }),
      ]),
    );
  });

  test("goes to a topic that exists, if there is one", () => {
    const alarmTopicArn = "arn:aws:sns:eu-central-1:123456789012:ours";
    const existing = synthesize({ alarmTopicArn });
    existing.resourceCountIs("AWS::SNS::Topic", 0);
    existing.allResourcesProperties("AWS::CloudWatch::Alarm", { AlarmActions: [alarmTopicArn] });
  });
});

interface ScheduleProperties {
  readonly Target: { readonly Input: string };
}

const KEY = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555";
