import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { answer, send } from "./answer.ts";
import { control, isControl } from "./control.ts";
import { createEventBridgeModel, type EventBridgeModel } from "./event-bridge.ts";
import { eventBridgeCall } from "./event-bridge-http.ts";
import { createFaults, type Faults } from "./faults.ts";
import { readRequest } from "./http.ts";
import { createRequestLog, type RequestLog } from "./request-log.ts";
import { createS3Model, type S3Model } from "./s3.ts";
import { s3Call } from "./s3-http.ts";
import { isSts, sts } from "./sts.ts";

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
  /** Key and certificate (PEM): HTTPS then, and AWS's host names too, with the bucket in the name. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Milliseconds since the epoch, as S3 and EventBridge see them. */
  readonly now?: () => number;
}

/** Serves S3, EventBridge and the caller's identity from memory, on loopback only. Credentials are not asked for, signatures not verified. */
export async function startLocalAws({ port = 0, now = Date.now, tls }: LocalAwsOptions = {}): Promise<LocalAws> {
  const s3 = createS3Model({ now });
  const eventBridge = createEventBridgeModel({ now });
  const faults = createFaults();
  const requests = createRequestLog();

  async function serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = await readRequest(message);
    if (isControl(request)) return send(response, control({ s3, requests }, request));
    if (isSts(request)) return send(response, sts(request));
    const isEvents = "x-amz-target" in request.headers;
    const call = isEvents ? eventBridgeCall(eventBridge, request) : s3Call({ model: s3, now }, request);
    return answer(response, { call, fault: faults.next(call), requests });
  }

  const options = { keepAliveTimeout: 60_000, requestTimeout: 0 };
  const listener: RequestListener = (message, response) => {
    const [, bucket] = /^(.+)\.s3\.[a-z0-9-]+\.amazonaws\.com$/.exec(message.headers.host ?? "") ?? [];
    if (bucket !== undefined) message.url = `/${bucket}${message.url}`;
    response.on("error", () => response.destroy());
    response.setHeader("date", new Date(now()).toUTCString());
    serve(message, response).catch((error: unknown) => {
      // The client gets the error, so that a defect here shows up in the test that met it.
      if (!response.headersSent) response.writeHead(500);
      response.end(String(error));
    });
  };
  const server = tls ? createTlsServer({ ...options, ...tls }, listener) : createServer(options, listener);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(port, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port.");
  return {
    endpoint: `http${tls ? "s" : ""}://127.0.0.1:${address.port}`,
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
