import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "./faults.ts";
import type { Call, HttpReply } from "./http.ts";
import type { RequestLog } from "./request-log.ts";
import { errorInsideSuccess } from "./s3-http.ts";

const ZEROS = new Uint8Array(64 * 1024);

/** Carries a call out, unless the fault prevents it, and answers as the fault wants it. */
export async function answer(
  response: ServerResponse,
  { call, fault, requests }: { call: Call; fault: Fault | undefined; requests: RequestLog },
): Promise<void> {
  const run = (): HttpReply => {
    const reply = call.run(fault?.kind === "failed-entries" ? (index) => fault.codes[index] : undefined);
    requests.add(call, reply.status);
    return reply;
  };
  const runIf = (wanted = false): void => {
    if (wanted) run();
    else requests.add(call, undefined);
  };

  if (fault?.delayMs !== undefined) await sleep(fault.delayMs);
  switch (fault?.kind) {
    case "error":
      runIf(fault.afterEffect);
      return send(response, call.refuse(fault.code, fault.status, `${fault.code} was asked for.`));
    case "reset":
      runIf(fault.afterEffect);
      response.socket?.resetAndDestroy();
      return;
    case "stall":
      return runIf(fault.afterEffect);
    case "error-inside-success":
      runIf(false);
      return send(response, errorInsideSuccess(fault.code));
    case "changed-answer":
      if (!fault.withoutEffect) return send(response, fault.change(run()));
      runIf(false);
      return send(response, fault.change({ status: 200 }));
    case "short-body":
      return sendShortBody(response, run(), fault.missingBytes);
    case "stalled-body":
      return sendHeadersOnly(response, run());
    case "long-body":
      return sendLongBody(response, run(), fault);
    default:
      return send(response, run());
  }
}

/** Sends an answer as it is; zeros piece by piece, as fast as the client takes them. */
export async function send(response: ServerResponse, { status, headers, body }: HttpReply): Promise<void> {
  const noBody = body === undefined && status !== 204 && status !== 304 ? { "content-length": "0" } : {};
  response.writeHead(status, { "x-amz-request-id": "LOCAL", ...noBody, ...headers });
  if (typeof body !== "number") {
    response.end(body);
    return;
  }
  for (let left = body; left > 0 && !response.destroyed; left -= ZEROS.length) {
    const hasRoom = response.write(left < ZEROS.length ? ZEROS.subarray(0, left) : ZEROS);
    if (!hasRoom) await drained(response);
  }
  response.end();
}

function sendShortBody(response: ServerResponse, reply: HttpReply, missingBytes: number): void {
  const body = bodyBytes(reply);
  response.writeHead(reply.status, { ...reply.headers, "content-length": String(body.length) });
  response.write(body.subarray(0, Math.max(0, body.length - missingBytes)), () => response.destroy());
}

function sendHeadersOnly(response: ServerResponse, reply: HttpReply): void {
  response.writeHead(reply.status, { ...reply.headers, "content-length": String(bodyBytes(reply).length) });
  response.flushHeaders();
}

function sendLongBody(
  response: ServerResponse,
  reply: HttpReply,
  { announced, extraBytes }: Fault & { kind: "long-body" },
): void {
  const body = bodyBytes(reply);
  const length = announced === "lie" ? body.length : body.length + extraBytes;
  const { "content-length": _, ...headers } = reply.headers ?? {};
  const framing = announced === "chunked" ? { "transfer-encoding": "chunked" } : { "content-length": String(length) };
  response.writeHead(reply.status, { ...headers, ...framing });
  response.end(Buffer.concat([body, Buffer.alloc(extraBytes, "x")]));
}

function bodyBytes({ body }: HttpReply): Buffer {
  return typeof body === "number" ? Buffer.alloc(body) : Buffer.from(body ?? "");
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
