/** Bodies of metrics files: made from a grammar that is wrong now and then, or from valid ones with bytes changed. */

import {
  POST_JOB_METRICS_FILE_NAME,
  PRE_JOB_METRICS_FILE_NAME,
  type RunnerFileName,
} from "../../contract/runner-files.ts";
import type { Random } from "../simulation/random.ts";

/** Stands in texts that must not turn up where no runner's text may. No name of a storage can hold it. */
export const MARK = "CANARY!";

export function fuzzedBody(random: Random, name: RunnerFileName): Uint8Array {
  const isJson = name === PRE_JOB_METRICS_FILE_NAME || name === POST_JOB_METRICS_FILE_NAME;
  const body = Buffer.from(isJson ? document(random, name) : number(random));
  return random.chance(0.4) ? mutated(random, body) : body;
}

/** A few bytes replaced, inserted, removed, repeated or moved. */
function mutated(random: Random, body: Buffer): Buffer {
  let bytes = body;
  for (let times = random.integer(1, 4); times > 0; times--) {
    const at = random.integer(0, bytes.length);
    const length = random.pick([0, 1, 1, 2, 4, 16]);
    const [before, cut, after] = [bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at + length)];
    const put = random.pick([
      Buffer.alloc(0),
      Buffer.from([random.integer(0, 255)]),
      Buffer.from(random.pick(ODD_TEXTS)),
      Buffer.concat([cut, cut]),
      Buffer.from(cut).reverse(),
    ]);
    bytes = Buffer.concat([before, put, after]);
  }
  return bytes;
}

function document(random: Random, name: RunnerFileName): string {
  const fields = name === PRE_JOB_METRICS_FILE_NAME ? PRE_JOB_FIELDS : POST_JOB_FIELDS;
  const members = Object.entries(fields).flatMap(([field, valid]) => {
    if (random.chance(0.03)) return [];
    return [`${JSON.stringify(field)}${random.pick(BLANKS)}:${random.chance(0.85) ? valid(random) : value(random, 3)}`];
  });
  while (random.chance(0.2)) members.splice(random.integer(0, members.length), 0, member(random, 3));
  if (random.chance(0.02)) return value(random, 5);
  return `${random.pick(BLANKS)}{${members.join(`,${random.pick(BLANKS)}`)}}${random.pick(BLANKS)}`;
}

const PRE_JOB_FIELDS: Record<string, (random: Random) => string> = {
  timestamp: number,
  workflow: text,
  workflow_run_id: (random) =>
    random.pick(['"42"', "42", '"0"', String(2 ** 53), `"${"9".repeat(400)}"`, "1e2", '"4 2"']),
  repository: (random) =>
    random.pick(['"acme/widgets"', '"a/b.c_d-e"', '"a/b/c"', '"../x"', '"a/.."', '"a/b?c"', `"${MARK}"`]),
  event: text,
};

const POST_JOB_FIELDS: Record<string, (random: Random) => string> = {
  timestamp: number,
  status: (random) => random.pick(['"normal"', '"abnormal"', '"repo-policy-check-failure"', `"${MARK}"`, "1"]),
  status_info: (random) =>
    random.pick(['{"code":0}', '{"code":-1}', "null", '{"code":1.5}', "{}", `{"code":"${MARK}"}`]),
};

function member(random: Random, depth: number): string {
  const name = random.pick(["__proto__", "constructor", "prototype", "toString", "timestamp", "status", MARK, ""]);
  return `${JSON.stringify(name)}:${value(random, depth)}`;
}

function value(random: Random, depth: number): string {
  const kind = random.pick(["number", "text", "literal", "array", "object", "deep"] as const);
  switch (kind) {
    case "number":
      return number(random);
    case "text":
      return text(random);
    case "literal":
      return random.pick(["null", "true", "false", "NaN", "undefined", "Infinity", "", "//"]);
    case "array":
      return depth === 0
        ? "[]"
        : `[${Array.from({ length: random.integer(0, 3) }, () => value(random, depth - 1)).join()}]`;
    case "object":
      return depth === 0
        ? "{}"
        : `{${Array.from({ length: random.integer(0, 3) }, () => member(random, depth - 1)).join()}}`;
    case "deep": {
      const times = random.pick([2, 50, 400, 1000, 5000]);
      return random.pick(["[", '{"a":', "[{}"]).repeat(random.chance(0.05) ? times : 2);
    }
  }
}

function text(random: Random): string {
  const inside = Array.from({ length: random.integer(0, 4) }, () => random.pick(ODD_TEXTS)).join("");
  return random.chance(0.5) ? JSON.stringify(inside) : `"${inside}${random.pick(ESCAPES)}"`;
}

function number(random: Random): string {
  const digits = String(
    random.pick([0, 1, 1_700_000_000, 1_699_999_999.5, 2 ** 31, 4_102_444_800, random.integer(0, 2 ** 32)]),
  );
  if (random.chance(0.7)) return digits;
  const odd = [
    "-0",
    "-1",
    "1e999",
    "1_000",
    "0x10",
    "inf",
    "nan",
    "١٢٣",
    "1.",
    ".5",
    "+1",
    "1e3",
    "1e-7",
    "00012",
    "1\n2",
    "1\0",
    "",
  ];
  return random.pick([...odd, ` ${digits}\t`, `"${digits}"`, `${digits}${random.pick(ODD_TEXTS)}`]);
}

const BLANKS = ["", "", "", " ", "\n", "\t ", "\u00a0", "\ufeff"];

const ODD_TEXTS = [
  MARK,
  "CI",
  "push",
  "😀",
  "\u0000",
  "\u001b[31m",
  "\r\n",
  "\u007f",
  "\u0085",
  "\u202e",
  "\u2066",
  "\u2028",
  "\ufeff",
  "\ud800",
  "é",
  "e\u0301",
  '{"_aws":1}',
  "=cmd|",
  "<script>",
  "@everyone",
  "\\",
  '"',
  "/",
  "../",
  "%2e",
  "a".repeat(300),
];

const ESCAPES = ["", "\\n", "\\u0000", "\\ud800", "\\ud83d\\ude00", "\\u202e", "\\x", "\\", "\\/", "\\u00", "\\u001f"];
