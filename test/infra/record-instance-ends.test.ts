/** With `endedInstances`: who records how EC2 instances end, who reads it, and nobody else. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { instanceEndOf } from "../../contract/instance-events.ts";
import { endedKey } from "../../contract/object-keys.ts";
import { startLocalAws } from "../../local/server.ts";
import type { Invocation } from "../worlds/invoke-handler.ts";
import { FILES } from "../worlds/memory.ts";
import { deployedRun, environmentOf } from "./deployed-run.ts";
import { arnOf, BUCKET, BUCKET_ARN, isAllowed, only, resolve, statementsOf, statementsOfRole } from "./iam.ts";
import { type RecordedCalls, recordCalls } from "./recorded-calls.ts";
import { resources, synthesize } from "./synthesize.ts";

const on = { flavors: { large: {} }, endedInstances: true };
const template = synthesize(on);
const [functionId, { Properties: lambda }] = only(template, "AWS::Lambda::Function", "RecordInstanceEnds");
const [roleId] = only(template, "AWS::IAM::Role", "RecordInstanceEnds");
const [collectorRoleId] = only(template, "AWS::IAM::Role", "ExtractMetricsRole");
const [, bucketPolicy] = only(template, "AWS::S3::BucketPolicy", "BucketPolicy");
const recorder = statementsOfRole(template, roleId);
const collector = statementsOfRole(template, collectorRoleId);
const ofBucket = statementsOf(template, bucketPolicy.Properties.PolicyDocument);

const INSTANCE = "i-0123456789abcdef0";
const key = endedKey({ instance: INSTANCE, time: 1_700_000_000, what: "terminated" });
const sent = { "aws:SecureTransport": "true", "s3:TlsVersion": "1.3" };
const mayPut = (path: string, roleId: string, statements = statementsOfRole(template, roleId)) =>
  isAllowed(
    {
      action: "s3:PutObject",
      resource: `${BUCKET_ARN}/${path}`,
      context: { ...sent, "aws:PrincipalArn": arnOf(roleId) },
    },
    statements,
    ofBucket,
  );

describe("the function that records how instances end", () => {
  test("may put objects under ended/, write its log, and nothing else", () => {
    const held = recorder.map(({ Action, Resource }) => [Action.join(" "), ...Resource]);
    const [logGroupId] = only(template, "AWS::Logs::LogGroup", "RecordInstanceEnds");
    expect(held).toEqual([
      ["s3:PutObject", `${BUCKET_ARN}/ended/*`],
      ["logs:CreateLogStream logs:PutLogEvents", expect.stringContaining(logGroupId)],
    ]);
    expect(mayPut(key, roleId)).toBe(true);
    expect(mayPut(key, roleId, [])).toBe(false);
    for (const other of ["runners/large/r-1/x", "events/dt=x/flavor=large/x", "quarantine/large/r-1/0/manifest.json"])
      expect(mayPut(other, roleId), other).toBe(false);
  });

  test("may use the bucket's key, if there is one, to encrypt only", () => {
    const kmsKeyArn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555";
    const withKey = synthesize({ ...on, kmsKeyArn });
    const [id] = only(withKey, "AWS::IAM::Role", "RecordInstanceEnds");
    const ofKey = statementsOfRole(withKey, id).filter(({ Resource }) => Resource.includes(kmsKeyArn));
    expect(ofKey.map(({ Action }) => Action)).toEqual([["kms:GenerateDataKey"]]);
  });

  test("is denied to all others by the bucket: a role that may write everything records no end of an instance", () => {
    const everything = [{ Effect: "Allow", Action: ["s3:*"], Resource: ["*"], Condition: {} }] as const;
    expect(mayPut(key, "Admin", [...everything])).toBe(false);
    expect(mayPut(key, collectorRoleId, [...everything])).toBe(false);
    expect(mayPut(key, roleId, [...everything])).toBe(true);
    expect(mayPut(key, collectorRoleId)).toBe(false);
  });

  test("gets EC2's terminations, stops and spot warnings from the default bus, and no other event", () => {
    const rules = Object.values(resources(template, "AWS::Events::Rule"))
      .map(({ Properties }) => resolve(template, Properties) as RuleProperties)
      .filter(({ Targets }) => Targets.some(({ Arn }) => Arn === arnOf(functionId)));
    expect(rules.map(({ EventBusName, EventPattern }) => [EventBusName, EventPattern])).toEqual([
      [
        undefined,
        {
          source: ["aws.ec2"],
          "detail-type": ["EC2 Instance State-change Notification"],
          detail: { state: ["stopped", "terminated"] },
        },
      ],
      [undefined, { source: ["aws.ec2"], "detail-type": ["EC2 Spot Instance Interruption Warning"] }],
    ]);
    for (const { EventPattern } of rules) {
      const { source, "detail-type": detailType, detail } = EventPattern;
      const states = detail?.state ?? ["terminated"];
      for (const state of states) {
        const event = { source: source[0], "detail-type": detailType[0], time: "2023-11-14T22:13:20Z" };
        expect(instanceEndOf({ ...event, detail: { "instance-id": INSTANCE, state } })).toBeDefined();
      }
    }
  });

  test("may be invoked by these two rules only", () => {
    const permissions = Object.values(resources(template, "AWS::Lambda::Permission"));
    expect(permissions.map(({ Properties }) => Properties.Principal)).toEqual(Array(2).fill("events.amazonaws.com"));
    const ruleIds = Object.keys(resources(template, "AWS::Events::Rule")).filter((id) => id.includes("RecordInstance"));
    expect(permissions.map(({ Properties }) => resolve(template, Properties.SourceArn))).toEqual(ruleIds.map(arnOf));
  });

  test("is small, and has an alarm", () => {
    expect(lambda).toMatchObject({ Runtime: "nodejs24.x", Architectures: ["arm64"], MemorySize: 128, Timeout: 10 });
    expect(resolve(template, lambda.Environment)).toEqual({
      Variables: { BUCKET_NAME: BUCKET, URL_SUFFIX: "AWS::URLSuffix" },
    });
    const [, alarm] = only(template, "AWS::CloudWatch::Alarm", "InstanceEndsNotRecorded");
    expect(resolve(template, alarm.Properties)).toMatchObject({
      MetricName: "Errors",
      Dimensions: [{ Name: "FunctionName", Value: functionId }],
    });
  });

  test("comes with an alarm for runs that don't learn what it recorded, one for all flavors", () => {
    const [, alarm] = only(template, "AWS::CloudWatch::Alarm", "EndedInstancesUnknown");
    expect(resolve(template, alarm.Properties)).toMatchObject({
      MetricName: "EndedInstancesUnknown",
      Dimensions: [{ Name: "service", Value: "extract-metrics" }],
      Statistic: "Sum",
      Threshold: 1,
      EvaluationPeriods: 1,
      TreatMissingData: "notBreaching",
    });
    const without = Object.keys(resources(synthesize(), "AWS::CloudWatch::Alarm"));
    expect(without.filter((id) => id.includes("EndedInstancesUnknown"))).toEqual([]);
  });
});

describe("the collector", () => {
  let recorded: RecordedCalls;
  let returned: Invocation["returned"];
  beforeAll(async () => {
    const local = await startLocalAws();
    recorded = await recordCalls(local.endpoint, only(template, "AWS::Events::EventBus")[0]);
    local.s3.createBucket(BUCKET);
    local.eventBridge.createBus(environmentOf(template).EVENT_BUS_NAME);
    local.s3.putObject(BUCKET, key, { body: Buffer.alloc(0) });
    const { "post-job-metrics.json": _, ...started } = FILES;
    for (const [name, content] of Object.entries(started))
      local.s3.putObject(BUCKET, `runners/large/AROAEXAMPLE:${INSTANCE}/${name}`, { body: Buffer.from(content) });
    ({ returned } = await deployedRun(template, "large", {
      AWS_ENDPOINT_URL: recorded.endpoint,
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
    }));
    expect([...local.s3.objects(BUCKET, "ended/")]).toHaveLength(1);
    await local.close();
  });
  afterAll(() => recorded.close());

  test("lists ended/ once, as its role allows, and does nothing else there", () => {
    expect(returned).toMatchObject({ extracted: 1, errors: [] });
    const there = recorded.calls.filter(
      ({ resource, context = {} }) => resource.includes("/ended/") || context["s3:prefix"]?.startsWith("ended/"),
    );
    expect(there).toEqual([{ action: "s3:ListBucket", resource: BUCKET_ARN, context: { "s3:prefix": "ended/" } }]);
    for (const call of there) {
      expect(isAllowed({ ...call, context: { ...sent, ...call.context } }, collector, ofBucket)).toBe(true);
      const off = synthesize({ flavors: { large: {} } });
      const without = statementsOfRole(off, only(off, "AWS::IAM::Role", "ExtractMetricsRole")[0]);
      expect(isAllowed({ ...call, context: { ...sent, ...call.context } }, without, ofBucket)).toBe(false);
    }
    expect(isAllowed({ action: "s3:GetObject", resource: `${BUCKET_ARN}/${key}` }, collector)).toBe(false);
    expect(isAllowed({ action: "s3:DeleteObject", resource: `${BUCKET_ARN}/${key}` }, collector)).toBe(false);
  });
});

test("the records expire after three days", () => {
  const [, { Properties }] = only(template, "AWS::S3::Bucket", "StorageBucket");
  const { Rules } = Properties.LifecycleConfiguration as { Rules: object[] };
  expect(Rules).toContainEqual({
    Id: "ExpireEndedInstances",
    Prefix: "ended/",
    Status: "Enabled",
    ExpirationInDays: 3,
  });
});

test("by default nothing of it is there, and no run looks", () => {
  const off = synthesize({ flavors: { large: {} } });
  expect(JSON.stringify(resources(off, "AWS::Events::Rule"))).not.toContain("aws.ec2");
  off.resourceCountIs("AWS::Lambda::Function", 1);
  expect(environmentOf(off)).not.toHaveProperty("ENDED_INSTANCES");
  expect(environmentOf(template).ENDED_INSTANCES).toBe("on");
});

interface RuleProperties {
  readonly EventBusName?: string;
  readonly EventPattern: {
    readonly source: string[];
    readonly "detail-type": string[];
    readonly detail?: { readonly state: string[] };
  };
  readonly Targets: readonly { readonly Arn: string }[];
}
