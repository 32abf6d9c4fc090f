import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { preJobMetrics } from "../../contract/runner-files.ts";
import { runnerMetrics } from "../../functions/domain/runner-metrics.ts";
import packageJson from "../../package.json" with { type: "json" };
import { SHIMS } from "../../runner/build.ts";
import { anyText } from "../any-text.ts";
import { effort } from "../effort.ts";
import { installRunner, launch, lifeIn, PROGRAM, type Runner, startCloud } from "./fleet.ts";
import { describePlatforms, NODES, ONE, type Platform } from "./platforms.ts";

/** Environments, in bytes: neither Unix nor a job promises UTF-8. */
interface Environment {
  readonly workflow: Uint8Array;
  readonly event: Uint8Array;
  readonly repository: Uint8Array;
  readonly runId: Uint8Array;
  readonly job: Uint8Array;
  readonly attempt: Uint8Array;
}

const SIZE_MAX = 1024;
const EVENT_MAX = 128;
const JOB_MAX = 128;
const PRE_FILE = "pre-job-metrics.json";
const CANARY = join(tmpdir(), `runner-metrics-canary-${process.pid}`);

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const FORBIDDEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

/** The documented rule: browsers' decoding; no control characters; cut between characters to a size in bytes of JSON. */
function expectedText(bytes: Uint8Array, room: number): { text: string; size: number } {
  const decoded = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  let text = "";
  let size = 0;
  for (const character of decoded) {
    const allowed = FORBIDDEN.test(character) ? "\ufffd" : character;
    const width = allowed === '"' || allowed === "\\" ? 2 : Buffer.byteLength(allowed);
    if (size + width > room) break;
    text += allowed;
    size += width;
  }
  return { text, size };
}

function expectedJob({ workflow, event, repository, runId, job, attempt }: Environment) {
  const name = Buffer.from(repository).toString("latin1");
  const id = Buffer.from(runId).toString("latin1");
  const times = Buffer.from(attempt).toString("latin1");
  if (!preJobMetrics.shape.repository.safeParse(name).success || !/^[0-9]{1,20}$/.test(id)) return undefined;
  const rest = {
    workflow_run_id: id,
    repository: name,
    event: expectedText(event, EVENT_MAX).text,
    ...(job.length > 0 && { job: expectedText(job, JOB_MAX).text }),
    ...(/^[1-9][0-9]{0,8}$/.test(times) && { run_attempt: Number(times) }),
    program: `runner-metrics/${packageJson.version}`,
  };
  const empty = { timestamp: 1_700_000_000.123, workflow: "", ...rest };
  const room = SIZE_MAX - Buffer.byteLength(`${JSON.stringify(empty)}\n`);
  return { workflow, room, rest };
}

// One process runs the hook for many environments. `%b` has the bytes that no environment of Node's can carry.
const DRIVER = `
i=0
text() { decoded=$(printf '%b.' "\${1#x}"); decoded=\${decoded%.}; }
while IFS=' ' read -r workflow event repository id job attempt; do
  text "$workflow"; export GITHUB_WORKFLOW="$decoded"
  text "$event"; export GITHUB_EVENT_NAME="$decoded"
  text "$repository"; export GITHUB_REPOSITORY="$decoded"
  text "$id"; export GITHUB_RUN_ID="$decoded"
  text "$job"; export GITHUB_JOB="$decoded"
  text "$attempt"; export GITHUB_RUN_ATTEMPT="$decoded"
  RUNNER_METRICS_SPOOL=$SPOOLS/$i $TESTED job-started 2>>"$SPOOLS/stderr" || echo "status $?"
  i=$((i + 1))
done <"$CASES"`;

function encode(bytes: Uint8Array): string {
  return `x${[...bytes].map((byte) => `\\0${byte.toString(8).padStart(3, "0")}`).join("")}`;
}

async function recordJobs(platform: Platform, environments: readonly Environment[]) {
  const spools = mkdtempSync(join(tmpdir(), "spools-"));
  const runner = installRunner(platform, {});
  try {
    const cases = environments.map((e) =>
      [e.workflow, e.event, e.repository, e.runId, e.job, e.attempt].map(encode).join(" "),
    );
    writeFileSync(join(spools, "cases"), `${cases.join("\n")}\n`);
    const { stdout, code } = await launch(["bash", "-c", DRIVER], {
      PATH: process.env.PATH,
      LC_ALL: "C",
      RUNNER_METRICS_RUNNER: runner.directory,
      SPOOLS: spools,
      CASES: join(spools, "cases"),
      TESTED: `${platform.shell.join(" ")} ${runner.home}/runner-metrics.sh`,
    }).finished;
    expect({ stdout, code }).toEqual({ stdout: "", code: 0 });
    return environments.map((_, index) => {
      const content = lifeIn(join(spools, String(index))).files[PRE_FILE]?.content;
      return content === undefined ? undefined : Buffer.from(content);
    });
  } finally {
    runner.remove();
    rmSync(spools, { recursive: true });
  }
}

function read(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text.replaceAll("\0", ""));
const rawBytes = fc.uint8Array({ max: 255, maxLength: 60 }).map((bytes) => bytes.filter((byte) => byte !== 0));
// Bytes from where UTF-8's rules change.
const nearlyUtf8 = fc
  .array(
    fc.constantFrom(
      0x41,
      0x7f,
      0x80,
      0x8f,
      0x90,
      0x9f,
      0xa0,
      0xbf,
      0xc1,
      0xc2,
      0xdf,
      0xe0,
      0xed,
      0xef,
      0xf0,
      0xf4,
      0xf5,
    ),
    {
      maxLength: 40,
    },
  )
  .map((bytes) => Uint8Array.from(bytes));
const shellText = fc
  .array(
    fc.constantFrom(
      ...[
        '"',
        "'",
        "\\",
        "$",
        "`",
        "\n",
        "\r",
        "\t",
        " ",
        "%s",
        "%b",
        "\\n",
        "\\0101",
        "$" + "{IFS}",
        ";",
        "&&",
        "|",
        "*",
        "~",
      ],
      ...[
        `$(touch ${CANARY})`,
        `\`touch ${CANARY}\``,
        "}",
        "--",
        "-n",
        "@/etc/passwd",
        "\u001b[31m",
        "\u202e",
        "é",
        "😀",
        "\ufeff",
      ],
    ),
    { maxLength: 30 },
  )
  .map((parts) => utf8(parts.join("")));
const longText = fc
  .tuple(anyText({ minLength: 1, maxLength: 5 }), fc.integer({ min: 400, max: 4096 }))
  .map(([text, length]) => utf8(text.repeat(length).slice(0, length)));
const text = fc.oneof(rawBytes, nearlyUtf8, shellText, longText, anyText().map(utf8));
const repository = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom("acme/widgets", "a/b", `${"o".repeat(39)}/${"r".repeat(100)}`).map(utf8) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(
        "",
        "a",
        "/",
        "a/",
        "/b",
        "a/b/c",
        "a/.",
        "a/..",
        "../user",
        "a/b\n",
        "a.b/c",
        "a/b c",
        "a/$(id)",
        `${"o".repeat(40)}/r`,
      )
      .map(utf8),
  },
  { weight: 1, arbitrary: shellText },
);
const runId = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom("1", "6873452345", "9".repeat(20)).map(utf8) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("", "-1", "1e3", "1\n", "9".repeat(21), "１", `$(touch ${CANARY})`).map(utf8),
  },
);
const attempt = fc.constantFrom("", "1", "12", "0", "-1", "1e3", "9".repeat(20), `$(touch ${CANARY})`).map(utf8);
const environment: fc.Arbitrary<Environment> = fc.record({
  workflow: text,
  event: text,
  repository,
  runId,
  job: fc.oneof(fc.constant(utf8("build")), text),
  attempt,
});

function check(given: Environment, bytes: Buffer | undefined): void {
  const expected = expectedJob(given);
  expect(bytes === undefined).toBe(expected === undefined);
  if (!bytes || !expected) return;
  const { timestamp, workflow, ...rest } = JSON.parse(bytes.toString());
  expect(rest).toEqual(expected.rest);
  expect(bytes.length).toBeLessThanOrEqual(SIZE_MAX);
  expect(timestamp).toBeTypeOf("number");
  // The time takes up to 14 characters.
  const room = expected.room + "1700000000.123".length - String(timestamp).length;
  expect(workflow).toBe(expectedText(given.workflow, room).text);
  const asCollected = runnerMetrics("r", { "pre-job-metrics.json": { bytes, lastModified: Date.now() } });
  expect(asCollected).toMatchObject({ kind: "metrics" });
}

describePlatforms("whatever a job's environment holds, the hook on $name", NODES, (platform) => {
  it("records it whole, or cut as documented, or not at all; never a broken file, never a command run", {
    timeout: 300_000,
  }, async () => {
    const batch = fc.array(environment, { minLength: effort(10, 40), maxLength: effort(10, 40) });
    await fc.assert(
      fc.asyncProperty(batch, async (environments) => {
        const files = await recordJobs(platform, environments);
        for (const [index, given] of environments.entries()) check(given, files[index]);
      }),
      { numRuns: Number(process.env.RUNNER_BATCHES ?? effort(1, 3)), endOnFailure: true },
    );
    expect(read(CANARY)).toBeUndefined();
  });
});

describe("a hostile workflow name", () => {
  let cloud: Awaited<ReturnType<typeof startCloud>>;
  const runners: Runner[] = [];
  beforeAll(async () => {
    cloud = await startCloud();
  });
  afterAll(async () => {
    for (const runner of runners) runner.remove();
    await cloud.close();
  });

  it("reaches S3 byte for byte, from the spool and, without a spool, from memory", async () => {
    const GITHUB_WORKFLOW = `a "quoted" \\ $(id) \`id\` %s \\n ' ü 😀 {"_aws": 1} @/etc/passwd </script>`;
    const job = { GITHUB_WORKFLOW, GITHUB_RUN_ID: "1", GITHUB_REPOSITORY: "o/r", GITHUB_EVENT_NAME: "push" };
    for (const storage of ["spooled", "memory"]) {
      const runner = installRunner(ONE, { ...cloud.settings("large", storage), ...job });
      runners.push(runner);
      await runner.step("job-started", storage === "memory" ? { RUNNER_METRICS_SPOOL: "/dev/null/x" } : {});
      const stored = cloud.text(`runners/large/${storage}/${PRE_FILE}`) ?? "";
      expect(JSON.parse(stored)).toMatchObject({ workflow: GITHUB_WORKFLOW, event: "push" });
    }
  });
});

it("evaluates no text in the shell but names of variables that it has checked", () => {
  for (const file of SHIMS.filter((name) => name.endsWith(".sh"))) {
    const script = readFileSync(join(PROGRAM, file), "utf8");
    const evaluated = [...script.matchAll(/\beval\b.*/g)].map(([text]) => text);
    const checked = `eval "value=\\$\{$name-}" #`;
    expect(evaluated, file).toEqual(file === "runner-metrics.sh" ? [checked] : []);
    expect(script).not.toMatch(/\bsh -c\b|\bxargs\b|<</);
  }
});
