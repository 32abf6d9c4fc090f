/** The function that records how instances end, as it is bundled, in a process of its own. */
import { execFile } from "node:child_process";
import { mkdtempSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type LocalAws, startLocalAws } from "../../local/server.ts";
import { bundleHandler } from "../../package/bundle.ts";

const BUCKET = "metrics";
const INSTANCE = "i-1234567890abcdef0";
const EVENT = {
  source: "aws.ec2",
  "detail-type": "EC2 Instance State-change Notification",
  time: "2023-11-14T22:13:20Z",
  detail: { "instance-id": INSTANCE, state: "terminated" },
};

const bundle = join(mkdtempSync(join(tmpdir(), "record-instance-ends-")), "index.mjs");
let local: LocalAws;
beforeAll(async () => {
  await bundleHandler(bundle, "record-instance-ends");
  local = await startLocalAws();
});
beforeEach(() => {
  local.s3.createBucket(BUCKET);
});
afterAll(() => local.close());

/** What the handler returns, or the error's message. */
function invoke(event: unknown, env: Record<string, string | undefined> = {}, before = ""): Promise<string> {
  const program = `${before}; import(${JSON.stringify(bundle)})
    .then(({ handler }) => handler(${JSON.stringify(event)}))
    .then((key) => console.log(key), (error) => console.log("threw " + error.message))`;
  const variables = {
    BUCKET_NAME: BUCKET,
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    AWS_SESSION_TOKEN: "token",
    AWS_ENDPOINT_URL: local.endpoint,
    ...env,
  } as NodeJS.ProcessEnv;
  return new Promise((resolve, reject) => {
    execFile(process.execPath, ["-e", program], { env: variables }, (error, stdout) => {
      if (error) reject(error);
      else resolve(stdout.trim());
    });
  });
}

describe("the function that records how instances end", () => {
  test("puts an empty object whose key says all, and the same one if the event comes again", async () => {
    const key = `ended/${INSTANCE}/1700000000-terminated`;
    expect(await invoke(EVENT)).toBe(key);
    expect(await invoke(EVENT)).toBe(key);
    const objects = [...local.s3.objects(BUCKET, "")].map(({ key, size }) => [key, size]);
    expect(objects).toEqual([[key, 0]]);
  });

  test("finds S3 in the domain of its partition", async () => {
    const env = { AWS_ENDPOINT_URL: undefined, AWS_REGION: "cn-north-1", URL_SUFFIX: "amazonaws.com.cn" };
    const printed = await invoke(EVENT, env, "fetch = async (url) => { console.log(url); return { ok: true } }");
    const key = `ended/${INSTANCE}/1700000000-terminated`;
    expect(printed).toBe(`https://s3.cn-north-1.amazonaws.com.cn/${BUCKET}/${key}\n${key}`);
  });

  test("fails for another event, and if S3 refuses, so that Lambda counts an error", async () => {
    expect(await invoke({ ...EVENT, source: "x" })).toBe("threw Not an event about the end of an EC2 instance");
    expect(await invoke(EVENT, { BUCKET_NAME: "none" })).toBe('threw PUT in bucket "none": HTTP 404');
  });

  test("is small: without the SDK, zod and the texts of the contract", () => {
    expect(statSync(bundle).size).toBeLessThan(4_000);
  });
});
