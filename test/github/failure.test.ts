import { RequestError } from "@octokit/request-error";
import { describe, expect, test } from "vitest";
import { GithubFailure, hasStatus, reasonOf } from "../../functions/github/failure.ts";

const request = { method: "GET" as const, url: "https://api.github.com/", headers: {} };

/** As Octokit throws it for an answer with this status. */
const answered = (status: number) =>
  new RequestError("quotes GitHub", status, {
    request,
    response: { status, url: request.url, headers: {}, data: "" },
  });

/** As Octokit throws it where there was no answer. */
const unanswered = (cause: unknown, status = 500) =>
  Object.assign(new RequestError("x", status, { request }), { cause });

const timeout = new DOMException("too late", "TimeoutError");

test("a failure of ours has its reason, and a name that keeps Octokit from trying again", () => {
  const failure = new GithubFailure("request-budget");
  expect(failure).toBeInstanceOf(Error);
  expect(failure).toMatchObject({ name: "AbortError", message: "GitHub: request-budget", reason: "request-budget" });
});

describe("the reason of a failure", () => {
  test.each<[string, unknown, string]>([
    ["one of ours", new GithubFailure("too-many-pages"), "too-many-pages"],
    ["401", answered(401), "no-credentials"],
    ["403", answered(403), "denied"],
    ["404", answered(404), "not-found"],
    ["429", answered(429), "rate-limited"],
    ["422", answered(422), "unavailable"],
    ["500", answered(500), "unavailable"],
    ["a time-out", unanswered(timeout), "timeout"],
    ["no connection", unanswered(Object.assign(new Error("x"), { code: "ECONNRESET" })), "unavailable"],
    ["no connection, for a cause that is no error", unanswered({ name: "TimeoutError" }), "unavailable"],
    ["no connection, for no cause", unanswered(undefined), "unavailable"],
    ["no answer, whatever status Octokit gives it", unanswered(undefined, 401), "unavailable"],
    ["an answer, whatever its cause", Object.assign(answered(404), { cause: timeout }), "not-found"],
    ["an error of another kind", Object.assign(new Error("x"), { status: 404, response: {} }), "unavailable"],
    ["a time-out outside a call", timeout, "unavailable"],
    ["what is no error", undefined, "unavailable"],
  ])("%s", (_, error, reason) => {
    expect(reasonOf(error)).toBe(reason);
  });
});

test.each<[string, unknown, boolean]>([
  ["that answer", answered(401), true],
  ["another answer", answered(403), false],
  ["what is no answer", { status: 401 }, false],
  ["nothing", undefined, false],
])("a failure has a status: %s", (_, error, has) => {
  expect(hasStatus(error, 401)).toBe(has);
});
