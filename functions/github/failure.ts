import { RequestError } from "@octokit/request-error";
import type { GithubReason } from "../../contract/reasons.ts";

/** GitHub was not called, or its answer was rejected, for a reason of ours. Contains no text from GitHub. */
export class GithubFailure extends Error {
  // Octokit passes on an error with this name. It treats any other as a server error and tries again.
  override readonly name = "AbortError";
  readonly reason: GithubReason;

  constructor(reason: GithubReason) {
    super(`GitHub: ${reason}`);
    this.reason = reason;
  }
}

/** Why a call failed. Nothing else of the error may be passed on: its message quotes GitHub, and its request contains the token. */
export function reasonOf(error: unknown): GithubReason {
  if (error instanceof GithubFailure) return error.reason;
  if (!(error instanceof RequestError)) return "unavailable";
  // Octokit calls a failure to connect 500.
  if (error.response === undefined) return isTimeout(error.cause) ? "timeout" : "unavailable";
  switch (error.status) {
    case 401:
      return "no-credentials";
    case 403:
      return "denied";
    case 404:
      return "not-found";
    case 429:
      return "rate-limited";
    default:
      return "unavailable";
  }
}

/** Whether a call failed because GitHub answered with this status. */
export function hasStatus(error: unknown, status: number): boolean {
  return error instanceof RequestError && error.status === status;
}

function isTimeout(cause: unknown): boolean {
  return cause instanceof Error && cause.name === "TimeoutError";
}
