import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ObjectStore } from "../../functions/ports.ts";
import { violatedInvariants } from "../../functions/run/summary.ts";
import type { Fault } from "../../local/faults.ts";
import { effort } from "../effort.ts";
import { IMPATIENT_MILLISECONDS, startHttpWorld } from "../worlds/http.ts";
import { BUCKET, createWorld, FILES } from "../worlds/memory.ts";

const EVIL = "runners/large/evil";
const PRE = `${EVIL}/pre-job-metrics.json`;

/** The store, and what was asked of it. */
function watched(store: ObjectStore, calls: string[], before: (call: string) => void = () => {}): ObjectStore {
  const told = (operation: string, key: string) => {
    calls.push(`${operation} ${key}`);
    before(`${operation} ${key}`);
  };
  return {
    list(prefix, from) {
      told("list", prefix);
      return store.list(prefix, from);
    },
    head(key) {
      told("head", key);
      return store.head(key);
    },
    get(object, size) {
      told("get", object.key);
      return store.get(object, size);
    },
    putIfAbsent(key, json) {
      told("put", key);
      return store.putIfAbsent(key, json);
    },
    copy(from, to) {
      told("copy", from.key);
      return store.copy(from, to);
    },
    delete(objects) {
      told("delete", objects.map(({ key }) => key).join(" "));
      return store.delete(objects);
    },
  };
}

test.each(Object.keys(FILES))("A10 an empty %s counts as absent, and is not fetched", async (name) => {
  const world = createWorld();
  const calls: string[] = [];
  world.upload("evil", { ...FILES, [name]: "" });
  const summary = await world.run({ runners: new Set() }, { store: watched(world.dependencies.store, calls) });
  expect(summary.quarantined).toBe(0);
  expect(calls.filter((call) => call.endsWith(name) && !call.startsWith("delete"))).toEqual([]);
  expect(world.keys("runners/")).toEqual([]);
});

test("A10 a folder object is no file", async () => {
  const world = createWorld();
  world.upload("evil");
  world.s3.plant(BUCKET, `${EVIL}/`, { body: Buffer.from("") });
  expect(await world.run()).toMatchObject({ extracted: 1, quarantined: 0 });
  expect(world.keys("runners/")).toEqual([]);
});

test.each([
  ["limit + 1 bytes", 1_025, "copied_to"],
  ["5 GB", 5 * 1024 ** 3, "too-large"],
  ["50 GB", 50 * 1024 ** 3, "too-large"],
])("A11 %s is found by HEAD, never fetched, and recorded", async (_, size, evidence) => {
  const world = createWorld();
  const calls: string[] = [];
  world.upload("evil");
  world.s3.plant(BUCKET, PRE, size > 2_000 ? { size } : { body: Buffer.alloc(size, " ") });
  const summary = await world.run({}, { store: watched(world.dependencies.store, calls) });
  expect(summary).toMatchObject({ quarantined: 1, quarantineReasons: { "file-too-large": 1 } });
  expect(calls.filter((call) => call.startsWith("get"))).toEqual([]);
  const object = world.manifests()[0].objects.find(({ key }: { key: string }) => key === PRE);
  expect(object).toMatchObject({ size });
  expect(evidence === "copied_to" ? object.copied_to : object.not_copied).toContain(
    evidence === "copied_to" ? "quarantine/" : evidence,
  );
  expect(world.keys("runners/")).toEqual([]);
});

test.each([
  ["LIST and HEAD", `head ${PRE}`],
  ["HEAD and GET", `get ${PRE}`],
])(
  "A12 a file swapped between %s defers the runner, and the new version is read by the next run",
  async (_, moment) => {
    const world = createWorld();
    world.upload("evil");
    const swap = (call: string) => {
      if (call === moment)
        world.upload("evil", { "pre-job-metrics.json": FILES["pre-job-metrics.json"].replace("CI", "new") });
    };
    const first = await world.run({}, { store: watched(world.dependencies.store, [], swap) });
    expect(first).toMatchObject({ deferred: 1, extracted: 0, deferralReasons: { changed: 1 } });
    expect(world.events()).toEqual([]);
    expect(world.keys("runners/")).toHaveLength(4);
    expect(await world.run()).toMatchObject({ extracted: 1 });
    expect(world.events()[1]?.detail.workflow).toBe("new");
  },
);

test("A12 a file swapped before the DELETE stays for the next run, unread content is never deleted", async () => {
  const world = createWorld();
  world.upload("evil");
  const swap = (call: string) => {
    if (call.startsWith("delete")) world.upload("evil", { "pre-job-metrics.json": "{swapped" });
  };
  expect(await world.run({}, { store: watched(world.dependencies.store, [], swap) })).toMatchObject({
    extracted: 1,
    objects: { deleted: 2, changed: 1 },
  });
  expect(world.keys("runners/")).toEqual(["runners/large/evil/post-job-metrics.json", PRE]);
  expect(world.text(PRE)).toBe("{swapped");
});

test("A12 a file swapped before the COPY defers the quarantine", async () => {
  const world = createWorld();
  world.upload("evil", { ...FILES, "pre-job-metrics.json": "{" });
  const swap = (call: string) => {
    if (call === `copy ${PRE}`) world.upload("evil", { "pre-job-metrics.json": "{other" });
  };
  expect(await world.run({}, { store: watched(world.dependencies.store, [], swap) })).toMatchObject({ deferred: 1 });
  expect(world.manifests()).toEqual([]);
  expect(world.keys("runners/")).toHaveLength(4);
});

test("A12 a file swapped between COPY and DELETE stays for the next run", async () => {
  const world = createWorld();
  world.upload("evil", { ...FILES, "pre-job-metrics.json": "{" });
  const swap = (call: string) => {
    if (call.startsWith("delete")) world.upload("evil", { "pre-job-metrics.json": "{other" });
  };
  expect(await world.run({}, { store: watched(world.dependencies.store, [], swap) })).toMatchObject({ quarantined: 1 });
  expect(world.keys("runners/")).toEqual([PRE]);
});

test("A12 a post-job file that arrives before an orphan is published makes it an ended runner", async () => {
  const world = createWorld();
  const { "post-job-metrics.json": post, ...others } = FILES;
  world.upload("late", others);
  world.clock.time += 2 * 86_400_000;
  const arrive = (call: string) => {
    if (call === "list runners/large/late/") world.upload("late", { "post-job-metrics.json": post });
  };
  const first = await world.run({}, { store: watched(world.dependencies.store, [], arrive) });
  expect(first).toMatchObject({ deferred: 1 });
  expect(await world.run()).toMatchObject({ extracted: 1 });
  const types = new Map(world.events().map(({ detailType, detail }) => [detail.event_id, detailType]));
  expect([...types.values()]).toEqual(["RunnerInstalled", "RunnerStart", "RunnerStop"]);
});

test.each([
  ["before the delete", 2, ["RunnerInstalled", "RunnerStart", "RunnerLost", "RunnerStop"]],
  ["after the delete", 3, ["RunnerInstalled", "RunnerStart", "RunnerLost", "RunnerStop"]],
])("A12 a post-job file that arrives %s of an orphan is not lost", async (_, look, expected) => {
  const world = createWorld();
  const { "post-job-metrics.json": post, ...others } = FILES;
  world.upload("late", others);
  world.clock.time += 2 * 86_400_000;
  let looks = 0;
  const arrive = (call: string) => {
    if (call.startsWith("list runners/large/late/") && ++looks === look)
      world.upload("late", { "post-job-metrics.json": post });
  };
  await world.run({}, { store: watched(world.dependencies.store, [], arrive) });
  await world.run();
  const types = new Map(world.events().map(({ detailType, detail }) => [detail.event_id, detailType]));
  expect([...types.values()]).toEqual(expected);
  expect(world.keys("runners/")).toEqual([]);
});

test.each([
  ["SSE-C", { customerKey: true }],
  ["a foreign KMS key", { kmsKeyId: "arn:aws:kms:us-east-1:999999999999:key/x", denied: true }],
  ["GLACIER", { storageClass: "GLACIER" }],
  ["DEEP_ARCHIVE", { storageClass: "DEEP_ARCHIVE" }],
  ["INTELLIGENT_TIERING", { storageClass: "INTELLIGENT_TIERING" }],
])("A13 %s is quarantined as unreadable-object, and recorded", async (_, properties) => {
  const world = createWorld();
  world.upload("evil");
  world.upload("honest");
  world.s3.plant(BUCKET, PRE, { body: Buffer.from(FILES["pre-job-metrics.json"]), ...properties });
  const summary = await world.run();
  expect(summary).toMatchObject({ extracted: 1, quarantined: 1, quarantineReasons: { "unreadable-object": 1 } });
  expect(world.manifests()[0].objects.map(({ key }: { key: string }) => key)).toContain(PRE);
  expect(world.keys("runners/")).toEqual([]);
});

test("A13 an unreadable object beside corrupt files does not keep them from quarantine", async () => {
  const world = createWorld();
  world.upload("evil", { "pre-job-metrics.json": "{", "post-job-metrics.json": "{" });
  world.s3.plant(BUCKET, `${EVIL}/x`, {
    body: Buffer.from("x"),
    kmsKeyId: "arn:aws:kms:us-east-1:999999999999:key/x",
    denied: true,
  });
  expect(await world.run()).toMatchObject({ quarantined: 1 });
  expect(world.manifests()[0].objects.at(-1)).toMatchObject({ key: `${EVIL}/x`, not_copied: "unreadable" });
  expect(world.keys("runners/")).toEqual([]);
});

test("A13 what the bucket's own key encrypts and we may not read is deferred, not thrown away", async () => {
  const world = createWorld();
  const kmsKeyId = "arn:aws:kms:us-east-1:111111111111:key/ours";
  world.upload("honest");
  const key = "runners/large/honest/pre-job-metrics.json";
  world.s3.plant(BUCKET, key, { body: Buffer.from("{}"), kmsKeyId, denied: true });
  const config = { ...world.dependencies.config, kmsKeyArn: kmsKeyId };
  expect(await world.run({}, { config })).toMatchObject({ deferred: 1, deferralReasons: { denied: 1 } });
  expect(world.keys("runners/")).toHaveLength(4);
});

test("A13 an object under another key of our own account that is denied is deferred: it may have been the bucket's", async () => {
  const world = createWorld();
  world.upload("honest");
  const key = "runners/large/honest/pre-job-metrics.json";
  const kmsKeyId = "arn:aws:kms:us-east-1:111111111111:key/yesterdays";
  world.s3.plant(BUCKET, key, { body: Buffer.from("{}"), kmsKeyId, denied: true });
  expect(await world.run()).toMatchObject({ deferred: 1, quarantined: 0, deferralReasons: { denied: 1 } });
  expect(world.keys("runners/")).toHaveLength(4);
});

test("A13 a copy that is refused though the object can be read is our fault: nothing is thrown away", async () => {
  const world = createWorld();
  world.upload("evil", { ...FILES, "pre-job-metrics.json": "{" });
  for (const refusal of ["denied", "unreadable"] as const) {
    const store = { ...world.dependencies.store, copy: async () => refusal };
    expect(await world.run({}, { store })).toMatchObject({ deferred: 1, deferralReasons: { denied: 1 } });
  }
  expect(world.manifests()).toEqual([]);
  expect(world.keys("runners/")).toHaveLength(4);
});

test("A11 an object of 1 MiB is copied, one byte more is recorded only", async () => {
  const world = createWorld();
  world.upload("evil", { "pre-job-metrics.json": "{", "post-job-metrics.json": "{" });
  world.s3.plant(BUCKET, `${EVIL}/a`, { size: 1024 ** 2 });
  world.s3.plant(BUCKET, `${EVIL}/b`, { size: 1024 ** 2 + 1 });
  await world.run();
  const [a, b] = world.manifests()[0].objects;
  expect(a).toHaveProperty("copied_to");
  expect(b).toMatchObject({ not_copied: "too-large" });
});

test("A19 evidence is never overwritten by other content with the same ETag", async () => {
  const world = createWorld();
  for (const content of ["{EVIDENCE", "{INNOCENT"]) {
    world.upload("evil", { "post-job-metrics.json": FILES["post-job-metrics.json"] });
    world.s3.plant(BUCKET, PRE, { body: Buffer.from(content), etag: '"collision"' });
    await world.run();
    world.clock.time += 60_000;
  }
  const copies = world.manifests().map(({ objects }) => world.text(objects[1].copied_to));
  expect(copies.toSorted()).toEqual(["{EVIDENCE", "{INNOCENT"]);
  expect(new Set(world.events().map(({ detail }) => detail.event_id)).size).toBe(2);
});

test("a quarantine that is not acknowledged leaves its sources in place", async () => {
  const world = createWorld();
  world.upload("evil", { ...FILES, "pre-job-metrics.json": "{" });
  const bus = { ...world.dependencies.bus, publish: async () => [{ code: "MalformedDetail" }] };
  expect(await world.run({}, { bus })).toMatchObject({ quarantined: 0, deferred: 1 });
  expect(world.keys("runners/")).toHaveLength(4);
  expect(await world.run()).toMatchObject({ quarantined: 1 });
  expect(world.manifests()).toHaveLength(1);
});

test("an orphan is told by its newest object", async () => {
  const world = createWorld();
  world.upload("runner", { "runner-installed.timestamp": "1" });
  world.clock.time += 86_400_000;
  world.upload("runner", { "pre-job-metrics.json": FILES["pre-job-metrics.json"] });
  world.clock.time += 86_400_000;
  expect(await world.run()).toMatchObject({ notReady: 1 });
  world.clock.time += 1_000;
  expect(await world.run()).toMatchObject({ extracted: 1 });
});

test("A16 a multipart ETag is as good as any", async () => {
  const world = createWorld();
  world.upload("r");
  world.s3.plant(BUCKET, "runners/large/r/pre-job-metrics.json", {
    body: Buffer.from(FILES["pre-job-metrics.json"]),
    etag: '"9b2cf535f27731c974343645a3985328-2"',
  });
  expect(await world.run()).toMatchObject({ extracted: 1 });
  expect(world.keys("runners/")).toEqual([]);
});

test("A17 32 objects are tolerated, 33 are not", async () => {
  const world = createWorld();
  const extra = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`extra-${n}`, "x"]));
  world.upload("r-32", { ...FILES, ...extra(28) });
  world.upload("r-33", { ...FILES, ...extra(29) });
  const summary = await world.run();
  expect(summary).toMatchObject({ extracted: 1, quarantined: 1, quarantineReasons: { "too-many-objects": 1 } });
  expect(world.manifests()[0]).toMatchObject({ storage: "r-33" });
  expect(world.keys("runners/")).toEqual([]);
});

test("A19 two bodies with one ETag have two ids", async () => {
  const ids = [];
  for (const workflow of ["CI", "other"]) {
    const world = createWorld();
    world.upload("r");
    const body = Buffer.from(FILES["pre-job-metrics.json"].replace("CI", workflow));
    world.s3.plant(BUCKET, "runners/large/r/pre-job-metrics.json", { body, etag: '"collision"' });
    await world.run();
    ids.push(world.events()[1]?.detail.event_id);
  }
  expect(new Set(ids).size).toBe(2);
});

describe("over HTTP", () => {
  let world: Awaited<ReturnType<typeof startHttpWorld>>;
  const start = async (timeoutMilliseconds?: number) => {
    world = await startHttpWorld(timeoutMilliseconds);
    world.upload("evil");
    world.upload("honest");
  };
  beforeEach(() => start());
  afterEach(() => world.close());

  test("A14 headers that an uploader may set are neither believed nor repeated", async () => {
    const console_ = ["log", "warn", "error", "info", "debug"] as const;
    const spies = console_.map((name) => vi.spyOn(console, name));
    world.s3.plant(BUCKET, PRE, {
      body: Buffer.from(FILES["pre-job-metrics.json"]),
      headers: {
        expires: "never FORGED",
        "content-type": "text/html FORGED",
        "content-encoding": "aws-chunked,FORGED",
        "x-amz-website-redirect-location": "/FORGED",
        "x-amz-meta-junk": "FORGED".repeat(330),
      },
    });
    const summary = await world.run();
    expect(summary).toMatchObject({ extracted: 2, quarantined: 0 });
    expect(JSON.stringify([summary, world.events()])).not.toContain("FORGED");
    expect(spies.flatMap((spy) => spy.mock.calls)).toEqual([]);
    for (const spy of spies) spy.mockRestore();
  });

  test("A15 gzip is not unpacked", async () => {
    const { gzipSync } = await import("node:zlib");
    const body = gzipSync(FILES["pre-job-metrics.json"]);
    world.s3.plant(BUCKET, PRE, { body, headers: { "content-encoding": "gzip" } });
    expect(await world.run()).toMatchObject({ extracted: 1, quarantineReasons: { "invalid-encoding": 1 } });
  });

  test("A13 a HEAD that is refused for SSE-C is told from one with expired credentials", async () => {
    world.s3.plant(BUCKET, PRE, { body: Buffer.from("x"), customerKey: true });
    expect(await world.run()).toMatchObject({ extracted: 1, quarantineReasons: { "unreadable-object": 1 } });
    world.upload("evil");
    world.faults.use(({ operation }) =>
      operation === "HeadObject" || operation === "GetObject"
        ? { kind: "error", status: 400, code: "ExpiredToken" }
        : undefined,
    );
    expect(await world.run()).toMatchObject({ deferred: 1, quarantined: 0, deferralReasons: { failed: 1 } });
    expect(world.keys(EVIL)).toHaveLength(4);
  });

  test.each(["KMS.DisabledException", "KMS.NotFoundException", "AccessDenied"])(
    "A13 a foreign KMS key that answers %s makes an object unreadable, not deferred for ever",
    async (code) => {
      const kmsKeyId = "arn:aws:kms:us-east-1:999999999999:key/x";
      world.s3.plant(BUCKET, PRE, { body: Buffer.from(FILES["pre-job-metrics.json"]), kmsKeyId });
      const status = code === "AccessDenied" ? 403 : 400;
      world.faults.use(({ operation, key }) =>
        (operation === "GetObject" && key === PRE) ||
        (operation === "CopyObject" && key?.endsWith("pre-job-metrics.json"))
          ? { kind: "error", status, code }
          : undefined,
      );
      expect(await world.run()).toMatchObject({ extracted: 1, quarantineReasons: { "unreadable-object": 1 } });
      expect(world.manifests()[0].objects.find(({ key }: { key: string }) => key === PRE)).toMatchObject({
        not_copied: "unreadable",
      });
      expect(world.keys("runners/")).toEqual([]);
    },
  );

  const faults: [string, Fault][] = [
    ["a body that is shorter than announced", { kind: "short-body", missingBytes: 1 }],
    ["a body that is longer, in chunks", { kind: "long-body", extraBytes: 100_000, announced: "chunked" }],
    ["a body that is longer, and says so", { kind: "long-body", extraBytes: 100_000, announced: "content-length" }],
    ["a body that is longer than it says", { kind: "long-body", extraBytes: 100, announced: "lie" }],
    ["a body that never comes", { kind: "stalled-body" }],
    ["a connection that is reset", { kind: "reset" }],
    ["an answer that never comes", { kind: "stall" }],
  ];
  // The time-outs are seconds.
  const quick = faults.filter(([, { kind }]) => kind !== "stall" && kind !== "stalled-body");
  test.each(effort(quick, faults))("A18 %s defers that runner, and loses nothing", async (name, fault) => {
    if (fault.kind === "stall" || fault.kind === "stalled-body") {
      await world.close();
      await start(IMPATIENT_MILLISECONDS);
    }
    world.faults.use(({ operation, key }) => (operation === "GetObject" && key === PRE ? fault : undefined));
    const summary = await world.run();
    expect(violatedInvariants(summary)).toEqual([]);
    // With a length that lies, HTTP ends the body where it says: exactly what was asked for.
    const isWhole = name.endsWith("than it says");
    expect(summary).toMatchObject(isWhole ? { extracted: 2 } : { extracted: 1, deferred: 1 });
    world.faults.clear();
    await world.run();
    expect(world.keys("runners/")).toEqual([]);
    expect(world.events().filter(({ detail }) => detail.runner_name === "evil")).toHaveLength(3);
  });
});
