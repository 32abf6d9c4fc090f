import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EventBus, EventEntry, ListPosition, ObjectStore } from "../../functions/ports.ts";
import { ServiceError } from "../../functions/ports.ts";
import { createEventBridgeModel, type EventBridgeModel } from "../../local/event-bridge.ts";
import { createS3Model, type S3Model } from "../../local/s3.ts";
import { startHttpWorld } from "../worlds/http.ts";
import { BUCKET, BUS } from "../worlds/memory.ts";
import { modelEventBus, modelObjectStore } from "../worlds/model-ports.ts";

/** What a run relies on, whichever way the ports are implemented: the tests' own, and the adapters to AWS over HTTP. */
interface Implementation {
  readonly store: ObjectStore;
  readonly storeOfMissingBucket: ObjectStore;
  readonly bus: EventBus;
  readonly busThatIsMissing: EventBus;
  readonly s3: S3Model;
  readonly eventBridge: EventBridgeModel;
  close(): Promise<void>;
}

const CLOCK = { now: Date.now, sleep: async () => {} };

async function overModels(): Promise<Implementation> {
  const s3 = createS3Model();
  const eventBridge = createEventBridgeModel();
  return {
    store: modelObjectStore(s3, BUCKET),
    storeOfMissingBucket: modelObjectStore(s3, "missing"),
    bus: modelEventBus(eventBridge, BUS, CLOCK),
    busThatIsMissing: modelEventBus(eventBridge, "missing", CLOCK),
    s3,
    eventBridge,
    async close() {},
  };
}

async function overHttp(): Promise<Implementation> {
  const { s3ObjectStore } = await import("../../functions/aws/s3-object-store.ts");
  const { eventBridgeBus } = await import("../../functions/aws/event-bridge-bus.ts");
  const world = await startHttpWorld();
  return {
    store: world.dependencies.store,
    storeOfMissingBucket: s3ObjectStore(world.clients, "missing"),
    bus: world.dependencies.bus,
    busThatIsMissing: eventBridgeBus(world.clients.eventBridge, "missing", CLOCK),
    s3: world.s3,
    eventBridge: world.eventBridge,
    close: () => world.close(),
  };
}

describe.each([
  ["the tests' ports over the models", overModels],
  ["the adapters to AWS, over HTTP", overHttp],
])("%s", (_, open) => {
  let ports: Implementation;
  beforeAll(async () => {
    ports = await open();
    ports.s3.createBucket(BUCKET);
    ports.eventBridge.createBus(BUS);
  });
  afterAll(() => ports.close());

  const put = (key: string, text: string, properties = {}) =>
    ports.s3.plant(BUCKET, key, { body: Buffer.from(text), ...properties });
  const WRONG = '"00000000000000000000000000000000"';

  test("list gives every key once, in pages, with what a run looks at", async () => {
    for (let number = 0; number < 2_300; number++) put(`list/${number}`, "x", { lastModified: 1_700_000_000_000 });
    const keys: string[] = [];
    let pages = 0;
    for (let from: ListPosition | undefined = { after: "" }; from; pages++) {
      const page = await ports.store.list("list/", from);
      keys.push(...page.objects.map(({ key }) => key));
      from = page.next;
    }
    expect(pages).toBe(3);
    expect(keys).toHaveLength(2_300);
    expect(new Set(keys).size).toBe(2_300);
    const { objects } = await ports.store.list("list/0");
    expect(objects[0]).toMatchObject({
      key: "list/0",
      size: 1,
      etag: '"9dd4e461268c8034f5c8564e155c67a6"',
      lastModified: 1_700_000_000_000,
      storageClass: "STANDARD",
    });
  });

  test("list begins after a key, exclusively", async () => {
    for (const name of ["a", "b", "c"]) put(`after/${name}`, "x");
    const page = await ports.store.list("after/", { after: "after/a" });
    expect(page.objects.map(({ key }) => key)).toEqual(["after/b", "after/c"]);
    expect(page.next).toBeUndefined();
  });

  test("list of a missing bucket throws a ServiceError that says so", async () => {
    const error = await ports.storeOfMissingBucket.list("x").catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ServiceError);
    expect(error).toMatchObject({ code: "NoSuchBucket", retryable: false });
  });

  test("head tells size, ETag, time, class and key, and refuses what is gone", async () => {
    put("head", "text", { storageClass: "GLACIER", kmsKeyId: "arn:aws:kms:us-east-1:1:key/x", lastModified: 1_000 });
    expect(await ports.store.head("head")).toMatchObject({
      size: 4,
      etag: '"1cb251ec0d568de6a929b520c4aed8d1"',
      lastModified: 1_000,
      storageClass: "GLACIER",
      kmsKeyId: "arn:aws:kms:us-east-1:1:key/x",
    });
    expect(await ports.store.head("not-there")).toBe("gone");
  });

  test("an object under a key of the uploader's is unreadable to head, get and copy", async () => {
    const { etag } = put("sse-c", "x", { customerKey: true });
    expect(await ports.store.head("sse-c")).toBe("unreadable");
    expect(await ports.store.get({ key: "sse-c", etag }, 1)).toBe("unreadable");
    expect(await ports.store.copy({ key: "sse-c", etag }, "copy/sse-c")).toBe("unreadable");
  });

  test("an archived object is unreadable to get and copy", async () => {
    const { etag } = put("archived", "x", { storageClass: "DEEP_ARCHIVE" });
    expect(await ports.store.get({ key: "archived", etag }, 1)).toBe("unreadable");
    expect(await ports.store.copy({ key: "archived", etag }, "copy/archived")).toBe("unreadable");
  });

  test("an object that is denied is denied to get and copy", async () => {
    const { etag } = put("denied", "x", { denied: true });
    expect(await ports.store.get({ key: "denied", etag }, 1)).toBe("denied");
    expect(await ports.store.copy({ key: "denied", etag }, "copy/denied")).toBe("denied");
  });

  test("get gives the bytes of just this version", async () => {
    const { etag } = put("get", "text");
    const bytes = await ports.store.get({ key: "get", etag }, 4);
    expect(Buffer.from(bytes as Uint8Array).toString()).toBe("text");
    expect(await ports.store.get({ key: "get", etag: WRONG }, 4)).toBe("changed");
    expect(await ports.store.get({ key: "get", etag }, 3)).toBe("changed");
    expect(await ports.store.get({ key: "not-there", etag }, 4)).toBe("gone");
  });

  test("putIfAbsent never replaces", async () => {
    expect(await ports.store.putIfAbsent("put", "{}")).toBe("stored");
    expect(await ports.store.putIfAbsent("put", "[]")).toBe("exists");
    expect(Buffer.from([...ports.s3.objects(BUCKET, "put")][0]?.body ?? []).toString()).toBe("{}");
  });

  test("copy copies just this version, whatever the key", async () => {
    const key = "copy/a b+c%2F?d=é😀&'\"";
    const { etag } = put(key, "text");
    expect(await ports.store.copy({ key, etag }, "copied")).toBe("copied");
    expect(Buffer.from([...ports.s3.objects(BUCKET, "copied")][0]?.body ?? []).toString()).toBe("text");
    expect(await ports.store.copy({ key, etag: WRONG }, "copied")).toBe("changed");
    expect(await ports.store.copy({ key: "not-there", etag }, "copied")).toBe("gone");
  });

  test("delete deletes just these versions, tells of each in order, and takes any key", async () => {
    const keys = ["delete/plain", "delete/\u0001", "delete/\r\n", "delete/&<>", "delete/😀", "delete/../up"];
    const objects = keys.map((key) => put(key, "x"));
    const results = await ports.store.delete([
      ...objects.slice(0, 3),
      { key: "delete/&<>", etag: WRONG },
      ...objects.slice(4),
      { key: "delete/😀", etag: WRONG },
    ]);
    expect(results.slice(0, 6)).toEqual(["deleted", "deleted", "deleted", "changed", "deleted", "deleted"]);
    expect(["gone", "changed"]).toContain(results[6]);
    expect([...ports.s3.objects(BUCKET, "delete/")].map(({ key }) => key)).toEqual(["delete/&<>"]);
  });

  const entry = (detail: string): EventEntry => ({ source: "x", detailType: "y", resources: [], detail });

  test("a bus exists or does not", async () => {
    expect(await ports.bus.exists()).toBe(true);
    expect(await ports.busThatIsMissing.exists()).toBe(false);
  });

  test("publish reports on each entry in order", async () => {
    const results = await ports.bus.publish(
      [entry("{}"), entry("no json"), entry('{"a":1}')],
      Number.POSITIVE_INFINITY,
    );
    expect(results).toEqual(["accepted", { code: "MalformedDetail" }, "accepted"]);
    expect(ports.eventBridge.events().map(({ detail }) => detail)).toEqual(["{}", '{"a":1}']);
  });

  test("publish sends more entries than one call takes", async () => {
    const before = ports.eventBridge.events().length;
    const results = await ports.bus.publish(
      Array.from({ length: 11 }, () => entry("{}")),
      Number.POSITIVE_INFINITY,
    );
    expect(results).toEqual(results.map(() => "accepted"));
    expect(ports.eventBridge.events()).toHaveLength(before + 11);
  });
});
