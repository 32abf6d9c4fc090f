import { once } from "node:events";
import { createServer as createHttpServer, type RequestListener } from "node:http";
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

test("a body that is cut is an error", async () => {
  const url = await serve((_, response) => {
    response.writeHead(200, { "content-length": "10" }).write("x", () => response.destroy());
  });
  await expect(send(url)).rejects.toMatchObject({ code: "ECONNRESET" });
});

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
