import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { effort } from "../effort.ts";
import { needs } from "../tools.ts";
import { startHandlerWorld } from "../worlds/handler.ts";
import { BUCKET, FILES } from "../worlds/memory.ts";

let world: Awaited<ReturnType<typeof startHandlerWorld>>;
beforeAll(async () => {
  world = await startHandlerWorld();
});
beforeEach(() => world.reset());
afterAll(() => world.close());

test("the exported handler extracts, publishes, cleans up, and returns and logs its summary", async () => {
  world.upload("r-1");
  world.upload("r-2", { ...FILES, "pre-job-metrics.json": "{" });
  const { returned, lines } = await world.invoke({ flavor: "large" });
  expect(returned).toMatchObject({ flavor: "large", listed: 2, extracted: 1, quarantined: 1, stopped: "done" });
  expect(
    world
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
  world.upload("r-1");
  world.s3.putObject(BUCKET, "runners/large/stray", { body: Buffer.from("x") });
  const { lines } = await world.invoke({ flavor: "large" });
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
  world.upload("in-a-string", {
    ...FILES,
    "pre-job-metrics.json": JSON.stringify({ workflow: forged, timestamp: forged }),
  });
  world.upload("as-a-file", { ...FILES, "post-job-metrics.json": forged });
  world.upload(`as-a-name${forged}`);
  world.upload("as-a-key", { ...FILES, [forged]: "x" });
  world.upload("accepted", {
    ...FILES,
    "pre-job-metrics.json": FILES["pre-job-metrics.json"].replace("CI", '{\\"_aws\\":{},\\"Forged\\":1}'),
  });
  const { returned, lines, stderr } = await world.invoke({ flavor: "large" });
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
        objects: [...world.s3.objects(BUCKET, `runners/large/${name}/`)].map(({ key, size, etag, lastModified }) => {
          return [key.split("/").at(-1), size, etag, lastModified];
        }),
      })),
    });
  }
  const ofQueue = (...bodies: string[]) => ({ Records: bodies.map((body) => ({ eventSource: "aws:sqs", body })) });

  test("an event of the queue is the run of a worker, with metrics that hide nothing of the scheduled runs", async () => {
    world.upload("r-1");
    world.upload("r-2");
    const { returned, lines } = await world.invoke(ofQueue(messageOf("r-1")));
    expect(returned).toMatchObject({ flavor: "large", listed: 1, extracted: 1, stopped: "done" });
    expect([...world.s3.objects(BUCKET, "runners/large/r-2/")]).toHaveLength(4);
    expect(lines.find(({ message }) => message === "worker")).toMatchObject({ summary: returned });
    const [emf, ...others] = lines.filter((line) => "_aws" in line);
    expect(others).toEqual([]);
    const { _aws, service, flavor, WorkerDuration, ...metrics } = emf ?? {};
    expect(metrics).toEqual({ "Runners.extracted": 1 });
    expect(WorkerDuration).toBeGreaterThan(0);
  });

  test("a run that ends in a fifth of its time asks no queue", async () => {
    world.upload("r-1");
    const { returned } = await world.invoke({ flavor: "large", workQueueUrl: "http://127.0.0.1:1/0/work" });
    expect(returned).toMatchObject({ extracted: 1, handedOver: 0, errors: [] });
  });

  test("a worker has its own number of runners in progress", async () => {
    world.upload("r-1");
    const wrong = await world.invoke(ofQueue(messageOf("r-1")), { WORKER_CONCURRENCY: "0" });
    expect(wrong.stderr).toContain("WORKER_CONCURRENCY");
    const { returned } = await world.invoke(ofQueue(messageOf("r-1")), { WORKER_CONCURRENCY: "1" });
    expect(returned).toMatchObject({ extracted: 1 });
  });

  test.each([
    ["two messages at once", ofQueue("{}", "{}"), "must be one message"],
    ["no message", ofQueue(), "must be one message"],
    ["another source", { Records: [{ eventSource: "aws:s3", body: "{}" }] }, "eventSource"],
    ["a message that is none of ours", ofQueue('{"flavor":"large"}'), "Invalid work message: storages"],
  ])("an event with %s fails, and deletes nothing", async (_, event, problem) => {
    world.upload("r-1");
    const { threw } = await world.invoke(event);
    expect(threw).toContain(problem);
    expect([...world.s3.objects(BUCKET)]).toHaveLength(4);
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
    world.upload("r-1");
    const { threw } = await world.invoke(payload);
    expect(threw).toContain("Invalid schedule input: ");
    expect(threw).toContain(named);
    expect([...world.s3.objects(BUCKET)]).toHaveLength(4);
  },
);

test("a wrong environment fails at once, with every variable that is wrong", async () => {
  world.upload("r-1");
  const { stderr, threw } = await world.invoke(
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
  expect([...world.s3.objects(BUCKET)]).toHaveLength(4);
});

test("a missing bucket ends in an error that names it", async () => {
  const { threw } = await world.invoke({ flavor: "large" }, { BUCKET_NAME: "not-there" });
  expect(threw).toContain('Listing bucket "not-there": NoSuchBucket');
});

test("A41 a missing bus ends in an error that names it, and deletes nothing", async () => {
  world.upload("r-1");
  const { threw } = await world.invoke({ flavor: "large" }, { EVENT_BUS_NAME: "not-there" });
  expect(threw).toContain('The event bus "not-there" (EVENT_BUS_NAME) does not exist');
  expect([...world.s3.objects(BUCKET)]).toHaveLength(4);
});

// The SDK tries three times, and so does the run.
test("an endpoint that nobody serves ends in one clear error", { tags: [needs("gate")] }, async () => {
  const { threw } = await world.invoke({ flavor: "large" }, { AWS_ENDPOINT_URL: "http://127.0.0.1:1" });
  expect(threw).toContain("ECONNREFUSED");
});
