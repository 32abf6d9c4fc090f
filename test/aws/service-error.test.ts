import { expect, test } from "vitest";
import { toServiceError } from "../../functions/aws/service-error.ts";
import { ServiceError } from "../../functions/ports.ts";

const failure = (fields: object) => Object.assign(new Error("what a runner wrote"), fields);

test.each([
  "ECONNRESET",
  "EAI_AGAIN",
  "ERR_STREAM_PREMATURE_CLOSE",
  "ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "HPE_INVALID_HEADER_TOKEN",
])("%s is the network's failure, and may pass", (code) => {
  const error = toServiceError(failure({ code }), "Reading");
  expect(error).toBeInstanceOf(ServiceError);
  expect(error).toMatchObject({ code, retryable: true, message: `Reading: ${code}` });
});

test.each([
  ["SlowDown", 503, true],
  ["InternalError", 500, true],
  ["TooManyRequestsException", 429, true],
  ["ExpiredToken", 400, true],
  ["AccessDenied", 403, false],
])("%s with HTTP %d is the service's answer; whether it may pass: %s", (name, httpStatusCode, retryable) => {
  const error = toServiceError(failure({ name, $metadata: { httpStatusCode } }), "Reading");
  expect(error).toMatchObject({ code: name, retryable, message: `Reading: ${name} (HTTP ${httpStatusCode})` });
});

test.each(["ERR_INVALID_ARG_TYPE", "ERR_HTTP_INVALID_HEADER_VALUE", undefined])("%s is a fault of ours", (code) => {
  const ours = failure({ code });
  expect(toServiceError(ours, "Reading")).toBe(ours);
});
