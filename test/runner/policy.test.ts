import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Credentials } from "../../cli/ticket.ts";
import { runnerPolicy } from "../../contract/runner-policy.ts";
import { needs } from "../tools.ts";
import { BUCKET, installRunner, JOB, type Runner } from "./fleet.ts";
import { startMoto } from "./moto.ts";
import { ONE } from "./platforms.ts";

const FILES = [
  "runner-installation-start.timestamp",
  "runner-installed.timestamp",
  "pre-job-metrics.json",
  "post-job-metrics.json",
];

describe("A47 A48: with the runner's policy, on an emulator that enforces it,", {
  tags: [needs("moto"), needs("dash")],
}, () => {
  let moto: Awaited<ReturnType<typeof startMoto>>;
  let runner: Runner;
  let credentials: Credentials;
  let userId: string;
  let s3: S3Client;

  beforeAll(async () => {
    moto = await startMoto();
    await moto.createBucket(BUCKET);
    // A first session tells the role's id, which the second one's policy needs where moto has no policy variables.
    const storage = "runner-1";
    const policy = runnerPolicy({ bucketArn: `arn:aws:s3:::${BUCKET}`, flavor: "large", storage });
    ({ credentials, userId } = await moto.session(policy, "i-0abc"));
    await moto.put(`${BUCKET}/runners/large/runner-1/other.txt`, "there before");
    await moto.enforce();
    runner = installRunner(ONE, {
      RUNNER_METRICS_FLAVOR: "large",
      RUNNER_METRICS_STORAGE: storage,
      AWS_ENDPOINT_URL: moto.endpoint,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_SESSION_TOKEN: credentials.sessionToken,
    });
    const { region, endpoint } = moto;
    s3 = new S3Client({ region, endpoint, forcePathStyle: true, credentials, maxAttempts: 1 });
  });
  afterAll(() => {
    runner.remove();
    moto.close();
  });

  const status = (sent: Promise<unknown>) =>
    sent.then(
      () => 200,
      (error: { $metadata: { httpStatusCode: number } }) => error.$metadata.httpStatusCode,
    );
  const own = (file: string) => ({ Bucket: BUCKET, Key: `runners/large/runner-1/${file}` });

  it("its four files go in, with a signature that is verified", async () => {
    for (const step of ["installation-start", "installed", "job-started", "job-completed"]) {
      expect(await runner.step(step, JOB), step).toMatchObject({ code: 0, stderr: "" });
    }
    expect(runner.life().isDone).toBe(true);
  });

  it("they go in once", async () => {
    for (const file of FILES) {
      expect(await status(s3.send(new PutObjectCommand({ ...own(file), Body: "x", IfNoneMatch: "*" }))), file).toBe(
        412,
      );
    }
  });

  it("another file, flavor, runner or prefix is refused", async () => {
    for (const Key of [
      "runners/large/runner-1/other.json",
      "runners/large/runner-1/sub/pre-job-metrics.json",
      "runners/large/runner-10/pre-job-metrics.json",
      "runners/small/runner-1/pre-job-metrics.json",
      "quarantine/large/runner-1/pre-job-metrics.json",
      "pre-job-metrics.json",
    ]) {
      const put = new PutObjectCommand({ Bucket: BUCKET, Key, Body: "x", IfNoneMatch: "*" });
      expect(await status(s3.send(put)), Key).toBe(403);
    }
  });

  it("to list, get, head and delete is refused", async () => {
    const [file = ""] = FILES;
    expect(await status(s3.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: "runners/large/runner-1/" })))).toBe(
      403,
    );
    expect(await status(s3.send(new GetObjectCommand(own(file))))).toBe(403);
    expect(await status(s3.send(new HeadObjectCommand(own(file))))).toBe(403);
    expect(await status(s3.send(new DeleteObjectCommand(own(file))))).toBe(403);
  });

  it("the runner's side says so clearly, and its job goes on", async () => {
    const other = { RUNNER_METRICS_STORAGE: "runner-2" };
    expect(await runner.step("installation-start", other)).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(
        /cannot store runner-installation-start.timestamp: HTTP 403, the credentials or the bucket's policy do not allow it/,
      ),
    });
    const forged = { ...other, AWS_SECRET_ACCESS_KEY: "forged" };
    expect((await runner.step("installed", forged)).stderr).toContain("HTTP 403");
  });

  it("the storage of a role's session is its aws:userid, colon and all", async () => {
    await moto.stopEnforcing();
    const policy = runnerPolicy({ bucketArn: `arn:aws:s3:::${BUCKET}`, flavor: "large", storage: userId });
    const session = await moto.session(policy, "i-0def");
    const role = userId.split(":")[0] ?? "";
    await moto.enforce();
    const settings = {
      RUNNER_METRICS_STORAGE: undefined,
      AWS_ACCESS_KEY_ID: session.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: session.credentials.secretAccessKey,
      AWS_SESSION_TOKEN: session.credentials.sessionToken,
    };
    // Found out from STS; the policy is the first session's, so that this one is refused and the other's name is taken.
    const derived = await runner.step("installation-start", settings);
    expect(derived.stderr).toContain("HTTP 403");
    expect(runner.life().storage).toMatch(/^[A-Z0-9]+:i-0def$/);
    const named = { ...settings, RUNNER_METRICS_STORAGE: userId, RUNNER_METRICS_SPOOL: `${runner.spool}-2` };
    expect(await runner.step("installation-start", named), role).toMatchObject({ code: 0, stderr: "" });
  });
});

// biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of IAM's
const USERID = "${aws:userid}";

it("asks for If-None-Match on every object, and allows nothing but PutObject on four keys", () => {
  const policy = runnerPolicy({ bucketArn: "arn:aws:s3:::b", flavor: "large", storage: USERID });
  expect(policy.Statement).toEqual([
    {
      Sid: "PutOwnMetricsOnce",
      Effect: "Allow",
      Action: "s3:PutObject",
      Resource: FILES.map((file) => `arn:aws:s3:::b/runners/large/${USERID}/${file}`),
      Condition: { Null: { "s3:if-none-match": "false" } },
    },
  ]);
});
