import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { CreateBucketCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { filesInBucket, filesInFolder } from "../../../cli/report/read-archive.ts";
import { createS3Client } from "../../../cli/report/s3-client.ts";
import { type LocalAws, startLocalAws } from "../../../local/server.ts";

const BUCKET = "metrics";
const DAY = 86_400;
const NOVEMBER_10 = Date.parse("2026-11-10T00:00:00Z") / 1000;
const ALL = { from: 0, until: 4_000_000_000, flavors: [] };

let aws: LocalAws;
let s3: S3Client;
let cache: string;

beforeAll(async () => {
  process.env.AWS_ACCESS_KEY_ID = "test";
  process.env.AWS_SECRET_ACCESS_KEY = "test";
  aws = await startLocalAws();
  s3 = createS3Client({ endpoint: aws.endpoint, region: "us-east-1" });
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  for (const name of [
    ...["09", "10", "11"].flatMap((day) => [
      `events/dt=2026-11-${day}/flavor=large/0b8f6c1e-0000-4000-8000-000000000000-0.ndjson.gz`,
      `events/dt=2026-11-${day}/flavor=small/0b8f6c1e-0000-4000-8000-000000000000-1.ndjson.gz`,
    ]),
    // Nothing that the collector writes.
    "events/dt=2026-11-10/flavor=large/../../../../escaped.ndjson.gz",
    "events/dt=2026-11-10/flavor=LARGE/a-0.ndjson.gz",
    "events/dt=2026-11-10/flavor=large/readme.txt",
    "events/",
  ]) {
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: name, Body: `content of ${name}` }));
  }
});

afterAll(async () => {
  s3.destroy();
  await aws.close();
});

beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "runner-metrics-cache-"));
  return () => rmSync(cache, { recursive: true, force: true });
});

const names = (files: readonly string[], folder = cache) => files.map((file) => relative(folder, file).slice(3, 32));

test("objects of the archive are downloaded, and nothing else", async () => {
  const files = await filesInBucket(s3, BUCKET, cache, ALL);
  expect(files).toHaveLength(6);
  for (const file of files) expect(readFileSync(file, "utf8")).toBe(`content of events/${relative(cache, file)}`);
  const stored = readdirSync(cache, { recursive: true, encoding: "utf8" }).filter((name) => name.includes(".ndjson"));
  expect(stored).toHaveLength(6);
  expect(existsSync(join(cache, "../escaped.ndjson.gz"))).toBe(false);
});

test("only days and flavors of the selection", async () => {
  const selection = { from: NOVEMBER_10, until: NOVEMBER_10 + DAY - 1, flavors: ["large"] };
  const expected = ["2026-11-10/flavor=large/0b8f6"];
  expect(names(await filesInBucket(s3, BUCKET, cache, selection))).toEqual(expected);
  await filesInBucket(s3, BUCKET, cache, ALL);
  expect(names(await filesInFolder(cache, selection))).toEqual(expected);
  expect(await filesInFolder(cache, ALL)).toHaveLength(6);
});

test("what the cache has is not downloaded again; what is incomplete is", async () => {
  const [first = "", second = ""] = await filesInBucket(s3, BUCKET, cache, ALL);
  writeFileSync(first, readFileSync(first, "utf8").replace("content", "CONTENT"));
  truncateSync(second, 3);
  const seen: [number, number][] = [];
  await filesInBucket(s3, BUCKET, cache, ALL, (done, total) => seen.push([done, total]));
  expect(readFileSync(first, "utf8")).toMatch(/^CONTENT/);
  expect(readFileSync(second, "utf8")).toMatch(/^content of events/);
  expect(seen).toEqual([
    [5, 6],
    [6, 6],
  ]);
});

test("an object that expires between listing and download is left out", async () => {
  const vanishing = Object.create(s3, {
    send: {
      value: (command: { input: { Key?: string } }) =>
        command.input.Key?.includes("2026-11-11/flavor=small")
          ? Promise.reject(Object.assign(new Error("gone"), { $metadata: { httpStatusCode: 404 } }))
          : s3.send(command as never),
    },
  }) as S3Client;
  expect(await filesInBucket(vanishing, BUCKET, cache, ALL)).toHaveLength(5);
});

test("a failed download fails the report and leaves no file that looks complete", async () => {
  const failing = Object.create(s3, {
    send: {
      value: (command: { input: { Key?: string } }) =>
        command.input.Key === undefined ? s3.send(command as never) : Promise.reject(new Error("connection reset")),
    },
  }) as S3Client;
  await expect(filesInBucket(failing, BUCKET, cache, ALL)).rejects.toThrow("connection reset");
  expect(await filesInFolder(cache, ALL)).toEqual([]);
});

test("a folder that does not exist is named", async () => {
  await expect(filesInFolder(join(cache, "nowhere"), ALL)).rejects.toThrow(/^There is no folder .*nowhere$/);
});
