import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { control, isControl } from "./control.ts";
import { createEventBridgeModel, type EventBridgeModel } from "./event-bridge.ts";
import { eventBridgeCall } from "./event-bridge-http.ts";
import { createFaults, type Fault, type Faults } from "./faults.ts";
import { type Call, type HttpReply, type HttpRequest, readRequest } from "./http.ts";
import { createRequestLog, type RequestLog } from "./request-log.ts";
import { createS3Model, type S3Model } from "./s3.ts";
import { errorInsideSuccess, s3Call } from "./s3-http.ts";

/** A running server, and all that a test may want to look at or to change in it. */
export interface LocalAws {
  /** For `AWS_ENDPOINT_URL` or a client's `endpoint`; S3 needs `forcePathStyle`. */
  readonly endpoint: string;
  readonly s3: S3Model;
  readonly eventBridge: EventBridgeModel;
  readonly faults: Faults;
  readonly requests: RequestLog;
  /** Breaks all connections. */
  close(): Promise<void>;
}

export interface LocalAwsOptions {
  /** Any free one by default. */
  readonly port?: number;
  /** Milliseconds since the epoch, as S3 and EventBridge see them. */
  readonly now?: () => number;
}

const ZEROS = new Uint8Array(64 * 1024);

/** Serves S3 and EventBridge from memory, on loopback only. Credentials are not asked for, signatures not verified. */
export async function startLocalAws({ port = 0, now = Date.now }: LocalAwsOptions = {}): Promise<LocalAws> {
  const s3 = createS3Model({ now });
  const eventBridge = createEventBridgeModel({ now });
  const faults = createFaults();
  const requests = createRequestLog();

  async function serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = await readRequest(message);
    if (isControl(request)) return send(response, control({ s3, requests }, request));
    const isEvents = "x-amz-target" in request.headers;
    const call = isEvents ? eventBridgeCall(eventBridge, request) : s3Call(s3, request);
    return answer(call, request, response, { fault: faults.next(call), requests });
  }

  const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 }, (message, response) => {
    response.on("error", () => response.destroy());
    serve(message, response).catch((error: unknown) => {
      // The client is told, so that a defect here shows up in the test that met it.
      if (!response.headersSent) response.writeHead(500);
      response.end(String(error));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(port, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port.");
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    s3,
    eventBridge,
    faults,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface AnswerContext {
  readonly fault: Fault | undefined;
  readonly requests: RequestLog;
}

async function answer(
  call: Call,
  request: HttpRequest,
  response: ServerResponse,
  context: AnswerContext,
): Promise<void> {
  const { fault, requests } = context;
  if (fault?.delayMs !== undefined) await sleep(fault.delayMs);
  const skipped = fault !== undefined && replacesEffect(fault);
  const failEntry = fault?.kind === "failed-entries" ? (index: number) => fault.codes[index] : undefined;
  const reply = skipped ? undefined : call.run(failEntry);
  requests.add(call, reply?.status);
  if (fault === undefined || fault.kind === "delay" || fault.kind === "failed-entries") {
    return send(response, reply ?? { status: 500 });
  }
  return fail(fault, call, request, response, reply ?? { status: 500 });
}

/** Whether the request is not carried out at all. */
function replacesEffect(fault: Fault): boolean {
  if (fault.kind === "error-inside-success") return true;
  return (fault.kind === "error" || fault.kind === "reset" || fault.kind === "stall") && !fault.afterEffect;
}

async function fail(
  fault: Fault,
  call: Call,
  request: HttpRequest,
  response: ServerResponse,
  reply: HttpReply,
): Promise<void> {
  switch (fault.kind) {
    case "error": {
      const refusal = call.refuse(fault.code, fault.status, `${fault.code} was asked for.`);
      return send(response, request.method === "HEAD" ? { status: refusal.status } : refusal);
    }
    case "reset":
      response.socket?.resetAndDestroy();
      return;
    case "error-inside-success":
      return send(response, errorInsideSuccess(fault.code));
    case "short-body": {
      const body = bodyBytes(reply);
      response.writeHead(reply.status, { ...reply.headers, "content-length": String(body.length) });
      response.write(body.subarray(0, Math.max(0, body.length - fault.missingBytes)), () => response.destroy());
      return;
    }
    case "stalled-body":
      response.writeHead(reply.status, { ...reply.headers, "content-length": String(bodyBytes(reply).length) });
      response.flushHeaders();
      return;
    case "long-body":
      return sendLongBody(fault, response, reply);
    default:
      // "stall": the connection is left as it is.
      return;
  }
}

function sendLongBody(fault: Fault & { kind: "long-body" }, response: ServerResponse, reply: HttpReply): void {
  const body = bodyBytes(reply);
  const length = fault.announced === "lie" ? body.length : body.length + fault.extraBytes;
  const { "content-length": _, ...headers } = reply.headers ?? {};
  response.writeHead(reply.status, {
    ...headers,
    ...(fault.announced === "chunked" ? { "transfer-encoding": "chunked" } : { "content-length": String(length) }),
  });
  response.end(Buffer.concat([body, Buffer.alloc(fault.extraBytes, "x")]));
}

function bodyBytes({ body }: HttpReply): Buffer {
  if (typeof body === "number") return Buffer.alloc(body);
  return Buffer.from(body ?? "");
}

async function send(response: ServerResponse, { status, headers, body }: HttpReply): Promise<void> {
  response.writeHead(status, { "x-amz-request-id": "LOCAL", ...(body === undefined && noBody(status)), ...headers });
  if (typeof body !== "number") {
    response.end(body);
    return;
  }
  for (let left = body; left > 0; left -= ZEROS.length) {
    if (response.destroyed) return;
    const hasRoom = response.write(left < ZEROS.length ? ZEROS.subarray(0, left) : ZEROS);
    if (!hasRoom) await drained(response);
  }
  response.end();
}

function noBody(status: number): Record<string, string> {
  return status === 204 || status === 304 ? {} : { "content-length": "0" };
}

async function drained(response: ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.once("drain", done).once("close", done);
  });
}
