import { describe, expect, test } from "vitest";
import type { GithubFault } from "../../local/github.ts";
import { claimOf, REPOSITORY, RUN_ID, startGithubWorld } from "./github-world.ts";

const reply = (status: number, headers: Record<string, string> = {}, body?: string): GithubFault => ({
  kind: "reply",
  status,
  headers,
  ...(body !== undefined && { body }),
});
const soon = (seconds: number) => String(Math.floor(Date.now() / 1000) + seconds);
const SECONDARY =
  '{"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}';

/** A world in which the runner `r-1` did its job, and every GET ends like this. */
async function worldThatFails(fault: GithubFault, changes: Parameters<typeof startGithubWorld>[0] = {}) {
  const world = await startGithubWorld(changes);
  world.github.addJobs(REPOSITORY, RUN_ID, [{ runner: "r-1" }]);
  world.github.failWith(({ method }) => (method === "GET" ? fault : undefined));
  return world;
}

describe("an answer that is none has a reason, and is not tried more often than may help", () => {
  test.each<[string, GithubFault, string, number]>([
    ["403 without headers: the permission is missing", reply(403), "denied", 1],
    ["404", reply(404), "not-found", 1],
    ["410", reply(410), "unavailable", 1],
    ["500", reply(500), "unavailable", 3],
    ["502 with a page of HTML", reply(502, { "content-type": "text/html" }, "<html>"), "unavailable", 3],
    ["503", reply(503), "unavailable", 3],
    ["a connection that is reset", { kind: "reset" }, "unavailable", 3],
    ["no answer in time", { kind: "hang" }, "timeout", 3],
    ["a body that never ends", { kind: "stalled-body" }, "timeout", 3],
    ["304 though nothing was kept", reply(304, {}, ""), "unavailable", 1],
    ["no JSON", reply(200, {}, "<html>"), "invalid-answer", 1],
    ["an empty body", reply(200, {}, ""), "invalid-answer", 1],
    ["a type that is none", reply(200, { "content-type": "a b c" }, "{}"), "invalid-answer", 1],
    ["another shape", reply(200, {}, '{"total_count": 1, "jobs": [{"runner_name": "r-1"}]}'), "invalid-answer", 1],
    [
      "jobs of another workflow run",
      reply(
        200,
        {},
        '{"total_count": 1, "jobs": [{"run_id": 1, "runner_name": "r-1", "status": "x", "created_at": ""}]}',
      ),
      "invalid-answer",
      1,
    ],
    ["fewer jobs than it says there are", reply(200, {}, '{"total_count": 1, "jobs": []}'), "invalid-answer", 1],
    ["a body beyond all measure", reply(200, {}, " ".repeat(9 * 1024 * 1024)), "invalid-answer", 1],
  ])("%s", async (_, fault, unknown, calls) => {
    // An answer that never comes is waited for; any other comes in time, on a busy machine too.
    const callTimeoutMilliseconds = unknown === "timeout" ? 1_000 : 60_000;
    const { startRun, asked } = await worldThatFails(fault, { callTimeoutMilliseconds });
    const { jobs } = startRun();
    expect(await jobs.find(claimOf("r-1"))).toEqual({ unknown });
    expect(asked()).toHaveLength(calls);
    // Nor is it asked again for another runner of the same workflow run.
    expect(await jobs.find(claimOf("r-2"))).toEqual({ unknown });
    expect(asked()).toHaveLength(calls);
  });

  test("a server error that passes is only a delay", async () => {
    const { github, startRun } = await worldThatFails(reply(500));
    github.failWith(() => (github.requests.length < 3 ? reply(502) : undefined));
    expect(await startRun().jobs.find(claimOf("r-1"))).toMatchObject({ conclusion: "success" });
  });

  test("ids beyond JavaScript's integers are told apart", async () => {
    const { github, startRun } = await worldThatFails(reply(500));
    const job = (run_id: string) =>
      `{"run_id": ${run_id}, "runner_name": "r-1", "status": "completed", "created_at": "", "conclusion": "success"}`;
    github.failWith(({ method }) =>
      method === "GET" ? reply(200, {}, `{"total_count": 1, "jobs": [${job("9007199254740993")}]}`) : undefined,
    );
    const find = (workflow_run_id: string) => startRun().jobs.find(claimOf("r-1", { workflow_run_id }));
    expect(await find("9007199254740993")).toEqual({ conclusion: "success" });
    expect(await find("9007199254740992")).toEqual({ unknown: "invalid-answer" });
  });
});

describe("limits", () => {
  test.each<[string, GithubFault, number]>([
    [
      "403 with a reset",
      reply(403, { "x-ratelimit-limit": "5000", "x-ratelimit-remaining": "0", "x-ratelimit-reset": soon(900) }),
      900,
    ],
    [
      "429 with a reset",
      reply(429, { "x-ratelimit-limit": "5000", "x-ratelimit-remaining": "0", "x-ratelimit-reset": soon(900) }),
      900,
    ],
    ["403 with retry-after", reply(403, { "retry-after": "120" }, SECONDARY), 120],
    ["403 with retry-after and nothing else", reply(403, { "retry-after": "120" }, '{"message": "Forbidden"}'), 120],
    ["429 with retry-after", reply(429, { "retry-after": "120" }), 120],
    ["403 that speaks of a limit, without headers", reply(403, {}, SECONDARY), 60],
    ["429 without headers", reply(429), 60],
  ])("%s: GitHub is left alone until then", async (_, fault, seconds) => {
    const { github, startRun, asked, clock } = await worldThatFails(fault);
    const run = startRun();
    expect(await run.jobs.find(claimOf("r-1"))).toEqual({ unknown: "rate-limited" });
    expect(await run.jobs.find(claimOf("r-1", { workflow_run_id: "2" }))).toEqual({ unknown: "rate-limited" });
    expect(asked()).toHaveLength(1);
    expect(run.usage()).toMatchObject({ requests: 2, rateLimited: 2 });

    github.failWith(undefined);
    clock.ahead = (seconds / 2) * 1000;
    expect(await startRun().jobs.find(claimOf("r-1"))).toEqual({ unknown: "rate-limited" });
    expect(asked()).toHaveLength(1);
    clock.ahead = (seconds + 10) * 1000;
    expect(await startRun().jobs.find(claimOf("r-1"))).toMatchObject({ conclusion: "success" });
  });

  test("a short pause is waited for, once", async () => {
    const { github, startRun, asked } = await worldThatFails(reply(500), { pauseMilliseconds: 1_000 });
    github.failWith(({ method }) =>
      method === "GET" && asked().length === 1 ? reply(429, { "retry-after": "1" }, SECONDARY) : undefined,
    );
    expect(await startRun().jobs.find(claimOf("r-1"))).toMatchObject({ conclusion: "success" });
    expect(asked()).toHaveLength(2);
  });

  test("the last call that a limit allows is the last one that is made", async () => {
    const { github, startRun, asked } = await worldThatFails(reply(500));
    github.failWith(undefined);
    github.rateLimit.remaining = 1;
    const run = startRun();
    expect(await run.jobs.find(claimOf("r-1"))).toMatchObject({ conclusion: "success" });
    expect(await run.jobs.find(claimOf("r-1", { workflow_run_id: "2" }))).toEqual({ unknown: "rate-limited" });
    expect(asked()).toHaveLength(1);
    expect(run.usage()).toMatchObject({ rateLimit: { limit: 5000, remaining: 0 } });
  });

  test("the limit that GitHub has for the App, as it makes a token, is not that of the installation", async () => {
    const used = { "x-ratelimit-limit": "5000", "x-ratelimit-remaining": "0", "x-ratelimit-reset": soon(900) };
    const token = { token: "t", expires_at: new Date(Date.now() + 3_600_000).toISOString() };
    const { github, startRun } = await worldThatFails(reply(500));
    github.failWith(({ method }) =>
      method === "POST" ? reply(201, used, JSON.stringify(token)) : reply(200, {}, '{"total_count": 0, "jobs": []}'),
    );
    const run = startRun();
    expect(await run.jobs.find(claimOf("r-1"))).toEqual({ unknown: "job-not-found", isMismatch: true });
    expect(run.usage().rateLimit).toBeUndefined();
  });

  test("what GitHub says of its limit is known also where it refused", async () => {
    const headers = { "x-ratelimit-limit": "15000", "x-ratelimit-remaining": "0", "x-ratelimit-reset": soon(60) };
    const { startRun } = await worldThatFails(reply(403, headers));
    const run = startRun();
    expect(run.usage().rateLimit).toBeUndefined();
    await run.jobs.find(claimOf("r-1"));
    expect(run.usage().rateLimit).toEqual({ limit: 15_000, remaining: 0 });
  });

  test("nonsense about a limit locks nobody out for ever", async () => {
    const { github, startRun, clock } = await worldThatFails(reply(429, { "retry-after": "99999999999" }));
    await startRun().jobs.find(claimOf("r-1"));
    github.failWith(undefined);
    clock.ahead = 3 * 60 * 60 * 1000;
    expect(await startRun().jobs.find(claimOf("r-1"))).toMatchObject({ conclusion: "success" });
  });

  test("a run makes no more calls than it may", async () => {
    const { startRun, github } = await worldThatFails(reply(404), { requestsMax: 5 });
    const { jobs } = startRun();
    const found = await Promise.all(
      Array.from({ length: 20 }, (_, index) => jobs.find(claimOf("r-1", { workflow_run_id: String(index + 1) }))),
    );
    const count = (reason: string) =>
      found.filter((answer) => answer && "unknown" in answer && answer.unknown === reason).length;
    expect([count("not-found"), count("request-budget")]).toEqual([4, 16]);
    expect(github.requests).toHaveLength(5);
  });
});

test("long workflow runs that a few claim leave calls for everybody else's", async () => {
  const { github, startRun } = await startGithubWorld({ requestsMax: 40 });
  const long = ["901", "902", "903"];
  for (const runId of long) {
    const jobs = Array.from({ length: 2_000 }, (_, index) => ({ runner: `other-${index}` }));
    github.addJobs(REPOSITORY, runId, jobs);
  }
  const honest = Array.from({ length: 15 }, (_, index) => String(index + 1));
  for (const runId of honest) github.addJobs(REPOSITORY, runId, [{ runner: "r-1", conclusion: "success" }]);
  const { jobs } = startRun();
  for (const workflow_run_id of long) {
    expect(await jobs.find(claimOf("liar", { workflow_run_id }))).toEqual({ unknown: "request-budget" });
  }
  for (const workflow_run_id of honest) {
    expect(await jobs.find(claimOf("r-1", { workflow_run_id }))).toMatchObject({ conclusion: "success" });
  }
});

describe("redirects", () => {
  test.each(["301", "302", "307", "308"])("%s is followed to no other host, nor anywhere", async (status) => {
    const elsewhere = await startGithubWorld();
    elsewhere.github.addJobs(REPOSITORY, RUN_ID, [{ runner: "r-1" }]);
    const location = `${elsewhere.github.apiUrl}/repositories/1/actions/runs/${RUN_ID}/jobs`;
    const { startRun, asked } = await worldThatFails(reply(Number(status), { location }, ""));
    expect(await startRun().jobs.find(claimOf("r-1"))).toEqual({ unknown: "redirected" });
    expect(asked()).toHaveLength(1);
    expect(elsewhere.github.requests).toEqual([]);
  });
});

describe("credentials", () => {
  test("a token that expires or is revoked in the middle of a run is replaced, once for all that meet it", async () => {
    const { github, startRun } = await startGithubWorld();
    const runs = Array.from({ length: 8 }, (_, index) => String(index + 1));
    for (const run of runs) github.addJobs(REPOSITORY, run, [{ runner: "r-1" }]);
    const { jobs } = startRun();
    expect(await jobs.find(claimOf("r-1", { workflow_run_id: "1" }))).toMatchObject({ conclusion: "success" });
    github.revokeTokens();
    const found = await Promise.all(runs.map((workflow_run_id) => jobs.find(claimOf("r-1", { workflow_run_id }))));
    expect(found.every((answer) => answer && "conclusion" in answer)).toBe(true);
    expect(github.requests.filter(({ method }) => method === "POST")).toHaveLength(2);
  });

  test("a token is not used in the minutes before it expires, and serves many runs until then", async () => {
    const { github, startRun, clock } = await startGithubWorld();
    github.addJobs(REPOSITORY, RUN_ID, [{ runner: "r-1" }]);
    const tokens = () => github.requests.filter(({ method }) => method === "POST").length;
    for (const [minutes, expected] of [
      [0, 1],
      [30, 1],
      [54, 1],
      [56, 2],
    ] as const) {
      clock.ahead = minutes * 60_000;
      expect(await startRun().jobs.find(claimOf("r-1"))).toMatchObject({ conclusion: "success" });
      expect(tokens(), `after ${minutes} minutes`).toBe(expected);
    }
  });

  test("401 for good: two calls, two tokens, and no more", async () => {
    const { github, startRun } = await worldThatFails(reply(401));
    expect(await startRun().jobs.find(claimOf("r-1"))).toEqual({ unknown: "no-credentials" });
    expect(github.requests).toHaveLength(4);
  });

  test("a plain token does as well; one that is refused is read afresh, and not tried again where it is the same", async () => {
    let token = "ghp_old";
    const { github, startRun, secretReads } = await startGithubWorld({ secret: () => JSON.stringify({ token }) });
    github.failWith(({ headers }) =>
      headers.authorization === "Bearer ghp_new" ? reply(200, {}, '{"total_count": 0, "jobs": []}') : reply(401),
    );
    const { jobs } = startRun();
    expect(await jobs.find(claimOf("r-1", { workflow_run_id: "1" }))).toEqual({ unknown: "no-credentials" });
    expect(await jobs.find(claimOf("r-1", { workflow_run_id: "2" }))).toEqual({ unknown: "no-credentials" });
    expect([github.requests.length, secretReads]).toEqual([1, [false, true]]);
    token = "ghp_new";
    const world = await startGithubWorld({ secret: () => JSON.stringify({ token }) });
    world.github.failWith(() => reply(200, {}, '{"total_count": 0, "jobs": []}'));
    expect(await world.startRun().jobs.find(claimOf("r-1"))).toMatchObject({ unknown: "job-not-found" });
  });

  test.each([
    ["no JSON", "ghp_abc"],
    ["neither an App nor a token", '{"pat": "ghp_abc"}'],
    ["a key that is none", '{"app_id": 1234, "installation_id": 5678, "private_key": "ssh-rsa AAAA"}'],
    [
      "a public key",
      '{"app_id": 1, "installation_id": 5, "private_key": "-----BEGIN PUBLIC KEY-----\\nAAAA\\n-----END PUBLIC KEY-----"}',
    ],
    [
      "a key that was cut",
      '{"app_id": 1, "installation_id": 5, "private_key": "-----BEGIN RSA PRIVATE KEY-----\\nAAAA"}',
    ],
    ["nothing", ""],
    ["a token that would break the header", '{"token": "a\\r\\nb"}'],
  ])("a secret that holds %s: nobody is asked", async (_, secret) => {
    const { github, startRun } = await startGithubWorld({ secret: () => secret });
    expect(await startRun().jobs.find(claimOf("r-1"))).toEqual({ unknown: "unreadable-credentials" });
    expect(github.requests).toEqual([]);
  });

  test("a secret that can't be read is asked for once a minute, not once a job", async () => {
    const { startRun, secretReads, clock } = await startGithubWorld({
      secret: () => {
        throw new Error("AccessDeniedException");
      },
    });
    const { jobs } = startRun();
    for (let run = 1; run <= 5; run++) {
      expect(await jobs.find(claimOf("r-1", { workflow_run_id: String(run) }))).toEqual({ unknown: "no-credentials" });
    }
    expect(secretReads).toHaveLength(1);
    clock.ahead = 61_000;
    await startRun().jobs.find(claimOf("r-1"));
    expect(secretReads).toEqual([false, true]);
  });

  test.each([
    ["holds nothing", "{}", undefined],
    ["holds a revoked key", undefined, reply(401)],
  ])(
    "a secret that %s is read past the cache a minute later, and works at once if it was corrected",
    async (...world) => {
      const [, wrong, fault] = world;
      let secret = wrong;
      const { github, startRun, secretReads, clock } = await startGithubWorld({
        secret: () => secret ?? github.secret,
      });
      github.addJobs(REPOSITORY, RUN_ID, [{ runner: "r-1" }]);
      github.failWith(() => fault);
      expect(await startRun().jobs.find(claimOf("r-1"))).toMatchObject({ unknown: expect.any(String) });
      secret = undefined;
      github.failWith(undefined);
      clock.ahead = 61_000;
      expect(await startRun().jobs.find(claimOf("r-1"))).toMatchObject({ conclusion: "success" });
      expect(secretReads).toEqual([false, true]);
    },
  );

  test.each<[string, (pem: string) => string]>([
    ["escaped line ends", (pem) => pem.replaceAll("\n", "\\n")],
    ["escaped line ends of Windows", (pem) => pem.replaceAll("\n", "\\r\\n")],
    ["line ends of Windows", (pem) => pem.replaceAll("\n", "\r\n")],
    ["blanks for line ends", (pem) => pem.replaceAll("\n", " ")],
    ["no line ends", (pem) => pem.replaceAll("\n", "")],
    ["a byte order mark", (pem) => `\ufeff${pem}`],
    ["base64 around it", (pem) => Buffer.from(pem).toString("base64")],
    ["base64 in lines around it", (pem) => Buffer.from(pem).toString("base64").replaceAll(/.{76}/g, "$&\n")],
  ])("G5 a private key with %s is read", async (_, change) => {
    let secret = "";
    const { github, startRun } = await startGithubWorld({ secret: () => secret });
    const app = JSON.parse(github.secret);
    secret = JSON.stringify({ ...app, app_id: Number(app.app_id), private_key: change(app.private_key) });
    github.addJobs(REPOSITORY, RUN_ID, [{ runner: "r-1" }]);
    expect(await startRun().jobs.find(claimOf("r-1"))).toMatchObject({ conclusion: "success" });
  });

  test.each([
    ["a line end after it", '{"token": "ghp_token\\n"}'],
    ["blanks around it", '{"token": " ghp_token "}'],
    ["a byte order mark before the JSON", '\ufeff{"token": "ghp_token"}\r\n'],
  ])("G5 a token with %s is read", async (_, secret) => {
    const { github, startRun } = await startGithubWorld({ secret: () => secret });
    await startRun().jobs.find(claimOf("r-1"));
    expect(github.requests[0]?.headers.authorization).toBe("Bearer ghp_token");
  });

  test.each<[string, number, string]>([
    ["an App without the permission", 422, "denied"],
    ["an App that is suspended", 403, "denied"],
    ["an installation that is gone", 404, "no-credentials"],
    ["a key that was deleted", 401, "no-credentials"],
    ["a server error", 500, "unavailable"],
  ])("%s (%d)", async (_, status, unknown) => {
    const { github, startRun } = await startGithubWorld();
    github.failWith(() => reply(status));
    expect(await startRun().jobs.find(claimOf("r-1"))).toEqual({ unknown });
  });

  test("an answer to the request for a token that holds none", async () => {
    const { github, startRun } = await startGithubWorld();
    github.failWith(() => reply(201, {}, "{}"));
    expect(await startRun().jobs.find(claimOf("r-1"))).toEqual({ unknown: "invalid-answer" });
  });
});

describe("time", () => {
  test("with GitHub hanging, all that wait for it are released when the run's budget is spent, and nobody waits after that", async () => {
    const { startRun } = await worldThatFails({ kind: "hang" }, { timeBudgetSeconds: 0.4 });
    const { jobs } = startRun();
    const claims = Array.from({ length: 50 }, (_, run) => claimOf("r-1", { workflow_run_id: String(run + 1) }));
    const found = await Promise.all(claims.map((claim) => jobs.find(claim)));
    expect(new Set(found.map((answer) => JSON.stringify(answer)))).toEqual(new Set(['{"unknown":"time-budget"}']));
    expect(await jobs.find(claimOf("r-1", { workflow_run_id: "99" }))).toEqual({ unknown: "time-budget" });
    // The next run has a budget of its own.
    expect(startRun().usage().requests).toBe(0);
  });

  test("only time that is spent waiting for GitHub counts", async () => {
    const { github, startRun, clock } = await worldThatFails(reply(404), { timeBudgetSeconds: 3_600 });
    const { jobs } = startRun();
    expect(await jobs.find(claimOf("r-1", { workflow_run_id: "1" }))).toEqual({ unknown: "not-found" });
    clock.ahead = 7_200_000;
    github.failWith(undefined);
    expect(await jobs.find(claimOf("r-1"))).toMatchObject({ conclusion: "success" });
  });

  test("nobody waits beyond the run's own deadline", async () => {
    const { startRun, clock } = await worldThatFails({ kind: "hang" }, { timeBudgetSeconds: 3_600 });
    expect(await startRun(clock.now() + 300).jobs.find(claimOf("r-1"))).toEqual({ unknown: "time-budget" });
    expect(await startRun(clock.now() - 1).jobs.find(claimOf("r-1"))).toEqual({ unknown: "time-budget" });
  });
});
