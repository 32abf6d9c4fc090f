import { Match } from "aws-cdk-lib/assertions";
import { describe, expect, test } from "vitest";
import { runnerSession } from "../../cli/ticket.ts";
import { FILES_TO_READ } from "../../contract/runner-files.ts";
import {
  BUCKET,
  BUCKET_ARN,
  isAllowed,
  only,
  type Request,
  type Statement,
  statementsOf,
  statementsOfRole,
} from "./iam.ts";
import { synthesize } from "./synthesize.ts";

const template = synthesize();
const KMS_KEY_ARN = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555";
const withKmsKey = synthesize({ kmsKeyArn: KMS_KEY_ARN });

const bucketPolicy = (of = template): Statement[] => {
  const [, policy] = only(of, "AWS::S3::BucketPolicy", "BucketPolicy");
  return statementsOf(of, policy.Properties.PolicyDocument);
};
const [instanceRoleId] = only(template, "AWS::IAM::Role", "RunnerAccesslargeInstanceRole");
const instance = statementsOfRole(template, instanceRoleId);
const [, sessionPolicy] = only(template, "AWS::IAM::ManagedPolicy", "RunnerAccesslargeSessionPolicy");
const session = statementsOf(template, sessionPolicy.Properties.PolicyDocument);

/** What a runner, as an EC2 instance or as a tagged session, sends with every call over TLS. */
const INSTANCE = { "aws:userid": "AROAEXAMPLE:i-0abc", "aws:SecureTransport": "true", "s3:TlsVersion": "1.3" };
const SESSION = { ...INSTANCE, "aws:userid": "AROAOTHER:r-1", "aws:PrincipalTag/RunnerStorage": "r-1" };
const ONCE = { "s3:if-none-match": "*", "s3:authType": "REST-HEADER" };
const OWN = "runners/large/AROAEXAMPLE:i-0abc";

/** Someone who may do everything, but for what the bucket itself refuses. */
const ADMIN: Statement[] = [{ Effect: "Allow", Action: ["*"], Resource: ["*"], Condition: {} }];

const put = (key: string, context: Record<string, string> = {}): Request => ({
  action: "s3:PutObject",
  resource: `${BUCKET_ARN}/${key}`,
  context: { ...INSTANCE, ...ONCE, ...context },
});
const without = (request: Request, ...keys: string[]): Request => ({
  ...request,
  context: Object.fromEntries(Object.entries(request.context ?? {}).filter(([key]) => !keys.includes(key))),
});
const asRunner = (request: Request) => isAllowed(request, instance, bucketPolicy());
const asAdmin = (request: Request, of = template) => isAllowed(request, ADMIN, bucketPolicy(of));

describe("the roles of runners", () => {
  test.each(FILES_TO_READ)("an instance puts its own %s, once", (name) => {
    expect(asRunner(put(`${OWN}/${name}`))).toBe(true);
  });

  test.each(FILES_TO_READ)("a session puts %s under the prefix that its tag names", (name) => {
    const may = (storage: string, context: Record<string, string>) =>
      isAllowed(put(`runners/large/${storage}/${name}`, context), session, bucketPolicy());
    expect(may("r-1", SESSION)).toBe(true);
    expect(may("r-2", SESSION)).toBe(false);
    expect(may("", INSTANCE)).toBe(false);
    expect(may("AROAOTHER:r-1", SESSION)).toBe(false);
  });

  test("only a flavor of persistent runners has slots, each runner its own", () => {
    const many = synthesize({ flavors: { large: { jobsPerRunner: "many" } } });
    const [id] = only(many, "AWS::IAM::Role", "RunnerAccesslargeInstanceRole");
    const may = (key: string) => isAllowed(put(key), statementsOfRole(many, id), bucketPolicy(many));
    for (const name of FILES_TO_READ) {
      expect(may(`${OWN}/${name}`)).toBe(true);
      expect(may(`${OWN}~07/${name}`)).toBe(true);
      expect(may(`${OWN}~007/${name}`)).toBe(false);
      expect(may(`${OWN}1~07/${name}`)).toBe(false);
      expect(asRunner(put(`${OWN}~07/${name}`))).toBe(false);
    }
    expect(may(`${OWN}~07/other`)).toBe(false);
  });

  test("a ticket's session policy lets pass what the session role allows, and nothing else of it", () => {
    const { Policy } = runnerSession({ bucket: BUCKET, flavor: "large", storage: "r-1", lifetimeSeconds: 3_600 });
    const policy = statementsOf(template, JSON.parse(Policy));
    const may = (request: Request) => isAllowed(request, policy) && isAllowed(request, session, bucketPolicy());
    expect(may(put("runners/large/r-1/pre-job-metrics.json", SESSION))).toBe(true);
    expect(
      may(put("runners/large/r-2/pre-job-metrics.json", { ...SESSION, "aws:PrincipalTag/RunnerStorage": "r-2" })),
    ).toBe(false);
  });

  test("with a KMS key runners may encrypt with it, and nothing else", () => {
    const [id] = only(withKmsKey, "AWS::IAM::Role", "RunnerAccesslargeInstanceRole");
    const statements = statementsOfRole(withKmsKey, id);
    const may = (action: string) => isAllowed({ action, resource: KMS_KEY_ARN, context: INSTANCE }, statements);
    expect(may("kms:GenerateDataKey")).toBe(true);
    expect(may("kms:Decrypt")).toBe(false);
  });

  test.each([
    ["beside the storages", "runners/large/x"],
    ["in another flavor", "runners/arm-small/AROAEXAMPLE:i-0abc/pre-job-metrics.json"],
    ["in the quarantine", "quarantine/large/AROAEXAMPLE:i-0abc/pre-job-metrics.json"],
    ["in a storage with an invalid name", "runners/large/../pre-job-metrics.json"],
    ["in a storage whose name only begins with its own", `${OWN}x/pre-job-metrics.json`],
    ["of another name than the four", `${OWN}/x`],
    ["in a folder of its own", `${OWN}/x/pre-job-metrics.json`],
    ["elsewhere", "pre-job-metrics.json"],
  ])("A08: a runner is denied an object %s", (_, key) => {
    expect(asRunner(put(key))).toBe(false);
  });

  test("A08: not even an administrator writes into the quarantine, so that evidence stays what it was", () => {
    const [roleId] = only(template, "AWS::IAM::Role", "ExtractMetricsRole");
    const key = "quarantine/large/r-1/0123/objects/pre-job-metrics.json";
    expect(asAdmin(put(key, { "aws:PrincipalArn": "arn:aws:iam::123456789012:role/admin" }))).toBe(false);
    expect(asAdmin(put(key, { "aws:PrincipalArn": `arn:aws:service:eu-central-1:123456789012:${roleId}` }))).toBe(true);
  });

  test("A47: a runner that does not say If-None-Match is denied, by its own role and by the bucket", () => {
    const request = without(put(`${OWN}/pre-job-metrics.json`), "s3:if-none-match");
    expect(isAllowed(request, instance)).toBe(false);
    expect(asAdmin(request)).toBe(false);
    expect(asAdmin(put(`${OWN}/pre-job-metrics.json`))).toBe(true);
  });

  test("A47: a form that a dispatcher signed passes the bucket, one that a runner signed does not pass its role", () => {
    const form = without(put(`${OWN}/pre-job-metrics.json`, { "s3:authType": "POST" }), "s3:if-none-match");
    expect(asAdmin(form)).toBe(true);
    expect(asRunner(form)).toBe(false);
  });

  test.each([
    ["lists", "s3:ListBucket", BUCKET_ARN],
    ["lists versions of", "s3:ListBucketVersions", BUCKET_ARN],
    ["reads its own object in", "s3:GetObject", `${BUCKET_ARN}/${OWN}/pre-job-metrics.json`],
    ["reads another's object in", "s3:GetObject", `${BUCKET_ARN}/runners/large/r-2/pre-job-metrics.json`],
    ["deletes its own object in", "s3:DeleteObject", `${BUCKET_ARN}/${OWN}/pre-job-metrics.json`],
    ["tags its own object in", "s3:PutObjectTagging", `${BUCKET_ARN}/${OWN}/pre-job-metrics.json`],
    ["changes the ACL of its own object in", "s3:PutObjectAcl", `${BUCKET_ARN}/${OWN}/pre-job-metrics.json`],
    [
      "puts another's object into",
      "s3:PutObject",
      `${BUCKET_ARN}/runners/large/AROAEXAMPLE:i-0abd/pre-job-metrics.json`,
    ],
    ["changes the policy of", "s3:PutBucketPolicy", BUCKET_ARN],
    ["puts events beside", "events:PutEvents", "arn:aws:events:eu-central-1:123456789012:event-bus/any"],
    ["puts metrics beside", "cloudwatch:PutMetricData", "*"],
    ["writes logs beside", "logs:PutLogEvents", "arn:aws:logs:eu-central-1:123456789012:log-group:any:*"],
    ["assumes a role beside", "sts:AssumeRole", "arn:aws:iam::123456789012:role/any"],
  ])("A48: a runner that %s the bucket is denied (%s)", (_, action, resource) => {
    const context = { ...INSTANCE, ...SESSION, ...ONCE, "aws:userid": INSTANCE["aws:userid"] };
    expect(isAllowed({ action, resource, context }, instance, bucketPolicy())).toBe(false);
    expect(isAllowed({ action, resource, context }, session, bucketPolicy())).toBe(false);
  });

  test("A48: nobody but the Lambda puts events on the bus, so that none is forged", () => {
    const [, { Properties }] = only(template, "AWS::Events::EventBusPolicy");
    const policy = statementsOf(template, { Statement: [Properties.Statement] });
    const [busId] = only(template, "AWS::Events::EventBus");
    const [roleId] = only(template, "AWS::IAM::Role", "ExtractMetricsRole");
    const [, { Properties: bus }] = only(template, "AWS::Events::EventBus");
    expect(bus).not.toHaveProperty("EventSourceName");
    const may = (principal: string) => {
      const context = { "aws:PrincipalArn": principal, "aws:PrincipalIsAWSService": "false" };
      return isAllowed(
        { action: "events:PutEvents", resource: `arn:aws:service:eu-central-1:123456789012:${busId}`, context },
        ADMIN,
        policy,
      );
    };
    expect(may("arn:aws:iam::123456789012:role/admin")).toBe(false);
    expect(may(`arn:aws:service:eu-central-1:123456789012:${roleId}`)).toBe(true);
  });
});

describe("the bucket's policy", () => {
  const own = `${OWN}/pre-job-metrics.json`;

  test.each([
    ["SSE-C", { "s3:x-amz-server-side-encryption-customer-algorithm": "AES256" }],
    ["a KMS key", { "s3:x-amz-server-side-encryption": "aws:kms" }],
    ["two layers of KMS", { "s3:x-amz-server-side-encryption": "aws:kms:dsse" }],
    ["the storage class GLACIER", { "s3:x-amz-storage-class": "GLACIER" }],
    ["the storage class DEEP_ARCHIVE", { "s3:x-amz-storage-class": "DEEP_ARCHIVE" }],
    ["the storage class INTELLIGENT_TIERING", { "s3:x-amz-storage-class": "INTELLIGENT_TIERING" }],
    ["the storage class STANDARD_IA", { "s3:x-amz-storage-class": "STANDARD_IA" }],
  ])("A13: an object with %s is denied, whoever puts it", (_, header) => {
    expect(asAdmin(put(own, header))).toBe(false);
    expect(asRunner(put(own, header))).toBe(false);
  });

  test("A13: the encryption and storage class that everyone gets may also be asked for", () => {
    expect(
      asRunner(put(own, { "s3:x-amz-server-side-encryption": "AES256", "s3:x-amz-storage-class": "STANDARD" })),
    ).toBe(true);
  });

  test("A13: where the bucket has a KMS key, another key is denied", () => {
    const kms = { "s3:x-amz-server-side-encryption": "aws:kms" };
    const key = "s3:x-amz-server-side-encryption-aws-kms-key-id";
    expect(asAdmin(put(own), withKmsKey)).toBe(true);
    expect(asAdmin(put(own, { ...kms, [key]: KMS_KEY_ARN }), withKmsKey)).toBe(true);
    expect(asAdmin(put(own, { ...kms, [key]: "arn:aws:kms:eu-central-1:999999999999:key/1" }), withKmsKey)).toBe(false);
    expect(asAdmin(put(own, { "s3:x-amz-server-side-encryption": "AES256" }), withKmsKey)).toBe(false);
  });

  test("A16: a runner can't begin a multipart upload, which has no If-None-Match", () => {
    const begin = without(put(own, { "s3:ObjectCreationOperation": "false" }), "s3:if-none-match");
    expect(asRunner(begin)).toBe(false);
    expect(asAdmin(begin)).toBe(false);
  });

  test("A16: what remains of an unfinished multipart upload goes after a day", () => {
    template.hasResourceProperties("AWS::S3::Bucket", {
      LifecycleConfiguration: {
        Rules: Match.arrayWith([
          {
            Id: "AbortUnfinishedUploads",
            Status: "Enabled",
            AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
          },
        ]),
      },
    });
  });

  test("nothing goes without TLS 1.2", () => {
    expect(asRunner(put(own, { "aws:SecureTransport": "false" }))).toBe(false);
    expect(asRunner(put(own, { "s3:TlsVersion": "1.1" }))).toBe(false);
  });
});
