import { ServiceError } from "../ports.ts";

/** Error codes of AWS's that a later try may not see. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
const RETRYABLE_CODES = ["SlowDown", "ThrottlingException", "RequestTimeout", "ExpiredToken", "RequestTimeTooSkewed"];

/**
 * The system's codes (ECONNRESET, EAI_AGAIN, …), and Node's for what came over the wire and could not be read: a body that breaks
 * off, a TLS record, HTTP. Node's other ERR_… are faults of ours.
 */
const NETWORK_CODE = /^(?!ERR_)E[A-Z_]+$|^ERR_STREAM_PREMATURE_CLOSE$|^ERR_(SSL|TLS)_|^HPE_/;

/** What the SDK's errors have in common, whichever service they come from. */
interface SdkError extends Error {
  readonly code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** The HTTP status of an SDK error: a HEAD's has no other name (its 412 is called "Unknown"). */
export function httpStatus(error: unknown): number | undefined {
  return isSdkError(error) ? error.$metadata?.httpStatusCode : undefined;
}

/**
 * Translates what the SDK throws: an answer of the service's or a failure of the network becomes a `ServiceError`, whose message
 * names the resource and AWS's code and nothing that came from a runner. Anything else is a fault of ours and is thrown as it is.
 */
export function toServiceError(error: unknown, doing: string): unknown {
  if (!isSdkError(error)) return error;
  const status = httpStatus(error);
  const isNetworkFailure = error.name === "TimeoutError" || NETWORK_CODE.test(error.code ?? "");
  if (status === undefined && !isNetworkFailure) return error;
  const code = status === undefined ? (error.code ?? error.name) : error.name;
  const retryable = status === undefined || status >= 500 || status === 429 || RETRYABLE_CODES.includes(error.name);
  return new ServiceError(code, `${doing}: ${code}${status === undefined ? "" : ` (HTTP ${status})`}`, {
    retryable,
    cause: error,
  });
}

/** AWS's code for what went wrong. */
export function errorCode(error: unknown): string {
  return isSdkError(error) ? error.name : "";
}

function isSdkError(error: unknown): error is SdkError {
  return error instanceof Error;
}
