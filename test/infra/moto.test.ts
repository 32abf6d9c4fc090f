/** The template's own policies on an emulator that enforces actions and resources. moto knows no conditions and no variables. */
import { CreateEventBusCommand, EventBridgeClient } from "@aws-sdk/client-eventbridge";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startMoto } from "../runner/moto.ts";
import { needs } from "../tools.ts";
import { deployedRun, EVERYTHING, environmentOf } from "./deployed-run.ts";
import { arnOf, BUCKET, BUCKET_ARN, only, type Statement, statementsOfRole } from "./iam.ts";
import { synthesize } from "./synthesize.ts";

const template = synthesize({ flavors: { large: {} } });

describe("on an emulator that enforces policies,", { tags: needs("moto") }, () => {
  let moto: Awaited<ReturnType<typeof startMoto>>;
  beforeAll(async () => {
    moto = await startMoto();
    await moto.createBucket(BUCKET);
  });
  beforeEach(() => moto.stopEnforcing());
  afterAll(() => moto.close());

  const client = (credentials: object) => ({
    endpoint: moto.endpoint,
    region: moto.region,
    credentials: credentials as { accessKeyId: string; secretAccessKey: string },
    maxAttempts: 1,
  });
  const status = (sent: Promise<unknown>) =>
    sent.then(
      () => 200,
      (error: { $metadata: { httpStatusCode: number } }) => error.$metadata.httpStatusCode,
    );

  test("A08 A47 A48: the role of an instance puts its own files, once, and is denied all else", async () => {
    const [roleId] = only(template, "AWS::IAM::Role", "InstanceRole");
    const own = "i-0abc";
    const policy = documentOf(statementsOfRole(template, roleId), { "${aws:userid}": own });
    const { credentials } = await moto.session(policy, own);
    await moto.enforce();
    const s3 = new S3Client({ ...client(credentials), forcePathStyle: true });
    const put = (Key: string) =>
      status(s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: "1", IfNoneMatch: "*" })));

    const key = `runners/large/${own}/runner-installed.timestamp`;
    expect(await put(key)).toBe(200);
    expect(await put(key)).toBe(412);
    for (const other of [
      "runners/large/x",
      `runners/small/${own}/runner-installed.timestamp`,
      "runners/large/i-0def/runner-installed.timestamp",
      `runners/large/${own}/x`,
      `quarantine/large/${own}/runner-installed.timestamp`,
    ]) {
      expect(await put(other), other).toBe(403);
    }
    const object = { Bucket: BUCKET, Key: key };
    expect(await status(s3.send(new GetObjectCommand(object)))).toBe(403);
    expect(await status(s3.send(new DeleteObjectCommand(object)))).toBe(403);
    expect(await status(s3.send(new ListObjectsV2Command({ Bucket: BUCKET })))).toBe(403);
    s3.destroy();
  });

  async function runAs(statements: readonly Statement[], name: string) {
    const { EVENT_BUS_NAME } = environmentOf(template);
    const anyone = client({ accessKeyId: "test", secretAccessKey: "test" });
    const events = new EventBridgeClient(anyone);
    await events.send(new CreateEventBusCommand({ Name: EVENT_BUS_NAME })).catch(() => {});
    const s3 = new S3Client({ ...anyone, forcePathStyle: true });
    for (const [key, Body] of Object.entries(EVERYTHING)) {
      if (key.includes("\u0007")) continue; // moto breaks its own listing with it
      await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: `runners/large/${key}`, Body }));
    }
    const [busId] = only(template, "AWS::Events::EventBus");
    // moto holds the resource of every service but S3 to be `*`, and that of DeleteObjects to be the bucket.
    const forMoto = statements.map((statement) =>
      statement.Action.includes("s3:DeleteObject")
        ? { ...statement, Resource: [...statement.Resource, BUCKET_ARN] }
        : statement,
    );
    const { credentials } = await moto.session(documentOf(forMoto, { [arnOf(busId)]: "*" }), name);
    await moto.enforce();
    return deployedRun(template, "large", {
      AWS_ENDPOINT_URL: moto.endpoint,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_SESSION_TOKEN: credentials.sessionToken ?? "",
    });
  }

  const [lambdaRoleId] = only(template, "AWS::IAM::Role", "ExtractMetricsRole");
  const lambdaRole = statementsOfRole(template, lambdaRoleId);

  test("the Lambda's role lets a run extract, publish, quarantine and clean up", async () => {
    const result = await runAs(lambdaRole, "complete");
    expect(result).toMatchObject({
      returned: { quarantined: 1, deferred: 0, objects: { denied: 0 }, stopped: "done", errors: [] },
    });
  });

  const PRIVILEGES = [
    "s3:ListBucket",
    "s3:GetObject",
    "s3:DeleteObject",
    "s3:PutObject",
    "events:DescribeEventBus",
    "events:PutEvents",
  ];
  // `privileges.test.ts` compares the same with the calls of a run; moto takes seconds for each.
  test.each(PRIVILEGES)("without %s it does not", { tags: [needs("gate")] }, async (privilege) => {
    const less = lambdaRole
      .map((statement) => ({ ...statement, Action: statement.Action.filter((action) => action !== privilege) }))
      .filter(({ Action }) => Action.length > 0);
    const { returned, threw } = await runAs(less, `without-${privilege.replace(":", "-")}`);
    expect(threw ?? JSON.stringify(returned)).toMatch(/HTTP 403|"denied":[1-9]|"unpublished":[1-9]/);
  });
});

/** Statements as a document, with texts in place of others. */
function documentOf(statements: readonly Statement[], replaced: Readonly<Record<string, string>>): object {
  const text = Object.entries(replaced).reduce(
    (json, [from, to]) => json.replaceAll(from, to),
    JSON.stringify({ Version: "2012-10-17", Statement: statements }),
  );
  return JSON.parse(text);
}
