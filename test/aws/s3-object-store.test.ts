import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Clients } from "../../functions/aws/clients.ts";
import type { ReadAnswer } from "../../functions/aws/fast-read.ts";
import { s3ObjectStore } from "../../functions/aws/s3-object-store.ts";
import { type ListPosition, type ObjectVersion, ServiceError } from "../../functions/ports.ts";
import { startHttpWorld } from "../worlds/http.ts";

interface Sent {
  readonly name: string;
  readonly input: Record<string, unknown>;
}

/** A client that answers every command with the same; what it was sent. */
function clientThat(answer: (sent: Sent) => unknown, fast?: ReadAnswer) {
  const sent: Sent[] = [];
  const fastReads: unknown[] = [];
  const send = async (command: { constructor: { name: string }; input: Record<string, unknown> }) => {
    const one = { name: command.constructor.name, input: command.input };
    sent.push(one);
    return answer(one);
  };
  const fastRead = async (read: unknown) => {
    fastReads.push(read);
    return fast;
  };
  const clients = { s3: { send }, fastRead } as unknown as Clients;
  return { clients, sent, fastReads };
}

const OBJECT: ObjectVersion = { key: "a b", etag: '"e"' };

/** An error as the SDK throws it. */
const refused = (name: string, httpStatusCode?: number, fields: object = {}) =>
  Object.assign(new Error("no"), { name, ...fields, $metadata: { httpStatusCode } });

/** What a call comes to: its result, or what is thrown. */
async function outcome(call: Promise<unknown>): Promise<unknown> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    return `${error.message}${error.retryable ? ", may pass" : ""}`;
  }
}

test("A18 no more of a body is read than was announced", async () => {
  let produced = 0;
  const endless = Readable.from(
    (function* () {
      for (;;) {
        produced++;
        yield Buffer.alloc(100);
      }
    })(),
    { highWaterMark: 1 },
  );
  const store = s3ObjectStore(clientThat(() => ({ Body: endless })).clients, "b");
  expect(await store.get({ key: "k", etag: "e" }, 1_000)).toBe("changed");
  expect(endless.destroyed).toBe(true);
  expect(produced).toBeLessThan(20);
});

test.each([
  ["AccessDenied", "denied"],
  ["InternalError", "failed"],
  ["PreconditionFailed", "changed"],
  ["ConditionalRequestConflict", "changed"],
  ["NoSuchKey", "gone"],
])("an object that DeleteObjects lists with the error %s is %s", async (Code, result) => {
  const store = s3ObjectStore(
    clientThat(() => ({ Deleted: [{ Key: "a" }, { Key: "c" }], Errors: [{ Key: "b", Code }] })).clients,
    "bucket",
  );
  const objects = ["a", "b", "c"].map((key) => ({ key, etag: "e" }));
  expect(await store.delete(objects)).toEqual(["deleted", result, "deleted"]);
});

test("an error of DeleteObjects that can't be matched leaves all in doubt", async () => {
  const store = s3ObjectStore(clientThat(() => ({ Errors: [{ Key: "?", Code: "InternalError" }] })).clients, "bucket");
  expect(await store.delete([{ key: "a", etag: "e" }])).toEqual(["failed"]);
});

test("a copy carries none of the uploader's headers or tags, and only the version that was asked for", async () => {
  const { clients, sent } = clientThat(() => ({ CopyObjectResult: { ETag: '"e"' } }));
  expect(await s3ObjectStore(clients, "bucket").copy({ key: "a b/c+d", etag: '"e"' }, "to")).toBe("copied");
  expect(sent).toEqual([
    {
      name: "CopyObjectCommand",
      input: {
        Bucket: "bucket",
        Key: "to",
        CopySource: "bucket/a%20b/c%2Bd",
        CopySourceIfMatch: '"e"',
        MetadataDirective: "REPLACE",
        TaggingDirective: "REPLACE",
        ContentType: "application/octet-stream",
      },
    },
  ]);
});

test.each([{}, { CopyObjectResult: {} }, { CopyObjectResult: { ETag: "" } }])(
  "a copy that is answered with %j was not made",
  async (answer) => {
    const store = s3ObjectStore(clientThat(() => answer).clients, "bucket");
    expect(await outcome(store.copy(OBJECT, "to"))).toBe(
      'COPY in bucket "bucket": IncompleteAnswer (it has no ETag), may pass',
    );
  },
);

test("a manifest and an archive never replace anything, and have a checksum, which a bucket with Object Lock demands", async () => {
  const { clients, sent } = clientThat(() => ({ ETag: '"e"' }));
  const store = s3ObjectStore(clients, "bucket");
  expect(await store.putIfAbsent("manifest.json", "{}")).toBe("stored");
  expect(await store.putIfAbsent("events.gz", new Uint8Array(1))).toBe("stored");
  const usual = { Bucket: "bucket", IfNoneMatch: "*", ChecksumAlgorithm: "CRC32" };
  expect(sent).toEqual([
    {
      name: "PutObjectCommand",
      input: { ...usual, Key: "manifest.json", Body: "{}", ContentType: "application/json" },
    },
    {
      name: "PutObjectCommand",
      input: { ...usual, Key: "events.gz", Body: new Uint8Array(1), ContentType: "application/gzip" },
    },
  ]);
});

test.each([{}, { ETag: "" }])("a document of which S3 says only %j is not stored", async (answer) => {
  const store = s3ObjectStore(clientThat(() => answer).clients, "bucket");
  expect(await outcome(store.putIfAbsent("x", "{}"))).toBe(
    'PUT in bucket "bucket": IncompleteAnswer (it has no ETag), may pass',
  );
});

describe("a listing", () => {
  test.each<[string, ListPosition | undefined, object]>([
    ["from its begin", undefined, {}],
    ["from no key", { after: "" }, {}],
    ["after a key", { after: "a/1" }, { StartAfter: "a/1" }],
    ["where a page ended", { token: "t1", after: "a/1" }, { ContinuationToken: "t1" }],
  ])("is asked for, %s, with encoded keys", async (_, from, position) => {
    const { clients, sent } = clientThat(() => ({}));
    expect(await outcome(s3ObjectStore(clients, "bucket").list("a/", from))).toBe(
      'Listing bucket "bucket": IncompleteAnswer (it has no date), may pass',
    );
    expect(sent).toEqual([
      { name: "ListObjectsV2Command", input: { Bucket: "bucket", Prefix: "a/", EncodingType: "url", ...position } },
    ]);
  });

  test("that is refused says of what", async () => {
    const { clients } = clientThat(() => Promise.reject(refused("SlowDown", 503)));
    expect(await outcome(s3ObjectStore(clients, "bucket").list("a/"))).toBe(
      'Listing bucket "bucket": SlowDown (HTTP 503), may pass',
    );
  });

  test("has the date of S3's answer", async () => {
    const world = await startHttpWorld();
    world.faults.use(() => ({
      kind: "changed-answer",
      change: (reply) => ({ ...reply, headers: { ...reply.headers, date: "Tue, 14 Nov 2023 22:13:20 GMT" } }),
    }));
    expect(await world.dependencies.store.list("runners/")).toEqual({ date: 1_700_000_000_000, objects: [] });
    await world.close();
  });
});

const LENGTH = "text".length;
const bytesOf = (text: string) => new Uint8Array(Buffer.from(text));
const HEADERS = { "content-length": "4", etag: '"e"', "last-modified": "Tue, 14 Nov 2023 22:13:20 GMT" };
const HEAD = { size: LENGTH, etag: '"e"', lastModified: 1_700_000_000_000, storageClass: "STANDARD" };
const SDK_HEAD = { ContentLength: LENGTH, ETag: '"e"', LastModified: new Date(1_700_000_000_000) };

describe("HEAD", () => {
  test("is read without the SDK, and without a body", async () => {
    const { clients, sent, fastReads } = clientThat(() => ({}), { headers: HEADERS, body: new Uint8Array() });
    expect(await s3ObjectStore(clients, "bucket").head("a b")).toEqual(HEAD);
    expect(fastReads).toEqual([{ bucket: "bucket", key: "a b", method: "HEAD", bytesMax: 0 }]);
    expect(sent).toEqual([]);
  });

  test.each([
    ["there is no answer", undefined],
    [
      "a header is missing",
      { headers: { ...HEADERS, etag: undefined }, body: new Uint8Array() } as unknown as ReadAnswer,
    ],
  ])("is asked for by the SDK if %s", async (_, fast) => {
    const { clients, sent } = clientThat(() => SDK_HEAD, fast);
    expect(await s3ObjectStore(clients, "bucket").head("a b")).toEqual(HEAD);
    expect(sent).toEqual([{ name: "HeadObjectCommand", input: { Bucket: "bucket", Key: "a b" } }]);
  });

  test.each([
    [refused("Unknown", 403), "denied"],
    [refused("NotFound", 404), "gone"],
    [refused("Unknown", 412), "changed"],
    [refused("Unknown", 500), 'HEAD in bucket "bucket": Unknown (HTTP 500), may pass'],
    [refused("TimeoutError"), 'HEAD in bucket "bucket": TimeoutError, may pass'],
  ])("that fails is asked for once: %s, %s", async (error, result) => {
    const { clients, sent } = clientThat(() => Promise.reject(error));
    expect(await outcome(s3ObjectStore(clients, "bucket").head("a b"))).toBe(result);
    expect(sent).toHaveLength(1);
  });

  test("that lacks a header is no answer", async () => {
    const { clients } = clientThat(() => ({ ...SDK_HEAD, ETag: undefined }));
    expect(await outcome(s3ObjectStore(clients, "bucket").head("a b"))).toBe(
      'HEAD in bucket "bucket": IncompleteAnswer (a header is missing or wrong), may pass',
    );
  });

  test.each([
    ["of an object that no role can read", refused("InvalidRequest", 400), "unreadable"],
    [
      "with expired credentials",
      refused("ExpiredToken", 400),
      'HEAD in bucket "bucket": ExpiredToken (HTTP 400), may pass',
    ],
  ])("that answers 400, %s, is explained by a GET of a byte", async (_, error, result) => {
    const { clients, sent } = clientThat(({ name }) =>
      Promise.reject(name === "HeadObjectCommand" ? refused("Unknown", 400) : error),
    );
    expect(await outcome(s3ObjectStore(clients, "bucket").head("a b"))).toBe(result);
    expect(sent).toEqual([
      { name: "HeadObjectCommand", input: { Bucket: "bucket", Key: "a b" } },
      { name: "GetObjectCommand", input: { Bucket: "bucket", Key: "a b", Range: "bytes=0-0" } },
    ]);
  });

  test("that answers 400 without a reason is an error, and the byte is not read", async () => {
    const Body = Readable.from(["x"]);
    const { clients } = clientThat(({ name }) =>
      name === "HeadObjectCommand" ? Promise.reject(refused("Unknown", 400)) : { Body },
    );
    expect(await outcome(s3ObjectStore(clients, "bucket").head("a b"))).toBe(
      'HEAD in bucket "bucket": Unknown (HTTP 400)',
    );
    expect(Body.destroyed).toBe(true);
  });
});

describe("GET", () => {
  test("is read without the SDK, and no more of it than its length", async () => {
    const body = bytesOf("text");
    const { clients, sent, fastReads } = clientThat(() => ({}), { headers: HEADERS, body });
    expect(await s3ObjectStore(clients, "bucket").get(OBJECT, LENGTH)).toBe(body);
    expect(fastReads).toEqual([{ bucket: "bucket", key: "a b", method: "GET", ifMatch: '"e"', bytesMax: LENGTH }]);
    expect(sent).toEqual([]);
  });

  test.each<[string, ReadAnswer | undefined]>([
    ["there is no answer", undefined],
    ["it is another version", { headers: { ...HEADERS, etag: '"other"' }, body: bytesOf("text") }],
    ["it has another length", { headers: HEADERS, body: bytesOf("tex") }],
  ])("is asked for by the SDK if %s", async (_, fast) => {
    const { clients, sent } = clientThat(
      () => ({ ETag: '"e"', Body: Readable.from([Buffer.from("te"), Buffer.from("xt")]) }),
      fast,
    );
    expect(await s3ObjectStore(clients, "bucket").get(OBJECT, LENGTH)).toEqual(bytesOf("text"));
    expect(sent).toEqual([{ name: "GetObjectCommand", input: { Bucket: "bucket", Key: "a b", IfMatch: '"e"' } }]);
  });

  test.each([
    ["another version", '"other"', "text"],
    ["less than was announced", '"e"', "tex"],
    ["more than was announced", '"e"', "texts"],
  ])("of %s is of a changed object", async (_, ETag, text) => {
    const { clients } = clientThat(() => ({ ETag, Body: Readable.from([Buffer.from(text)]) }));
    expect(await s3ObjectStore(clients, "bucket").get(OBJECT, LENGTH)).toBe("changed");
  });

  test("of an empty object has no bytes", async () => {
    const { clients } = clientThat(() => ({ ETag: '"e"', Body: Readable.from([]) }));
    expect(await s3ObjectStore(clients, "bucket").get(OBJECT, 0)).toEqual(new Uint8Array());
  });
});

describe("a body", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
  afterEach(() => void vi.useRealTimers());

  test.each([
    ["five seconds", undefined, 5_000],
    ["what it is given", 700, 700],
  ])("has %s to arrive", async (_, timeout, milliseconds) => {
    const Body = new Readable({ read() {} });
    const store = s3ObjectStore(clientThat(() => ({ ETag: '"e"', Body })).clients, "bucket", timeout);
    const read = store.get(OBJECT, LENGTH).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(milliseconds - 1);
    expect(Body.destroyed).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    const error = await read;
    expect(error).toBeInstanceOf(ServiceError);
    expect(error).toMatchObject({
      message: 'GET in bucket "bucket": TimeoutError',
      retryable: true,
      cause: { message: "The body did not arrive in time" },
    });
  });

  test("that has arrived is not waited for any longer", async () => {
    const { clients } = clientThat(() => ({ ETag: '"e"', Body: Readable.from([Buffer.from("text")]) }));
    await s3ObjectStore(clients, "bucket").get(OBJECT, LENGTH);
    expect(vi.getTimerCount()).toBe(0);
  });
});

test.each([
  [refused("NoSuchKey", 404), "gone"],
  [refused("NoSuchBucket", 404), "NoSuchBucket (HTTP 404)"],
  [refused("PreconditionFailed", 412), "changed"],
  [refused("ConditionalRequestConflict", 409), "changed"],
  [refused("AccessDenied", 403), "denied"],
  [refused("KMS.DisabledException", 400), "denied"],
  [refused("KMS.NotFoundException", 400), "denied"],
  [refused("KMS.KMSInvalidStateException", 400), "denied"],
  [refused("InvalidObjectState", 403), "unreadable"],
  [refused("ObjectNotInActiveTierError", 403), "unreadable"],
  [refused("InvalidRequest", 400), "unreadable"],
  [refused("SignatureDoesNotMatch", 403), "SignatureDoesNotMatch (HTTP 403)"],
  [refused("", undefined, { code: "ECONNRESET" }), "ECONNRESET, may pass"],
])("GET and COPY that fail with %s: %s", async (error, result) => {
  const store = s3ObjectStore(clientThat(() => Promise.reject(error)).clients, "bucket");
  const isThrown = !/^[a-z]+$/.test(result);
  expect(await outcome(store.get(OBJECT, 1))).toBe(`${isThrown ? 'GET in bucket "bucket": ' : ""}${result}`);
  expect(await outcome(store.copy(OBJECT, "to"))).toBe(`${isThrown ? 'COPY in bucket "bucket": ' : ""}${result}`);
});

test.each([
  [refused("PreconditionFailed", 412), "exists"],
  [refused("AccessDenied", 403), 'PUT in bucket "bucket": AccessDenied (HTTP 403)'],
])("PUT that fails with %s: %s", async (error, result) => {
  const store = s3ObjectStore(clientThat(() => Promise.reject(error)).clients, "bucket");
  expect(await outcome(store.putIfAbsent("x", "{}"))).toBe(result);
});

describe("DELETE", () => {
  const batched: ObjectVersion[] = [" ", "a~", "a/&<>\"'b"].map((key, index) => ({ key, etag: `"${index}"` }));
  const odd: ObjectVersion[] = ["\u001f", "a\u007f", "é", "a\n"].map((key, index) => ({ key, etag: `"${index}"` }));
  const deleteEach = ({ name, input }: Sent) =>
    name === "DeleteObjectsCommand"
      ? { Deleted: (input.Delete as { Objects: { Key: string }[] }).Objects.map(({ Key }) => ({ Key })) }
      : { $metadata: { httpStatusCode: 204 } };

  test("takes keys of printable ASCII together, and each other one alone", async () => {
    const { clients, sent } = clientThat(deleteEach);
    const [first, ...others] = odd;
    const objects = [first as ObjectVersion, ...batched, ...others];
    expect(await s3ObjectStore(clients, "bucket").delete(objects)).toEqual(objects.map(() => "deleted"));
    const Objects = batched.map(({ key, etag }) => ({ Key: key, ETag: etag }));
    expect(sent).toEqual([
      { name: "DeleteObjectsCommand", input: { Bucket: "bucket", Delete: { Objects, Quiet: false } } },
      ...odd.map(({ key, etag }) => ({
        name: "DeleteObjectCommand",
        input: { Bucket: "bucket", Key: key, IfMatch: etag },
      })),
    ]);
  });

  test("of nothing is no call", async () => {
    const { clients, sent } = clientThat(deleteEach);
    expect(await s3ObjectStore(clients, "bucket").delete([])).toEqual([]);
    expect(sent).toEqual([]);
  });

  test("has sixteen single ones in progress at once, and tells of each in its place", async () => {
    let inProgress = 0;
    let most = 0;
    const { clients } = clientThat(async ({ input }) => {
      most = Math.max(most, ++inProgress);
      await new Promise(setImmediate);
      inProgress--;
      return { $metadata: { httpStatusCode: String(input.Key).endsWith("7") ? 200 : 204 } };
    });
    const objects = Array.from({ length: 40 }, (_, number) => ({ key: `é${number}`, etag: '"e"' }));
    expect(await s3ObjectStore(clients, "bucket").delete(objects)).toEqual(
      objects.map(({ key }) => (key.endsWith("7") ? "failed" : "deleted")),
    );
    expect(most).toBe(16);
  });

  test("of several that is refused as a whole is an error that says so", async () => {
    const { clients } = clientThat(() => Promise.reject(refused("AccessDenied", 403)));
    expect(await outcome(s3ObjectStore(clients, "bucket").delete(batched))).toBe(
      'DELETE in bucket "bucket": AccessDenied (HTTP 403)',
    );
  });

  test.each([
    [refused("NoSuchKey", 404), "gone"],
    [refused("PreconditionFailed", 412), "changed"],
    [refused("ConditionalRequestConflict", 409), "changed"],
    [refused("AccessDenied", 403), "denied"],
    [refused("InternalError", 500), "failed"],
    [refused("TimeoutError"), "failed"],
  ])("of one that fails with %s: %s", async (error, result) => {
    const { clients } = clientThat(() => Promise.reject(error));
    expect(await s3ObjectStore(clients, "bucket").delete(odd.slice(0, 1))).toEqual([result]);
  });

  test("throws a fault of ours", async () => {
    const { clients } = clientThat(() => Promise.reject(new TypeError("ours")));
    await expect(s3ObjectStore(clients, "bucket").delete(odd)).rejects.toThrow("ours");
  });

  test("of several whose answer mentions none is no answer", async () => {
    const store = s3ObjectStore(clientThat(() => ({})).clients, "bucket");
    expect(await outcome(store.delete(batched))).toBe(
      'DELETE in bucket "bucket": IncompleteAnswer (no object is mentioned), may pass',
    );
  });
});

test("a key that is no UTF-8 does not end the listing, and is no valid key", async () => {
  const world = await startHttpWorld();
  world.upload("a+b", { x: "x" });
  world.upload("c", { FF: "x" });
  world.faults.use(() => ({
    kind: "changed-answer",
    change: (reply) => ({ ...reply, body: String(reply.body).replace("c/FF", "c/%FF") }),
  }));
  const { objects } = await world.dependencies.store.list("runners/large/");
  expect(objects.map(({ key }) => key)).toEqual(["runners/large/a+b/x", "runners/large/c/\ufffdFF"]);
  await world.close();
});
