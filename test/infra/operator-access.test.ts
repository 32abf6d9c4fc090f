import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { localAwsEnvironment, runCommand } from "../cli/run.ts";
import { startHttpWorld } from "../worlds/http.ts";
import { FILES } from "../worlds/memory.ts";
import { BUCKET_ARN, isAllowed, only, type Request, type Statement, statementsOf } from "./iam.ts";
import { recordCalls } from "./recorded-calls.ts";
import { synthesize } from "./synthesize.ts";

const template = synthesize({ flavors: { large: {} } });
const policyOf = (name: string) =>
  statementsOf(template, only(template, "AWS::IAM::ManagedPolicy", name)[1].Properties.PolicyDocument);
const [, { Properties: bucketPolicy }] = only(template, "AWS::S3::BucketPolicy", "BucketPolicy");
const ofBucket = statementsOf(template, bucketPolicy.PolicyDocument);
const read = policyOf("OperatorAccessReadPolicy");
const act = policyOf("OperatorAccessActPolicy");
const OPERATOR = {
  "aws:PrincipalArn": "arn:aws:iam::111111111111:role/ann",
  "aws:SecureTransport": "true",
  "s3:TlsVersion": "1.3",
};

const may = (request: Request, own: readonly Statement[]) =>
  isAllowed({ ...request, context: { ...OPERATOR, ...request.context } }, own, ofBucket);

let world: Awaited<ReturnType<typeof startHttpWorld>>;
beforeAll(async () => {
  world = await startHttpWorld();
  for (const runner of ["r-1", "r-2"]) world.upload(runner, { ...FILES, "pre-job-metrics.json": "{" });
  await world.run();
});
afterAll(() => world.close());

describe("the policies for operators, held against the calls of the commands,", () => {
  test("allow exactly who has both to release and drop, and who has the first to look", async () => {
    const recorded = await recordCalls(world.endpoint, "none");
    const called = async (...args: string[]) => {
      const from = recorded.calls.length;
      const done = await runCommand([...args, "--bucket", "metrics"], {
        ...localAwsEnvironment(recorded.endpoint),
        AWS_ENDPOINT_URL_STS: world.endpoint,
      });
      expect(done).toMatchObject({ code: 0, stderr: "" });
      return recorded.calls
        .slice(from)
        .map((call) => ({ ...call, resource: call.resource.replace("arn:aws:s3:::metrics", BUCKET_ARN) }));
    };
    const quarantine = (...args: string[]) => called("quarantine", ...args);
    const looking = [
      ...(await called("runner", "r-1")),
      ...(await quarantine("list")),
      ...(await quarantine("show", "r-1")),
    ];
    const acting = [...(await quarantine("release", "r-1", "--anyway")), ...(await quarantine("drop", "r-2"))];
    recorded.close();

    expect(looking.filter((call) => !may(call, read))).toEqual([]);
    expect(acting.filter((call) => !may(call, [...read, ...act]))).toEqual([]);
    const writes = acting.filter(({ action }) => /Put|Delete/.test(action));
    expect(writes.length).toBeGreaterThanOrEqual(10);
    expect(writes.filter((call) => may(call, read))).toEqual([]);
  });

  test.each([
    ["overwrite a runner's file", "s3:PutObject", "runners/large/r-1/post-job-metrics.json", {}],
    ["write another file than the four", "s3:PutObject", "runners/large/r-1/x", { "s3:if-none-match": "*" }],
    ["delete a runner's file whatever its version", "s3:DeleteObject", "runners/large/r-1/post-job-metrics.json", {}],
    ["forge a manifest", "s3:PutObject", "quarantine/large/r-1/0/manifest.json", { "s3:if-none-match": "*" }],
    ["forge a copy", "s3:PutObject", "quarantine/large/r-1/0/objects/x", { "s3:if-none-match": "*" }],
    ["overwrite a record", "s3:PutObject", "quarantine/large/r-1/0/actions/x.json", {}],
    ["delete a record", "s3:DeleteObject", "quarantine/large/r-1/0/actions/x.json", {}],
    ["delete a manifest", "s3:DeleteObject", "quarantine/large/r-1/0/manifest.json", {}],
  ])("do not allow to %s", (_, action, key, context) => {
    expect(may({ action, resource: `${BUCKET_ARN}/${key}`, context }, [...read, ...act])).toBe(false);
  });

  test("a forged manifest or copy is denied by the bucket to everybody else, whatever their own policies", () => {
    const everything: Statement = { Effect: "Allow", Action: ["*"], Resource: ["*"], Condition: {} };
    for (const key of ["manifest.json", "objects/x", "renamed/x"]) {
      const resource = `${BUCKET_ARN}/quarantine/large/r-1/0/${key}`;
      expect(may({ action: "s3:PutObject", resource, context: { "s3:if-none-match": "*" } }, [everything])).toBe(false);
    }
  });
});
