/** What the handler makes of an invocation, from its source; the bundle of it is tested with `handler.test.ts`. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { Context } from "aws-lambda";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { Summary } from "../../functions/run/summary.ts";
import { startLocalGithub } from "../../local/github.ts";
import { startLocalSecretsManager } from "../../local/secrets-manager.ts";
import { type LocalAws, startLocalAws } from "../../local/server.ts";
import { startLocalSqs } from "../../local/sqs.ts";
import { asProgram } from "../as-program.ts";
import { REPOSITORY, RUN_ID } from "../github/github-world.ts";
import { BUCKET, BUS, FILES, viewOf } from "../worlds/memory.ts";

/** The date of all that happens here. */
const clock = { time: 0 };

let local: LocalAws;
let world: ReturnType<typeof viewOf>;
beforeAll(async () => {
  local = await startLocalAws({ now: () => clock.time });
  world = viewOf(local);
});
beforeEach(() => {
  clock.time = Date.now();
  vi.spyOn(Date, "now").mockImplementation(() => clock.time);
  local.s3.createBucket(BUCKET);
  for (const { key } of [...local.s3.objects(BUCKET)]) local.s3.deleteObject(BUCKET, key);
  local.eventBridge.createBus(BUS);
  local.eventBridge.clear();
  local.requests.reset();
  local.faults.clear();
});
const open: (() => unknown)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  // The modules that were loaded with this environment are no other file's.
  vi.resetModules();
  for (const close of open.splice(0)) await close();
});
afterAll(() => local.close());

const REQUEST_ID = "00000000-0000-4000-8000-000000000000";
const CONTEXT = {
  functionName: "extract-metrics",
  invokedFunctionArn: "arn:aws-cn:lambda:cn-north-1:111111111111:function:extract-metrics",
  awsRequestId: REQUEST_ID,
  getRemainingTimeInMillis: () => 60_000,
} as Context;

/** Listing the bucket takes so long. */
function listingTakes(milliseconds: number): void {
  local.faults.use(({ operation }) => {
    if (operation === "ListObjectsV2") clock.time += milliseconds;
    return undefined;
  });
}

interface Options {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly context?: Partial<Context>;
}

/** Loads the handler, which reads the environment, and invokes it with each of these events. */
async function invokeEach(events: readonly unknown[], { env = {}, context = {} }: Options = {}) {
  const environment = {
    AWS_ENDPOINT_URL: local.endpoint,
    AWS_REGION: "cn-north-1",
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    BUCKET_NAME: BUCKET,
    EVENT_BUS_NAME: BUS,
    ...env,
  };
  const { result, stdout, stderr } = await asProgram(environment, async () => {
    vi.resetModules();
    const { handler } = await import("../../functions/extract-metrics/handler.ts");
    const results: { returned?: Summary; threw?: unknown }[] = [];
    for (const event of events) {
      const done = handler(event, { ...CONTEXT, ...context } as Context);
      results.push(
        await done.then(
          (returned) => ({ returned }),
          (threw: unknown) => ({ threw }),
        ),
      );
    }
    return results;
  });
  const lines: Record<string, unknown>[] = stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  return { results: result, lines, stderr };
}

async function invoke(event: unknown, options: Options = {}) {
  const { results, ...output } = await invokeEach([event], options);
  return { ...results[0], ...output };
}

const LARGE = { flavor: "large" };

/** An event of the queue with a message that names these storages as they are. */
function ofQueue(...storages: string[]) {
  const message = {
    flavor: "large",
    storages: storages.map((name) => ({
      name,
      listedAt: clock.time,
      objects: [...local.s3.objects(BUCKET, `runners/large/${name}/`)].map(({ key, size, etag, lastModified }) => {
        return [key.split("/").at(-1), size, etag, lastModified];
      }),
    })),
  };
  return { Records: [{ eventSource: "aws:sqs", body: JSON.stringify(message) }] };
}

/** What an EMF line says, without its metadata; and its dimensions. */
function metricsIn(lines: readonly Record<string, unknown>[]) {
  return lines.flatMap((line) => {
    if (!("_aws" in line)) return [];
    const { _aws, ...values } = line as {
      _aws: { CloudWatchMetrics: { Dimensions: string[][]; Namespace: string }[] };
    };
    const [{ Dimensions, Namespace } = { Dimensions: [], Namespace: "" }] = _aws.CloudWatchMetrics;
    return [{ ...values, Dimensions, Namespace }];
  });
}

describe("a scheduled run", () => {
  test("returns and logs its summary, and writes its metrics with the flavor", async () => {
    world.upload("r-1");
    const { returned, lines, stderr } = await invoke(LARGE, { env: { METRICS_NAMESPACE: "Acme" } });
    expect(returned).toMatchObject({ flavor: "large", listed: 1, extracted: 1, stopped: "done" });
    expect(returned).not.toHaveProperty("github");
    const [metrics, log, ...others] = lines;
    expect([stderr, others]).toEqual(["", []]);
    expect(metricsIn([metrics ?? {}])).toEqual([
      {
        Namespace: "Acme",
        Dimensions: [["service", "flavor"]],
        service: "extract-metrics",
        flavor: "large",
        RunDuration: 0,
        DeadlineReached: 0,
        ObjectsNotDeleted: 0,
        "Runners.extracted": 1,
        "Runners.deferred": 0,
        "Live.installing": 0,
        "Live.idle": 0,
        "Live.busy": 0,
      },
    ]);
    expect(log).toMatchObject({
      level: "INFO",
      message: "run",
      service: "extract-metrics",
      function_request_id: REQUEST_ID,
      summary: returned,
      durationMilliseconds: 0,
    });
  });

  test("writes metrics of all flavors without the flavor, and its duration by the clock", async () => {
    local.s3.putObject(BUCKET, "runners/large/stray", { body: Buffer.from("x") });
    listingTakes(1_500);
    const { lines } = await invoke(LARGE);
    const [ofFlavor, ofAll, ...others] = metricsIn(lines);
    expect(others).toEqual([]);
    expect(ofFlavor).toMatchObject({ RunDuration: 1_500 });
    expect(lines.at(-1)).toMatchObject({ durationMilliseconds: 1_500 });
    expect(ofAll).toEqual({
      Namespace: "RunnerMetrics",
      Dimensions: [["service"]],
      service: "extract-metrics",
      StrayObjects: 1,
    });
  });

  test("names its bucket in the partition of the function", async () => {
    world.upload("r-1");
    await invoke(LARGE);
    const resources = [`arn:aws-cn:s3:::${BUCKET}/runners/large/r-1/`];
    expect(world.events().map((event) => event.resources)).toEqual([resources, resources, resources]);
  });

  test("is in the partition of AWS if the function does not say where it is", async () => {
    world.upload("r-1");
    await invoke(LARGE, { context: { invokedFunctionArn: undefined as unknown as string } });
    expect(world.events()[0]?.resources).toEqual([`arn:aws:s3:::${BUCKET}/runners/large/r-1/`]);
  });

  test.each([
    ["another account", "222222222222", { quarantined: 1, quarantineReasons: { "unreadable-object": 1 } }],
    ["the function's account", "111111111111", { deferred: 1, deferralReasons: { denied: 1 } }],
  ])("tells a key of %s by the function's name", async (_, account, expected) => {
    world.upload("r-1");
    const key = "runners/large/r-1/post-job-metrics.json";
    local.s3.putObject(BUCKET, key, {
      body: Buffer.from(FILES["post-job-metrics.json"]),
      kmsKeyId: `arn:aws-cn:kms:cn-north-1:${account}:key/1`,
    });
    local.faults.use((request) =>
      request.operation === "GetObject" && request.key === key
        ? { kind: "error", status: 403, code: "AccessDenied" }
        : undefined,
    );
    expect((await invoke(LARGE)).returned).toMatchObject(expected);
  });

  test("is traced with what it did, and whether the function had just started", async () => {
    const documents: { name: string; annotations: unknown }[] = [];
    const daemon = createSocket("udp4").on("message", (message) => {
      documents.push(JSON.parse(message.toString().split("\n")[1] ?? ""));
    });
    daemon.bind(0, "127.0.0.1");
    await once(daemon, "listening");
    open.push(() => daemon.close());
    world.upload("r-1");
    const { port } = daemon.address();
    await invokeEach([LARGE, { flavor: "small" }], {
      env: {
        AWS_XRAY_DAEMON_ADDRESS: `127.0.0.1:${port}`,
        _X_AMZN_TRACE_ID: "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
      },
    });
    while (documents.length < 2) await once(daemon, "message");
    const common = { Service: "extract-metrics", Stopped: "done" };
    expect(documents.map(({ name, annotations }) => [name, annotations])).toEqual([
      ["run", { ...common, ColdStart: true, Flavor: "large", Listed: 1, Extracted: 1 }],
      ["run", { ...common, ColdStart: false, Flavor: "small", Listed: 0, Extracted: 0 }],
    ]);
  });

  test.each([
    [60_000, 59_000],
    [1_000, 0],
    [400, 0],
  ])("with %d ms left waits for no call beyond %d ms", async (remaining, expected) => {
    const timeouts = vi.spyOn(AbortSignal, "timeout");
    await invoke(LARGE, { context: { getRemainingTimeInMillis: () => remaining } });
    expect(timeouts.mock.calls[0]).toEqual([expected]);
  });

  test("that can't finish in the time that is left begins with no runner", async () => {
    world.upload("r-1");
    const { returned } = await invoke(LARGE, { context: { getRemainingTimeInMillis: () => 10_000 } });
    expect(returned).toMatchObject({ listed: 0, stopped: "deadline" });
    expect(world.keys("runners/")).toHaveLength(4);
  });

  test("fails if it could not list, so that Lambda counts an error, and logs its summary before", async () => {
    const { threw, lines } = await invoke(LARGE, { env: { BUCKET_NAME: "not-there" } });
    expect(threw).toEqual(
      new Error('The listing failed. ServiceError: Listing bucket "not-there": NoSuchBucket (HTTP 404)'),
    );
    expect(lines.at(-1)).toMatchObject({ message: "run", summary: { stopped: "listing-failed" } });
  });

  test("fails if it could not write the archive, and names every error", async () => {
    world.upload("r-1");
    world.upload("r-2");
    local.faults.use(({ operation, key }) =>
      operation === "PutObject" || key?.startsWith("runners/large/r-2/")
        ? { kind: "error", status: 403, code: "AccessDenied" }
        : undefined,
    );
    const { threw, lines } = await invoke(LARGE);
    const { summary } = lines.at(-1) as { summary: Summary };
    expect(summary).toMatchObject({ stopped: "archive-failed", deferred: 2 });
    expect(summary.errors).toHaveLength(2);
    expect(threw).toEqual(new Error(`The archive could not be written. ${summary.errors.join("; ")}`));
  });

  test.each<[unknown, string]>([
    [{}, "Invalid schedule input: flavor: "],
    [null, "Invalid schedule input: the input: "],
    [
      { ...LARGE, githubRunners: "acme" },
      "Invalid schedule input: githubRunners: needs GITHUB_SECRET_ID and GITHUB_OWNERS",
    ],
  ])("with an input like %j fails before anything is asked", async (event, problem) => {
    const { threw, lines } = await invoke(event);
    expect(String(threw)).toContain(problem);
    expect([local.requests.count(), lines]).toEqual([0, []]);
  });
});

describe("a worker's run", () => {
  test("collects what its message names, and says that it is a worker's", async () => {
    world.upload("r-1");
    world.upload("r-2");
    const { returned, lines, stderr } = await invoke(ofQueue("r-1"));
    expect(returned).toMatchObject({ flavor: "large", listed: 1, extracted: 1, stopped: "done" });
    expect(world.keys("runners/large/r-2/")).toHaveLength(4);
    expect([stderr, lines.length]).toEqual(["", 2]);
    expect(metricsIn(lines)).toEqual([
      {
        Namespace: "RunnerMetrics",
        Dimensions: [["service", "flavor"]],
        service: "extract-metrics",
        flavor: "large",
        WorkerDuration: 0,
        "Runners.extracted": 1,
      },
    ]);
    expect(lines.at(-1)).toMatchObject({ level: "INFO", message: "worker", summary: returned });
  });

  /** The storages in the order in which their files were read, each as often as it comes after another. */
  function turns(): string[] {
    const reads = local.requests.log().filter(({ operation }) => ["HeadObject", "GetObject"].includes(operation));
    const storages = reads.map(({ key = "" }) => key.split("/")[2] ?? "");
    return storages.filter((storage, index) => storage !== storages[index - 1]);
  }

  test("has its own number of runners in progress", async () => {
    const runners = ["r-1", "r-2", "r-3"];
    for (const runner of runners) world.upload(runner);
    await invoke(ofQueue(...runners), { env: { CONCURRENCY: "8", WORKER_CONCURRENCY: "1" } });
    expect(turns()).toEqual(runners);
    for (const runner of runners) world.upload(runner);
    local.requests.reset();
    await invoke(LARGE, { env: { CONCURRENCY: "1", WORKER_CONCURRENCY: "8" } });
    expect(turns()).toEqual(runners);
  });
});

describe("with a queue", () => {
  test.each<[string, boolean]>([
    ["hands over what it may not finish", true],
    ["without a queue does all of it itself", false],
  ])("a run that is late %s", async (_, hasQueue) => {
    const sqs = await startLocalSqs();
    open.push(sqs.close);
    world.upload("r-1");
    world.upload("r-2");
    listingTakes(15_000);
    const event = { ...LARGE, ...(hasQueue && { workQueueUrl: sqs.queueUrl }) };
    const { returned } = await invoke(event, { env: { AWS_ENDPOINT_URL_SQS: sqs.endpoint } });
    expect(returned).toMatchObject({ listed: 2, errors: [], ...(hasQueue ? { handedOver: 2 } : { extracted: 2 }) });
    expect(sqs.bodies()).toHaveLength(hasQueue ? 1 : 0);
  });

  test("runs use the queue that their own input names", async () => {
    const sqs = await startLocalSqs();
    open.push(sqs.close);
    world.upload("r-1");
    listingTakes(15_000);
    const events = [sqs.queueUrl, `${sqs.queueUrl}-absent`].map((workQueueUrl) => ({ ...LARGE, workQueueUrl }));
    const { results } = await invokeEach(events, { env: { AWS_ENDPOINT_URL_SQS: sqs.endpoint } });
    expect(results).toMatchObject([
      { returned: { handedOver: 1, errors: [] } },
      { returned: { handedOver: 0, extracted: 1, errors: [expect.stringContaining("QueueDoesNotExist")] } },
    ]);
  });
});

describe("with GitHub", () => {
  async function startGithub() {
    const github = await startLocalGithub({ now: () => clock.time });
    const secretsManager = await startLocalSecretsManager({ github: github.secret });
    open.push(github.close, secretsManager.close);
    const env = {
      AWS_ENDPOINT_URL_SECRETS_MANAGER: secretsManager.endpoint,
      GITHUB_SECRET_ID: "github",
      GITHUB_OWNERS: "acme",
      GITHUB_API_URL: github.apiUrl,
    };
    github.addJobs(REPOSITORY, RUN_ID, [{ runner: "r-1" }]);
    github.setRunners("acme", []);
    return { github, env };
  }

  test("runs ask it, share its token, and say what it cost each of them", async () => {
    const { github, env } = await startGithub();
    world.upload("r-1");
    const { results, lines } = await invokeEach([LARGE, { ...LARGE, githubRunners: "acme" }], { env });
    expect(results).toMatchObject([
      { returned: { verifications: { verified: 1 }, github: { requests: 2, statuses: { 200: 1, 201: 1 } } } },
      { returned: { listed: 0, github: { requests: 2, statuses: { 200: 1, 201: 1 } } } },
    ]);
    expect(results[1]?.returned).not.toHaveProperty("runnersUnknown");
    expect(github.requests.map(({ path }) => path.split("?")[0])).toEqual([
      "/app/installations/5678/access_tokens",
      `/repos/${REPOSITORY}/actions/runs/${RUN_ID}/jobs`,
      "/app/installations/5678/access_tokens",
      "/orgs/acme/actions/runners",
    ]);
    expect(metricsIn(lines).filter((metrics) => "GithubRequests" in metrics)).toMatchObject([
      { Dimensions: [["service"]], GithubRequests: 2, GithubRateLimitRemaining: 4_999 },
      { Dimensions: [["service"]], GithubRequests: 2, GithubRateLimitRemaining: 4_998 },
    ]);
  });

  test("a run that has no time left to publish does not wait for it", async () => {
    const { github, env } = await startGithub();
    const event = { ...LARGE, githubRunners: "acme" };
    const { returned } = await invoke(event, { env, context: { getRemainingTimeInMillis: () => 10_000 } });
    expect(returned).toMatchObject({ runnersUnknown: "time-budget", github: { requests: 0 } });
    expect(github.requests).toEqual([]);
  });
});
