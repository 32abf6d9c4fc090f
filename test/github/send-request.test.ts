import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { Agent, createServer as createHttpServer, type RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, expect, test } from "vitest";
import { type Connections, createConnections } from "../../functions/connections.ts";
import { sendRequest } from "../../functions/github/send-request.ts";
import { AUTHORITY, SERVER } from "./certificates.ts";

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

async function serve(listener: RequestListener, tls = false): Promise<string> {
  const server = tls ? createHttpsServer(SERVER, listener) : createHttpServer(listener);
  await once(server.listen(0, "127.0.0.1"), "listening");
  open.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http${tls ? "s" : ""}://127.0.0.1:${(server.address() as AddressInfo).port}/x`;
}

function send(url: string, connections: Connections = createConnections(2), signal = AbortSignal.timeout(60_000)) {
  open.push(connections.close);
  return sendRequest(url, { method: "GET", headers: new Headers(), signal, connections, bodyBytesMax: 1_000 });
}

test("G4 a private authority is trusted if its certificate is configured", async () => {
  const url = await serve((_, response) => response.end("ok"), true);
  expect(await send(url, createConnections(2, AUTHORITY))).toMatchObject({ status: 200, body: "ok" });
});

test("G4 otherwise the certificate is the reason for the failure", async () => {
  const url = await serve((_, response) => response.end("ok"), true);
  await expect(send(url)).rejects.toMatchObject({ reason: "untrusted-certificate" });
});

test("G4 so it is if a trusted certificate is for another host", async () => {
  const url = await serve((_, response) => response.end("ok"), true);
  const failure = send(url.replace("127.0.0.1", "localhost"), createConnections(2, AUTHORITY));
  await expect(failure).rejects.toMatchObject({ reason: "untrusted-certificate" });
});

test("a server that can't be reached fails with Node's code", async () => {
  await expect(send("http://127.0.0.1:1/")).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

test("a compressed answer is asked for, and read", async () => {
  let asked: unknown;
  const url = await serve((request, response) => {
    asked = request.headers["accept-encoding"];
    response.setHeader("content-encoding", "gzip").end(gzipSync("text"));
  });
  expect(await send(url)).toMatchObject({ status: 200, body: "text" });
  expect(asked).toBe("gzip");
});

test.each<[string, RequestListener]>([
  ["plain", (_, response) => response.end("x".repeat(1_001))],
  ["compressed", (_, response) => response.setHeader("content-encoding", "gzip").end(gzipSync("x".repeat(1_001)))],
])("an answer that is too large is rejected: %s", async (_, listener) => {
  await expect(send(await serve(listener))).rejects.toMatchObject({ reason: "invalid-answer" });
});

test.each<[string, RequestListener]>([
  ["plain", (_, response) => response.end(randomBytes(9_000_000))],
  [
    "compressed",
    (_, response) => response.setHeader("content-encoding", "gzip").end(gzipSync(randomBytes(9_000_000), { level: 0 })),
  ],
])("an answer that is too large is rejected while most of it has yet to come: %s", async (_, listener) => {
  await expect(send(await serve(listener))).rejects.toMatchObject({ reason: "invalid-answer" });
});

test("an answer of just the largest size is read", async () => {
  expect((await send(await serve((_, response) => response.end("x".repeat(1_000))))).body).toHaveLength(1_000);
});

test.each<[string, RequestListener]>([
  ["before the headers", () => {}],
  ["in the body", (_, response) => response.writeHead(200, { "content-length": "10" }).write("x")],
])("the signal ends a request with its reason: %s", async (_, listener) => {
  const controller = new AbortController();
  const url = await serve((request, response) => {
    listener(request, response);
    setTimeout(() => controller.abort(new Error("enough")), 50);
  });
  await expect(send(url, createConnections(2), controller.signal)).rejects.toThrow("enough");
});

/** Does something as soon as a part of an answer has been read from the network. */
class AgentThat extends Agent {
  readonly #act: () => void;

  constructor(act: () => void) {
    super();
    this.#act = act;
  }

  override createConnection(...args: Parameters<Agent["createConnection"]>) {
    const socket = super.createConnection(...args);
    socket?.once("connect", () => socket.on("data", this.#act));
    return socket;
  }
}

test.each<[string, RequestListener]>([
  ["plain", (_, response) => response.end("x")],
  ["compressed", (_, response) => response.setHeader("content-encoding", "gzip").end(gzipSync("x"))],
])("the signal ends a request whose whole answer has arrived: %s", async (_, listener) => {
  const controller = new AbortController();
  const url = await serve(listener);
  const httpAgent = new AgentThat(() => controller.abort(new Error("enough")));
  const connections = { ...createConnections(2), httpAgent };
  await expect(send(url, connections, controller.signal)).rejects.toThrow("enough");
});

test.each([1, 1_000])(
  "a body that is cut is an error, also where as much came as may come: %d bytes",
  async (bytes) => {
    const url = await serve((_, response) => {
      response.writeHead(200, { "content-length": "2000" }).write("x".repeat(bytes), () => response.destroy());
    });
    await expect(send(url)).rejects.toMatchObject({ code: "ECONNRESET" });
  },
);

test("method, headers and body are sent, and the answer's headers are returned", async () => {
  const url = await serve(async (request, response) => {
    const body = (await request.toArray()).join("");
    response.setHeader("x-seen", `${request.method} ${request.headers["x-one"]} ${body}`).writeHead(302).end();
  });
  const connections = createConnections(2);
  open.push(connections.close);
  const signal = AbortSignal.timeout(60_000);
  const headers = new Headers({ "x-one": "1" });
  const answer = await sendRequest(url, { method: "POST", headers, body: "b", signal, connections, bodyBytesMax: 10 });
  expect([answer.status, answer.headers.get("x-seen")]).toEqual([302, "POST 1 b"]);
});

test("the answer has every value of a header that comes several times", async () => {
  const url = await serve((_, response) => {
    response.sendDate = false;
    response
      .setHeader("connection", "close")
      .setHeader("x-one", ["1", "2"])
      .setHeader("set-cookie", ["a", "b"])
      .end("ok");
  });
  const { status, headers, body } = await send(url);
  expect({ status, headers: [...headers], body }).toEqual({
    status: 200,
    headers: [
      ["connection", "close"],
      ["content-length", "2"],
      ["set-cookie", "a"],
      ["set-cookie", "b"],
      ["x-one", "1, 2"],
    ],
    body: "ok",
  });
});

test("a letter that is cut between two parts of the body is read whole", async () => {
  const bytes = Buffer.from("ä€");
  const url = await serve((_, response) => {
    response.write(bytes.subarray(0, 1), () => setImmediate(() => response.end(bytes.subarray(1))));
  });
  expect((await send(url)).body).toBe("ä€");
});

test("a compressed body that is none is an error", async () => {
  const url = await serve((_, response) => response.setHeader("content-encoding", "gzip").end("text"));
  await expect(send(url)).rejects.toMatchObject({ code: "Z_DATA_ERROR" });
});

/** Connections that all fail with this error. */
function failing(error: Error): Connections {
  const agent = Object.assign(new Agent(), {
    createConnection(): never {
      throw error;
    },
  });
  return { httpAgent: agent, httpsAgent: agent as unknown as Connections["httpsAgent"], close: () => agent.destroy() };
}

// https://nodejs.org/docs/latest-v24.x/api/tls.html#x509-certificate-error-codes
test.each([
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "CERT_UNTRUSTED",
  "HOSTNAME_MISMATCH",
  "INVALID_CA",
  "INVALID_PURPOSE",
  "PATH_LENGTH_EXCEEDED",
  "ERR_TLS_CERT_ALTNAME_INVALID",
])("G4 the code %s says that a certificate is not trusted", async (code) => {
  const failure = send("http://127.0.0.1/", failing(Object.assign(new Error("x"), { code })));
  await expect(failure).rejects.toMatchObject({ name: "AbortError", reason: "untrusted-certificate" });
});

test.each([
  "ECONNRESET",
  "ERR_TLS_HANDSHAKE_TIMEOUT",
  "ERR_SSL_WRONG_VERSION_NUMBER",
  "UNABLE_TO_DECRYPT_CERT_SIGNATURE",
  "NO_CERT_",
  undefined,
])("the code %s says nothing of a certificate: the error is Node's", async (code) => {
  const error = Object.assign(new Error("x"), { code });
  await expect(send("http://127.0.0.1/", failing(error))).rejects.toBe(error);
});
