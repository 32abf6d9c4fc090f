/** The published JSON Schemas of the runner's files against the collector's own checks. */
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseTimestamp, postJobMetrics, preJobMetrics } from "../../contract/runner-files.ts";
import { fileSchemas } from "../../docs/generate.ts";
import { anyText } from "../any-text.ts";

const ajv = new Ajv2020({ strict: false });
const schemas = fileSchemas();
const isPreJob = ajv.compile(schemas["pre-job-metrics.json"]);
const isPostJob = ajv.compile(schemas["post-job-metrics.json"]);
const isTimestamp = ajv.compile(schemas["runner-installed.timestamp"]);

const PRE = { timestamp: 1, workflow: "CI", workflow_run_id: "1", repository: "acme/widgets", event: "push" };
const POST = { timestamp: 1, status: "normal" };

/** Values that are right in some field, or nearly. */
const anything = fc.oneof(
  fc.double({ min: 0, max: 1e12, noNaN: true }),
  fc.constantFrom<unknown>(...["1", "1e3", "+1.5", "1,5", "", " 1\n", "acme/widgets", "a/..", "normal", null, true]),
  fc.constantFrom<unknown>(0, -1, -0, 1.5, 2 ** 53, 1e300, {}, [], { code: 1 }, { code: 1.5 }),
  anyText(),
  fc.constantFrom("a\u0000", "\u202e", "\u0085", "\ud800", "😀", "é"),
  // JSON has no infinity.
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);

function changes(field: string) {
  return fc.dictionary(fc.constantFrom(...field.split(" ")), anything, { maxKeys: 2 });
}

describe("the JSON Schema of", () => {
  it("pre-job-metrics.json accepts what the collector accepts", () => {
    const fields =
      "timestamp workflow workflow_run_id repository event job run_attempt installed_timestamp program other";
    fc.assert(
      fc.property(changes(fields), (changed) => {
        const content = { ...PRE, ...changed };
        expect(isPreJob(content)).toBe(preJobMetrics.safeParse(content).success);
      }),
      { numRuns: 2_000 },
    );
  });

  it("post-job-metrics.json accepts what the collector accepts", () => {
    fc.assert(
      fc.property(changes("timestamp status status_info job_timestamp program other"), (changed) => {
        const content = { ...POST, ...changed };
        expect(isPostJob(content)).toBe(postJobMetrics.safeParse(content).success);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each(Object.keys(PRE))("pre-job-metrics.json requires %s", (name) => {
    expect(isPreJob({ ...PRE, [name]: undefined })).toBe(false);
  });

  it("a timestamp file accepts what the collector accepts", () => {
    const text = fc.oneof(
      fc.string({ unit: fc.constantFrom("0", "1", "9", ".", "e", "E", "+", "-", " ", "\n", ","), maxLength: 8 }),
      fc.double({ min: 0, noNaN: true }).map(String),
    );
    fc.assert(
      fc.property(text, (content) => {
        // The pattern has no upper bound: Number gives Infinity for 1e999.
        fc.pre(!/[eE]\+?[0-9]{3}/.test(content));
        expect(isTimestamp(content)).toBe(parseTimestamp(content) !== undefined);
      }),
      { numRuns: 2_000 },
    );
  });
});
