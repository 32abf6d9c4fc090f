import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Fault, FaultRequest } from "../../local/faults.ts";
import { startHttpWorld } from "../worlds/http.ts";
import { BUCKET, FILES } from "../worlds/memory.ts";

const KEY = "runners/large/r-1/pre-job-metrics.json";
const TEXT = FILES["pre-job-metrics.json"];

let world: Awaited<ReturnType<typeof startHttpWorld>>;
beforeAll(async () => {
  world = await startHttpWorld();
});
beforeEach(async () => {
  world.upload("r-1");
  await world.dependencies.store.list("runners/large/");
});
afterEach(() => world.faults.clear());
afterAll(() => world.close());

const read = (
  method: "HEAD" | "GET",
  more: { bucket?: string; ifMatch?: string; bytesMax?: number; key?: string } = {},
) => world.clients.fastRead({ bucket: BUCKET, key: KEY, method, bytesMax: 1_024, ...more });

/** How many commands of the SDK these are. */
async function commandsOf(body: () => Promise<unknown>): Promise<string[]> {
  const names: string[] = [];
  world.clients.s3.middlewareStack.add(
    (next, { commandName = "" }) =>
      (args) => {
        names.push(commandName);
        return next(args);
      },
    { step: "initialize", name: "count" },
  );
  await body();
  world.clients.s3.middlewareStack.remove("count");
  return names;
}

test("a run reads all files without the SDK", async () => {
  const names = await commandsOf(async () => expect(await world.run()).toMatchObject({ extracted: 1 }));
  expect(names.filter((name) => /^(Head|Get)/.test(name))).toEqual([]);
  expect(names).toContain("ListObjectsV2Command");
});

test("a read returns headers and body", async () => {
  const answer = await read("GET");
  expect(Buffer.from(answer?.body ?? []).toString()).toBe(TEXT);
  expect((await read("HEAD"))?.headers).toMatchObject({
    "content-length": String(TEXT.length),
    etag: answer?.headers.etag,
  });
});

test("before the SDK has called a bucket, and for a bucket that it calls in another way, nothing is read", async () => {
  expect(await read("GET", { bucket: "another" })).toBeUndefined();
  const arn = "arn:aws:s3:us-east-1:111111111111:accesspoint/metrics";
  await world.clients.s3.config.credentials();
  expect(await read("GET", { bucket: arn })).toBeUndefined();
});

test.each<[string, Fault]>([
  ...[301, 304, 307, 400, 403, 404, 412, 416, 500, 503].map((status): [string, Fault] => [
    String(status),
    { kind: "error", status, code: "X" },
  ]),
  ["a reset", { kind: "reset" }],
  ["a short body", { kind: "short-body", missingBytes: 1 }],
  ["a long body", { kind: "long-body", extraBytes: 2_000, announced: "chunked" }],
])("an answer other than a whole 200 is left to the SDK: %s", async (_, fault) => {
  world.faults.use(() => fault);
  expect(await read("GET")).toBeUndefined();
});

test("the SDK is used once for each read that fails", async () => {
  world.faults.use(({ operation, attempt }: FaultRequest) =>
    operation === "HeadObject" && attempt === 1 ? { kind: "error", status: 503, code: "SlowDown" } : undefined,
  );
  const names = await commandsOf(() => world.dependencies.store.head(KEY));
  expect(names).toEqual(["HeadObjectCommand"]);
});
