import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createConnections } from "../../functions/connections.ts";
import { GithubFailure } from "../../functions/github/failure.ts";
import { type GithubMemory, type GuardOptions, guardedFetch } from "../../functions/github/guarded-fetch.ts";

const NOW = 1_800_000_000_000;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const MEBIBYTE = 1024 * 1024;

interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}
interface Seen {
  readonly method: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What the server has received, and how it answers; by default with nothing but 200. */
let seen: Seen[] = [];
let answer: RequestListener;

const server = createServer(async (request, response) => {
  const { method, headers } = request;
  seen.push({ method, headers, body: (await request.toArray()).join("") });
  answer(request, response);
});
const connections = createConnections(4);
let apiUrl = "";
beforeAll(async () => {
  await once(server.listen(0, "127.0.0.1"), "listening");
  apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v3`;
});
beforeEach(() => {
  seen = [];
  answerWith({});
});
afterEach(() => {
  vi.restoreAllMocks();
});
afterAll(() => {
  connections.close();
  server.close();
  server.closeAllConnections();
});

function answerWith({ status = 200, headers = {}, body = "" }: Reply): void {
  answer = (_, response) => response.writeHead(status, { ...headers }).end(body);
}

const GET = { method: "GET" };

/** `fetch` for one run, and what it keeps. */
function world(changes: Partial<GuardOptions> = {}) {
  const clock = { time: NOW, now: () => clock.time };
  const memory: GithubMemory = { answers: new Map(), limitedUntil: 0 };
  const usage: GuardOptions["usage"] = { requests: 0, rateLimited: 0, statuses: {} };
  const signal = new AbortController().signal;
  const options = {
    apiUrl,
    requestsMax: 100,
    callTimeoutMilliseconds: MINUTE,
    signal,
    connections,
    clock,
    memory,
    usage,
  };
  const fetch = guardedFetch({ ...options, ...changes });
  return { clock, memory, usage, fetch, get: (path = "/x") => fetch(apiUrl + path, GET) };
}

const failure = (reason: string) => ({ name: "AbortError", reason });

/** All of an answer that Octokit may read. */
const read = async (response: Response) => ({
  status: response.status,
  headers: Object.fromEntries(response.headers),
  body: await response.text(),
});

describe("a call", () => {
  test("is sent with its method, headers and body", async () => {
    const { fetch } = world();
    await fetch(new URL(`${apiUrl}/x`), { method: "POST", headers: { "x-one": "1" }, body: "{}" });
    expect(seen).toMatchObject([{ method: "POST", headers: { "x-one": "1" }, body: "{}" }]);
  });

  test("without any of that is a GET, as it is with fetch", async () => {
    answerWith({ headers: { etag: '"1"', "x-ratelimit-limit": "5000", "x-ratelimit-remaining": "1" } });
    const { usage, memory, fetch } = world();
    expect((await fetch(`${apiUrl}/x`)).status).toBe(200);
    expect(seen).toMatchObject([{ method: "GET", body: "" }]);
    expect(usage.rateLimit).toEqual({ limit: 5_000, remaining: 1 });
    expect(memory.answers.size).toBe(1);
  });

  test("sends no body but text: Octokit's are text", async () => {
    await world().fetch(`${apiUrl}/x`, { method: "POST", body: new Uint8Array([120]) });
    expect(seen).toMatchObject([{ method: "POST", body: "" }]);
  });

  test("is counted, and so is the status of its answer", async () => {
    const { usage, get } = world();
    await get();
    await get();
    answerWith({ status: 404 });
    await get();
    expect(usage).toEqual({ requests: 3, rateLimited: 0, statuses: { 200: 2, 404: 1 } });
  });

  test("has an answer with the status, the body, and of the headers those about limits; its type is JSON's, whatever GitHub says", async () => {
    const limits = { "retry-after": "7", "x-ratelimit-remaining": "8", "x-ratelimit-reset": "9" };
    answerWith({
      status: 418,
      headers: {
        ...limits,
        "content-type": "a b c",
        "x-ratelimit-limit": "5000",
        deprecation: "x",
        link: "x",
        etag: "x",
      },
      body: '{"a": 1}',
    });
    expect(await read(await world().get())).toEqual({
      status: 418,
      headers: { ...limits, "content-type": "application/json" },
      body: '{"a": 1}',
    });
  });

  test("has an answer without what GitHub does not say", async () => {
    const response = await world().get();
    expect(response.body).toBeNull();
    expect(await read(response)).toEqual({ status: 200, headers: { "content-type": "application/json" }, body: "" });
  });

  test.each(["http://127.0.0.1:1/x", "https://127.0.0.1/x", "http://localhost/x"])(
    "to another origin (%s) is not made, nor counted",
    async (url) => {
      const { usage, fetch } = world();
      await expect(fetch(url, GET)).rejects.toMatchObject(failure("redirected"));
      expect(usage).toEqual({ requests: 0, rateLimited: 0, statuses: {} });
    },
  );

  test("may be the last one that the run has left, and none is made after it", async () => {
    const { usage, get } = world({ requestsMax: 2 });
    await get();
    await get();
    await expect(get()).rejects.toMatchObject(failure("request-budget"));
    expect([usage.requests, seen.length]).toEqual([2, 2]);
  });

  test.each([300, 301, 302, 307, 399])(
    "that is answered with %d has failed, and is followed nowhere",
    async (status) => {
      answerWith({ status, headers: { location: "/y" } });
      const { usage, get } = world();
      await expect(get()).rejects.toMatchObject(failure("redirected"));
      expect(usage).toEqual({ requests: 1, rateLimited: 0, statuses: { [status]: 1 } });
      expect(seen).toHaveLength(1);
    },
  );

  test.each([299, 400])("that is answered with %d is not redirected", async (status) => {
    answerWith({ status });
    expect((await world().get()).status).toBe(status);
  });

  test("may have an answer of 8 MiB, and no larger one", async () => {
    answerWith({ body: "x".repeat(8 * MEBIBYTE) });
    expect((await (await world().get()).text()).length).toBe(8 * MEBIBYTE);
    answerWith({ body: "x".repeat(8 * MEBIBYTE + 1) });
    await expect(world().get()).rejects.toMatchObject(failure("invalid-answer"));
  });

  test("ends when the run's time budget does", async () => {
    const controller = new AbortController();
    answer = () => controller.abort(new GithubFailure("time-budget"));
    await expect(world({ signal: controller.signal }).get()).rejects.toMatchObject(failure("time-budget"));
  });

  test.each([
    [undefined, 5_000],
    [7, 7],
  ])("ends at its time-out, by default after five seconds (%j)", async (callTimeoutMilliseconds, expected) => {
    const controller = new AbortController();
    const timeout = vi.spyOn(AbortSignal, "timeout").mockReturnValue(controller.signal);
    answer = () => controller.abort(new Error("too late"));
    await expect(world({ callTimeoutMilliseconds }).get()).rejects.toThrow("too late");
    expect(timeout.mock.calls).toEqual([[expected]]);
  });
});

describe("a repeated call", () => {
  const CACHED = { headers: { etag: '"1"' }, body: '{"a": 1}' };

  test("asks whether the answer has changed, and has the kept one if not", async () => {
    answerWith(CACHED);
    const { usage, get } = world();
    const first = await read(await get());
    answerWith({ status: 304, headers: { "x-ratelimit-remaining": "3", etag: '"1"' } });
    expect(await read(await get())).toEqual({ ...first, headers: { ...first.headers, "x-ratelimit-remaining": "3" } });
    expect(seen.map(({ headers }) => headers["if-none-match"])).toEqual([undefined, '"1"']);
    expect(usage.statuses).toEqual({ 200: 1, 304: 1 });
  });

  test("keeps the new answer if it has changed, and only that of its own URL", async () => {
    answerWith(CACHED);
    const { memory, get } = world();
    await get("/x");
    answerWith({ headers: { etag: '"2"' }, body: "2" });
    expect(await read(await get("/x"))).toMatchObject({ status: 200, body: "2" });
    await get("/y");
    expect(seen.map(({ headers }) => headers["if-none-match"])).toEqual([undefined, '"1"', undefined]);
    const kept = { etag: '"2"', body: "2" };
    expect([...memory.answers]).toEqual([
      [`${apiUrl}/x`, kept],
      [`${apiUrl}/y`, kept],
    ]);
  });

  test.each<[string, string, Reply]>([
    ["GET without an ETag", "GET", { body: "x" }],
    ["GET that failed", "GET", { ...CACHED, status: 404 }],
    ["POST", "POST", CACHED],
  ])("of a %s is like the first", async (_, method, reply) => {
    answerWith(reply);
    const { memory, fetch } = world();
    await fetch(`${apiUrl}/x`, { method });
    expect(memory.answers.size).toBe(0);
  });

  test("is unconditional if it is no GET", async () => {
    const { memory, fetch } = world();
    memory.answers.set(`${apiUrl}/x`, { etag: '"1"', body: "1" });
    await fetch(`${apiUrl}/x`, { method: "POST" });
    expect(seen[0]?.headers).not.toHaveProperty("if-none-match");
  });

  test("has no answer where GitHub says that nothing has changed and nothing is kept", async () => {
    answerWith({ status: 304, headers: { etag: '"1"' } });
    const { memory, get } = world();
    expect(await read(await get())).toEqual({ status: 304, headers: { "content-type": "application/json" }, body: "" });
    expect(memory.answers.size).toBe(0);
  });

  const big = (characters: number) => ({ etag: '"0"', body: "x".repeat(characters) });
  test.each<[string, number[], number[]]>([
    ["just fit with the new one", [8 * MEBIBYTE, 8 * MEBIBYTE - 1], [0, 1, 9]],
    ["do not, the oldest", [8 * MEBIBYTE, 8 * MEBIBYTE], [1, 9]],
    ["do not, as many as need be", [1, 1, 16 * MEBIBYTE, 3], [3, 9]],
  ])("finds answers of 16 Mi characters kept; if they %s", async (_, sizes, expected) => {
    answerWith({ headers: { etag: '"1"' }, body: "x" });
    const { memory, get } = world();
    for (const [index, size] of sizes.entries()) memory.answers.set(`${apiUrl}/${index}`, big(size));
    await get("/9");
    expect([...memory.answers.keys()]).toEqual(expected.map((index) => `${apiUrl}/${index}`));
  });

  test("makes its answer the last one that is dropped", async () => {
    const { memory, get } = world();
    for (const path of ["/a", "/b", "/c"]) memory.answers.set(apiUrl + path, big(5 * MEBIBYTE));
    answerWith({ headers: { etag: '"1"' }, body: "x".repeat(5 * MEBIBYTE) });
    await get("/a");
    await get("/d");
    expect([...memory.answers.keys()]).toEqual(["/c", "/a", "/d"].map((path) => apiUrl + path));
  });
});

describe("GitHub's rate limit", () => {
  const limit = (limit: string, remaining: string, reset?: string) => ({
    "x-ratelimit-limit": limit,
    "x-ratelimit-remaining": remaining,
    ...(reset !== undefined && { "x-ratelimit-reset": reset }),
  });
  const inSeconds = (seconds: number) => String(NOW / 1000 + seconds);

  test.each([200, 304, 404, 302])("is known from every answer to a GET, such as %d", async (status) => {
    answerWith({ status, headers: limit("5000", "4999", inSeconds(60)) });
    const { memory, usage, get } = world();
    await get().catch(() => {});
    expect(usage.rateLimit).toEqual({ limit: 5_000, remaining: 4_999 });
    expect(memory.limitedUntil).toBe(0);
  });

  test("is not that of the answer to a POST, which is the App's own", async () => {
    answerWith({ status: 201, headers: limit("5000", "0", inSeconds(60)) });
    const { memory, usage, fetch } = world();
    await fetch(`${apiUrl}/x`, { method: "POST" });
    expect([usage.rateLimit, memory.limitedUntil]).toEqual([undefined, 0]);
  });

  test.each<[string, Record<string, string>]>([
    ["no limit", { "x-ratelimit-remaining": "0", "x-ratelimit-reset": inSeconds(60) }],
    ["nothing of what remains", { "x-ratelimit-limit": "1", "x-ratelimit-reset": inSeconds(60) }],
    ["a limit that is no number", limit("many", "0", inSeconds(60))],
    ["a limit that begins as none", limit("-1", "0", inSeconds(60))],
    ["a limit that ends as none", limit("1.5", "0", inSeconds(60))],
    ["a limit of 13 digits", limit("1".repeat(13), "0", inSeconds(60))],
    ["an empty limit", limit("", "0", inSeconds(60))],
    ["a remainder that is no number", limit("5000", "0x0", inSeconds(60))],
  ])("is unknown if GitHub says %s", async (_, headers) => {
    answerWith({ headers });
    const { memory, usage, get } = world();
    await get();
    expect([usage.rateLimit, memory.limitedUntil]).toEqual([undefined, 0]);
  });

  test("may have twelve digits", async () => {
    answerWith({ headers: limit("9".repeat(12), "0") });
    const { memory, usage, get } = world();
    await get();
    expect(usage.rateLimit).toEqual({ limit: 999_999_999_999, remaining: 0 });
    expect(memory.limitedUntil).toBe(0);
  });

  test.each<[string, string, number]>([
    ["until its reset", inSeconds(60), NOW + MINUTE],
    ["for two hours at most", inSeconds(7_201), NOW + 2 * HOUR],
    ["no longer, where its reset is nonsense", "soon", 0],
  ])("that is used up keeps calls from being made %s", async (_, reset, until) => {
    answerWith({ headers: limit("5000", "0", reset) });
    const { memory, usage, get } = world();
    await get();
    expect(memory.limitedUntil).toBe(until);
    expect(usage.rateLimited).toBe(0);
  });

  test("that refuses calls until a time has calls made from then on, and counts those that are not made", async () => {
    const { clock, memory, usage, get } = world();
    memory.limitedUntil = NOW + MINUTE;
    clock.time = NOW + MINUTE - 1;
    await expect(get()).rejects.toMatchObject(failure("rate-limited"));
    expect(usage).toEqual({ requests: 0, rateLimited: 1, statuses: {} });
    clock.time += 1;
    expect((await get()).status).toBe(200);
    expect(usage).toEqual({ requests: 1, rateLimited: 1, statuses: { 200: 1 } });
  });

  test.each<[string, Reply, number]>([
    ["429", { status: 429 }, MINUTE],
    ["429 with a time to wait", { status: 429, headers: { "retry-after": "7" } }, 7_000],
    ["429 with more than two hours to wait", { status: 429, headers: { "retry-after": "7201" } }, 2 * HOUR],
    ["429 with no time to wait", { status: 429, headers: { "retry-after": "0" } }, MINUTE],
    ["429 with less than no time", { status: 429, headers: { "retry-after": "-7" } }, MINUTE],
    ["429 with a date", { status: 429, headers: { "retry-after": "Fri, 27 Nov 2026 09:00:00 GMT" } }, MINUTE],
    ["429 and a reset", { status: 429, headers: limit("5000", "0", inSeconds(7)) }, 7_000],
    ["429 and a reset that is now", { status: 429, headers: limit("5000", "0", inSeconds(0)) }, MINUTE],
    ["429 and a reset that is over", { status: 429, headers: limit("5000", "0", inSeconds(-7)) }, MINUTE],
    [
      "429 with a time to wait and a later reset",
      { status: 429, headers: { ...limit("5000", "0", inSeconds(70)), "retry-after": "7" } },
      70_000,
    ],
    ["403 with a time to wait", { status: 403, headers: { "retry-after": "7" } }, 7_000],
    ["403 with nothing left", { status: 403, headers: { "x-ratelimit-remaining": "0" } }, MINUTE],
    ["403 that speaks of it", { status: 403, body: "You have exceeded a secondary Rate Limit." }, MINUTE],
  ])("refuses calls with %s, which Octokit gets as 429", async (_, reply, milliseconds) => {
    answerWith(reply);
    const { memory, usage, get } = world();
    expect((await get()).status).toBe(429);
    expect(memory.limitedUntil).toBe(NOW + milliseconds);
    expect(usage).toMatchObject({ requests: 1, rateLimited: 1, statuses: { [reply.status ?? 0]: 1 } });
  });

  test("refuses POST as well", async () => {
    answerWith({ status: 403, headers: { "retry-after": "7" } });
    const { memory, fetch } = world();
    expect((await fetch(`${apiUrl}/x`, { method: "POST" })).status).toBe(429);
    expect(memory.limitedUntil).toBe(NOW + 7_000);
  });

  test.each<[string, Reply]>([
    ["403", { status: 403, headers: limit("5000", "1") }],
    ["401 with a time to wait", { status: 401, headers: { "retry-after": "7" } }],
    ["503 that speaks of it", { status: 503, body: "rate limit", headers: { "retry-after": "7" } }],
    ["200 that speaks of it", { body: "rate limit" }],
  ])("is not what refuses a call with %s", async (_, reply) => {
    answerWith(reply);
    const { memory, usage, get } = world();
    expect((await get()).status).toBe(reply.status ?? 200);
    expect([memory.limitedUntil, usage.rateLimited]).toEqual([0, 0]);
  });

  test.each<[string, Reply, number]>([
    ["a shorter time to wait", { status: 429, headers: { "retry-after": "1" } }, 90_000],
    ["no time to wait", { status: 429 }, 90_000],
    ["a longer time to wait", { status: 429, headers: { "retry-after": "100" } }, 100_000],
    ["an earlier reset", { headers: limit("5000", "0", inSeconds(1)) }, 90_000],
  ])(
    "that another call has met meanwhile holds for as long as the longest of them: %s",
    async (_, reply, milliseconds) => {
      const { memory, get } = world();
      answer = (_request, response) => {
        memory.limitedUntil = NOW + 90_000;
        response.writeHead(reply.status ?? 200, { ...reply.headers }).end();
      };
      await get();
      expect(memory.limitedUntil).toBe(NOW + milliseconds);
    },
  );
});
