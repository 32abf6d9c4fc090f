/** Requests by proxy, and over TLS with an authority of one's own: by the program's own client. */
import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, connect, type Server, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { afterEach, describe, expect, it } from "vitest";
import { proxyFor } from "../../runner/proxy.ts";
import { type HttpRequest, send } from "../../runner/request.ts";
import { AUTHORITY, SERVER } from "../github/certificates.ts";

const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

async function listen(server: Server, host = "127.0.0.1"): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  await once(server.listen(0, host), "listening");
  cleanUps.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

/** A proxy that remembers what it was asked for, and by whom. */
async function startProxy(host?: string) {
  const asked: string[] = [];
  /** Ports that it connects from. */
  const tunnels: unknown[] = [];
  const server = createServer(({ method, url, headers }, response) => {
    asked.push(`${method} ${url} ${headers["proxy-authorization"]}`);
    response.end("by proxy");
  });
  server.on("connect", ({ url = "", headers }, socket: Socket) => {
    asked.push(`CONNECT ${url} ${headers["proxy-authorization"]}`);
    const [hostname, port] = url.split(":");
    const target = connect(Number(port), hostname, () => {
      tunnels.push(target.localPort);
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
    });
    target.on("error", () => socket.destroy());
    socket.on("error", () => target.destroy());
    target.pipe(socket).pipe(target);
  });
  return { port: await listen(server, host), asked, tunnels };
}

function get(url: string, more: Partial<HttpRequest>) {
  return send({ method: "GET", url: new URL(url), headers: {}, milliseconds: 5_000, ...more });
}

describe("a request by proxy", () => {
  it("for HTTP is made with the whole URL and the proxy's credentials", async () => {
    const { port, asked } = await startProxy();
    const proxy = new URL(`http://us%20er:pa%3Ass@127.0.0.1:${port}`);
    expect(await get("http://metrics.example/x?y", { proxy })).toMatchObject({ status: 200, body: "by proxy" });
    expect(asked).toEqual([`GET http://metrics.example/x?y Basic ${btoa("us er:pa:ss")}`]);
  });

  it("for HTTPS goes through a tunnel, in which only the server's own certificate counts", async () => {
    const { port, asked, tunnels } = await startProxy();
    const peers: unknown[] = [];
    const tls = createTlsServer(SERVER, (_, response) => response.end("by TLS"));
    tls.on("connection", ({ remotePort }: Socket) => peers.push(remotePort));
    const server = await listen(tls);
    const proxy = new URL(`http://127.0.0.1:${port}`);
    const url = `https://127.0.0.1:${server}/x`;
    expect(await get(url, { proxy, ca: AUTHORITY })).toMatchObject({ status: 200, body: "by TLS" });
    expect(await get(url, { proxy })).toMatchObject({ kind: "none", wasSent: false });
    expect(asked).toEqual(Array(2).fill(`CONNECT 127.0.0.1:${server} undefined`));
    expect(peers).toEqual(tunnels);
  });

  const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));
  it.runIf(hasIpv6)("at an IPv6 address is made there", async () => {
    const { port } = await startProxy("::1");
    const proxy = new URL(`http://[::1]:${port}`);
    expect(await get("http://metrics.example/", { proxy })).toMatchObject({ status: 200, body: "by proxy" });
  });

  it("whose credentials are no URL's fails with a reason, and nothing was sent", async () => {
    const proxy = new URL("http://us%er:pw@127.0.0.1:9");
    expect(await get("http://metrics.example/", { proxy })).toEqual({
      kind: "none",
      reason: "URI malformed",
      wasSent: false,
    });
  });
});

it("a request that waited for the connection of another one was sent, if it gets no answer", async () => {
  let requests = 0;
  const server = createServer((_, response) => {
    if (++requests === 1) setTimeout(() => response.end(), 100);
  });
  const url = `http://127.0.0.1:${await listen(server)}/`;
  const first = get(url, {});
  expect(await get(url, { milliseconds: 1_000 })).toMatchObject({ kind: "none", wasSent: true });
  expect(await first).toMatchObject({ status: 200 });
  expect(requests).toBe(2);
});

describe("the proxy", () => {
  const HTTPS = "https://metrics.s3.eu-central-1.amazonaws.com/x";
  it.each([
    [HTTPS, { HTTPS_PROXY: "http://p:1" }, "http://p:1/"],
    [HTTPS, { https_proxy: "http://small:1", HTTPS_PROXY: "http://p:1" }, "http://small:1/"],
    [HTTPS, { ALL_PROXY: "p:3128" }, "http://p:3128/"],
    [HTTPS, { HTTP_PROXY: "http://p:1" }, undefined],
    ["http://s3.local/x", { HTTP_PROXY: "http://p:1" }, "http://p:1/"],
    [HTTPS, { HTTPS_PROXY: "socks5://p:1" }, undefined],
    [HTTPS, { HTTPS_PROXY: "http://p:1", NO_PROXY: "example.com, .amazonaws.com" }, undefined],
    [HTTPS, { HTTPS_PROXY: "http://p:1", NO_PROXY: "azonaws.com" }, "http://p:1/"],
    [HTTPS, { HTTPS_PROXY: "http://p:1", NO_PROXY: "amazonaws.com:80" }, "http://p:1/"],
    [HTTPS, { HTTPS_PROXY: "http://p:1", NO_PROXY: "amazonaws.com:443" }, undefined],
    [HTTPS, { HTTPS_PROXY: "http://p:1", NO_PROXY: "*" }, undefined],
    ["https://10.1.2.3/x", { HTTPS_PROXY: "http://p:1", NO_PROXY: "10.0.0.0/8" }, undefined],
    ["https://11.1.2.3/x", { HTTPS_PROXY: "http://p:1", NO_PROXY: "10.0.0.0/8,10.0.0.0/99" }, "http://p:1/"],
    ["https://[fd00::1]/x", { HTTPS_PROXY: "http://p:1", NO_PROXY: "fd00::/8" }, undefined],
  ])("for %s with %j is %s", (url, environment, proxy) => {
    expect(proxyFor(new URL(url), environment)?.href).toBe(proxy);
  });
});
