import { describe, expect, test } from "vitest";
import { errorCode, httpStatus, incompleteAnswer, toServiceError } from "../../functions/aws/service-error.ts";
import { ServiceError } from "../../functions/ports.ts";

const failure = (fields: object) => Object.assign(new Error("what a runner wrote"), fields);

/** All that a `ServiceError` says. */
function said(error: unknown): object {
  if (!(error instanceof ServiceError)) throw error;
  const { name, code, retryable, message, cause } = error;
  return { name, code, retryable, message, cause };
}

test.each([
  "EPIPE",
  "ECONNRESET",
  "EAI_AGAIN",
  "ERR_STREAM_PREMATURE_CLOSE",
  "ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "HPE_INVALID_HEADER_TOKEN",
])("%s is the network's failure, and may pass", (code) => {
  const cause = failure({ code });
  expect(said(toServiceError(cause, "Reading"))).toEqual({
    name: "ServiceError",
    code,
    retryable: true,
    message: `Reading: ${code}`,
    cause,
  });
});

test.each([
  ["TimeoutError", {}],
  ["ETIMEDOUT", { code: "ETIMEDOUT" }],
])("a time-out of the SDK is the network's failure, as %s", (code, fields) => {
  const cause = failure({ name: "TimeoutError", ...fields });
  const expected = { name: "ServiceError", code, retryable: true, message: `Reading: ${code}`, cause };
  expect(said(toServiceError(cause, "Reading"))).toEqual(expected);
});

test.each([
  ["SlowDown", 400, true],
  ["ThrottlingException", 400, true],
  ["RequestTimeout", 400, true],
  ["ExpiredToken", 400, true],
  ["RequestTimeTooSkewed", 403, true],
  ["PermanentRedirect", 300, false],
  ["InvalidArgument", 400, false],
  ["AccessDenied", 403, false],
  ["PreconditionRequired", 428, false],
  ["TooManyRequestsException", 429, true],
  ["RequestHeaderFieldsTooLarge", 430, false],
  ["ClientClosedRequest", 499, false],
  ["InternalError", 500, true],
  ["ServiceUnavailable", 503, true],
])("%s with HTTP %d is the service's answer; whether it may pass: %s", (name, httpStatusCode, retryable) => {
  // A code of Node's says nothing once the service has answered.
  const cause = failure({ name, code: "ECONNRESET", $metadata: { httpStatusCode } });
  expect(said(toServiceError(cause, "Reading"))).toEqual({
    name: "ServiceError",
    code: name,
    retryable,
    message: `Reading: ${name} (HTTP ${httpStatusCode})`,
    cause,
  });
});

test.each([200, 204, 299])("an answer with HTTP %d that can't be read is no answer, and may pass", (httpStatusCode) => {
  const cause = failure({ name: "SyntaxError", $metadata: { httpStatusCode } });
  expect(said(toServiceError(cause, "Reading"))).toEqual({
    name: "ServiceError",
    code: "IncompleteAnswer",
    retryable: true,
    message: "Reading: IncompleteAnswer (it can't be read)",
    cause,
  });
});

test("an answer that lacks something is no answer, and may pass", () => {
  expect(said(incompleteAnswer("Reading", "it has no ETag"))).toEqual({
    name: "ServiceError",
    code: "IncompleteAnswer",
    retryable: true,
    message: "Reading: IncompleteAnswer (it has no ETag)",
    cause: undefined,
  });
});

test.each([
  "ERR_INVALID_ARG_TYPE",
  "ERR_HTTP_INVALID_HEADER_VALUE",
  "NOT_ECONNRESET",
  "ECONNRESET 2",
  "Econnreset",
  "E",
  "NOT_ERR_STREAM_PREMATURE_CLOSE",
  "ERR_STREAM_PREMATURE_CLOSED",
  "NOT_ERR_SSL_X",
  "NOT_HPE_INVALID",
  undefined,
])("%s is a fault of ours", (code) => {
  const ours = failure({ code });
  expect(toServiceError(ours, "Reading")).toBe(ours);
});

describe("what is no error", () => {
  test.each(["ECONNRESET", undefined, null, { name: "SlowDown", code: "EPIPE", $metadata: { httpStatusCode: 503 } }])(
    "has no status and no code, and stays what it is: %j",
    (thrown) => {
      expect(toServiceError(thrown, "Reading")).toBe(thrown);
      expect(httpStatus(thrown)).toBeUndefined();
      expect(errorCode(thrown)).toBe("");
    },
  );
});

test("an error has the status and the code of the service's answer", () => {
  const error = failure({ name: "NoSuchKey", $metadata: { httpStatusCode: 404 } });
  expect(httpStatus(error)).toBe(404);
  expect(errorCode(error)).toBe("NoSuchKey");
  expect(httpStatus(failure({ $metadata: {} }))).toBeUndefined();
  expect(httpStatus(new Error())).toBeUndefined();
});
