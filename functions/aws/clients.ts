import { EventBridgeClient } from "@aws-sdk/client-eventbridge";
import { S3Client } from "@aws-sdk/client-s3";

/** A run stops to wait for the answer to one request after this, in milliseconds. */
const REQUEST_TIMEOUT_MILLISECONDS = 5_000;

/** Files of one runner that are read at once. */
const REQUESTS_PER_RUNNER = 4;

// The SDK warns of headers that it can't parse, and quotes them: they are the uploader's.
const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/** The SDK's clients, set up so that `concurrency` runners can be in progress. `usePathStyle` is for endpoints that are not AWS. */
export function createClients(
  concurrency: number,
  usePathStyle: boolean,
  requestTimeout = REQUEST_TIMEOUT_MILLISECONDS,
): { s3: S3Client; eventBridge: EventBridgeClient } {
  // The request's time-out ends with the headers, the socket's counts for the body. Without throwOnRequestTimeout the SDK only warns.
  const timeouts = {
    connectionTimeout: 1_000,
    requestTimeout,
    socketTimeout: requestTimeout,
    throwOnRequestTimeout: true,
  };
  const agent = { keepAlive: true, maxSockets: concurrency * REQUESTS_PER_RUNNER };
  const shared = {
    requestHandler: { ...timeouts, httpAgent: agent, httpsAgent: agent },
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
    delete (result.response as { headers?: Record<string, string> }).headers?.expires;
    return result;
  };
  s3.middlewareStack.add(withoutExpires, { step: "deserialize", priority: "low" });
  return { s3, eventBridge: new EventBridgeClient(shared) };
}
