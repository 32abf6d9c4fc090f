import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect } from "vitest";
import { type ContractTest, contractTest, outcomeOf, statusAfter } from "./contract-test.ts";
import { oddKeys } from "./odd-keys.ts";
import { type ContractBucket, contractBucket, decodeKey } from "./s3-bucket.ts";
import type { Target } from "./target.ts";

const OTHER_ETAG = '"00000000000000000000000000000000"';
const SECONDS_60 = 60_000;

/**
 * What S3's general-purpose buckets do, as far as we rely on it.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
 */
export function s3Contract(target: Target): void {
  const bucket = contractBucket(target.s3);
  const rule = contractTest("s3", target);
  beforeAll(() => bucket.create());
  afterAll(() => bucket.remove(), SECONDS_60);

  conditionalPuts(rule, bucket);
  reads(rule, bucket);
  unreadableObjects(rule, bucket);
  copies(rule, bucket);
  deletes(rule, bucket);
  batchDeletes(rule, bucket);
  listings(rule, bucket);
  pages(rule, bucket);
  keys(rule, bucket, target);
}

function conditionalPuts(rule: ContractTest, { put, get, exists }: ContractBucket): void {
  rule(
    "PutObject with If-None-Match: * stores what is not there, and is refused with 412 where something is",
    async () => {
      await put("put/absent", "first", { IfNoneMatch: "*" });
      expect(await outcomeOf(put("put/absent", "second", { IfNoneMatch: "*" }))).toEqual({
        status: 412,
        code: "PreconditionFailed",
      });
      expect(await get("put/absent")).toBe("first");
    },
  );

  rule("of several PutObjects with If-None-Match: * at once, exactly one stores", async () => {
    const bodies = ["a", "b", "c", "d"];
    const statuses = await Promise.all(bodies.map((body) => statusAfter(put("put/race", body, { IfNoneMatch: "*" }))));
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(statuses.every((status) => [200, 409, 412].includes(status))).toBe(true);
    expect(await get("put/race")).toBe(bodies[statuses.indexOf(200)]);
  });

  rule("PutObject with If-Match replaces that version, and is refused with 412 where there is another", async () => {
    const etag = await put("put/match", "first");
    expect(await statusAfter(put("put/match", "second", { IfMatch: OTHER_ETAG }))).toBe(412);
    expect(await get("put/match")).toBe("first");
    await put("put/match", "second", { IfMatch: etag });
    expect(await get("put/match")).toBe("second");
  });

  rule("PutObject with If-Match is refused with 404 where there is nothing", async () => {
    expect(await statusAfter(put("put/match-absent", "x", { IfMatch: OTHER_ETAG }))).toBe(404);
    expect(await exists("put/match-absent")).toBe(false);
  });

  rule("PutObject with any other form of If-None-Match is refused with 501", async () => {
    expect(await statusAfter(put("put/none-match", "x", { IfNoneMatch: OTHER_ETAG }))).toBe(501);
  });

  rule("PutObject with both If-Match and If-None-Match is refused with 501", async () => {
    expect(await statusAfter(put("put/both", "x", { IfMatch: OTHER_ETAG, IfNoneMatch: "*" }))).toBe(501);
  });
}

function reads(rule: ContractTest, { put, get, head, list }: ContractBucket): void {
  rule("GetObject with If-Match gives that version, and is refused with 412 where there is another", async () => {
    const etag = await put("get/match", "body");
    expect(await get("get/match", { IfMatch: etag })).toBe("body");
    expect(await statusAfter(get("get/match", { IfMatch: OTHER_ETAG }))).toBe(412);
  });

  rule("HeadObject with If-Match is refused with 412 where there is another version", async () => {
    const etag = await put("head/match", "body");
    expect(await statusAfter(head("head/match", { IfMatch: etag }))).toBe(200);
    expect(await statusAfter(head("head/match", { IfMatch: OTHER_ETAG }))).toBe(412);
  });

  rule("GetObject and HeadObject are refused with 404 where there is nothing, also with If-Match", async () => {
    expect(await outcomeOf(get("get/absent"))).toEqual({ status: 404, code: "NoSuchKey" });
    expect(await statusAfter(get("get/absent", { IfMatch: OTHER_ETAG }))).toBe(404);
    expect(await statusAfter(head("get/absent"))).toBe(404);
    expect(await statusAfter(head("get/absent", { IfMatch: OTHER_ETAG }))).toBe(404);
  });

  rule("listing and HeadObject agree on size, ETag and the time by S3's clock", async () => {
    const etag = await put("head/same", "12345");
    const { ContentLength, ETag, LastModified, StorageClass } = await head("head/same");
    const listed = (await list({ Prefix: "head/same" })).Contents?.[0];
    expect([ContentLength, ETag]).toEqual([5, etag]);
    expect([listed?.Size, listed?.ETag, listed?.StorageClass]).toEqual([5, etag, StorageClass ?? "STANDARD"]);
    const apart = Math.abs(Number(listed?.LastModified) - Number(LastModified));
    expect(apart).toBeLessThan(1000);
    expect(Math.abs(Number(LastModified) - Date.now())).toBeLessThan(SECONDS_60);
  });

  rule("another body has another ETag, and an ETag stands in quotes", async () => {
    const first = await put("put/etag", "first");
    expect(await put("put/etag", "second")).not.toBe(first);
    expect(first).toMatch(/^".+"$/);
  });

  rule("an empty object has size 0 and an empty body, and no range of it can be had", async () => {
    await put("get/empty", "");
    expect((await head("get/empty")).ContentLength).toBe(0);
    expect(await get("get/empty")).toBe("");
    expect(await outcomeOf(get("get/empty", { Range: "bytes=0-1023" }))).toEqual({ status: 416, code: "InvalidRange" });
  });

  rule("a range ends where the object does", async () => {
    await put("get/range", "0123456789");
    expect(await get("get/range", { Range: "bytes=0-3" })).toBe("0123");
    expect(await get("get/range", { Range: "bytes=8-1023" })).toBe("89");
  });

  rule("a body is stored and given as it is, whatever Content-Encoding says", async () => {
    const bytes = gzipSync("text");
    await put("get/gzip", bytes, { ContentEncoding: "gzip", ContentType: "no such / type" });
    expect(await get("get/gzip")).toBe(bytes.toString("latin1"));
    expect((await head("get/gzip")).ContentLength).toBe(bytes.length);
    expect((await head("get/gzip")).ContentEncoding).toBe("gzip");
  });

  rule("odd headers, an Expires that is no date among them, come with the object and do it no harm", async () => {
    const Metadata = { note: "x".repeat(1900) };
    const rawHeaders = { expires: "never", "x-amz-website-redirect-location": "/elsewhere" };
    await put("get/headers", "body", { Metadata, rawHeaders });
    expect(await get("get/headers")).toBe("body");
    const described = await head("get/headers");
    expect([described.ContentLength, described.Expires, described.Metadata]).toEqual([4, undefined, Metadata]);
  });

  rule("a streamed body, in aws-chunked framing, is stored without its framing", async () => {
    await put("put/stream", Readable.from([Buffer.from("streamed "), Buffer.from("body")]), { ContentLength: 13 });
    expect(await get("put/stream")).toBe("streamed body");
    expect((await head("put/stream")).ContentEncoding ?? "").toBe("");
  });
}

function unreadableObjects(rule: ContractTest, { put, get, head, copy, list }: ContractBucket): void {
  rule("an archived object can be listed and HEADed, but not read or copied: 403 InvalidObjectState", async () => {
    for (const StorageClass of ["GLACIER", "DEEP_ARCHIVE"] as const) {
      const key = `archived/${StorageClass}`;
      await put(key, "body", { StorageClass });
      expect((await list({ Prefix: key })).Contents?.[0]?.StorageClass).toBe(StorageClass);
      expect((await head(key)).StorageClass).toBe(StorageClass);
      expect(await outcomeOf(get(key))).toEqual({ status: 403, code: "InvalidObjectState" });
      expect(await statusAfter(copy(key, `${key}-copy`))).toBe(403);
    }
  });

  rule(
    "an object encrypted with its uploader's key (SSE-C) can't be HEADed, read or copied without it: 400",
    async () => {
      await put("sse-c", "body", { SSECustomerAlgorithm: "AES256", SSECustomerKey: "k".repeat(32) });
      expect(await statusAfter(head("sse-c"))).toBe(400);
      expect(await outcomeOf(get("sse-c"))).toEqual({ status: 400, code: "InvalidRequest" });
      expect(await statusAfter(copy("sse-c", "sse-c-copy"))).toBe(400);
    },
  );
}

function copies(rule: ContractTest, { put, get, copy, exists, head }: ContractBucket): void {
  rule("CopyObject copies the bytes, and replaces what is there", async () => {
    await put("copy/from", "new");
    await put("copy/to", "old");
    await copy("copy/from", "copy/to");
    expect(await get("copy/to")).toBe("new");
    expect((await head("copy/from")).ContentLength).toBe(3);
  });

  rule("CopyObject with CopySourceIfMatch copies that version", async () => {
    const etag = await put("copy/match", "body");
    await copy("copy/match", "copy/matched", { CopySourceIfMatch: etag });
    expect(await get("copy/matched")).toBe("body");
  });

  rule("CopyObject with CopySourceIfMatch is refused with 412 where there is another version", async () => {
    await put("copy/changed", "body");
    const outcome = await outcomeOf(copy("copy/changed", "copy/unwanted", { CopySourceIfMatch: OTHER_ETAG }));
    expect(outcome).toEqual({ status: 412, code: "PreconditionFailed" });
    expect(await exists("copy/unwanted")).toBe(false);
  });

  rule("CopyObject is refused with 404 where there is nothing", async () => {
    expect(await outcomeOf(copy("copy/absent", "copy/to-nothing"))).toEqual({ status: 404, code: "NoSuchKey" });
  });

  for (const [what, names] of Object.entries(oddKeys)) {
    rule(`CopySource, with each segment percent-encoded, finds keys with ${what}`, async () => {
      for (const [index, name] of names.entries()) {
        await put(`copy-odd/${name}`, `body ${index}`);
        await copy(`copy-odd/${name}`, `copied/${index}`);
        expect(await get(`copied/${index}`)).toBe(`body ${index}`);
      }
    });
  }
}

function deletes(rule: ContractTest, { put, delete: remove, exists }: ContractBucket): void {
  rule("DeleteObject deletes, and succeeds where there is nothing", async () => {
    await put("delete/one", "body");
    expect(await statusAfter(remove("delete/one"))).toBe(200);
    expect(await exists("delete/one")).toBe(false);
    expect(await statusAfter(remove("delete/one"))).toBe(200);
  });

  rule("DeleteObject with If-Match deletes that version", async () => {
    const etag = await put("delete/match", "body");
    expect(await statusAfter(remove("delete/match", { IfMatch: etag }))).toBe(200);
    expect(await exists("delete/match")).toBe(false);
  });

  rule("DeleteObject with If-Match is refused with 412 where there is another version", async () => {
    await put("delete/changed", "body");
    expect(await statusAfter(remove("delete/changed", { IfMatch: OTHER_ETAG }))).toBe(412);
    expect(await exists("delete/changed")).toBe(true);
  });

  rule("DeleteObject with If-Match says one of 204, 404 and 412 where there is nothing", async () => {
    expect([200, 404, 412]).toContain(await statusAfter(remove("delete/absent", { IfMatch: OTHER_ETAG })));
  });
}

function batchDeletes(rule: ContractTest, { put, deleteAll, exists, keys, list }: ContractBucket): void {
  rule(
    "DeleteObjects deletes 1,000 keys, whether they are there or not, and a listing shows at once that they are gone",
    async () => {
      const present = Array.from({ length: 20 }, (_, index) => `batch/thousand/${index}`);
      await Promise.all(present.map((key) => put(key, "")));
      const absent = Array.from({ length: 980 }, (_, index) => `batch/thousand/absent-${index}`);
      const { Deleted, Errors } = await deleteAll([...present, ...absent].map((Key) => ({ Key })));
      expect([Deleted?.length, Errors]).toEqual([1000, undefined]);
      expect(await keys({ Prefix: "batch/thousand/" })).toEqual([]);
    },
  );

  rule("DeleteObjects with 1,001 keys is refused as MalformedXML", async () => {
    const objects = Array.from({ length: 1001 }, (_, index) => ({ Key: `batch/many/${index}` }));
    expect(await outcomeOf(deleteAll(objects))).toEqual({ status: 400, code: "MalformedXML" });
  });

  rule("DeleteObjects with an ETag for each key deletes those that match", async () => {
    const first = await put("batch/right/1", "a");
    const second = await put("batch/right/2", "b");
    const { Deleted, Errors } = await deleteAll([
      { Key: "batch/right/1", ETag: first },
      { Key: "batch/right/2", ETag: second },
    ]);
    expect([Deleted?.length, Errors]).toEqual([2, undefined]);
    expect((await list({ Prefix: "batch/right/" })).KeyCount).toBe(0);
  });

  rule(
    "DeleteObjects with a wrong ETag for a key keeps that one, and lists it in Errors as PreconditionFailed",
    async () => {
      const etag = await put("batch/mixed/right", "a");
      await put("batch/mixed/wrong", "b");
      const { Deleted, Errors } = await deleteAll([
        { Key: "batch/mixed/wrong", ETag: OTHER_ETAG },
        { Key: "batch/mixed/right", ETag: etag },
      ]);
      expect(Deleted?.map(({ Key }) => Key)).toEqual(["batch/mixed/right"]);
      expect(Errors?.map(({ Key, Code }) => [Key, Code])).toEqual([["batch/mixed/wrong", "PreconditionFailed"]]);
      expect(await exists("batch/mixed/wrong")).toBe(true);
      expect(await exists("batch/mixed/right")).toBe(false);
    },
  );

  rule("DeleteObjects with an ETag for a key that is not there still deletes the others", async () => {
    await put("batch/gone/present", "a");
    const { Deleted, Errors } = await deleteAll([
      { Key: "batch/gone/absent", ETag: OTHER_ETAG },
      { Key: "batch/gone/present" },
    ]);
    expect(Deleted?.map(({ Key }) => Key)).toContain("batch/gone/present");
    expect(["NoSuchKey", "PreconditionFailed", undefined]).toContain(Errors?.[0]?.Code);
    expect(await exists("batch/gone/present")).toBe(false);
  });

  rule("DeleteObjects with Quiet tells only what went wrong", async () => {
    await put("batch/quiet", "a");
    const { Deleted, Errors } = await deleteAll([{ Key: "batch/quiet" }], { Quiet: true });
    expect([Deleted, Errors]).toEqual([undefined, undefined]);
    expect(await exists("batch/quiet")).toBe(false);
  });

  rule("DeleteObjects deletes keys with signs of XML", async () => {
    const odd = oddKeys["signs of XML"].map((name) => `batch/xml/${name}`);
    for (const key of odd) await put(key, "");
    const { Deleted } = await deleteAll(odd.map((Key) => ({ Key })));
    expect(Deleted?.map(({ Key }) => Key)).toEqual(odd);
    expect(await keys({ Prefix: "batch/xml/" })).toEqual([]);
  });

  rule("one control character in one key fails the whole DeleteObjects as MalformedXML", async () => {
    await put("batch/control/sane", "");
    const outcome = await outcomeOf(deleteAll([{ Key: "batch/control/sane" }, { Key: "batch/control/\u0001" }]));
    expect(outcome).toEqual({ status: 400, code: "MalformedXML" });
    expect(await exists("batch/control/sane")).toBe(true);
  });
}

function listings(rule: ContractTest, { put, keys, list }: ContractBucket): void {
  rule(
    "a listing stands in the byte order of the UTF-8 keys, in which an astral character follows U+FF5E",
    async () => {
      const inOrder = [
        "order/-",
        "order/A",
        "order/Z",
        "order/a",
        "order/z",
        "order/é",
        "order/\uff5e",
        "order/\u{1f600}",
      ];
      for (const key of inOrder.toReversed()) await put(key, "");
      expect(await keys({ Prefix: "order/" })).toEqual(inOrder);
      expect(inOrder.toSorted()).not.toEqual(inOrder);
    },
  );

  rule("StartAfter follows the byte order", async () => {
    for (const key of ["after/\uff5e", "after/\u{1f600}"]) await put(key, "");
    expect(await keys({ Prefix: "after/", StartAfter: "after/\uff5e" })).toEqual(["after/\u{1f600}"]);
    expect(await keys({ Prefix: "after/", StartAfter: "after/\u{1f600}" })).toEqual([]);
  });

  rule("StartAfter is exclusive, need not exist, and may come before or after all keys of the prefix", async () => {
    for (const key of ["start/a/1", "start/a/2", "start/b/1"]) await put(key, "");
    expect(await keys({ Prefix: "start/", StartAfter: "start/a/1" })).toEqual(["start/a/2", "start/b/1"]);
    expect(await keys({ Prefix: "start/", StartAfter: "start/a0" })).toEqual(["start/b/1"]);
    expect(await keys({ Prefix: "start/", StartAfter: "a" })).toHaveLength(3);
    expect(await keys({ Prefix: "start/", StartAfter: "start/\u{10ffff}" })).toEqual([]);
  });

  rule("a prefix is taken literally, and nothing beside it is listed", async () => {
    for (const key of ["prefix/a.*/x", "prefix/abc/x", "prefix/a/x", "prefix/a"]) await put(key, "");
    expect(await keys({ Prefix: "prefix/a.*/" })).toEqual(["prefix/a.*/x"]);
    expect(await keys({ Prefix: "prefix/a/" })).toEqual(["prefix/a/x"]);
  });

  rule("a listing of nothing has no Contents, no token, and is not truncated", async () => {
    const { Contents, KeyCount, IsTruncated, NextContinuationToken } = await list({ Prefix: "nothing/" });
    expect([Contents, KeyCount, IsTruncated, NextContinuationToken]).toEqual([undefined, 0, false, undefined]);
  });

  rule("with a delimiter, what is below it is one common prefix", async () => {
    for (const key of ["tree/a", "tree/b/1", "tree/b/2", "tree/é/1"]) await put(key, "");
    const { Contents, CommonPrefixes } = await list({ Prefix: "tree/", Delimiter: "/" });
    expect(Contents?.map(({ Key }) => Key)).toEqual(["tree/a"]);
    expect(CommonPrefixes?.map(({ Prefix }) => Prefix)).toEqual(["tree/b/", "tree/é/"]);
  });
}

function pages(rule: ContractTest, { put, list, keys, deleteAll }: ContractBucket): void {
  rule("pages follow each other by continuation tokens, without gap or repetition", async () => {
    const all = ["page/1", "page/2", "page/3", "page/é", "page/\u{1f600}"];
    for (const key of all) await put(key, "");
    const first = await list({ Prefix: "page/", MaxKeys: 2 });
    expect([first.KeyCount, first.IsTruncated]).toEqual([2, true]);
    const last = await list({ Prefix: "page/", MaxKeys: 3, ContinuationToken: first.NextContinuationToken });
    expect([last.KeyCount, last.IsTruncated, last.NextContinuationToken]).toEqual([3, false, undefined]);
    expect(await keys({ Prefix: "page/", MaxKeys: 1 })).toEqual(all);
  });

  rule("StartAfter is ignored where a continuation token is sent", async () => {
    for (const name of ["1", "2", "3", "4"]) await put(`token/${name}`, "");
    const { NextContinuationToken } = await list({ Prefix: "token/", MaxKeys: 1, StartAfter: "token/1" });
    const next = await list({ Prefix: "token/", ContinuationToken: NextContinuationToken, StartAfter: "token/3" });
    expect(next.Contents?.map(({ Key }) => Key)).toEqual(["token/3", "token/4"]);
  });

  rule("a token still serves when the last key of its page has been deleted", async () => {
    for (const name of ["1", "2", "3"]) await put(`deleted/${name}`, "");
    const { NextContinuationToken } = await list({ Prefix: "deleted/", MaxKeys: 1 });
    await deleteAll([{ Key: "deleted/1" }]);
    const next = await list({ Prefix: "deleted/", ContinuationToken: NextContinuationToken });
    expect(next.Contents?.map(({ Key }) => Key)).toEqual(["deleted/2", "deleted/3"]);
  });

  rule(
    "a page has at most 1,000 keys, also if more are asked for",
    async () => {
      const all = Array.from({ length: 1001 }, (_, index) => `full/${index}`);
      for (let start = 0; start < all.length; start += 20) {
        await Promise.all(all.slice(start, start + 20).map((key) => put(key, "")));
      }
      const { KeyCount, IsTruncated } = await list({ Prefix: "full/", MaxKeys: 5000 });
      expect([KeyCount, IsTruncated]).toEqual([1000, true]);
      expect(await keys({ Prefix: "full/" })).toEqual(all.toSorted());
      await deleteAll(all.slice(0, 1000).map((Key) => ({ Key })));
    },
    "slow",
  );
}

function keys(rule: ContractTest, bucket: ContractBucket, { s3 }: Target): void {
  const { put, get, list, keys: listKeys, delete: remove } = bucket;
  for (const [what, names] of Object.entries(oddKeys)) {
    rule(`keys with ${what} can be stored, listed with EncodingType url, read and deleted`, async () => {
      for (const [index, name] of names.entries()) {
        const key = `odd/${index}/${name}`;
        await put(key, `body ${index}`);
        expect(await listKeys({ Prefix: `odd/${index}/` })).toEqual([key]);
        expect(await listKeys({ Prefix: `odd/${index}/`, StartAfter: key })).toEqual([]);
        expect(await get(key)).toBe(`body ${index}`);
        await remove(key);
        expect(await listKeys({ Prefix: `odd/${index}/` })).toEqual([]);
      }
    });
  }

  rule("with EncodingType url, a blank comes as +, a slash as itself, and the prefix is encoded too", async () => {
    await put("enc oded/a b/c", "");
    const { Contents, Prefix } = await list({ Prefix: "enc oded/", EncodingType: "url" });
    expect(Contents?.[0]?.Key).toBe("enc+oded/a+b/c");
    expect(decodeKey(Prefix ?? "")).toBe("enc oded/");
  });

  rule("without EncodingType, a carriage return in a key comes back as a line feed", async () => {
    await put("raw/a\rb", "");
    expect((await list({ Prefix: "raw/" })).Contents?.[0]?.Key).toBe("raw/a\nb");
  });

  rule("a key may have 1,024 bytes of UTF-8, and no more", async () => {
    const longest = `long/${"é".repeat(509)}x`;
    await put(longest, "body");
    expect(await get(longest)).toBe("body");
    expect(await listKeys({ Prefix: "long/" })).toEqual([longest]);
    expect(await outcomeOf(put(`${longest}x`, "body"))).toEqual({ status: 400, code: "KeyTooLongError" });
  });

  rule("nothing can be listed or put where there is no bucket: 404 NoSuchBucket", async () => {
    const Bucket = `${bucket.name}-absent`;
    const refused = { status: 404, code: "NoSuchBucket" };
    expect(await outcomeOf(s3.send(new ListObjectsV2Command({ Bucket })))).toEqual(refused);
    expect(await outcomeOf(s3.send(new PutObjectCommand({ Bucket, Key: "a", Body: "x" })))).toEqual(refused);
  });
}
