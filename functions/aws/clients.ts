import { EventBridgeClient } from "@aws-sdk/client-eventbridge";
import { S3Client } from "@aws-sdk/client-s3";
import { type Connections, createConnections } from "../connections.ts";
import { createFastRead, type FastRead } from "./fast-read.ts";

/** A run stops to wait for the answer to one request after this, in milliseconds. */
const REQUEST_TIMEOUT_MILLISECONDS = 5_000;

/** Files of one runner that are read at once. */
const REQUESTS_PER_RUNNER = 4;

// The SDK's warnings quote headers that it can't parse: they are an uploader's.
const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/** What calls AWS: the SDK's clients, and what shares their connections. */
export interface Clients {
  readonly s3: S3Client;
  /** HEAD and GET without the SDK, if all goes well. */
  readonly fastRead: FastRead;
  readonly eventBridge: EventBridgeClient;
  /** To be closed before each run. */
  readonly connections: Connections;
}

/** Clients for `concurrency` runners in progress. `usePathStyle` is for endpoints that are not AWS. Time-outs are in milliseconds. */
export function createClients(
  concurrency: number,
  usePathStyle: boolean,
  requestTimeout = REQUEST_TIMEOUT_MILLISECONDS,
): Clients {
  const connections = createConnections(concurrency * REQUESTS_PER_RUNNER);
  const shared = {
    requestHandler: {
      httpAgent: connections.httpAgent,
      httpsAgent: connections.httpsAgent,
      // A run opens up to 256 connections at once: their TLS handshakes take a small function a second.
      connectionTimeout: 3_000,
      // This one ends with the headers; the socket's counts for the body. Without throwOnRequestTimeout the SDK only warns.
      requestTimeout,
      socketTimeout: requestTimeout,
      throwOnRequestTimeout: true,
    },
    retryMode: "standard",
    maxAttempts: 3,
    logger: silent,
  };
  const s3 = new S3Client({
    ...shared,
    forcePathStyle: usePathStyle,
    // S3 checks the length; the SDK's own checksums of uploads are needed only where S3 demands them.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
  // An uploader sets it, nobody here reads it, and the SDK throws at one that is empty.
  const withoutExpires: Parameters<typeof s3.middlewareStack.add>[0] = (next) => async (args) => {
    const result = await next(args);
    delete (result.response as { headers: Record<string, string> }).headers.expires;
    return result;
  };
  s3.middlewareStack.add(withoutExpires, { step: "deserialize", priority: "low" });
  return { s3, fastRead: createFastRead(s3, connections), eventBridge: new EventBridgeClient(shared), connections };
}
