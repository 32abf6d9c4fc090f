import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FILES_TO_READ, type RunnerFileName } from "../../contract/runner-files.ts";
import { anyText } from "../any-text.ts";
import { effort } from "../effort.ts";
import { createRandom } from "../simulation/random.ts";
import { startHttpWorld } from "../worlds/http.ts";
import { createWorld, FILES } from "../worlds/memory.ts";
import { checkKey, checkSummary, fuzzBodies, fuzzKeys, judge } from "./fuzz.ts";

const RUNS = effort(500, 30_000);

describe("fuzzing", () => {
  it("no body escapes the rules, changes a prototype or takes long", () => {
    const { reasons, metrics, millisecondsP99 } = fuzzBodies(createRandom(1), RUNS);
    expect(metrics).toBeGreaterThan(RUNS / 10);
    const byContent = [
      "invalid-encoding",
      "invalid-json",
      "invalid-schema",
      "invalid-timestamp",
      "timestamp-in-future",
    ];
    expect([...reasons.keys()].toSorted()).toEqual(byContent);
    expect(millisecondsP99).toBeLessThan(5);
  });

  it("no key escapes: it is extracted beside or quarantined, and never logged", async () => {
    const { quarantined, ignored } = await fuzzKeys(createRandom(1), RUNS);
    expect(quarantined).toBeGreaterThan(RUNS / 300);
    expect(ignored).toBeGreaterThan(0);
  });

  it("a valid file with any bytes changed is taken or corrupt, and nothing else", () => {
    const name = fc.constantFrom(...FILES_TO_READ);
    const change = fc.record({ at: fc.nat(1024), cut: fc.nat(8), put: fc.uint8Array({ maxLength: 8 }) });
    const property = fc.property(name, fc.array(change, { minLength: 1, maxLength: 4 }), (file, changes) => {
      let bytes: Uint8Array = Buffer.from(FILES[file]);
      for (const { at, cut, put } of changes) {
        const place = at % (bytes.length + 1);
        bytes = Buffer.concat([bytes.subarray(0, place), put, bytes.subarray(place + cut)]);
      }
      judge(file, bytes);
    });
    fc.assert(property, { numRuns: effort(200, 5_000) });
  });

  it("any key comes back from the listing's and the copy source's encoding", () => {
    fc.assert(
      fc.property(anyText({ maxLength: 300 }), (name) => checkKey(`runners/large/r-1/${name}`)),
      { numRuns: effort(100, 5_000) },
    );
  });

  it("any storage leaves a summary of one shape, and its neighbour alone", async () => {
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.json().map((json) => Buffer.from(json)),
    );
    const file = fc.constantFrom<(RunnerFileName | string)[]>(...FILES_TO_READ, "other", "CANARY", "a/b");
    const storage = fc.dictionary(file, body, { maxKeys: 6 });
    const property = fc.asyncProperty(storage, async (files) => {
      const world = createWorld();
      world.upload("honest");
      world.upload("fuzzed", files);
      checkSummary(await world.run());
      expect(world.eventsOf("honest")).toHaveLength(3);
    });
    await fc.assert(property, { numRuns: effort(50, 500) });
  });

  it("any headers that an uploader may set leave the events as they are, over the wire", async () => {
    const world = await startHttpWorld();
    try {
      const text = fc.stringMatching(/^[ -~]{0,80}$/).map((value) => value.trim());
      const name = fc.constantFrom("content-type", "content-encoding", "content-language", "expires", "cache-control");
      const other = fc.constantFrom("content-disposition", "x-amz-website-redirect-location", "x-amz-meta-a");
      const headers = fc.dictionary(fc.oneof(name, other), text, { maxKeys: 8, noNullPrototype: true });
      let runners = 0;
      const property = fc.asyncProperty(headers, async (set) => {
        const runner = `r-${runners++}`;
        for (const [file, content] of Object.entries(FILES)) {
          const body = Buffer.from(content);
          world.s3.putObject("metrics", `runners/large/${runner}/${file}`, { body, headers: set });
        }
        const before = world.events().length;
        expect(await world.run()).toMatchObject({ extracted: 1, listed: 1, errors: [] });
        expect(world.events()).toHaveLength(before + 3);
      });
      await fc.assert(property, { numRuns: effort(10, 150) });
    } finally {
      await world.close();
    }
  });
});
