import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Summary, violatedInvariants } from "../../functions/run/summary.ts";
import type { HttpReply } from "../../local/http.ts";
import { effort } from "../effort.ts";
import { startHttpWorld } from "../worlds/http.ts";
import { BUCKET, FILES } from "../worlds/memory.ts";

/** `valid` is extracted, `corrupt` goes to quarantine, and the runner `orphan` is looked at again, since it may be alive. */
const STORAGES = { corrupt: { ...FILES, "pre-job-metrics.json": "{" }, orphan: orphanFiles(), valid: FILES };
const EVENTS_OF_ALL = [
  "MetricsQuarantined",
  "RunnerInstalled",
  "RunnerInstalled",
  "RunnerLost",
  "RunnerStart",
  "RunnerStart",
  "RunnerStop",
];
const DAY = 24 * 60 * 60 * 1000;

function orphanFiles() {
  const { "post-job-metrics.json": _, ...files } = FILES;
  return files;
}

let world: Awaited<ReturnType<typeof startHttpWorld>>;
beforeAll(async () => {
  world = await startHttpWorld();
});
afterAll(() => world.close());
beforeEach(() => {
  for (const key of world.keys()) world.s3.deleteObject(BUCKET, key);
  world.eventBridge.clear();
  for (const [runner, files] of Object.entries(STORAGES)) {
    for (const [name, content] of Object.entries(files)) {
      const lastModified = Date.now() - (runner === "orphan" ? 2 * DAY : 0);
      world.s3.plant(BUCKET, `runners/large/${runner}/${name}`, { body: Buffer.from(content), lastModified });
    }
  }
});
afterEach(() => world.faults.clear());

/** Which runners still have all their files. */
function complete(): string[] {
  return Object.entries(STORAGES).flatMap(([runner, files]) =>
    Object.keys(files).every((name) => world.keys().includes(`runners/large/${runner}/${name}`)) ? [runner] : [],
  );
}

type Result = Omit<Partial<Summary>, "deferralReasons" | "objects"> & {
  deferralReasons?: Partial<Summary["deferralReasons"]>;
  objects?: Partial<Summary["objects"]>;
};

/** A run has this result, and leaves these runners' files in place. The next one, when all works again, collects what is left, with the same ids. */
async function expectRun(result: Result | "throws", left: readonly string[]): Promise<void> {
  const done = await world.run().catch((error: unknown) => error);
  if (result === "throws") expect(done).toBeInstanceOf(Error);
  else {
    expect(done).toMatchObject(result);
    expect(violatedInvariants(done as Summary)).toEqual([]);
  }
  expect(complete()).toEqual(left);

  world.faults.clear();
  expect(await world.run()).toMatchObject({ listed: left.length, deferred: 0, errors: [] });
  expect(world.keys("runners/")).toEqual([]);
  const once = new Map(world.events().map(({ detailType, detail }) => [detail.event_id, detailType]));
  expect([...once.values()].toSorted()).toEqual(EVENTS_OF_ALL);
}

const ALL = ["corrupt", "orphan", "valid"];
const NOTHING_DONE: Result = { extracted: 0, quarantined: 0, incomplete: 0, objects: { deleted: 0 } };
const deferred = (reason: keyof Summary["deferralReasons"], count: number): Result => ({
  listed: 3,
  deferred: count,
  deferralReasons: { [reason]: count },
});

const unstored = (status: number): Result => ({
  ...NOTHING_DONE,
  listed: 3,
  deferred: 3,
  deferralReasons: status === 403 ? { denied: 3 } : { failed: 1, unarchived: 2 },
  stopped: "archive-failed",
});

const CODES: Readonly<Record<number, string>> = {
  301: "PermanentRedirect",
  304: "NotModified",
  307: "TemporaryRedirect",
  400: "InvalidArgument",
  403: "AccessDenied",
  416: "InvalidRange",
  500: "InternalError",
  503: "SlowDown",
};

/** What a run does if each call of an operation ends with a status, and which runners it leaves complete. */
const OUTCOMES: Readonly<Record<string, (status: number) => [Result | "throws", string[]]>> = {
  DescribeEventBus: () => ["throws", ALL],
  ListObjectsV2: () => [{ ...NOTHING_DONE, listed: 0, stopped: "listing-failed" }, ALL],
  HeadObject: (status) => [{ ...NOTHING_DONE, ...deferred(status === 403 ? "denied" : "failed", 3) }, ALL],
  GetObject: (status) => [{ ...NOTHING_DONE, ...deferred(status === 403 ? "denied" : "failed", 3) }, ALL],
  CopyObject: (status) => [{ extracted: 2, ...deferred(status === 403 ? "denied" : "failed", 1) }, ["corrupt"]],
  // The manifest of the corrupt one, and the events of the others in the archive.
  PutObject: (status) => [unstored(status), ALL],
  PutEvents: (status) => [{ ...NOTHING_DONE, ...deferred(status === 403 ? "denied" : "unpublished", 3) }, ALL],
  // All but the most telling file of each, and the corrupt one, which go in a second call. What was acknowledged is reported as such; the files are still there, and their events repeat.
  DeleteObjects: (status) => [
    { extracted: 2, quarantined: 1, objects: { deleted: 0, [status === 403 ? "denied" : "failed"]: 7 } },
    ALL,
  ],
};

describe.each(Object.keys(OUTCOMES))("S2 every %s that is answered with", (operation) => {
  // A 503 is tried again for seconds.
  const quick = Object.entries(CODES).filter(([status]) => status === "403");
  test.each(effort(quick, Object.entries(CODES)))("%s %s", async (status, code) => {
    world.faults.use((request) =>
      request.operation === operation ? { kind: "error", status: Number(status), code } : undefined,
    );
    await expectRun(...(OUTCOMES[operation]?.(Number(status)) ?? ["throws", []]));
  });
});

/** Changes the answers to an operation, from the call `since` on. */
function change(
  operation: string,
  changed: (reply: HttpReply) => HttpReply,
  { since = 1, withoutEffect = false } = {},
) {
  let calls = 0;
  world.faults.use((request) => {
    if (request.operation !== operation || ++calls < since) return undefined;
    return { kind: "changed-answer", withoutEffect, change: changed };
  });
}

const replace = (pattern: RegExp | string, by: string) => (reply: HttpReply) => {
  const body = String(reply.body);
  const changed = body.replace(pattern, by);
  if (changed === body) throw new Error(`${pattern} is not in ${body}`);
  return { ...reply, body: changed };
};
const empty = (reply: HttpReply): HttpReply => ({ ...reply, body: "" });

describe("S2 a listing is no answer if", () => {
  test.each<[string, (reply: HttpReply) => HttpReply]>([
    ["it is empty", empty],
    ["it is another document", (reply) => ({ ...reply, body: "<html></html>" })],
    ["it has no fields", (reply) => ({ ...reply, body: "<ListBucketResult/>" })],
    ["it is cut", (reply) => ({ ...reply, body: String(reply.body).slice(0, 900) })],
    ["it has no name of the bucket", replace(/<Name>.*<\/Name>/, "")],
    ["it does not say whether it is truncated", replace(/<IsTruncated>.*<\/IsTruncated>/, "")],
    ["it is truncated and has no token", replace("<IsTruncated>false", "<IsTruncated>true")],
    ["it does not say how many keys it has", replace(/<KeyCount>.*<\/KeyCount>/, "")],
    ["it has fewer keys than it says", replace(/<Contents>.*?<\/Contents>/, "")],
    ["its keys are not encoded", replace(/<EncodingType>.*<\/EncodingType>/, "")],
    ["a key has another prefix", replace("runners/large/valid/pre", "runners/larger/valid/pre")],
    ["its keys are out of order", replace("runners/large/corrupt/", "runners/large/zzz/")],
    ["a key is repeated", replace("corrupt/pre-job-metrics.json", "corrupt/post-job-metrics.json")],
    ["an object has no key", replace(/<Key>.*?<\/Key>/, "")],
    ["an object has no size", replace(/<Size>.*?<\/Size>/, "")],
    ["an object has no ETag", replace(/<ETag>.*?<\/ETag>/, "")],
    ["an object has no time", replace(/<LastModified>.*?<\/LastModified>/, "")],
    ["it has no date", (reply) => ({ ...reply, headers: { ...reply.headers, date: "never" } })],
  ])("%s", async (_, changed) => {
    change("ListObjectsV2", changed);
    await expectRun({ ...NOTHING_DONE, listed: 0, stopped: "listing-failed" }, ALL);
  });

  test("a token is repeated", async () => {
    const more = (reply: HttpReply): HttpReply =>
      replace("<IsTruncated>false", "<NextContinuationToken>same</NextContinuationToken><IsTruncated>true")(reply);
    let calls = 0;
    change("ListObjectsV2", (reply) => (calls++ === 0 ? more(reply) : more(EMPTY_PAGE)));
    await expectRun({ stopped: "listing-failed", quarantined: 1 }, ["orphan", "valid"]);
  });

  test("the second page goes backward", async () => {
    let first: HttpReply | undefined;
    const more = replace("<IsTruncated>false", "<NextContinuationToken>t</NextContinuationToken><IsTruncated>true");
    change("ListObjectsV2", (reply) => {
      if (first) return first;
      first = reply;
      return more(reply);
    });
    const done = await world.run();
    expect(done.stopped).toBe("listing-failed");
  });

  test.each([2, 3, 4])("it is empty from the look number %d on", async (since) => {
    change("ListObjectsV2", empty, { since });
    const done = await world.run();
    expect(violatedInvariants(done)).toEqual([]);
    // The look after an orphan's delete finds nothing to do: only there are its files gone.
    expect(complete()).toEqual(since < 4 ? ["orphan"] : []);
    expect(done.errors).toEqual([expect.stringContaining("IncompleteAnswer")]);
  });
});

const EMPTY_PAGE: HttpReply = {
  status: 200,
  body: `<ListBucketResult><Name>${BUCKET}</Name><KeyCount>0</KeyCount><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated></ListBucketResult>`,
};

const without = (name: string) => (reply: HttpReply) => {
  const { [name]: _, ...headers } = reply.headers ?? {};
  return { ...reply, headers, body: "" };
};

describe("S2 nothing is done with an object if HEAD", () => {
  test.each(["content-length", "etag", "last-modified"])("has no %s", async (name) => {
    change("HeadObject", without(name));
    await expectRun({ ...NOTHING_DONE, ...deferred("failed", 3) }, ALL);
  });

  test("has another ETag than the listing", async () => {
    change("HeadObject", (reply) => ({ ...reply, headers: { ...reply.headers, etag: '"other"' } }));
    await expectRun({ ...NOTHING_DONE, ...deferred("changed", 3) }, ALL);
  });
});

describe("S2 nothing is done with an object if GET", () => {
  test.each<[string, (body: Buffer) => Buffer]>([
    ["is shorter than HEAD said", (body) => body.subarray(1)],
    ["is longer than HEAD said", (body) => Buffer.concat([body, Buffer.from(" ")])],
    ["is empty", () => Buffer.alloc(0)],
  ])("%s, of the same ETag", async (_, changed) => {
    change("GetObject", (reply) => {
      const body = changed(Buffer.from(reply.body as Uint8Array));
      return { ...reply, body, headers: { ...reply.headers, "content-length": String(body.length) } };
    });
    await expectRun({ ...NOTHING_DONE, ...deferred("changed", 3) }, ALL);
  });

  test("has another ETag", async () => {
    change("GetObject", (reply) => ({ ...reply, headers: { ...reply.headers, etag: '"other"' } }));
    await expectRun({ ...NOTHING_DONE, ...deferred("changed", 3) }, ALL);
  });
});

test.each<[string, Result, string[]]>([
  ["CopyObject", { extracted: 2, ...deferred("failed", 1) }, ["corrupt"]],
  ["PutObject", unstored(200), ALL],
])("S2 a %s that is answered with nothing has not been done", async (operation, result, left) => {
  change(operation, () => ({ status: 200, body: "" }), { withoutEffect: true });
  await expectRun(result, left);
});

test.each<[string, string]>([
  ["nothing", ""],
  ["an empty result", "<DeleteResult/>"],
])("S2 a DeleteObjects that is answered with %s has deleted nothing", async (_, body) => {
  change("DeleteObjects", () => ({ status: 200, body }), { withoutEffect: true });
  await expectRun({ extracted: 2, quarantined: 1, objects: { deleted: 0, failed: 7 } }, ALL);
});

test("S2 an object that the answer to DeleteObjects does not mention may still be there", async () => {
  change("DeleteObjects", replace(/<Deleted>.*?<\/Deleted>/, ""));
  const { objects } = await world.run();
  expect(objects.failed).toBeGreaterThan(0);
});

test("S2 a bus without a name is not known to exist", async () => {
  change("DescribeEventBus", (reply) => ({ ...reply, body: "{}" }));
  await expectRun("throws", ALL);
});

describe("S6 no event is acknowledged if PutEvents is answered with", () => {
  const entries = (map: (entry: { EventId?: string }, index: number) => object[]) => (reply: HttpReply) => {
    const { Entries } = JSON.parse(String(reply.body)) as { Entries: { EventId?: string }[] };
    return { ...reply, body: JSON.stringify({ FailedEntryCount: 0, Entries: Entries.flatMap(map) }) };
  };
  test.each<[string, (reply: HttpReply) => HttpReply]>([
    ["nothing", empty],
    ["no entries", (reply) => ({ ...reply, body: '{"FailedEntryCount": 0}' })],
    ["entries that say nothing", entries(() => [{}])],
    ["entries without a name", entries(() => [{ EventId: "" }])],
    ["one entry too few", entries((entry, index) => (index === 0 ? [] : [entry]))],
    ["one entry too many", entries((entry, index) => (index === 0 ? [entry, entry] : [entry]))],
    ["a count of failures that contradicts the entries", replace('"FailedEntryCount":0', '"FailedEntryCount":1')],
    ["no count of failures", replace('"FailedEntryCount":0,', "")],
  ])("%s", async (_, changed) => {
    change("PutEvents", changed);
    await expectRun({ ...NOTHING_DONE, ...deferred("unpublished", 3) }, ALL);
  });
});
