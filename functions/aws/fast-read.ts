import { type ClientRequest, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { request as httpsRequest } from "node:https";
import type { S3Client } from "@aws-sdk/client-s3";
import type { Connections } from "../connections.ts";
import { createRequestSigner, type EmptyRequest } from "./sign-request.ts";

/** A HEAD or GET of an object. */
export interface ObjectRead extends Pick<EmptyRequest, "ifMatch"> {
  readonly method: "HEAD" | "GET";
  readonly bucket: string;
  readonly key: string;
  /** No more of a body is read. */
  readonly bytesMax: number;
}

/** S3's answer: a 200, with its whole body. */
export interface ReadAnswer {
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
}

/** Reads an object if everything goes well. Otherwise undefined: the SDK has to do it then. Never throws. */
export type FastRead = (read: ObjectRead) => Promise<ReadAnswer | undefined>;

/** How long a whole answer may take, in milliseconds, with the connection. The SDK then waits longer, and tries more than once. */
const TIMEOUT_MILLISECONDS = 4_000;

/** An error's answer is read up to this size, so that its connection can be used again. */
const ERROR_BYTES_MAX = 16 * 1024;

/** A general purpose bucket. Access points (ARNs) and directory buckets are addressed or signed in other ways. */
const BUCKET_NAME = /^(?!.*--x-s3$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

/**
 * HEAD and GET for a fifth of the CPU that the SDK needs; nearly all of a run's requests are such reads. The rest is left to the SDK:
 * errors, retries, redirects, a wrong clock, expired credentials.
 *
 * The endpoint is the one that the SDK resolved for its last call to the bucket, so that all its settings apply (region, FIPS, dual
 * stack, VPC endpoints, path style). Before that call, which is a run's listing, everything is left to the SDK.
 */
export function createFastRead(
  client: S3Client,
  connections: Pick<Connections, "httpAgent" | "httpsAgent">,
  timeoutMilliseconds = TIMEOUT_MILLISECONDS,
): FastRead {
  const endpoints = recordEndpoints(client);
  const sign = createRequestSigner();

  return async ({ bucket, key, method, ifMatch, bytesMax }) => {
    const endpoint = endpoints.get(bucket);
    if (!endpoint) return undefined;
    const { host, hostname, port, protocol, basePath, region } = endpoint;
    try {
      const { accessKeyId, secretAccessKey, sessionToken } = await client.config.credentials();
      const path = `${basePath}/${encodeKey(key)}`;
      // The SDK learns from each of its answers how wrong our clock is.
      const now = Date.now() + client.config.systemClockOffset;
      const headers = sign(
        { method, host, path, ifMatch },
        { accessKeyId, secretAccessKey, sessionToken, region, now },
      );
      const request = { method, path, headers, host: hostname, port };
      const sent =
        protocol === "https:"
          ? httpsRequest({ ...request, agent: connections.httpsAgent })
          : httpRequest({ ...request, agent: connections.httpAgent });
      return await answerTo(sent, bytesMax, timeoutMilliseconds);
    } catch {
      return undefined;
    }
  };
}

interface Endpoint {
  /** With the port if it is not the protocol's own, as the header `Host` has it. */
  readonly host: string;
  readonly hostname: string;
  readonly port: string;
  readonly protocol: string;
  /** What stands before the key, without its slash. */
  readonly basePath: string;
  readonly region: string;
}

/** The endpoint of each bucket, if the fast path is right for it, as of the SDK's last call to it. */
function recordEndpoints(client: S3Client): ReadonlyMap<string, Endpoint | undefined> {
  const endpoints = new Map<string, Endpoint | undefined>();
  client.middlewareStack.add(
    (next, context) => (args) => {
      // It is there only when the call is made.
      const { endpointV2 } = context;
      const { Bucket: bucket = "" } = args.input as { Bucket?: string };
      endpoints.set(bucket, endpointV2 && endpointOf(bucket, endpointV2));
      return next(args);
    },
    { step: "build", name: "recordEndpoint" },
  );
  return endpoints;
}

/** The parts of the SDK's `EndpointV2` that are used here. */
interface ResolvedEndpoint {
  readonly url: URL;
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly properties?: {
    readonly authSchemes?: readonly { name: string; signingName?: string; signingRegion?: string }[];
  };
}

function endpointOf(bucket: string, { url, headers = {}, properties }: ResolvedEndpoint): Endpoint | undefined {
  const { name, signingName, signingRegion: region } = properties?.authSchemes?.[0] ?? {};
  const isOrdinary = BUCKET_NAME.test(bucket) && name === "sigv4" && signingName === "s3" && url.search === "";
  if (!isOrdinary || region === undefined || Object.keys(headers).length > 0) return undefined;
  const { host, port, protocol } = url;
  const hostname = url.hostname.replace(/[[\]]/g, "");
  return { host, hostname, port, protocol, basePath: url.pathname.replace(/\/$/, ""), region };
}

/** As the SDK encodes keys, and S3 expects it in signatures. */
function encodeKey(key: string): string {
  return key
    .split("/")
    .map((segment) => encodeURIComponent(segment).replace(/[!'()*]/g, percentEncode))
    .join("/");
}

function percentEncode(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
}

/** Sends a request. Its answer if that is a complete 200 with no more than `bytesMax`, and comes in time. */
function answerTo(
  request: ClientRequest,
  bytesMax: number,
  timeoutMilliseconds: number,
): Promise<ReadAnswer | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => request.destroy(), timeoutMilliseconds);
    const end = (answer?: ReadAnswer) => {
      clearTimeout(timer);
      resolve(answer);
    };
    request.on("response", (response) => {
      const chunks: Uint8Array[] = [];
      let remaining = response.statusCode === 200 ? bytesMax : ERROR_BYTES_MAX;
      response.on("data", (chunk: Uint8Array) => {
        remaining -= chunk.length;
        chunks.push(chunk);
        if (remaining < 0) request.destroy();
      });
      // "close" follows, also after an error.
      response.on("end", () => {
        const isWhole = response.statusCode === 200 && response.complete && remaining >= 0;
        if (isWhole) end({ headers: response.headers, body: Buffer.concat(chunks) });
      });
      response.on("error", () => {});
    });
    request.on("error", () => {});
    request.on("close", () => end());
    request.end();
  });
}
