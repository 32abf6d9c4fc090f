import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { apiUrlOf, createGithubApi } from "../../functions/github/api.ts";
import type { Credentials, Post } from "../../functions/github/credentials.ts";
import { GithubFailure, reasonOf } from "../../functions/github/failure.ts";
import { createTimeBudget } from "../../functions/github/time-budget.ts";

const API_URL = "https://github.acme.example/api/v3";
const ACTIONS = { actions: "read" } as const;

// The date stands still: Octokit's queues, which all of a process share, would wait where it goes back.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  vi.spyOn(Date, "now").mockReturnValue(Date.now());
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

interface Sent {
  readonly method: string | undefined;
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: unknown;
}

/** The API with a GitHub that answers each request so, and tokens `t-1`, `t-2`, … */
function world(
  answer: (count: number) => Response,
  options: { pauseMilliseconds?: number; credentials?: Credentials } = {},
) {
  const sent: Sent[] = [];
  const tokens: unknown[][] = [];
  const times: number[] = [];
  const fetch: typeof globalThis.fetch = async (url, { method, headers, body } = {}) => {
    times.push(performance.now());
    sent.push({ method, url: String(url), headers: headers as Record<string, string>, body });
    return answer(sent.length);
  };
  const credentials: Credentials = {
    async token(permissions, _, ...refused) {
      tokens.push([permissions, ...refused]);
      return `t-${tokens.length}`;
    },
  };
  const budget = createTimeBudget(60_000, { now: Date.now }, Number.POSITIVE_INFINITY);
  const api = createGithubApi(API_URL, { fetch, budget, credentials, ...options });
  /** The answer, or why there is none, when all pauses are over. */
  async function get(path = ["repos", "acme"], query: Record<string, string> = {}): Promise<unknown> {
    const got = api.get(path, query, ACTIONS).catch((error: unknown) => ({ failed: reasonOf(error) }));
    await vi.advanceTimersByTimeAsync(60_000);
    return got;
  }
  /** Between the calls, in milliseconds; Octokit's queues take some more. */
  const pauses = () => times.slice(1).map((time, index) => Math.floor((time - (times[index] ?? 0)) / 10) * 10);
  return { api, budget, get, sent, tokens, pauses };
}

function json(status: number, body: unknown = {}, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json", ...headers } });
}

describe("a call", () => {
  test("asks for GitHub's JSON, in the version that is read here, with a token for the permissions", async () => {
    const { get, sent, tokens } = world(() => json(200, { total_count: 1 }));
    expect(await get(["repos", "acme", "widgets"], { per_page: "100", page: "2" })).toEqual({ total_count: 1 });
    expect(sent).toEqual([
      {
        method: "GET",
        url: `${API_URL}/repos/acme/widgets?per_page=100&page=2`,
        headers: {
          accept: "application/vnd.github+json",
          "x-github-api-version": "2022-11-28",
          authorization: "Bearer t-1",
          "user-agent": expect.any(String),
        },
        body: undefined,
      },
    ]);
    expect(tokens).toEqual([[ACTIONS]]);
  });

  test("posts as the credentials say, where these need a token of GitHub's", async () => {
    const credentials: Credentials = {
      async token(permissions, post: Post) {
        const { token } = (await post(["app", "token"], { permissions }, "Bearer jwt")) as { token: string };
        return token;
      },
    };
    const { get, sent } = world((count) => json(200, count === 1 ? { token: "t" } : ["ok"]), { credentials });
    expect(await get()).toEqual(["ok"]);
    const [posted, got] = sent;
    expect(posted).toMatchObject({
      method: "POST",
      url: `${API_URL}/app/token`,
      headers: {
        accept: "application/vnd.github+json",
        "x-github-api-version": "2022-11-28",
        authorization: "Bearer jwt",
      },
      body: JSON.stringify({ permissions: ACTIONS }),
    });
    expect(got?.headers.authorization).toBe("Bearer t");
  });

  test("whose token GitHub rejects is made once more, with another token", async () => {
    const { get, sent, tokens } = world((count) => (count === 1 ? json(401) : json(200, ["ok"])));
    expect(await get()).toEqual(["ok"]);
    expect(tokens).toEqual([[ACTIONS], [ACTIONS, "t-1"]]);
    expect(sent.map(({ headers }) => headers.authorization)).toEqual(["Bearer t-1", "Bearer t-2"]);
  });

  test("whose second token GitHub rejects, too, has failed", async () => {
    const { get, tokens } = world(() => json(401));
    expect(await get()).toEqual({ failed: "no-credentials" });
    expect(tokens).toEqual([[ACTIONS], [ACTIONS, "t-1"]]);
  });

  test("without a token is not made", async () => {
    const credentials: Credentials = { token: () => Promise.reject(new GithubFailure("unreadable-credentials")) };
    const { get, sent } = world(() => json(200), { credentials });
    expect(await get()).toEqual({ failed: "unreadable-credentials" });
    expect(sent).toEqual([]);
  });

  test("says nothing of what GitHub answers in any log", async () => {
    const said = (["debug", "info", "warn", "error", "log"] as const).map((level) => vi.spyOn(console, level));
    const { get } = world((count) =>
      count === 1 ? json(500) : json(200, ["ok"], { deprecation: "secret", sunset: "secret" }),
    );
    expect(await get()).toEqual(["ok"]);
    expect(said.flatMap(({ mock }) => mock.calls)).toEqual([]);
  });

  test("can be waited for within the run's time budget", () => {
    const { api, budget } = world(() => json(200));
    expect(api.within).toBe(budget.within);
  });
});

describe("tries", () => {
  test.each([500, 502, 503])("%d: again one second later, and four seconds after that", async (status) => {
    const { get, pauses } = world(() => json(status));
    expect(await get()).toEqual({ failed: "unavailable" });
    expect(pauses()).toEqual([1_000, 4_000]);
  });

  test("may pause for shorter seconds", async () => {
    const { get, pauses } = world(() => json(500), { pauseMilliseconds: 10 });
    await get();
    expect(pauses()).toEqual([10, 40]);
  });

  test("a connection that fails: again as well", async () => {
    const { get, pauses } = world(() => {
      throw new Error("ECONNRESET");
    });
    expect(await get()).toEqual({ failed: "unavailable" });
    expect(pauses()).toEqual([1_000, 4_000]);
  });

  test("a failure of ours: never", async () => {
    const { get, pauses } = world(() => {
      throw new GithubFailure("request-budget");
    });
    expect(await get()).toEqual({ failed: "request-budget" });
    expect(pauses()).toEqual([]);
  });

  test.each([
    [304, "unavailable"],
    [400, "unavailable"],
    [403, "denied"],
    [404, "not-found"],
    [410, "unavailable"],
    [422, "unavailable"],
    [429, "rate-limited"],
    [451, "unavailable"],
  ])("%d: once, since a refusal is final", async (status, failed) => {
    const { get, pauses } = world(() => (status === 304 ? new Response(null, { status }) : json(status)));
    expect(await get()).toEqual({ failed });
    expect(pauses()).toEqual([]);
  });

  const SECONDARY = { message: "You have exceeded a secondary rate limit." };
  test.each<[string, string, number[]]>([
    ["five seconds", "5", [5_000]],
    ["six seconds", "6", []],
  ])("a limit that is over in %s: again then, if that is soon, and only once", async (_, seconds, expected) => {
    const { get, pauses } = world(() => json(429, SECONDARY, { "retry-after": seconds }));
    expect(await get()).toEqual({ failed: "rate-limited" });
    expect(pauses()).toEqual(expected);
  });

  test.each<[string, number, number[]]>([
    ["four seconds", 4, [5_000]],
    ["five seconds", 5, []],
  ])("calls that are used up until in %s: again a second later, if that is soon", async (_, seconds, expected) => {
    const reset = String(Math.floor(Date.now() / 1_000) + seconds);
    const { get, pauses } = world(() =>
      json(429, { message: "API rate limit exceeded" }, { "x-ratelimit-remaining": "0", "x-ratelimit-reset": reset }),
    );
    expect(await get()).toEqual({ failed: "rate-limited" });
    expect(pauses()).toEqual(expected);
  });

  test("a limit that passes: the answer is that of the second call", async () => {
    const { get, pauses } = world(
      (count) => (count === 1 ? json(403, SECONDARY, { "retry-after": "2" }) : json(200, ["ok"])),
      { pauseMilliseconds: 10 },
    );
    expect(await get()).toEqual(["ok"]);
    expect(pauses()).toEqual([20]);
  });
});

describe("the URL of a path", () => {
  test.each([
    ["https://api.github.com", ["orgs", "acme"], "https://api.github.com/orgs/acme"],
    ["https://api.github.com/", ["orgs", "acme"], "https://api.github.com/orgs/acme"],
    [API_URL, ["repos", "Acme-Inc", ".github", "x_y", "0"], `${API_URL}/repos/Acme-Inc/.github/x_y/0`],
    [`${API_URL}/`, ["orgs"], `${API_URL}/orgs`],
    ["http://127.0.0.1:8080/api/v3", ["...", "..a"], "http://127.0.0.1:8080/api/v3/.../..a"],
  ])("%s and %j", (apiUrl, path, url) => {
    expect(apiUrlOf(apiUrl, path)).toBe(url);
  });

  test.each(["", ".", "..", "a/b", "/", "\\", "a?b", "a#b", "a b", " a", "a\n", "%2e%2e", "a%2fb", "ä", "a:b", "@"])(
    "has no segment %j: GitHub has no such names",
    (segment) => {
      for (const path of [
        ["repos", segment, "x"],
        ["repos", segment],
      ]) {
        expect(() => apiUrlOf(API_URL, path)).toThrow(new GithubFailure("not-found"));
      }
    },
  );

  test("never has another host, whatever the base is", () => {
    expect(() => apiUrlOf("https://github.acme.example//", ["evil.example", "x"])).toThrow(
      new GithubFailure("not-found"),
    );
  });
});
