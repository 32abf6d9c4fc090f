import { expect, test } from "vitest";
import { findQuarantines, listQuarantines } from "../../../cli/quarantine/list.ts";
import { table } from "../../../cli/table.ts";
import { BUCKET } from "../../worlds/memory.ts";
import { createOperatorWorld } from "./world.ts";

const MINUTE = 60_000;

/** Many quarantines, one a minute, the newest first. */
function many(count: number) {
  const world = createOperatorWorld();
  for (let number = 0; number < count; number++) {
    const manifest = {
      schema_version: 1,
      flavor: number % 3 ? "large" : "arm-small",
      storage: `r-${number}`,
      reason: number % 2 ? "invalid-json" : "job-mismatch",
      quarantined_at: "2026-01-01T00:00:00.000Z",
      objects: [],
    };
    const id = number.toString(16).padStart(32, "0");
    world.s3.plant(BUCKET, `quarantine/${manifest.flavor}/r-${number}/${id}/manifest.json`, {
      body: Buffer.from(JSON.stringify(manifest)),
      lastModified: world.clock.now() - number * MINUTE,
    });
  }
  return world;
}

test("10,000 quarantines are 10,000 rows that fit on the terminal, the oldest first", async () => {
  const { bucket } = many(10_000);
  const found = await listQuarantines(bucket);
  expect(found.map(({ storage }) => storage)).toEqual(
    Array.from({ length: 10_000 }, (_, index) => `r-${9_999 - index}`),
  );
  const lines = table(
    ["flavor", "reason", "storage", "prefix"],
    found.map(({ flavor, manifest, storage, prefix }) => [flavor, manifest?.reason ?? "", storage, prefix]),
    { columns: 80 },
  );
  expect(lines).toHaveLength(10_001);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
});

test("quarantines are filtered by flavor, reason, name and age", async () => {
  const { bucket, clock } = many(100);
  const count = async (filter: Parameters<typeof listQuarantines>[1]) => (await listQuarantines(bucket, filter)).length;
  expect(await count({ flavor: "arm-small" })).toBe(34);
  expect(await count({ reason: "invalid-json" })).toBe(50);
  expect(await count({ name: "r-99" })).toBe(1);
  expect(await count({ name: "r-99", reason: "job-mismatch" })).toBe(0);
  expect(await count({ from: clock.now() - 10 * MINUTE })).toBe(11);
  expect(await count({ until: clock.now() - 10 * MINUTE })).toBe(89);
});

test("a quarantine is found by storage, runner, id and prefix", async () => {
  const world = createOperatorWorld();
  world.upload("AROAX:i-0abc", { "pre-job-metrics.json": "{", "post-job-metrics.json": "{" });
  await world.run();
  const [{ id = "", prefix = "" } = {}] = await listQuarantines(world.bucket);
  for (const name of [
    "AROAX:i-0abc",
    "i-0abc",
    id,
    id.slice(0, 8),
    prefix,
    prefix.slice(0, -1),
    `s3://bucket/${prefix}`,
  ]) {
    expect(await findQuarantines(world.bucket, name), name).toMatchObject([{ id }]);
  }
  expect(await findQuarantines(world.bucket, id.slice(0, 7))).toEqual([]);
});

test("an object that is not ours, and a manifest that can't be read, break nothing", async () => {
  const world = createOperatorWorld();
  const prefix = `quarantine/large/r-1/${"0".repeat(32)}/`;
  world.s3.plant(BUCKET, `${prefix}manifest.json`, { body: Buffer.from("{") });
  world.s3.plant(BUCKET, "quarantine/large/strange", { body: Buffer.from("") });
  world.s3.plant(BUCKET, "quarantine/\u001b[2J/x/y", { body: Buffer.from("") });
  expect(await listQuarantines(world.bucket)).toMatchObject([{ prefix, manifest: undefined, state: "kept" }]);
  expect(await world.release("r-1", { anyway: true })).toMatchObject({ result: "refused" });
});
