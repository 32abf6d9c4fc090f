import { createServer, request as send } from "node:http";
import { answer } from "../../local/answer.ts";
import { createFaults, type Faults } from "../../local/faults.ts";
import { type HttpReply, type HttpRequest, readRequest } from "../../local/http.ts";
import { createRequestLog } from "../../local/request-log.ts";
import { createS3Model } from "../../local/s3.ts";
import { s3Call } from "../../local/s3-http.ts";

export interface FaultProxy {
  /** For `AWS_ENDPOINT_URL_S3`. */
  readonly endpoint: string;
  /** What goes wrong. The key of a `ListObjectsV2` is its prefix. */
  readonly faults: Faults;
  close(): void;
}

/** Passes requests on to an emulator's S3, with the faults of local AWS. On loopback only. */
export async function startFaultProxy(upstream: string): Promise<FaultProxy> {
  const faults = createFaults();
  const requests = createRequestLog();
  // Of local AWS's own S3 only the understanding of requests is used, and how it refuses one.
  const own = { model: createS3Model({ now: Date.now }), now: Date.now };
  const server = createServer(async (message, response) => {
    const request = await readRequest(message);
    const call = s3Call(own, request);
    const prefix = request.query.get("prefix");
    const fault = faults.next(prefix === null ? call : { ...call, key: prefix });
    const isPassedOn = fault?.kind !== "error" || fault.afterEffect;
    const reply = isPassedOn ? await passOn(`${upstream}${message.url}`, request) : { status: 500 };
    await answer(response, { call: { ...call, run: () => reply }, fault, requests });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port.");
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    faults,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function passOn(url: string, { method, headers, body }: HttpRequest): Promise<HttpReply> {
  return new Promise((resolve, reject) => {
    const request = send(url, { method, headers }, async (answered) => {
      const { "transfer-encoding": _, connection: __, ...rest } = answered.headers;
      const parts: Buffer[] = [];
      for await (const part of answered) parts.push(part);
      const texts = Object.entries(rest).map(([name, value]) => [name, String(value)]);
      resolve({ status: answered.statusCode ?? 500, headers: Object.fromEntries(texts), body: Buffer.concat(parts) });
    });
    request.on("error", reject).end(body);
  });
}
