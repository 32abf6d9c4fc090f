import { spawn } from "node:child_process";
import { once } from "node:events";
import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import { S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeEach, expect, test } from "vitest";
import type { Fault } from "../../local/faults.ts";
import { startLocalAws } from "../../local/server.ts";
import { outcomeOf } from "./contract-test.ts";
import { contractBucket } from "./s3-bucket.ts";

const local = await startLocalAws();
const common = {
  endpoint: local.endpoint,
  region: "us-east-1",
  credentials: { accessKeyId: "test", secretAccessKey: "test" },
  maxAttempts: 1,
  requestHandler: { requestTimeout: 60_000, throwOnRequestTimeout: true },
};
const s3 = new S3Client({ ...common, forcePathStyle: true });
const events = new EventBridgeClient(common);
const bucket = contractBucket(s3);
await bucket.create();

beforeEach(() => {
  local.faults.clear();
  local.requests.reset();
  local.s3.plant(bucket.name, "k", { body: Buffer.from("0123456789") });
});
afterAll(() => local.close());

/** Lets only the next request of this operation go wrong. */
function failNext(operation: string, fault: Fault): void {
  local.faults.use((request) => (request.operation === operation && request.attempt === 1 ? fault : undefined));
}

test("an error is answered in the service's own form, and nothing was done", async () => {
  failNext("PutObject", { kind: "error", status: 503, code: "SlowDown" });
  expect(await outcomeOf(bucket.put("new", "x"))).toEqual({ status: 503, code: "SlowDown" });
  expect(await bucket.exists("new")).toBe(false);
  failNext("HeadObject", { kind: "error", status: 403, code: "AccessDenied" });
  expect((await outcomeOf(bucket.head("k"))).status).toBe(403);
  failNext("PutEvents", { kind: "error", status: 400, code: "ThrottlingException" });
  expect(await outcomeOf(putEvent(3))).toEqual({ status: 400, code: "ThrottlingException" });
});

test("an error after the effect loses the acknowledgement only", async () => {
  failNext("DeleteObject", { kind: "error", status: 500, code: "InternalError", afterEffect: true });
  expect(await outcomeOf(bucket.delete("k"))).toEqual({ status: 500, code: "InternalError" });
  expect(await bucket.exists("k")).toBe(false);
});

test("a connection is reset before or after the effect", async () => {
  failNext("PutObject", { kind: "reset" });
  await expect(bucket.put("reset", "x")).rejects.toMatchObject({ code: "ECONNRESET" });
  expect(await bucket.exists("reset")).toBe(false);
  failNext("PutObject", { kind: "reset", afterEffect: true });
  await expect(bucket.put("reset", "x")).rejects.toMatchObject({ code: "ECONNRESET" });
  expect(await bucket.exists("reset")).toBe(true);
});

test("a stalled request is never answered", async () => {
  failNext("GetObject", { kind: "stall" });
  const requestHandler = { requestTimeout: 500, throwOnRequestTimeout: true };
  const impatient = contractBucket(new S3Client({ ...common, requestHandler, forcePathStyle: true }), bucket.name);
  await expect(impatient.get("k")).rejects.toMatchObject({ name: "TimeoutError" });
});

test("a delay holds the answer back", async () => {
  failNext("GetObject", { kind: "delay", delayMs: 60 });
  const start = performance.now();
  expect(await bucket.get("k")).toBe("0123456789");
  expect(performance.now() - start).toBeGreaterThanOrEqual(55);
});

test("a body breaks off before its announced end", async () => {
  failNext("GetObject", { kind: "short-body", missingBytes: 3 });
  await expect(bucket.get("k")).rejects.toThrow("aborted");
});

test("a body that stalls leaves the headers standing", async () => {
  failNext("GetObject", { kind: "stalled-body" });
  const controller = new AbortController();
  const response = await fetch(`${local.endpoint}/${bucket.name}/k`, { signal: controller.signal });
  expect([response.status, response.headers.get("content-length")]).toEqual([200, "10"]);
  setTimeout(() => controller.abort(), 100);
  await expect(response.text()).rejects.toMatchObject({ name: "AbortError" });
});

test("a body is longer than the object, with its length announced or not", async () => {
  failNext("GetObject", { kind: "long-body", extraBytes: 4, announced: "chunked" });
  expect(await bucket.get("k")).toBe("0123456789xxxx");
  failNext("GetObject", { kind: "long-body", extraBytes: 4, announced: "content-length" });
  expect(await bucket.get("k")).toBe("0123456789xxxx");
});

test("a body is longer than it was announced, and the client takes no more than that", async () => {
  failNext("GetObject", { kind: "long-body", extraBytes: 4, announced: "lie" });
  expect(await bucket.get("k")).toBe("0123456789");
  expect(await bucket.get("k")).toBe("0123456789");
});

test("CopyObject answers 200 with an error inside, and copies nothing", async () => {
  failNext("CopyObject", { kind: "error-inside-success", code: "InternalError" });
  await expect(bucket.copy("k", "copy")).rejects.toMatchObject({ name: "InternalError" });
  expect(await bucket.exists("copy")).toBe(false);
});

test("entries of PutEvents fail by index, and only the others are accepted", async () => {
  local.eventBridge.clear();
  failNext("PutEvents", { kind: "failed-entries", codes: { 0: "ThrottlingException", 2: "InternalFailure" } });
  const { Entries, FailedEntryCount } = await putEvent(3);
  expect(FailedEntryCount).toBe(2);
  expect(Entries?.map(({ ErrorCode }) => ErrorCode)).toEqual(["ThrottlingException", undefined, "InternalFailure"]);
  expect(local.eventBridge.events().map(({ detail }) => detail)).toEqual(['{"n":1}']);
});

test("a hook is told the operation, key, keys and attempt", async () => {
  const told: unknown[] = [];
  local.faults.use((request) => void told.push(request));
  await bucket.get("k");
  await bucket.get("k");
  await bucket.deleteAll([{ Key: "a" }, { Key: "b" }]);
  const one = { service: "s3", operation: "GetObject", bucket: bucket.name, key: "k" };
  const all = { service: "s3", operation: "DeleteObjects", bucket: bucket.name, keys: ["a", "b"], attempt: 1 };
  expect(told).toEqual([{ ...one, attempt: 1 }, { ...one, attempt: 2 }, all]);
});

test("requests are counted and logged, whatever became of them", async () => {
  failNext("GetObject", { kind: "error", status: 503, code: "SlowDown" });
  await outcomeOf(bucket.get("k"));
  local.faults.clear();
  await outcomeOf(bucket.get("absent"));
  await bucket.head("k");
  expect(local.requests.counts()).toEqual({ GetObject: 2, HeadObject: 1 });
  expect([local.requests.count("GetObject"), local.requests.count()]).toEqual([2, 3]);
  expect(local.requests.log().map(({ key, status }) => [key, status])).toEqual([
    ["k", undefined],
    ["absent", 404],
    ["k", 200],
  ]);
});

test("a part of S3 that is not here says so", async () => {
  const response = await fetch(`${local.endpoint}/${bucket.name}/k?uploads`, { method: "POST" });
  expect(response.status).toBe(501);
});

test("a form is stored if its policy allows it", async () => {
  const body = form({ key: "form/a", "Content-Type": "text/plain", success_action_status: "201" }, "12345");
  const response = await post(body);
  expect(response.status).toBe(201);
  expect(await bucket.get("form/a")).toBe("12345");
  expect((await bucket.head("form/a")).ContentType).toBe("text/plain");
});

test.each([
  ["another key", form({ key: "other/a" }, "1"), 403, "AccessDenied"],
  ["a body that is too long", form({ key: "form/b" }, "x".repeat(11)), 400, "EntityTooLarge"],
  ["a body that is too short", form({ key: "form/b" }, ""), 400, "EntityTooSmall"],
  ["a field that the policy does not mention", form({ key: "form/b", "x-amz-meta-a": "b" }, "1"), 403, "AccessDenied"],
  ["a policy that has expired", form({ key: "form/b" }, "1", "2020-01-01T00:00:00Z"), 403, "AccessDenied"],
] as const)("a form with %s is refused", async (_, body, status, code) => {
  const response = await post(body);
  expect([response.status, await response.text()]).toEqual([status, expect.stringContaining(`<Code>${code}</Code>`)]);
  expect(await bucket.keys({ Prefix: "form/b" })).toEqual([]);
});

test("as a process of its own it tells its endpoint, takes planted objects, counts, and ends on SIGTERM", async () => {
  const child = spawn(process.execPath, ["local/main.ts"], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(child.stdout, "data");
  const { endpoint } = JSON.parse(String(line));
  const objects = ['{"bucket":"b","key":"k","text":"body"}', '{"bucket":"b","key":"big","size":50000000000}'];
  await fetch(`${endpoint}/_local/objects`, { method: "POST", body: objects.join("\n") });
  expect(await (await fetch(`${endpoint}/b/k`)).text()).toBe("body");
  expect((await fetch(`${endpoint}/b/big`, { method: "HEAD" })).headers.get("content-length")).toBe("50000000000");
  expect(await (await fetch(`${endpoint}/_local/requests`)).json()).toEqual({ GetObject: 1, HeadObject: 1 });
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([0, null]);
});

function putEvent(entries: number) {
  const entry = (_: unknown, n: number) => ({ Source: "s", DetailType: "t", Detail: JSON.stringify({ n }) });
  return events.send(new PutEventsCommand({ Entries: Array.from({ length: entries }, entry) }));
}

function post(body: FormData): Promise<Response> {
  return fetch(`${local.endpoint}/${bucket.name}`, { method: "POST", body });
}

/** A form under a policy for `form/` and 1 to 10 bytes. */
function form(fields: Readonly<Record<string, string>>, file: string, expiration = "2999-01-01T00:00:00Z"): FormData {
  const conditions = [
    { bucket: bucket.name },
    ["starts-with", "$key", "form/"],
    ["starts-with", "$Content-Type", "text/"],
    ["starts-with", "$success_action_status", ""],
    ["content-length-range", 1, 10],
  ];
  const policy = Buffer.from(JSON.stringify({ expiration, conditions })).toString("base64");
  const data = new FormData();
  const given = {
    "Content-Type": "text/plain",
    success_action_status: "204",
    ...fields,
    policy,
    "x-amz-signature": "0",
  };
  for (const [name, value] of Object.entries(given)) data.append(name, value);
  data.append("file", new Blob([file]));
  return data;
}
