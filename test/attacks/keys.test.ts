import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { decodeKey } from "../../functions/aws/s3-answers.ts";
import { copySource } from "../../functions/aws/s3-object-store.ts";
import { violatedInvariants } from "../../functions/run/summary.ts";
import { anyText } from "../any-text.ts";
import { effort } from "../effort.ts";
import { startHttpWorld } from "../worlds/http.ts";
import { BUCKET, createWorld, FILES } from "../worlds/memory.ts";

const PREFIX = "runners/large/";

describe("keys, over HTTP", () => {
  let world: Awaited<ReturnType<typeof startHttpWorld>>;
  beforeEach(async () => {
    world = await startHttpWorld();
    world.upload("a-honest");
    world.upload("z-honest");
  });
  afterEach(() => world.close());

  async function expectQuarantined(keys: readonly string[]) {
    const summary = await world.run();
    expect(violatedInvariants(summary)).toEqual([]);
    expect(summary).toMatchObject({ extracted: 2, deferred: 0, quarantineReasons: { "invalid-key": 1 } });
    expect(world.keys("runners/")).toEqual([]);
    const [manifest] = world.manifests();
    expect(manifest.objects.map(({ key }: { key: string }) => key).toSorted()).toEqual(keys.toSorted());
    for (const { key, copied_to } of manifest.objects) {
      expect(Buffer.from(contentOf(copied_to)).toString(), key).toBe(`body of ${key}`);
    }
  }

  function contentOf(key: string): Uint8Array {
    return [...world.s3.objects(BUCKET, key)].find((object) => object.key === key)?.body ?? new Uint8Array();
  }

  function plant(keys: readonly string[]) {
    for (const key of keys) world.s3.plant(BUCKET, key, { body: Buffer.from(`body of ${key}`) });
  }

  test.each([
    ["a C0 character", "\u0001"],
    ["DEL", "\u007f"],
    ["U+FFFE", "\ufffe"],
    ["a carriage return", "\r"],
    ["a line feed", "\n"],
    ["a tab", "\t"],
  ])("A01 %s in a key is listed, copied and deleted as it is", async (_, character) => {
    const keys = [`${PREFIX}evil/x${character}y`, `${PREFIX}evil/pre-job-metrics.json${character}`];
    plant(keys);
    await expectQuarantined(keys);
  });

  test("A02 dots and slashes in a key never lead to another runner's object", async () => {
    const keys = [
      `${PREFIX}evil/../z-honest/pre-job-metrics.json`,
      `${PREFIX}evil/../\u0001/../z-honest/post-job-metrics.json`,
      `${PREFIX}evil/./x`,
      `${PREFIX}evil//x`,
      `${PREFIX}evil/sub/x`,
      `${PREFIX}evil/sub/`,
      `${PREFIX}evil/..`,
      `${PREFIX}evil/.`,
    ];
    plant(keys);
    await expectQuarantined(keys);
    expect(world.events().filter(({ detail }) => detail.runner_name === "z-honest")).toHaveLength(3);
  });

  test("A05 every odd key is copied byte for byte", async () => {
    const names = ["x?versionId=1", "a b", "a+b", "a%2Fb", "ä", "日本", "&amp;", "a#b", "\"'<>", "😀", "%", "a=b&c=d"];
    const keys = names.map((name) => `${PREFIX}evil/${name}`);
    plant(keys);
    await expectQuarantined(keys);
  });

  test("A09 a page full of quotes and entities comes back as it was", async () => {
    const unit = "&\"'<>&amp;&#0;&lt;";
    const keys = Array.from({ length: 1_000 }, (_, number) => `${PREFIX}${number}${unit.repeat(50)}`.slice(0, 1_000));
    plant(keys);
    const page = await world.dependencies.store.list(PREFIX);
    expect(page.objects).toHaveLength(1_000);
    const all = new Set(world.keys(PREFIX));
    expect(page.objects.every(({ key }) => all.has(key))).toBe(true);
  });
});

test.each([
  ["a key that leads up", "evil/../x"],
  ["a dot", "evil/."],
  ["two dots", "evil/.."],
  ["an empty segment", "evil//x"],
  ["an empty storage", "/x"],
  ["a sub-folder", "evil/sub/pre-job-metrics.json"],
  ["a trailing slash", "evil/sub/"],
  ["a folder with content", "evil/"],
  ["a backslash", "evil/..\\x"],
  ["a storage of dots", "../pre-job-metrics.json"],
  ["a storage with two dots inside", "a..b/pre-job-metrics.json"],
])("A02 %s is quarantined as invalid-key, whether the runner is done or not", async (_, key) => {
  const world = createWorld();
  world.upload("honest");
  world.s3.plant(BUCKET, PREFIX + key, { body: Buffer.from("x") });
  const summary = await world.run();
  expect(summary).toMatchObject({ extracted: 1, quarantined: 1, quarantineReasons: { "invalid-key": 1 } });
  expect(world.keys("runners/")).toEqual([]);
  expect(world.manifests()[0]).toMatchObject({ reason: "invalid-key", objects: [{ key: PREFIX + key }] });
});

test("A03 a key of 1,024 bytes is quarantined under a short name, and the manifest has the long one", async () => {
  const world = createWorld();
  const key = `${PREFIX}evil/${"x".repeat(1_024 - PREFIX.length - 5)}`;
  world.s3.plant(BUCKET, key, { body: Buffer.from("long") });
  expect(await world.run()).toMatchObject({ quarantined: 1 });
  const [object] = world.manifests()[0].objects;
  expect(object.key).toBe(key);
  expect(Buffer.byteLength(object.copied_to)).toBeLessThanOrEqual(1_024);
  expect(world.text(object.copied_to)).toBe("long");
});

test.each([
  ["a bidi mark", "pre-job-metrics\u202e.json", "invalid-key"],
  ["a homoglyph", "pre-job-metric\u0455.json", "invalid-key"],
  ["U+2028", "pre-job\u2028metrics.json", "invalid-key"],
  ["an astral character", "pre-job-metrics😀.json", "invalid-key"],
  ["a combining twin", "pre-job-metrics.jso\u006e\u0303", "invalid-key"],
  ["other case", "PRE-JOB-METRICS.JSON", undefined],
  ["a blank", "pre-job-metrics.json ", undefined],
])("A04 %s does not make a fifth metrics file", async (_, name, reason) => {
  const world = createWorld();
  world.upload("twin", { ...FILES, [name]: '{"timestamp": 1, "workflow": "forged"}' });
  const summary = await world.run();
  if (reason) {
    expect(world.manifests()[0]).toMatchObject({ reason });
    expect(world.events().map(({ detailType }) => detailType)).toEqual(["MetricsQuarantined"]);
  } else {
    expect(summary).toMatchObject({ extracted: 1, quarantined: 0 });
    expect(world.events().map(({ detail }) => detail.workflow)).toEqual([undefined, "CI", "CI"]);
  }
  expect(world.keys("runners/")).toEqual([]);
});

test("A05 a copy source says the key it was made from, whatever the key", () => {
  const anyKey = fc.string({ unit: "grapheme", minLength: 1, maxLength: 200 }).filter((key) => key.isWellFormed());
  fc.assert(
    fc.property(anyKey, (key) => {
      const source = copySource("bucket", key);
      expect(source).toMatch(/^[!-~]+$/);
      expect(decodeURIComponent(source)).toBe(`bucket/${key}`);
    }),
    { numRuns: 2_000 },
  );
});

test("A05 a key that was listed url-encoded is decoded to what it was", () => {
  fc.assert(
    fc.property(anyText({ maxLength: 100 }), (key) => {
      expect(decodeKey(encodeURIComponent(key).replaceAll("%20", "+"))).toBe(key);
    }),
  );
});

test("A06 names whose UTF-8 order is not JavaScript's are all met, once, on pages of any size", async () => {
  const name = fc.constantFrom("\uff5e", "\u{1f600}", "\ue000", "z", "a", "a-b", "a.", "a0", "\ufffd", "é");
  const objects = fc.uniqueArray(fc.tuple(name, fc.nat({ max: 40 })), { maxLength: 60, selector: String });
  await fc.assert(
    fc.asyncProperty(objects, fc.integer({ min: 1, max: 7 }), async (keys, pageSize) => {
      const world = createWorld();
      for (const [storage, number] of keys) {
        world.s3.plant(BUCKET, `${PREFIX}${storage}/${number}`, { body: Buffer.from("x"), lastModified: 0 });
      }
      const { modelObjectStore } = await import("../worlds/model-ports.ts");
      const summary = await world.run({}, { store: modelObjectStore(world.s3, BUCKET, { pageSize }) });
      const storages = new Set(keys.map(([storage]) => storage));
      expect(summary.listed).toBe(storages.size);
      expect(violatedInvariants(summary)).toEqual([]);
    }),
    { numRuns: 200 },
  );
});

const FLOOD = effort(5_000, 20_000);
test("A07 a flood that sorts first costs one page a run, and its neighbours nothing", async () => {
  const world = createWorld();
  for (let number = 0; number < FLOOD; number++) {
    world.s3.plant(BUCKET, `${PREFIX}000-flood/${number}`, { body: Buffer.from("junk") });
  }
  for (let number = 0; number < 300; number++) world.upload(`runner-${number}`);
  let pages = 0;
  const store = {
    ...world.dependencies.store,
    list: (...position: Parameters<typeof world.dependencies.store.list>) => {
      pages++;
      return world.dependencies.store.list(...position);
    },
  };
  const summary = await world.run({}, { store });
  expect(summary).toMatchObject({ extracted: 300, quarantined: 1, quarantineReasons: { "too-many-objects": 1 } });
  expect(pages).toBe(1 + Math.ceil((300 * 4) / 1_000));
  expect(world.manifests()[0].objects.filter((object: object) => "copied_to" in object)).toHaveLength(32);
  expect(world.keys(`${PREFIX}000-flood/`)).toHaveLength(FLOOD - 1_000);
  for (let run = 0; run < FLOOD / 1_000 - 1; run++) await world.run();
  expect(world.keys("runners/")).toEqual([]);
});

test("A08 an object beside the storages is counted and left alone", async () => {
  const world = createWorld();
  world.upload("honest");
  world.s3.plant(BUCKET, `${PREFIX}stray`, { body: Buffer.from("x") });
  expect(await world.run()).toMatchObject({ strays: 1, listed: 1, extracted: 1 });
  expect(world.keys("runners/")).toEqual([`${PREFIX}stray`]);
});

test("A08 other flavors and the quarantine are not looked at", async () => {
  const world = createWorld();
  world.upload("r", FILES, "small");
  world.upload("r", FILES, "large-2");
  world.s3.plant(BUCKET, "quarantine/large/r/1/pre-job-metrics.json", { body: Buffer.from("x") });
  expect(await world.run()).toMatchObject({ listed: 0 });
  expect(world.keys()).toHaveLength(9);
});

test("A08 a storage whose name is no valid one is quarantined under a hashed name", async () => {
  const world = createWorld();
  for (const name of ["-x", "ä", "a b", "x".repeat(129), "{}"]) world.upload(name);
  expect(await world.run()).toMatchObject({ quarantined: 5, quarantineReasons: { "invalid-key": 5 } });
  for (const { detail, resources } of world.events()) {
    expect(detail.runner_name).toMatch(/^invalid-[0-9a-f]{32}$/);
    expect(resources[0]).toMatch(/^[!-~]+$/);
    expect(detail).toMatchObject({ objects: 4 });
  }
});
