import { Octokit } from "@octokit/core";
import { retry } from "@octokit/plugin-retry";
import { throttling } from "@octokit/plugin-throttling";
import type { Credentials, Permissions } from "./credentials.ts";
import { GithubFailure, hasStatus } from "./failure.ts";
import type { TimeBudget } from "./time-budget.ts";

/** GitHub's largest page size. */
export const PAGE_SIZE = 100;

/** How often a call is tried again after a server error or a time-out, 1 s and 4 s later. */
const RETRIES = 2;

/** A call is tried again only if GitHub asks for a wait of at most this, in seconds. */
const WAIT_SECONDS_MAX = 5;

// Octokit's warnings quote answers and requests.
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** GitHub's API with the budgets of one run. */
export interface GithubApi {
  /** The body of the answer. Each part of the path is exactly one segment. */
  get(path: readonly string[], query: Readonly<Record<string, string>>, permissions: Permissions): Promise<unknown>;
  /** Waits for a task that calls GitHub, within the run's time budget. */
  within<Result>(task: () => Promise<Result>): Promise<Result>;
}

/** The API for one run. */
export function createGithubApi(apiUrl: string, options: ApiOptions): GithubApi {
  const octokit = createOctokit(options.fetch, options.pauseMilliseconds);
  return { get: createGet(octokit, apiUrl, options.credentials), within: options.budget.within };
}

interface ApiOptions {
  readonly fetch: typeof fetch;
  readonly budget: TimeBudget;
  readonly credentials: Credentials;
  /** Length of a second in Octokit's pauses, in milliseconds; 1,000 except in tests. */
  readonly pauseMilliseconds?: number | undefined;
}

function createOctokit(fetch: typeof globalThis.fetch, pauseMilliseconds = 1_000): Octokit {
  const mayWait = (retryAfter: number, _options: object, _octokit: Octokit, retryCount: number) =>
    retryAfter <= WAIT_SECONDS_MAX && retryCount === 0;
  return new (Octokit.plugin(retry, throttling))({
    log: silent,
    request: { fetch, log: silent },
    retry: {
      retries: RETRIES,
      retryAfterBaseValue: pauseMilliseconds,
      // Refusals are final; the throttling plugin decides how long to wait for rate limits.
      doNotRetry: [304, 400, 401, 403, 404, 410, 422, 429, 451],
    },
    throttle: { onRateLimit: mayWait, onSecondaryRateLimit: mayWait, retryAfterBaseValue: pauseMilliseconds },
  });
}

function createGet(octokit: Octokit, apiUrl: string, credentials: Credentials): GithubApi["get"] {
  const headers = { accept: "application/vnd.github+json", "x-github-api-version": "2022-11-28" };

  async function post(path: readonly string[], body: object, authorization: string): Promise<unknown> {
    const url = apiUrlOf(apiUrl, path);
    return (await octokit.request({ method: "POST", url, headers: { ...headers, authorization }, data: body })).data;
  }

  return async (path, query, permissions) => {
    const url = `${apiUrlOf(apiUrl, path)}?${new URLSearchParams(query)}`;
    const get = async (token: string): Promise<unknown> =>
      (await octokit.request({ method: "GET", url, headers: { ...headers, authorization: `Bearer ${token}` } })).data;
    const token = await credentials.token(permissions, post);
    try {
      return await get(token);
    } catch (error) {
      if (!hasStatus(error, 401)) throw error;
      // It expired or was revoked during the run.
      return await get(await credentials.token(permissions, post, token));
    }
  };
}

/** A URL of the API whose path is exactly these segments. Throws if a URL parser would read one of them differently: GitHub has no
 * such names. */
export function apiUrlOf(apiUrl: string, path: readonly string[]): string {
  const meant = [new URL(apiUrl).pathname.replace(/\/$/, ""), ...path].join("/");
  const url = new URL(meant, apiUrl);
  const isPlain = path.every((segment) => /^[A-Za-z0-9._-]+$/.test(segment));
  if (!isPlain || url.pathname !== meant) throw new GithubFailure("not-found");
  return url.href;
}
