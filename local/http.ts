import type { IncomingHttpHeaders, IncomingMessage } from "node:http";

/** A request whose body has been read. */
export interface HttpRequest {
  readonly method: string;
  /** As it was sent: not decoded, not normalised, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** An answer. A number for a body means as many zeros, so that a sparse object of 50 GB can be served. */
export interface HttpReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string | number;
}

/** One request, understood but not yet carried out. */
export interface Call {
  readonly service: "s3" | "events";
  /** As the SDK names it: `PutObject`, `ListObjectsV2`, `PutEvents`. */
  readonly operation: string;
  readonly bucket?: string;
  readonly key?: string;
  /** Of DeleteObjects. */
  readonly keys?: readonly string[];
  /** Carries it out. Entries of PutEvents for which `failEntry` gives a code fail with it. */
  run(failEntry?: (index: number) => string | undefined): HttpReply;
  /** The answer in which this service says that it did not do it. */
  refuse(code: string, status: number, message: string): HttpReply;
}

/** Reads a whole request, and takes the body out of its `aws-chunked` framing if it has one. */
export async function readRequest(message: IncomingMessage): Promise<HttpRequest> {
  const parts: Buffer[] = [];
  for await (const part of message) parts.push(part);
  const body = Buffer.concat(parts);
  const url = message.url ?? "/";
  const mark = url.indexOf("?");
  return {
    method: message.method ?? "GET",
    path: mark < 0 ? url : url.slice(0, mark),
    query: new URLSearchParams(mark < 0 ? "" : url.slice(mark + 1)),
    headers: message.headers,
    body: isChunked(message.headers) ? unchunk(body) : body,
  };
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html; neither signatures nor trailers are checked. */
function unchunk(body: Buffer): Buffer {
  const parts: Buffer[] = [];
  let position = 0;
  for (;;) {
    const lineEnd = body.indexOf("\r\n", position);
    const length = Number.parseInt(body.toString("latin1", position, lineEnd), 16);
    if (lineEnd < 0 || !(length > 0)) return Buffer.concat(parts);
    parts.push(body.subarray(lineEnd + 2, lineEnd + 2 + length));
    position = lineEnd + 2 + length + 2;
  }
}

function isChunked(headers: IncomingHttpHeaders): boolean {
  const hash = headers["x-amz-content-sha256"];
  return typeof hash === "string" && hash.startsWith("STREAMING-");
}
