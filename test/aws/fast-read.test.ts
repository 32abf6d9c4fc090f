import { once } from "node:events";
import { createServer, Agent as HttpAgent, type RequestListener } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { S3Client } from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createFastRead, type ObjectRead } from "../../functions/aws/fast-read.ts";
import { createRequestSigner } from "../../functions/aws/sign-request.ts";
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

const CREDENTIALS = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret", sessionToken: "token" };
const NOW = Date.UTC(2026, 10, 27);
const OFFSET = 90_000;
const ENDPOINT = "http://metrics.s3.eu-west-1.amazonaws.com/";

interface Resolved {
  readonly url: URL;
  readonly headers?: Record<string, string[]>;
  readonly properties?: { readonly authSchemes?: readonly object[] };
}

type Middleware = (
  next: (args: object) => unknown,
  context: { endpointV2?: Resolved | undefined },
) => (args: object) => unknown;

/** An endpoint as the SDK resolves it for an ordinary bucket. */
const resolved = (url = ENDPOINT, scheme: object = {}): Resolved => ({
  url: new URL(url),
  headers: {},
  properties: { authSchemes: [{ name: "sigv4", signingName: "s3", signingRegion: "eu-west-1", ...scheme }] },
});

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A server to which all connections lead, whatever their host; who was called, and what was asked. */
async function startServer(answer: RequestListener) {
  const asked: { method: string; url: string; headers: object }[] = [];
  const server = createServer((request, response) => {
    const { method = "", url = "", headers } = request;
    asked.push({ method, url, headers });
    answer(request, response);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const called: string[] = [];
  const sockets: Socket[] = [];
  const lead = <Agent extends HttpAgent>(agent: Agent, protocol: string): Agent =>
    Object.assign(agent, {
      createConnection(options: { host: string; port: number | string }) {
        called.push(`${protocol} ${options.host} ${options.port}`);
        const socket = connect(port, "127.0.0.1");
        sockets.push(socket);
        return socket;
      },
    });
  const agents = {
    httpAgent: lead(new HttpAgent({ keepAlive: true, maxSockets: 1 }), "http"),
    httpsAgent: lead(new HttpsAgent({ keepAlive: true, maxSockets: 1 }), "https"),
  };
  closing.push(() => {
    agents.httpAgent.destroy();
    agents.httpsAgent.destroy();
    server.close();
    server.closeAllConnections();
  });
  return { agents, asked, called, sockets };
}

const whole: RequestListener = (_, response) => response.end("text");

/** A fast read whose client resolves endpoints as it is told. */
async function startReads(answer: RequestListener = whole, credentials = async () => CREDENTIALS) {
  const server = await startServer(answer);
  let middleware: Middleware | undefined;
  const client = {
    config: { credentials, systemClockOffset: OFFSET },
    middlewareStack: {
      add(added: Middleware, options: object) {
        expect(options).toEqual({ step: "build", name: "recordEndpoint" });
        middleware = added;
      },
    },
  };
  const fastRead = createFastRead(client as unknown as S3Client, server.agents);
  const passedOn: object[] = [];
  return {
    ...server,
    passedOn,
    /** A call of the SDK. */
    call(input: object, endpointV2?: Resolved) {
      const next = (args: object) => {
        passedOn.push(args);
        return "answer";
      };
      return middleware?.(next, { endpointV2 })({ input });
    },
    read: (more: Partial<ObjectRead> = {}) =>
      fastRead({ method: "GET", bucket: "metrics", key: "k", bytesMax: 1_024, ...more }),
  };
}

describe("a read", () => {
  afterEach(() => void vi.useRealTimers());

  test.each<Pick<ObjectRead, "method" | "ifMatch">>([{ method: "GET", ifMatch: '"e"' }, { method: "HEAD" }])(
    "%j is signed for the endpoint's region, at S3's time",
    async (of) => {
      vi.useFakeTimers({ toFake: ["Date"], now: NOW });
      const { read, call, asked, called } = await startReads();
      call({ Bucket: "metrics" }, resolved());
      expect(await read(of)).toMatchObject({ body: Buffer.from(of.method === "GET" ? "text" : "") });
      const host = "metrics.s3.eu-west-1.amazonaws.com";
      const headers = createRequestSigner()(
        { ...of, host, path: "/k" },
        { ...CREDENTIALS, region: "eu-west-1", now: NOW + OFFSET },
      );
      expect(asked).toEqual([{ method: of.method, url: "/k", headers: { ...headers, connection: "keep-alive" } }]);
      expect(called).toEqual([`http ${host} 80`]);
    },
  );

  test.each([
    ["https://metrics.s3.eu-west-1.amazonaws.com/", "https metrics.s3.eu-west-1.amazonaws.com 443", "/k"],
    ["https://vpce.example:8443/metrics", "https vpce.example 8443", "/metrics/k"],
    ["http://127.0.0.1:4566/metrics/", "http 127.0.0.1 4566", "/metrics/k"],
    ["http://[::1]:4566/a/metrics", "http ::1 4566", "/a/metrics/k"],
  ])("goes to the endpoint %s", async (url, connection, path) => {
    const { read, call, asked, called } = await startReads();
    call({ Bucket: "metrics" }, resolved(url));
    expect(await read()).toMatchObject({ body: Buffer.from("text") });
    expect(called).toEqual([connection]);
    expect(asked).toMatchObject([{ url: path, headers: { host: new URL(url).host } }]);
  });

  test("has its key encoded as the SDK does it", async () => {
    const { read, call, asked } = await startReads();
    call({ Bucket: "metrics" }, resolved());
    await read({ key: "a b/../é+%2F/!'()*~/" });
    expect(asked).toMatchObject([{ url: "/a%20b/../%C3%A9%2B%252F/%21%27%28%29%2A~/" }]);
  });

  test("of which the credentials are missing is left to the SDK", async () => {
    const { read, call, asked } = await startReads(whole, () => Promise.reject(new Error("none")));
    call({ Bucket: "metrics" }, resolved());
    expect(await read()).toBeUndefined();
    expect(asked).toEqual([]);
  });
});

describe("the SDK's calls", () => {
  test("go on unchanged", async () => {
    const { call, passedOn } = await startReads();
    const input = { Bucket: "metrics" };
    expect(call(input, resolved())).toBe("answer");
    expect(passedOn).toEqual([{ input }]);
  });

  test.each(["abc", "a-b.c", "0".repeat(63), "metrics--x-s3-logs"])("let the bucket %s be read", async (bucket) => {
    const { call, read } = await startReads();
    call({ Bucket: bucket }, resolved());
    expect(await read({ bucket })).toBeDefined();
  });

  test.each([
    "ab",
    "-bc",
    "abc-",
    "aBc",
    "a_c",
    "0".repeat(64),
    "metrics--use1-az4--x-s3",
    "arn:aws:s3:us-east-1:111111111111:accesspoint/metrics",
  ])("leave %s to the SDK, as no general purpose bucket's name", async (bucket) => {
    const { call, read, asked } = await startReads();
    call({ Bucket: bucket }, resolved());
    expect(await read({ bucket })).toBeUndefined();
    expect(asked).toEqual([]);
  });

  test.each<[string, Resolved | undefined]>([
    ["no endpoint", undefined],
    ["no properties", { url: new URL(ENDPOINT) }],
    ["no way to sign", { url: new URL(ENDPOINT), properties: {} }],
    ["an empty list of ways to sign", { url: new URL(ENDPOINT), properties: { authSchemes: [] } }],
    ["another way to sign", resolved(ENDPOINT, { name: "sigv4a" })],
    ["another service to sign for", resolved(ENDPOINT, { signingName: "s3-object-lambda" })],
    ["no region", resolved(ENDPOINT, { signingRegion: undefined })],
    ["a query", resolved(`${ENDPOINT}?x=y`)],
    ["headers of its own", { ...resolved(), headers: { x: ["y"] } }],
  ])("that have %s leave the bucket to the SDK, also where it was read before", async (_, endpoint) => {
    const { call, read, asked } = await startReads();
    call({ Bucket: "metrics" }, resolved());
    call({ Bucket: "metrics" }, endpoint);
    expect(await read()).toBeUndefined();
    expect(asked).toEqual([]);
  });

  test("let a bucket be read whose endpoint says nothing of headers", async () => {
    const { call, read } = await startReads();
    const { headers: _, ...endpoint } = resolved();
    call({ Bucket: "metrics" }, endpoint);
    expect(await read()).toBeDefined();
  });

  test("that name no bucket let none be read", async () => {
    const { call, read } = await startReads();
    call({}, resolved());
    expect(await read()).toBeUndefined();
    expect(await read({ bucket: "" })).toBeUndefined();
  });
});

describe("an answer", () => {
  test.each([
    ["no larger than asked for is taken", 4, true],
    ["a byte larger is not", 3, false],
  ])("%s", async (_, bytesMax, isTaken) => {
    const { call, read } = await startReads();
    call({ Bucket: "metrics" }, resolved());
    expect((await read({ bytesMax })) !== undefined).toBe(isTaken);
  });

  test("has all of a body that comes in parts", async () => {
    const { call, read } = await startReads((_, response) => {
      response.write("te");
      setImmediate(() => response.end("xt"));
    });
    call({ Bucket: "metrics" }, resolved());
    expect(await read({ bytesMax: 4 })).toMatchObject({ body: Buffer.from("text") });
  });

  test.each([
    ["16 KB is read, and its connection used again", 16 * 1024, 1],
    ["a byte more ends its connection", 16 * 1024 + 1, 2],
  ])("that is an error of %s", async (_, bytes, connections) => {
    const { call, read, called } = await startReads((__, response) => {
      response.writeHead(403).end("x".repeat(bytes));
    });
    call({ Bucket: "metrics" }, resolved());
    expect(await read({ bytesMax: 0 })).toBeUndefined();
    expect(await read({ bytesMax: 0 })).toBeUndefined();
    expect(called).toHaveLength(connections);
  });

  test.each<[string, RequestListener]>([
    [
      "breaks in its body",
      (_, response) => response.writeHead(200, { "content-length": 9 }).write("x", () => response.destroy()),
    ],
    ["never begins", (request) => request.socket.destroy()],
    ["is no HTTP", (request) => request.socket.end("no HTTP\r\n\r\n")],
  ])("that %s is left to the SDK", async (_, answer) => {
    const { call, read, sockets } = await startReads(answer);
    call({ Bucket: "metrics" }, resolved());
    expect(await read()).toBeUndefined();
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true]);
  });
});

describe("time", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
  afterEach(() => void vi.useRealTimers());

  test.each<[string, RequestListener]>([
    ["begins", () => {}],
    ["ends", (_, response) => response.writeHead(200, { "content-length": 9 }).write("x")],
  ])("an answer that never %s is left to the SDK after four seconds, and its connection ended", async (_, answer) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { call, read, sockets } = await startReads((request, response) => {
      answer(request, response);
      resolve();
    });
    call({ Bucket: "metrics" }, resolved());
    const answers: unknown[] = [];
    const done = read().then((got) => answers.push(got));
    await promise;
    await vi.advanceTimersByTimeAsync(3_999);
    expect(answers).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    await done;
    expect(answers).toEqual([undefined]);
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true]);
  });

  test("after an answer nothing waits", async () => {
    const { call, read } = await startReads();
    call({ Bucket: "metrics" }, resolved());
    await read();
    expect(vi.getTimerCount()).toBe(0);
  });
});
