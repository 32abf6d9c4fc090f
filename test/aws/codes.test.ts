/** What each code of S3 and EventBridge means to a run: answers over HTTP, as the SDK reads them. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { s3ObjectStore } from "../../functions/aws/s3-object-store.ts";
import { type EventEntry, type ObjectStore, ServiceError } from "../../functions/ports.ts";
import { startHttpWorld } from "../worlds/http.ts";
import { BUCKET } from "../worlds/memory.ts";

const KEY = "runners/large/r-1/x";
/** One that no batch can carry. */
const ODD_KEY = "runners/large/r-1/\u0007";

let world: Awaited<ReturnType<typeof startHttpWorld>>;
let etag: string;
beforeAll(async () => {
  world = await startHttpWorld();
});
beforeEach(async () => {
  for (const key of [KEY, ODD_KEY]) world.s3.putObject(BUCKET, key, { body: Buffer.from("x") });
  etag = [...world.s3.objects(BUCKET, KEY)][0]?.etag ?? "";
});
afterEach(() => world.faults.clear());
afterAll(() => world.close());

/** Every call of this operation fails so. */
function failing(on: string, status: number, code: string): void {
  world.faults.use(({ operation }) => (operation === on ? { kind: "error", status, code } : undefined));
}

/** What a call comes to: its result, or `code`, with ` again` if another attempt may help. */
async function outcome(result: Promise<unknown>): Promise<unknown> {
  try {
    return await result;
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    return `throws ${error.code}${error.retryable ? ", may pass" : ""}`;
  }
}

const READ: readonly [number, string, string][] = [
  [404, "NoSuchKey", "gone"],
  [404, "NoSuchBucket", "throws NoSuchBucket"],
  [412, "PreconditionFailed", "changed"],
  [409, "ConditionalRequestConflict", "changed"],
  [403, "AccessDenied", "denied"],
  [400, "KMS.DisabledException", "denied"],
  [400, "KMS.NotFoundException", "denied"],
  [400, "KMS.KMSInvalidStateException", "denied"],
  [403, "InvalidObjectState", "unreadable"],
  [403, "ObjectNotInActiveTierError", "unreadable"],
  [400, "InvalidRequest", "unreadable"],
  [403, "SignatureDoesNotMatch", "throws SignatureDoesNotMatch"],
  [400, "ExpiredToken", "throws ExpiredToken, may pass"],
  [500, "InternalError", "throws InternalError, may pass"],
  [503, "SlowDown", "throws SlowDown, may pass"],
];

test.each(READ)("GET and COPY that answer %d %s: %s", async (status, code, expected) => {
  const { store } = world.dependencies;
  failing("GetObject", status, code);
  expect(await outcome(store.get({ key: KEY, etag }, 1))).toBe(expected);
  failing("CopyObject", status, code);
  expect(await outcome(store.copy({ key: KEY, etag }, "quarantine/x"))).toBe(expected);
});

/** The answer to a HEAD has no body: its code comes from a GET, if it is a 400. */
test.each([
  [404, "NoSuchKey", "gone"],
  [403, "AccessDenied", "denied"],
  [400, "InvalidRequest", "unreadable"],
  [400, "ExpiredToken", "throws ExpiredToken, may pass"],
])("HEAD that answers %d, and GET %s: %s", async (status, code, expected) => {
  world.faults.use(({ operation }) =>
    operation === "HeadObject" || operation === "GetObject" ? { kind: "error", status, code } : undefined,
  );
  expect(await outcome(world.dependencies.store.head(KEY))).toBe(expected);
});

test.each([
  [412, "PreconditionFailed", "exists"],
  [409, "ConditionalRequestConflict", "throws ConditionalRequestConflict"],
  [403, "AccessDenied", "throws AccessDenied"],
  [404, "NoSuchBucket", "throws NoSuchBucket"],
  [503, "SlowDown", "throws SlowDown, may pass"],
])("PUT that answers %d %s: %s", async (status, code, expected) => {
  failing("PutObject", status, code);
  expect(await outcome(world.dependencies.store.putIfAbsent("quarantine/x", "{}"))).toContain(expected);
});

test.each([
  [404, "NoSuchKey", "gone"],
  [412, "PreconditionFailed", "changed"],
  [409, "ConditionalRequestConflict", "changed"],
  [403, "AccessDenied", "denied"],
  [500, "InternalError", "failed"],
])("DELETE of one object that answers %d %s: %s", async (status, code, expected) => {
  failing("DeleteObject", status, code);
  expect(await world.dependencies.store.delete([{ key: ODD_KEY, etag }])).toEqual([expected]);
});

test("a wrong checksum, which an uploader may have sent, does not keep the SDK from reading an object", async () => {
  const withoutFastPath: ObjectStore = s3ObjectStore({ s3: world.clients.s3, fastRead: async () => undefined }, BUCKET);
  world.faults.use(({ operation }) =>
    operation === "GetObject"
      ? {
          kind: "changed-answer",
          change: (reply) => ({ ...reply, headers: { ...reply.headers, "x-amz-checksum-crc32": "AAAAAA==" } }),
        }
      : undefined,
  );
  expect(Buffer.from((await withoutFastPath.get({ key: KEY, etag }, 1)) as Uint8Array).toString()).toBe("x");
});

const ENTRY: EventEntry = { source: "runner-metrics", detailType: "RunnerStop", resources: [], detail: "{}" };

test.each([
  ["InternalFailure", "accepted"],
  ["InternalException", "accepted"],
  ["ThrottlingException", "accepted"],
  ["AccessDeniedException", { code: "AccessDeniedException" }],
  ["MalformedDetail", { code: "MalformedDetail" }],
])("an entry that fails once with %s: %j", async (code, expected) => {
  world.faults.use(({ operation, attempt }) =>
    operation === "PutEvents" && attempt === 1 ? { kind: "failed-entries", codes: { 0: code } } : undefined,
  );
  expect(await world.dependencies.bus.publish([ENTRY], Number.POSITIVE_INFINITY)).toEqual([expected]);
});

test.each([
  [400, "ResourceNotFoundException", false],
  [400, "AccessDeniedException", "throws AccessDeniedException"],
  [500, "InternalException", "throws InternalException, may pass"],
])("DescribeEventBus that answers %d %s: %s", async (status, code, expected) => {
  failing("DescribeEventBus", status, code);
  expect(await outcome(world.dependencies.bus.exists())).toBe(expected);
});
