import { RequestError } from "@octokit/request-error";
import type { GithubReason } from "../../contract/reasons.ts";

/** GitHub was not asked, or its answer was not taken, for a reason of our own. Carries no text of GitHub's. */
export class GithubFailure extends Error {
  // Octokit passes an error of this name on as it is. Any other it takes for a server error, and tries again.
  override readonly name = "AbortError";
  readonly reason: GithubReason;

  constructor(reason: GithubReason) {
    super(`GitHub: ${reason}`);
    this.reason = reason;
  }
}

/** Why a call failed. Nothing else of the error may go anywhere: its message quotes GitHub, its request has the token. */
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

function isTimeout(cause: unknown): boolean {
  return cause instanceof Error && cause.name === "TimeoutError";
}
