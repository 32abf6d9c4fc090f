import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Summary } from "../../functions/run/summary.ts";
import { type LocalAws, startLocalAws } from "../../local/server.ts";
import { effort } from "../effort.ts";
import { BUCKET, BUS, FILES } from "../harness.ts";
import { needs } from "../tools.ts";

const INVOKE = fileURLToPath(new URL("invoke.ts", import.meta.url));

let local: LocalAws;
beforeAll(async () => {
  local = await startLocalAws();
});
beforeEach(() => {
  for (const { key } of [...local.s3.objects(BUCKET)]) local.s3.deleteObject(BUCKET, key);
  local.s3.createBucket(BUCKET);
  local.eventBridge.createBus(BUS);
  local.eventBridge.clear();
});
afterAll(() => local.close());

interface Invocation {
  readonly returned?: Summary;
  readonly threw?: string;
  readonly stderr: string;
  /** Every line of stdout, as Lambda would hand it to CloudWatch. */
  readonly lines: readonly Record<string, unknown>[];
}

/** Invokes the handler as it is exported, in a process whose environment is this. */
async function invoke(payload: unknown, env: Record<string, string | undefined> = {}): Promise<Invocation> {
  const { stdout, stderr } = await new Promise<{ stdout: string; stderr: string }>((resolve) => {
    const environment = {
      PATH: process.env.PATH,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      AWS_ENDPOINT_URL: local.endpoint,
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      BUCKET_NAME: BUCKET,
      EVENT_BUS_NAME: BUS,
      ...env,
    };
    const options = { env: environment as NodeJS.ProcessEnv };
    execFile(process.execPath, [INVOKE, JSON.stringify(payload)], options, (_, out, err) =>
      resolve({ stdout: out, stderr: err }),
    );
  });
  const lines = stdout
    .trim()
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  const result = lines.pop();
  return { ...result, lines, stderr };
}

function upload(runner: string, files: Readonly<Record<string, string>> = FILES) {
  for (const [name, content] of Object.entries(files)) {
    local.s3.putObject(BUCKET, `runners/large/${runner}/${name}`, { body: Buffer.from(content) });
  }
}

test("the exported handler extracts, publishes, cleans up, and returns and logs its summary", async () => {
  upload("r-1");
  upload("r-2", { ...FILES, "pre-job-metrics.json": "{" });
  const { returned, lines } = await invoke({ flavor: "large" });
  expect(returned).toMatchObject({ flavor: "large", listed: 2, extracted: 1, quarantined: 1, stopped: "done" });
  expect(
    local.eventBridge
      .events()
      .map(({ detailType }) => detailType)
      .toSorted(),
  ).toEqual(["MetricsQuarantined", "RunnerInstalled", "RunnerStart", "RunnerStop"]);
  expect(lines.find(({ message }) => message === "run")).toMatchObject({
    level: "INFO",
    service: "extract-metrics",
    function_request_id: "00000000-0000-4000-8000-000000000000",
    summary: returned,
  });
});

test("its metrics have closed sets of dimensions: the flavor, or none where one alarm is for all flavors", async () => {
  upload("r-1");
  local.s3.putObject(BUCKET, "runners/large/stray", { body: Buffer.from("x") });
  const { lines } = await invoke({ flavor: "large" });
  const [emf, ofAll, ...others] = lines.filter((line) => "_aws" in line);
  expect(others).toEqual([]);
  expect(ofAll).toMatchObject({ service: "extract-metrics", StrayObjects: 1 });
  expect(ofAll).not.toHaveProperty("flavor");
  expect(ofAll?._aws).toMatchObject({ CloudWatchMetrics: [{ Namespace: "RunnerMetrics", Dimensions: [["service"]] }] });
  expect(emf?._aws).toMatchObject({
    CloudWatchMetrics: [{ Namespace: "RunnerMetrics", Dimensions: [["service", "flavor"]] }],
  });
  expect(emf).toMatchObject({
    service: "extract-metrics",
    flavor: "large",
    "Runners.extracted": 1,
  });
});

test("A38 line breaks, escapes and forged metrics in a runner's files never reach the log as they are", async () => {
  const forged = '\r\n\u001b[31m{"_aws":{"CloudWatchMetrics":[]},"Forged":1}';
  upload("in-a-string", { ...FILES, "pre-job-metrics.json": JSON.stringify({ workflow: forged, timestamp: forged }) });
  upload("as-a-file", { ...FILES, "post-job-metrics.json": forged });
  upload(`as-a-name${forged}`);
  upload("as-a-key", { ...FILES, [forged]: "x" });
  upload("accepted", {
    ...FILES,
    "pre-job-metrics.json": FILES["pre-job-metrics.json"].replace("CI", '{\\"_aws\\":{},\\"Forged\\":1}'),
  });
  const { returned, lines, stderr } = await invoke({ flavor: "large" });
  expect(returned).toMatchObject({ extracted: 1, quarantined: 4 });
  expect(stderr).toBe("");
  expect(lines).toHaveLength(2);
  expect(JSON.stringify(lines)).not.toContain("Forged");
});

describe("with workers", () => {
  /** A message that names a storage as it is. */
  function messageOf(...storages: string[]): string {
    return JSON.stringify({
      flavor: "large",
      storages: storages.map((name) => ({
        name,
        listedAt: Date.now(),
        objects: [...local.s3.objects(BUCKET, `runners/large/${name}/`)].map(({ key, size, etag, lastModified }) => {
          return [key.split("/").at(-1), size, etag, lastModified];
        }),
      })),
    });
  }
  const ofQueue = (...bodies: string[]) => ({ Records: bodies.map((body) => ({ eventSource: "aws:sqs", body })) });

  test("an event of the queue is the run of a worker, with metrics that hide nothing of the scheduled runs", async () => {
    upload("r-1");
    upload("r-2");
    const { returned, lines } = await invoke(ofQueue(messageOf("r-1")), {
      WORK_QUEUE_URL: "http://127.0.0.1:1/0/work",
    });
    expect(returned).toMatchObject({ flavor: "large", listed: 1, extracted: 1, stopped: "done" });
    expect([...local.s3.objects(BUCKET, "runners/large/r-2/")]).toHaveLength(4);
    expect(lines.find(({ message }) => message === "worker")).toMatchObject({ summary: returned });
    const [emf, ...others] = lines.filter((line) => "_aws" in line);
    expect(others).toEqual([]);
    const { _aws, service, flavor, WorkerDuration, ...metrics } = emf ?? {};
    expect(metrics).toEqual({ "Runners.extracted": 1 });
    expect(WorkerDuration).toBeGreaterThan(0);
  });

  test("a worker has its own number of runners in progress", async () => {
    upload("r-1");
    const wrong = await invoke(ofQueue(messageOf("r-1")), { WORKER_CONCURRENCY: "0" });
    expect(wrong.stderr).toContain("WORKER_CONCURRENCY");
    const { returned } = await invoke(ofQueue(messageOf("r-1")), { WORKER_CONCURRENCY: "1" });
    expect(returned).toMatchObject({ extracted: 1 });
  });

  test.each([
    ["two messages at once", ofQueue("{}", "{}"), "must be one message"],
    ["no message", ofQueue(), "must be one message"],
    ["another source", { Records: [{ eventSource: "aws:s3", body: "{}" }] }, "eventSource"],
    ["a message that is none of ours", ofQueue('{"flavor":"large"}'), "Invalid work message: storages"],
  ])("an event with %s fails, and deletes nothing", async (_, event, problem) => {
    upload("r-1");
    const { threw } = await invoke(event);
    expect(threw).toContain(problem);
    expect([...local.s3.objects(BUCKET)]).toHaveLength(4);
  });
});

const INVALID_PAYLOADS: [unknown, string][] = [
  [{}, "flavor"],
  [{ flavor: "Large" }, "flavor: must match"],
  [{ flavor: "../x" }, "flavor: must match"],
  [{ flavor: "large", runners: "r-1" }, "runners"],
  [{ flavor: "large", include: true }, "include: true needs a list of runners"],
  [{ flavor: "large", orphanAfterSecond: 1 }, "orphanAfterSecond"],
  [{ flavor: "large", orphanAfterSeconds: -1 }, "orphanAfterSeconds"],
  [null, "Invalid schedule input"],
  ["large", "Invalid schedule input"],
];

// Each is a process of its own.
test.each(effort(INVALID_PAYLOADS.slice(0, 1), INVALID_PAYLOADS))(
  "the payload %j fails with an error that names what is wrong, and deletes nothing",
  async (payload, named) => {
    upload("r-1");
    const { threw } = await invoke(payload);
    expect(threw).toContain("Invalid schedule input: ");
    expect(threw).toContain(named);
    expect([...local.s3.objects(BUCKET)]).toHaveLength(4);
  },
);

test("a wrong environment fails at once, with every variable that is wrong", async () => {
  upload("r-1");
  const { stderr, threw } = await invoke(
    { flavor: "large" },
    {
      BUCKET_NAME: undefined,
      EVENT_BUS_NAME: "",
      CONCURRENCY: "many",
      MAX_OBJECTS_PER_RUNNER: "1e3",
    },
  );
  expect(threw).toBeUndefined();
  for (const name of [
    "BUCKET_NAME: is required",
    "EVENT_BUS_NAME: is required",
    "CONCURRENCY: must be a whole number",
  ]) {
    expect(stderr).toContain(name);
  }
  expect(stderr).toContain("MAX_OBJECTS_PER_RUNNER: ");
  expect([...local.s3.objects(BUCKET)]).toHaveLength(4);
});

test("a missing bucket ends in an error that names it", async () => {
  const { threw } = await invoke({ flavor: "large" }, { BUCKET_NAME: "not-there" });
  expect(threw).toContain('Listing bucket "not-there": NoSuchBucket');
});

test("A41 a missing bus ends in an error that names it, and deletes nothing", async () => {
  upload("r-1");
  const { threw } = await invoke({ flavor: "large" }, { EVENT_BUS_NAME: "not-there" });
  expect(threw).toContain('The event bus "not-there" (EVENT_BUS_NAME) does not exist');
  expect([...local.s3.objects(BUCKET)]).toHaveLength(4);
});

// The SDK tries three times, and so does the run.
test("an endpoint that nobody serves ends in one clear error", { tags: [needs("gate")] }, async () => {
  const { threw } = await invoke({ flavor: "large" }, { AWS_ENDPOINT_URL: "http://127.0.0.1:1" });
  expect(threw).toContain("ECONNREFUSED");
});
