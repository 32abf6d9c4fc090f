import type { Connections } from "../connections.ts";
import type { Clock, GithubUsage } from "../ports.ts";
import { GithubFailure } from "./failure.ts";
import { type Answer, sendRequest } from "./send-request.ts";

/** Time-out of one call, including its body, in milliseconds. Octokit may then try again. */
const CALL_TIMEOUT_MILLISECONDS = 5_000;

/** Largest answer, in bytes: a page of 100 jobs with all their steps has about 500 KB. */
const BODY_BYTES_MAX = 8 * 1024 * 1024;

/** Size of all cached bodies, in characters. They are requested conditionally. */
const CACHE_MAX = 16 * 1024 * 1024;

/** How long no call is made after GitHub refused one for its limits: if GitHub does not say, and at most, in milliseconds.
 * https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api */
const LIMITED_MILLISECONDS = 60_000;
const LIMITED_MILLISECONDS_MAX = 2 * 60 * 60_000;

/** What runs share: cached answers, which are requested conditionally, and until when GitHub's limits refuse calls. */
export interface GithubMemory {
  readonly answers: Map<string, { readonly etag: string; readonly body: string }>;
  /** Milliseconds since the epoch. */
  limitedUntil: number;
}

export interface GuardOptions {
  readonly apiUrl: string;
  readonly requestsMax: number;
  readonly callTimeoutMilliseconds?: number | undefined;
  readonly signal: AbortSignal;
  readonly connections: Pick<Connections, "httpAgent" | "httpsAgent">;
  readonly clock: Pick<Clock, "now">;
  readonly memory: GithubMemory;
  /** Updated with each call. */
  readonly usage: { -readonly [Key in keyof GithubUsage]: GithubUsage[Key] };
}

/**
 * `fetch` for Octokit; every call to GitHub uses it. It calls only the API's own host, within the budget of calls, and not while GitHub's
 * limits refuse calls. It follows no redirects, and bounds time and size of an answer. A repeated request is conditional, which GitHub
 * does not count against its limits.
 */
export function guardedFetch(options: GuardOptions): typeof fetch {
  const { apiUrl, requestsMax, signal, clock, memory, usage } = options;
  const { origin } = new URL(apiUrl);

  return async (input, init = {}) => {
    const url = String(input);
    if (new URL(url).origin !== origin) throw new GithubFailure("redirected");
    if (clock.now() < memory.limitedUntil) {
      usage.rateLimited++;
      throw new GithubFailure("rate-limited");
    }
    if (usage.requests >= requestsMax) throw new GithubFailure("request-budget");
    usage.requests++;

    const { method = "GET" } = init;
    const isGet = method === "GET";
    const cached = isGet ? memory.answers.get(url) : undefined;
    const headers = new Headers(init.headers);
    if (cached) headers.set("if-none-match", cached.etag);
    const timeout = AbortSignal.timeout(options.callTimeoutMilliseconds ?? CALL_TIMEOUT_MILLISECONDS);
    const response = await sendRequest(url, {
      method,
      headers,
      body: typeof init.body === "string" ? init.body : undefined,
      signal: AbortSignal.any([signal, timeout]),
      connections: options.connections,
      bodyBytesMax: BODY_BYTES_MAX,
    });
    const { status, body } = response;
    usage.statuses[status] = (usage.statuses[status] ?? 0) + 1;
    if (isGet) noteRateLimit(response.headers, options);
    const isLimited = isLimit(response);
    if (isLimited) noteLimit(response.headers, options);
    if (status >= 300 && status < 400 && status !== 304) throw new GithubFailure("redirected");
    if (status === 304 && cached) return answer(200, cached.body, response.headers);
    const etag = response.headers.get("etag");
    if (isGet && status === 200 && etag) addToCache(memory, url, { etag, body });
    return answer(isLimited ? 429 : status, body, response.headers);
  };
}

/** The headers of every answer describe GitHub's rate limit, also those of a refusal. */
function noteRateLimit(headers: Headers, { clock, memory, usage }: GuardOptions): void {
  const [limit, remaining, reset] = ["limit", "remaining", "reset"].map((name) => {
    const value = headers.get(`x-ratelimit-${name}`);
    return value !== null && /^[0-9]{1,12}$/.test(value) ? Number(value) : undefined;
  });
  if (limit === undefined || remaining === undefined) return;
  usage.rateLimit = { limit, remaining };
  if (remaining === 0 && reset !== undefined) pauseCalls(memory, clock.now(), reset * 1000 - clock.now());
}

/** GitHub uses 403 as well as 429 for its limits.
 * https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#rate-limit-errors */
function isLimit({ status, headers, body }: Answer): boolean {
  const speaksOfLimit =
    headers.has("retry-after") || headers.get("x-ratelimit-remaining") === "0" || /rate limit/i.test(body);
  return status === 429 || (status === 403 && speaksOfLimit);
}

function noteLimit(headers: Headers, { clock, memory, usage }: GuardOptions): void {
  usage.rateLimited++;
  const now = clock.now();
  const retryAfter = Number(headers.get("retry-after"));
  if (retryAfter > 0) pauseCalls(memory, now, retryAfter * 1000);
  else if (memory.limitedUntil <= now) pauseCalls(memory, now, LIMITED_MILLISECONDS);
}

function pauseCalls(memory: GithubMemory, now: number, milliseconds: number): void {
  memory.limitedUntil = Math.max(memory.limitedUntil, now + Math.min(milliseconds, LIMITED_MILLISECONDS_MAX));
}

function addToCache({ answers }: GithubMemory, url: string, cached: { etag: string; body: string }): void {
  answers.delete(url);
  answers.set(url, cached);
  let characters = [...answers.values()].reduce((sum, { body }) => sum + body.length, 0);
  for (const [oldest, { body }] of answers) {
    if (characters <= CACHE_MAX) return;
    answers.delete(oldest);
    characters -= body.length;
  }
}

/** The parts of an answer that Octokit uses. With a fixed content type, since the original may be malformed. */
function answer(status: number, body: string, headers: Headers): Response {
  const passed = ["retry-after", "x-ratelimit-remaining", "x-ratelimit-reset"].flatMap((name): [string, string][] => {
    const value = headers.get(name);
    return value === null ? [] : [[name, value]];
  });
  return new Response(body || null, { status, headers: [...passed, ["content-type", "application/json"]] });
}
