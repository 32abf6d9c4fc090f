import type { ListObjectsV2Output, _Object as S3Object } from "@aws-sdk/client-s3";
import { describe, expect, test } from "vitest";
import { decodeKey, deleteResults, headOfHeaders, listPage, objectHead } from "../../functions/aws/s3-answers.ts";
import { type ListPosition, ServiceError } from "../../functions/ports.ts";

const TIME = 1_700_000_000_000;
const DATE = TIME + 5_000;
const FIRST: ListPosition = { after: "" };

/** Says why an answer counts as none. */
function problem(read: () => unknown): string {
  try {
    return `none, but ${JSON.stringify(read())}`;
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    expect(error).toMatchObject({ code: "IncompleteAnswer", retryable: true });
    return error.message;
  }
}

const listed = (Key: string, more: S3Object = {}): S3Object => ({
  Key,
  Size: 1,
  ETag: '"e"',
  LastModified: new Date(TIME),
  ...more,
});

/** An object as it is listed, with fields that may be missing although the SDK's types forbid to say so. */
const lacking = (fields: { [Field in keyof S3Object]: S3Object[Field] | undefined }) =>
  ({ ...listed("a/1"), ...fields }) as S3Object;

const answerOf = (Contents: S3Object[], more: Partial<ListObjectsV2Output> = {}): ListObjectsV2Output => ({
  Name: "bucket",
  EncodingType: "url",
  IsTruncated: false,
  KeyCount: Contents.length,
  Contents,
  ...more,
});

function read(page: ListObjectsV2Output, { from = FIRST, prefix = "a/", date = DATE } = {}) {
  return listPage(page, { date, prefix, from, doing: "Listing" });
}

const readOne = (...objects: S3Object[]) => read(answerOf(objects));

describe("a page of a listing", () => {
  test("has what S3 says of each object, with decoded keys", () => {
    const page = answerOf([listed("a/b+c%2B"), listed("a/d", { Size: 0, StorageClass: "GLACIER" })]);
    expect(read(page)).toStrictEqual({
      date: DATE,
      objects: [
        { key: "a/b c+", size: 1, etag: '"e"', lastModified: TIME, storageClass: "STANDARD" },
        { key: "a/d", size: 0, etag: '"e"', lastModified: TIME, storageClass: "GLACIER" },
      ],
    });
  });

  test("may have no object", () => {
    const { Contents: _, ...empty } = answerOf([]);
    expect(read(empty)).toStrictEqual({ date: DATE, objects: [] });
  });

  test.each<[string, ListPosition, S3Object[], ListPosition]>([
    ["its last key", FIRST, [listed("a/1"), listed("a/2")], { token: "t2", after: "a/2" }],
    ["its last key that is UTF-8", FIRST, [listed("a/1"), listed("a/%FF")], { token: "t2", after: "a/1" }],
    ["the key before it, if it has none", { after: "a/0" }, [], { token: "t2", after: "a/0" }],
    ["the last key of the page before", { token: "t1", after: "a/0" }, [], { token: "t2", after: "a/0" }],
    ["no key, if none is known", { token: "t1" }, [], { token: "t2", after: "" }],
  ])("that is not the last says where the next one starts: after %s", (_, from, contents, next) => {
    const page = answerOf(contents, { IsTruncated: true, NextContinuationToken: "t2" });
    expect(read(page, { from }).next).toStrictEqual(next);
  });

  test("may be the last of several", () => {
    expect(read(answerOf([listed("a/1")]), { from: { token: "t1" } })).not.toHaveProperty("next");
  });

  test("is in the order of the keys' bytes, which is not that of JavaScript's characters", () => {
    const keys = ["a/\uff5e", "a/\u{1f600}"];
    const inOrder = keys.map((key) => listed(encodeURIComponent(key)));
    expect(readOne(...inOrder).objects.map(({ key }) => key)).toEqual(keys);
    expect(problem(() => readOne(...inOrder.toReversed()))).toBe("Listing: IncompleteAnswer (a key is out of order)");
  });

  test("may have a key that is no UTF-8, which has no place in the order", () => {
    const { objects } = readOne(listed("a/1"), listed("a/%FF"), listed("a/2"), listed("a/%FE"));
    expect(objects.map(({ key }) => key)).toEqual(["a/1", "a/\ufffdFF", "a/2", "a/\ufffdFE"]);
  });

  test("may begin with any key if it is not known where it starts", () => {
    expect(read(answerOf([listed("!")]), { from: { token: "t1" }, prefix: "" }).objects).toHaveLength(1);
  });
});

describe("a page of a listing is no answer:", () => {
  test("it has no date", () => {
    expect(problem(() => read(answerOf([]), { date: Number.NaN }))).toBe("Listing: IncompleteAnswer (it has no date)");
  });

  test.each<[string, ListObjectsV2Output]>([
    ["Name", { Name: "" }],
    ["EncodingType", {}],
    ["KeyCount", { KeyCount: 0 }],
    ["IsTruncated", { IsTruncated: true }],
    ["IsTruncated, given a token", { NextContinuationToken: "t2" }],
  ])("%s is missing or wrong", (field, wrong) => {
    const { EncodingType, ...others } = answerOf([listed("a/1")]);
    const page = { ...others, ...(field !== "EncodingType" && EncodingType && { EncodingType }), ...wrong };
    expect(problem(() => read(page))).toBe("Listing: IncompleteAnswer (a field is missing or wrong)");
  });

  test("it says that the next page is this one", () => {
    const page = answerOf([listed("a/1")], { IsTruncated: true, NextContinuationToken: "t1" });
    expect(problem(() => read(page, { from: { token: "t1" } }))).toBe(
      "Listing: IncompleteAnswer (a token is repeated)",
    );
  });

  test.each<[string, S3Object]>([
    ["no key", lacking({ Key: undefined })],
    ["an empty key", listed("")],
    ["no size", lacking({ Size: undefined })],
    ["a negative size", listed("a/1", { Size: -1 })],
    ["a size that is no whole number", listed("a/1", { Size: 0.5 })],
    ["no ETag", lacking({ ETag: undefined })],
    ["an empty ETag", listed("a/1", { ETag: "" })],
    ["no time", lacking({ LastModified: undefined })],
    ["a time that is none", listed("a/1", { LastModified: new Date(Number.NaN) })],
  ])("an object has %s", (_, object) => {
    expect(problem(() => readOne(object))).toBe("Listing: IncompleteAnswer (an object lacks a field)");
  });

  test("a key has another prefix", () => {
    expect(problem(() => readOne(listed("b/a/1")))).toBe("Listing: IncompleteAnswer (a key has another prefix)");
  });

  test.each<[string, ListPosition, string[]]>([
    ["that comes before another", FIRST, ["a/2", "a/1"]],
    ["twice", FIRST, ["a/1", "a/1"]],
    ["at which the page starts, exclusively", { after: "a/1" }, ["a/1"]],
    ["of the page before", { token: "t1", after: "a/2" }, ["a/1"]],
  ])("it has a key %s", (_, from, keys) => {
    expect(problem(() => read(answerOf(keys.map((key) => listed(key))), { from }))).toBe(
      "Listing: IncompleteAnswer (a key is out of order)",
    );
  });
});

const HEAD = { ContentLength: 3, ETag: '"e"', LastModified: new Date(TIME) };

describe("HEAD, as the SDK reads it,", () => {
  test.each([
    [{}, { storageClass: "STANDARD" }],
    [
      { ContentLength: 0, StorageClass: "GLACIER" as const, SSEKMSKeyId: "arn:key" },
      { size: 0, storageClass: "GLACIER", kmsKeyId: "arn:key" },
    ],
  ])("%j", (answer, expected) => {
    const usual = { size: 3, etag: '"e"', lastModified: TIME };
    expect(objectHead({ ...HEAD, ...answer }, "HEAD")).toStrictEqual({ ...usual, ...expected });
  });

  test.each(["ContentLength", "ETag", "LastModified"])("is no answer without %s", (field) => {
    const head = { ...HEAD, [field]: undefined } as object;
    expect(problem(() => objectHead(head, "HEAD"))).toBe("HEAD: IncompleteAnswer (a header is missing or wrong)");
  });

  test.each([{ ContentLength: -1 }, { ContentLength: 2 ** 53 }, { ETag: "" }, { LastModified: new Date(Number.NaN) }])(
    "is no answer with %j",
    (wrong) => {
      expect(problem(() => objectHead({ ...HEAD, ...wrong }, "HEAD"))).toBe(
        "HEAD: IncompleteAnswer (a header is missing or wrong)",
      );
    },
  );
});

const HEADERS = { "content-length": "3", etag: '"e"', "last-modified": "Tue, 14 Nov 2023 22:13:20 GMT" };

describe("HEAD, as the headers say it,", () => {
  test.each([
    [{}, { storageClass: "STANDARD" }],
    [{ "content-length": "0" }, { size: 0, storageClass: "STANDARD" }],
    [{ "content-length": "999999999999999" }, { size: 999_999_999_999_999, storageClass: "STANDARD" }],
    [{ "x-amz-storage-class": "GLACIER" }, { storageClass: "GLACIER" }],
    [{ "x-amz-server-side-encryption-aws-kms-key-id": "arn:key" }, { storageClass: "STANDARD", kmsKeyId: "arn:key" }],
  ])("%j", (headers, expected) => {
    const usual = { size: 3, etag: '"e"', lastModified: TIME };
    expect(headOfHeaders({ ...HEADERS, ...headers })).toStrictEqual({ ...usual, ...expected });
  });

  test.each<Record<string, string | string[] | undefined>>([
    { "content-length": undefined },
    { "content-length": "" },
    { "content-length": "x3" },
    { "content-length": "3x" },
    { "content-length": "-3" },
    { "content-length": "1000000000000000" },
    { etag: undefined },
    { etag: "" },
    { "last-modified": undefined },
    { "last-modified": "never" },
    { "x-amz-storage-class": ["STANDARD", "GLACIER"] },
    { "x-amz-server-side-encryption-aws-kms-key-id": ["arn:key", "arn:other"] },
  ])("says nothing with %j", (headers) => {
    expect(headOfHeaders({ ...HEADERS, ...headers })).toBeUndefined();
  });
});

describe("DeleteObjects", () => {
  const objects = ["a", "b", "c"].map((key) => ({ key, etag: '"e"' }));
  const [a, b, c] = objects;

  test("tells of each object; one that it does not mention may still be there", () => {
    const answer = { Deleted: [{ Key: "a" }], Errors: [{ Key: "b", Code: "AccessDenied" }] };
    expect([...deleteResults(answer, objects, "DELETE")]).toEqual([
      [a, "deleted"],
      [b, "denied"],
      [c, "failed"],
    ]);
  });

  test("an object with an error is not deleted, whatever else is said of it", () => {
    const answer = { Deleted: [{ Key: "a" }], Errors: [{ Key: "a", Code: "InternalError" }] };
    expect([...deleteResults(answer, objects.slice(0, 1), "DELETE")]).toEqual([[a, "failed"]]);
  });

  test.each([
    ["PreconditionFailed", "changed"],
    ["ConditionalRequestConflict", "changed"],
    ["NoSuchKey", "gone"],
    ["AccessDenied", "denied"],
    ["InternalError", "failed"],
    [undefined, "failed"],
  ])("the error %s: %s", (Code, result) => {
    const answer = { Errors: [{ Key: "a", ...(Code !== undefined && { Code }) }] };
    expect([...deleteResults(answer, objects.slice(0, 1), "DELETE")]).toEqual([[a, result]]);
  });

  test("is no answer if it mentions no object", () => {
    expect(problem(() => deleteResults({}, objects, "DELETE"))).toBe(
      "DELETE: IncompleteAnswer (no object is mentioned)",
    );
  });
});

test.each([
  ["a+b%20c", "a b c"],
  ["%C3%A9%2B", "é+"],
  ["%FF+%41", "\ufffdFF+\ufffd41"],
])("the key %s is decoded as %j", (encoded, key) => {
  expect(decodeKey(encoded)).toBe(key);
});
