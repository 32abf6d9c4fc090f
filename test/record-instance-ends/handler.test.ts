/** The function that records how instances end, as it is bundled, in a process of its own. */
import { statSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type LocalAws, startLocalAws } from "../../local/server.ts";
import { bundleOf, type Environment, invokeHandler } from "../worlds/invoke-handler.ts";
import { BUCKET } from "../worlds/memory.ts";

const INSTANCE = "i-1234567890abcdef0";
const EVENT = {
  source: "aws.ec2",
  "detail-type": "EC2 Instance State-change Notification",
  time: "2023-11-14T22:13:20Z",
  detail: { "instance-id": INSTANCE, state: "terminated" },
};

const name = "record-instance-ends";
let local: LocalAws;
beforeAll(async () => {
  local = await startLocalAws();
});
beforeEach(() => {
  local.s3.createBucket(BUCKET);
});
afterAll(() => local.close());

function invoke(event: unknown, changes: Environment = {}, before = "") {
  const environment = { BUCKET_NAME: BUCKET, AWS_ENDPOINT_URL: local.endpoint, AWS_SESSION_TOKEN: "token", ...changes };
  return invokeHandler(event, environment, { name, before });
}

describe("the function that records how instances end", () => {
  test("puts an empty object whose key says all, and the same one if the event comes again", async () => {
    const key = `ended/${INSTANCE}/1700000000-terminated`;
    expect(await invoke(EVENT)).toMatchObject({ returned: key });
    expect(await invoke(EVENT)).toMatchObject({ returned: key });
    const objects = [...local.s3.objects(BUCKET, "")].map(({ key, size }) => [key, size]);
    expect(objects).toEqual([[key, 0]]);
  });

  test("finds S3 in the domain of its partition", async () => {
    const env = { AWS_ENDPOINT_URL: undefined, AWS_REGION: "cn-north-1", URL_SUFFIX: "amazonaws.com.cn" };
    const before = "fetch = async (url) => { console.log(JSON.stringify({ url })); return { ok: true } };";
    const key = `ended/${INSTANCE}/1700000000-terminated`;
    expect(await invoke(EVENT, env, before)).toMatchObject({
      lines: [{ url: `https://s3.cn-north-1.amazonaws.com.cn/${BUCKET}/${key}` }],
      returned: key,
    });
  });

  test("fails for another event, and if S3 refuses, so that Lambda counts an error", async () => {
    const other = await invoke({ ...EVENT, source: "x" });
    expect(other.threw).toContain("Not an event about the end of an EC2 instance");
    expect((await invoke(EVENT, { BUCKET_NAME: "none" })).threw).toContain('PUT in bucket "none": HTTP 404');
  });

  test("is small: without the SDK, zod and the texts of the contract", async () => {
    expect(statSync(await bundleOf(name)).size).toBeLessThan(4_000);
  });
});
