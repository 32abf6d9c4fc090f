import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { PassThrough } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import type { Connections } from "../connections.ts";
import { GithubFailure } from "./failure.ts";

/** One request. */
export interface Request {
  readonly method: string;
  readonly headers: Headers;
  readonly body?: string | undefined;
  /** Ends the request, and the answer's body, with its reason. */
  readonly signal: AbortSignal;
  readonly connections: Pick<Connections, "httpAgent" | "httpsAgent">;
  /** Largest body of an answer, decompressed. */
  readonly bodyBytesMax: number;
}

/** A whole answer. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** OpenSSL's codes for certificates. https://nodejs.org/docs/latest-v24.x/api/tls.html#x509-certificate-error-codes */
const CERTIFICATE_CODE =
  /^(UNABLE_TO_(GET_ISSUER|VERIFY)|SELF_SIGNED|DEPTH_ZERO|CERT_|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE)|PATH_LENGTH|ERR_TLS_CERT)/;

/**
 * Sends a request by node:http or node:https: unlike `fetch`, which has no way to close its connections, or to trust a certificate. Follows
 * no redirect. Throws `GithubFailure` for an answer that is too large and for a certificate that is not trusted, the signal's reason, or
 * Node's error.
 */
export async function sendRequest(url: string, request: Request): Promise<Answer> {
  const { signal, bodyBytesMax } = request;
  try {
    const response = await responseTo(url, request);
    const body = await readBody(response, bodyBytesMax, signal);
    return { status: response.statusCode ?? 0, headers: headersOf(response), body };
  } catch (error) {
    signal.throwIfAborted();
    const { code = "" } = error as NodeJS.ErrnoException;
    throw CERTIFICATE_CODE.test(code) ? new GithubFailure("untrusted-certificate") : error;
  }
}

function responseTo(url: string, { method, headers, body, signal, connections }: Request): Promise<IncomingMessage> {
  headers.set("accept-encoding", "gzip");
  const options = { method, headers: Object.fromEntries(headers), signal };
  return new Promise((resolve, reject) => {
    const request = url.startsWith("https:")
      ? httpsRequest(url, { ...options, agent: connections.httpsAgent })
      : httpRequest(url, { ...options, agent: connections.httpAgent });
    request.on("response", resolve).on("error", reject).end(body);
  });
}

async function readBody(response: IncomingMessage, bytesMax: number, signal: AbortSignal): Promise<string> {
  const tooLarge = new GithubFailure("invalid-answer");
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const collect = async (source: AsyncIterable<Uint8Array>) => {
    for await (const chunk of source) {
      bytes += chunk.length;
      if (bytes > bytesMax) throw tooLarge;
      chunks.push(chunk);
    }
  };
  const unpack = response.headers["content-encoding"] === "gzip" ? createGunzip() : new PassThrough();
  // Of an answer that has arrived, Node drops the rest if the request is ended: only the signal tells that from its end.
  await pipeline(response, unpack, collect, { signal }).catch((error: unknown) => {
    // The rest of it is given up with its connection, which may be the first error that Node has.
    throw bytes > bytesMax ? tooLarge : error;
  });
  return new TextDecoder().decode(Buffer.concat(chunks));
}

function headersOf({ headersDistinct }: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(headersDistinct as Record<string, string[]>))
    for (const value of values) headers.append(name, value);
  return headers;
}
