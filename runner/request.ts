import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** For all of it: connection, request and answer. */
  readonly milliseconds: number;
  readonly proxy?: URL | undefined;
  /** PEM. The certificates to trust instead of those that Node brings. */
  readonly ca?: string | undefined;
}

export type HttpAnswer =
  | { readonly kind: "answer"; readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string }
  /** `wasSent`: the other side may have received the request. */
  | { readonly kind: "none"; readonly reason: string; readonly wasSent: boolean };

/** Nothing that we ask for is larger. */
const BODY_BYTES_MAX = 64 * 1024;

const REASON_LENGTH_MAX = 100;

/** Connections are used again within one step. Where wine stands for Windows, that does not work. */
const keepAlive = process.platform !== "win32";
const agents = {
  "http:": new HttpAgent({ keepAlive, maxSockets: 1 }),
  "https:": new HttpsAgent({ keepAlive, maxSockets: 1 }),
};

/** Makes one request. Follows no redirect, tries nothing again, and never throws. */
export async function send(request: HttpRequest): Promise<HttpAnswer> {
  let wasSent = false;
  let timer: NodeJS.Timeout | undefined;
  const open = new Set<{ destroy(): unknown }>();
  try {
    return await new Promise<HttpAnswer>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error("no answer in time")), request.milliseconds);
      exchange(request, open, () => {
        wasSent = true;
      }).then(resolve, reject);
    });
  } catch (error) {
    return { kind: "none", reason: reasonOf(error), wasSent };
  } finally {
    clearTimeout(timer);
    for (const one of open) one.destroy();
  }
}

async function exchange(
  request: HttpRequest,
  open: Set<{ destroy(): unknown }>,
  onConnection: () => void,
): Promise<HttpAnswer> {
  const { url, proxy, method, ca } = request;
  const isSecure = url.protocol === "https:";
  const body = Buffer.from(request.body ?? "");
  const headers = { ...request.headers, host: url.host, "content-length": String(body.length) };
  const tls = ca === undefined ? {} : { ca };
  let message: ClientRequest;
  if (proxy && isSecure) {
    const tunnel = await openTunnel(proxy, url, open, tls);
    const host = hostOf(url);
    const servername = isIP(host) ? {} : { servername: host };
    // With an agent, even `false`, Node would not ask `createConnection`, and connect without the proxy.
    const createConnection = () => connectTls({ ...tls, ...servername, host, socket: tunnel });
    message = httpsRequest(url, { method, headers, createConnection });
  } else if (proxy) {
    const own = proxyHeaders(proxy);
    const options = {
      hostname: hostOf(proxy),
      port: proxy.port,
      path: url.href,
      method,
      headers: { ...headers, ...own },
      agent: false,
    };
    message = proxy.protocol === "https:" ? httpsRequest({ ...options, ...tls }) : httpRequest(options);
  } else {
    const options = { method, headers };
    message = isSecure
      ? httpsRequest(url, { ...options, ...tls, agent: agents["https:"] })
      : httpRequest(url, { ...options, agent: agents["http:"] });
  }
  open.add(message);
  message.once("socket", (socket: Socket & { readonly secureConnecting?: boolean }) => {
    // One that is used again is connected already.
    if (!socket.connecting && !socket.secureConnecting) onConnection();
    else
      socket.once((proxy && !isSecure ? proxy : url).protocol === "https:" ? "secureConnect" : "connect", onConnection);
  });
  message.end(body);
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    message.once("response", resolve).once("error", reject);
  });
  const text = await readBody(answer);
  open.delete(message);
  return { kind: "answer", status: answer.statusCode ?? 0, headers: answer.headers, body: text };
}

async function readBody(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > BODY_BYTES_MAX) throw new Error("the answer is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** https://www.rfc-editor.org/rfc/rfc9110#name-connect */
async function openTunnel(
  proxy: URL,
  { hostname, port }: URL,
  open: Set<{ destroy(): unknown }>,
  tls: { ca?: string },
): Promise<Socket> {
  const path = `${hostname}:${port || 443}`;
  const options = { hostname: hostOf(proxy), port: proxy.port, method: "CONNECT", path, agent: false };
  const headers = { host: path, ...proxyHeaders(proxy) };
  const message =
    proxy.protocol === "https:" ? httpsRequest({ ...options, ...tls, headers }) : httpRequest({ ...options, headers });
  open.add(message);
  message.end();
  return new Promise((resolve, reject) => {
    message.once("error", reject);
    message.once("response", ({ statusCode }) => reject(new Error(`the proxy answers ${statusCode}`)));
    message.once("connect", ({ statusCode }, socket) => {
      open.add(socket);
      if (statusCode === 200) resolve(socket);
      else reject(new Error(`the proxy answers ${statusCode}`));
    });
  });
}

/** As Node connects to it: a URL has an IPv6 address in brackets. */
function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, "");
}

function proxyHeaders({ username, password }: URL): Record<string, string> {
  if (username === "") return {};
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { "proxy-authorization": `Basic ${Buffer.from(credentials).toString("base64")}` };
}

/** Node's own words, as far as they are harmless in a log. */
function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  const text = typeof code === "string" ? code : String(message ?? "unknown");
  return text.replace(/[^ -~]/g, "?").slice(0, REASON_LENGTH_MAX);
}
