import fc from "fast-check";
import { expect, test } from "vitest";
import { corrupt } from "../../functions/domain/corrupt.ts";
import { runnerMetrics } from "../../functions/domain/runner-metrics.ts";
import { effort } from "../effort.ts";
import { createWorld, FILES, NOW } from "../worlds/memory.ts";

const PRE = "pre-job-metrics.json";
const JOB = { timestamp: 1700000120, workflow: "CI", workflow_run_id: "1", repository: "acme/widgets", event: "push" };

/** Runs over one storage whose pre-job file is this, beside an honest one. */
async function outcomeOf(pre: string | Uint8Array, post: string = FILES["post-job-metrics.json"]) {
  const world = createWorld();
  world.upload("honest");
  world.upload("evil", { ...FILES, [PRE]: pre, "post-job-metrics.json": post });
  const summary = await world.run();
  expect(world.eventsOf("honest")).toHaveLength(3);
  expect(world.keys("runners/")).toEqual([]);
  return {
    summary,
    reason: world.manifests()[0]?.reason,
    manifest: world.manifests()[0],
    events: world.eventsOf("evil"),
  };
}

test.each([
  ["null", "invalid-schema"],
  ["[]", "invalid-schema"],
  ['"x"', "invalid-schema"],
  ["1", "invalid-schema"],
  ["true", "invalid-schema"],
  ["NaN", "invalid-json"],
  ['{"timestamp": NaN}', "invalid-json"],
  [`${JSON.stringify(JOB)} // a comment`, "invalid-json"],
  [`/* a comment */ ${JSON.stringify(JOB)}`, "invalid-json"],
  [JSON.stringify(JOB).replace("}", ",}"), "invalid-json"],
  [`${JSON.stringify(JOB)}${JSON.stringify(JOB)}`, "invalid-json"],
  [`${JSON.stringify(JOB)}\n${JSON.stringify(JOB)}`, "invalid-json"],
  ["{'timestamp': 1}", "invalid-json"],
  [" ", "invalid-json"],
  ["{}", "invalid-schema"],
])("A20 %s is no job file", async (pre, reason) => {
  expect((await outcomeOf(pre)).reason).toBe(reason);
});

test.each([PRE, "post-job-metrics.json", "runner-installed.timestamp"] as const)(
  "A21 a byte order mark makes %s invalid-encoding",
  async (name) => {
    const world = createWorld();
    world.upload("evil", { ...FILES, [name]: `\ufeff${FILES[name]}` });
    expect(await world.run()).toMatchObject({ quarantineReasons: { "invalid-encoding": 1 } });
  },
);

test.each([
  ["an invalid byte", [0xff]],
  ["an overlong slash", [0xc0, 0xaf]],
  ["an encoded surrogate", [0xed, 0xa0, 0x80]],
  ["a lone continuation", [0x80]],
  ["a code point beyond Unicode", [0xf4, 0x90, 0x80, 0x80]],
  ["a truncated sequence", [0xe2, 0x82]],
])("A22 %s is invalid-encoding", async (_, bytes) => {
  const body = Buffer.concat([Buffer.from('{"workflow":"'), Buffer.from(bytes), Buffer.from('"}')]);
  expect((await outcomeOf(body)).reason).toBe("invalid-encoding");
});

test.each(["utf16le", "utf16be"])("A22 %s is not taken for UTF-8", async (encoding) => {
  const body = Buffer.from(JSON.stringify(JOB), "utf16le");
  const { reason } = await outcomeOf(encoding === "utf16le" ? body : body.swap16());
  expect(reason).toMatch(/^invalid-(encoding|json)$/);
});

const FORBIDDEN = [
  ...["\\ud800", "\\udc00", "\\u0000", "\\u0001", "\\n", "\\r", "\\t", "\\u001b", "\\u007f", "\\u0080", "\\u009b"],
  ...["\\u061c", "\\u200e", "\\u200f", "\\u202a", "\\u202e", "\\u2066", "\\u2069"],
];
test.each(FORBIDDEN.flatMap((character) => ["workflow", "event"].map((field) => ({ character, field }))))(
  "A23 $character in $field is invalid-schema",
  async ({ character, field }) => {
    const pre = JSON.stringify({ ...JOB, [field]: "a@b" }).replace("@", character);
    const { reason, manifest } = await outcomeOf(pre);
    expect(reason).toBe("invalid-schema");
    expect(manifest.problems).toEqual([`${field}: custom`]);
  },
);

test("A24 of a duplicate key the last one wins", async () => {
  const { events } = await outcomeOf(JSON.stringify(JOB).replace("{", '{"workflow":"first","timestamp":-5,'));
  expect(events[1]?.detail).toMatchObject({ workflow: "CI", timestamp: 1700000120 });
});

test.each([
  ["unclosed", "[".repeat(1_000)],
  ["closed", `${"[".repeat(512)}${"]".repeat(512)}`],
  ["objects", '{"a":'.repeat(200)],
])("A25 deep nesting is quarantined: %s", async (_, pre) => {
  expect((await outcomeOf(pre)).reason).toMatch(/^invalid-(json|schema)$/);
});

test("A25 nesting of 1,000 is corrupt even if its key is unknown, and too large to be read anyway", async () => {
  const nested = (depth: number) => JSON.stringify(JOB).replace("}", `,"x":${"[".repeat(depth)}${"]".repeat(depth)}}`);
  const read = (preJob: string) => {
    const texts = Object.entries({ ...FILES, [PRE]: preJob });
    const files = texts.map(([name, text]) => [name, { bytes: Buffer.from(text), lastModified: NOW }]);
    return runnerMetrics("r-1", Object.fromEntries(files));
  };
  expect(read(nested(1_000))).toEqual(corrupt("invalid-json", PRE));
  expect(read(nested(500))).toMatchObject({ kind: "metrics" });
  expect(read(JSON.stringify({ ...JOB, workflow: `\\"${"[".repeat(2_000)}` }))).toMatchObject({ kind: "metrics" });
  const world = createWorld();
  world.upload("deep", { ...FILES, [PRE]: nested(1_000) });
  expect(await world.run()).toMatchObject({ quarantineReasons: { "file-too-large": 1 } });
});

test("A26 unknown keys are ignored", async () => {
  const { events } = await outcomeOf(JSON.stringify({ ...JOB, a: "x".repeat(400), b: { c: [1, { d: null }] } }));
  expect(events).toHaveLength(3);
  expect(JSON.stringify(events)).not.toContain("xxxx");
});

test("A26 what is wrong is told in our words only: at most 5 fields and 1 KiB", async () => {
  const { summary, manifest } = await outcomeOf(
    JSON.stringify({
      timestamp: "FORGED",
      workflow: ["FORGED"],
      workflow_run_id: "FORGED",
      repository: "FORGED",
      event: 1,
    }),
    '{"timestamp":"FORGED","status":"FORGED","status_info":"FORGED"}',
  );
  expect(manifest.problems).toHaveLength(5);
  expect(JSON.stringify(manifest.problems).length).toBeLessThan(1_024);
  expect(JSON.stringify([summary, manifest])).not.toContain("FORGED");
});

test.each(["__proto__", "constructor", "prototype"])(
  "A27 %s as a key at any depth changes no prototype",
  async (key) => {
    for (const value of ['{"polluted":1}', `{"${key}":{"polluted":1}}`, '"x"', "null"]) {
      await outcomeOf(JSON.stringify(JOB).replace("{", `{"${key}":${value},`));
      await outcomeOf(JSON.stringify(JOB).replace('"CI"', `{"${key}":${value}}`));
      await outcomeOf(
        JSON.stringify(JOB),
        `{"timestamp":1,"status":"normal","status_info":{"code":1,"${key}":${value}}}`,
      );
    }
    expect("polluted" in {}).toBe(false);
    expect(Object.keys(Object.prototype)).toEqual([]);
  },
);

const FUZZED_BODIES = effort(1_000, 100_000);

test(`A27 ${FUZZED_BODIES} fuzzed bodies change no prototype and escape no rule`, async () => {
  const { runnerMetrics } = await import("../../functions/domain/runner-metrics.ts");
  const before = Object.getOwnPropertyNames(Object.prototype).join();
  const key = fc.constantFrom("__proto__", "constructor", "prototype", "timestamp", "workflow", "status", "toString");
  const json = fc.json({ maxDepth: 3 }).map((text) => text.slice(0, 900));
  const body = fc.oneof(
    fc.tuple(key, json).map(([name, value]) => `{"timestamp":1,"${name}":${value}}`),
    fc.tuple(key, json).map(([name, value]) => JSON.stringify(JOB).replace("{", `{"${name}":${value},`)),
    json,
  );
  fc.assert(
    fc.property(body, (text) => {
      const file = { bytes: Buffer.from(text), lastModified: Date.now() };
      const found = runnerMetrics("r", {
        "runner-installed.timestamp": { ...file, bytes: Buffer.from("1") },
        [PRE]: file,
      });
      expect(["metrics", "corrupt"]).toContain(found.kind);
    }),
    { numRuns: FUZZED_BODIES },
  );
  expect(Object.getOwnPropertyNames(Object.prototype).join()).toBe(before);
});
