import { ServiceError } from "../ports.ts";

/** AWS error codes that may disappear in a later attempt. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
const RETRYABLE_CODES = ["SlowDown", "ThrottlingException", "RequestTimeout", "ExpiredToken", "RequestTimeTooSkewed"];

/**
 * Codes of the system (ECONNRESET, EAI_AGAIN, …), and of Node for data that could not be read from the network: an incomplete body, a
 * TLS record, HTTP. Node's other ERR_… codes are bugs.
 */
const NETWORK_CODE = /^(?!ERR_)E[A-Z_]+$|^ERR_STREAM_PREMATURE_CLOSE$|^ERR_(SSL|TLS)_|^HPE_/;

/** The fields that errors of every SDK client have. */
interface SdkError extends Error {
  readonly code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** The HTTP status of an SDK error. An error of HEAD has no other name: its 412 is called "Unknown". */
export function httpStatus(error: unknown): number | undefined {
  return isSdkError(error) ? error.$metadata?.httpStatusCode : undefined;
}

/**
 * Translates an error of the SDK. An answer of the service or a network failure becomes a `ServiceError`, whose message contains the
 * resource and AWS's code, and no text from a runner. Anything else is a bug and is returned unchanged.
 */
export function toServiceError(error: unknown, doing: string): unknown {
  if (!isSdkError(error)) return error;
  const status = httpStatus(error);
  const isNetworkFailure = error.name === "TimeoutError" || NETWORK_CODE.test(error.code ?? "");
  if (status === undefined && !isNetworkFailure) return error;
  // The service says that it did it, but the SDK can't read the rest.
  if (status !== undefined && status < 300) return incompleteAnswer(doing, "it can't be read", error);
  const code = status === undefined ? (error.code ?? error.name) : error.name;
  const retryable = status === undefined || status >= 500 || status === 429 || RETRYABLE_CODES.includes(error.name);
  return new ServiceError(code, `${doing}: ${code}${status === undefined ? "" : ` (HTTP ${status})`}`, {
    retryable,
    cause: error,
  });
}

/** An answer that reports success and lacks what the service always says: it counts as no answer. */
export function incompleteAnswer(doing: string, problem: string, cause?: unknown): ServiceError {
  return new ServiceError("IncompleteAnswer", `${doing}: IncompleteAnswer (${problem})`, { retryable: true, cause });
}

/** The service's error code. */
export function errorCode(error: unknown): string {
  return isSdkError(error) ? error.name : "";
}

function isSdkError(error: unknown): error is SdkError {
  return error instanceof Error;
}
