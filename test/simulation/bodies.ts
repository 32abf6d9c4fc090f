/** Bodies and keys, each with what it means. Whatever an attacker chooses himself carries the mark. */

import type { Meaning } from "./history.ts";
import type { Random } from "./random.ts";

export const START = "runner-installation-start.timestamp";
export const INSTALLED = "runner-installed.timestamp";
export const PRE = "pre-job-metrics.json";
export const POST = "post-job-metrics.json";
export const FILE_NAMES = [START, INSTALLED, PRE, POST] as const;
export type FileName = (typeof FILE_NAMES)[number];

/** Stands in every text that an attacker chooses: where it turns up, his text has got. */
export const MARK = "CANARY";

export interface Body {
  readonly bytes: Uint8Array;
  readonly meaning: Meaning;
}

export function secondsBody(seconds: number): Body {
  return { bytes: Buffer.from(`${seconds}\n`), meaning: { kind: "seconds", seconds } };
}

export function preJobBody(fields: Omit<Meaning & { kind: "pre-job" }, "kind">): Body {
  return { bytes: Buffer.from(JSON.stringify(fields)), meaning: { kind: "pre-job", ...fields } };
}

export function postJobBody(fields: Omit<Meaning & { kind: "post-job" }, "kind">): Body {
  return { bytes: Buffer.from(JSON.stringify(fields)), meaning: { kind: "post-job", ...fields } };
}

export const EMPTY: Body = { bytes: new Uint8Array(), meaning: { kind: "empty" } };

const YEAR_2100 = 4_102_444_800;

const PRE_JOB = {
  timestamp: 1_700_000_000,
  workflow: "CI",
  workflow_run_id: "1",
  repository: "acme/widgets",
  event: "push",
};

const corrupt = (reason: string, ...contents: (string | readonly number[])[]): Body[] =>
  contents.map((content) => ({ bytes: Buffer.from(content as string), meaning: { kind: "corrupt", reason } }));

const CORRUPT_TEXTS = [
  ...corrupt("invalid-encoding", [0xff, 0xfe, 0x31], [0xef, 0xbb, 0xbf, 0x31], [0x31, 0xc3], [0xed, 0xa0, 0x80]),
  ...corrupt("invalid-timestamp", MARK, " \n", "1e999", "-1", "1_000", "0x10", "inf", "1\n2", "1700000000\0", "١٢٣"),
  ...corrupt("timestamp-in-future", `${YEAR_2100}`, "253402300799", "4.1e9"),
];

const CORRUPT_OBJECTS = [
  ...corrupt("invalid-encoding", [0x7b, 0xff, 0x7d], [0xef, 0xbb, 0xbf, 0x7b, 0x7d], [0x22, 0xc0, 0xaf, 0x22]),
  ...corrupt("invalid-json", "{", `{"${MARK}": 1,}`, "{} {}", "NaN", MARK, "[".repeat(1000), `// ${MARK}\n{}`, " "),
  ...corrupt("invalid-schema", "null", "[]", "1", "true", `"${MARK}"`, "{}", `{"timestamp":"${MARK}"}`),
];

const CORRUPT_PRE_JOBS = [
  ...corrupt(
    "invalid-schema",
    ...[
      { workflow: `${MARK}\u0000` },
      { workflow: `${MARK}\ud800` },
      { workflow: `\u202e${MARK}` },
      { event: `${MARK}\u001b[31m` },
      { repository: `${MARK}/b/c` },
      { repository: "../.." },
      { repository: `${MARK}/..` },
      { workflow_run_id: MARK },
      { workflow_run_id: true },
      { timestamp: -1 },
      { timestamp: "1e999" },
    ].map((change) => JSON.stringify({ ...PRE_JOB, ...change })),
  ),
  ...corrupt("timestamp-in-future", JSON.stringify({ ...PRE_JOB, timestamp: YEAR_2100 })),
];

const CORRUPT_POST_JOBS = [
  ...corrupt(
    "invalid-schema",
    `{"timestamp":1,"status":"${MARK}"}`,
    `{"timestamp":1,"status":"normal","status_info":{"code":"${MARK}"}}`,
    '{"timestamp":1}',
  ),
  ...corrupt("timestamp-in-future", `{"timestamp":${YEAR_2100},"status":"normal"}`),
];

const CORRUPT: Record<FileName, readonly Body[]> = {
  [START]: CORRUPT_TEXTS,
  [INSTALLED]: CORRUPT_TEXTS,
  [PRE]: [...CORRUPT_OBJECTS, ...CORRUPT_PRE_JOBS],
  [POST]: [...CORRUPT_OBJECTS, ...CORRUPT_POST_JOBS],
};

export function corruptBody(random: Random, name: FileName): Body {
  return random.pick(CORRUPT[name]);
}

/** A valid body, drawn from few: so that it happens that the same bytes come again. */
export function validBody(random: Random, name: FileName): Body {
  // A clock that was never set is at 1970.
  const timestamp = random.chance(0.1) ? 1_042 : 1_700_000_000 + random.integer(-2, 2) * 100.5;
  switch (name) {
    case START:
    case INSTALLED:
      return secondsBody(random.chance(0.1) ? 0 : timestamp);
    case PRE:
      return preJobBody({
        timestamp,
        workflow: `${MARK} {"_aws": 1} <script>`,
        workflow_run_id: "42",
        repository: `${MARK}/${MARK}`,
        event: MARK,
        ...(random.chance(0.3) && { installed_timestamp: random.pick([timestamp, timestamp - 60]) }),
      });
    case POST:
      return postJobBody({
        timestamp,
        status: random.pick(["normal", "abnormal", "repo-policy-check-failure"]),
        ...(random.chance(0.5) && { status_info: { code: random.integer(-1, 255) } }),
        ...(random.chance(0.3) && { job_timestamp: random.pick([timestamp, timestamp - 60]) }),
      });
  }
}

/** Names of objects that are not one of the four. */
export function otherKey(random: Random): { name: string; isSane: boolean } {
  return random.chance(0.6)
    ? { name: random.pick(SANE_KEYS), isSane: true }
    : { name: random.pick(INSANE_KEYS), isSane: false };
}

const SANE_KEYS = [
  MARK,
  `x?versionId=1 ${MARK}`,
  `a+b%2F${MARK}&<"'>`,
  `${INSTALLED} `,
  `%2e%2e${MARK}`,
  `...${MARK}`,
  "manifest.json",
  POST.toUpperCase(),
];

const INSANE_KEYS = [
  `${MARK}\u0000`,
  `${MARK}\r\n`,
  `\u007f${MARK}`,
  `\ufffe${MARK}`,
  "..",
  ".",
  `../${MARK}`,
  `/${MARK}`,
  `${MARK}//${MARK}`,
  `sub/${POST}`,
  `${POST}/`,
  `${POST}\u0301`,
  `\u202e${MARK}`,
  `\u2028${MARK}`,
  `\u{1f600}${MARK}`,
  `\uff0e${MARK}`,
  "n".repeat(900),
];

/** Names that no storage may have. What a policy would deny is tried all the same. */
export const INVALID_STORAGE_NAMES = [
  `.${MARK}`,
  `a..${MARK}`,
  `${MARK}\u0001`,
  `-${MARK}`,
  "",
  "..",
  `${MARK} `,
  MARK.repeat(30),
  `r-1\u00e9${MARK}`,
];
