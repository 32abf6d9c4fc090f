import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type GithubFault, type LocalGithub, startLocalGithub } from "../../local/github.ts";
import { type LocalSecretsManager, startLocalSecretsManager } from "../../local/secrets-manager.ts";
import { effort } from "../effort.ts";
import { startHandlerWorld } from "../worlds/handler.ts";
import type { Environment, Invocation } from "../worlds/invoke-handler.ts";
import { REPOSITORY, RUN_ID } from "./github-world.ts";

/** Stands in every answer of GitHub's that fails, and in no place of ours. */
const CANARY = "canary-7f3a";

let world: Awaited<ReturnType<typeof startHandlerWorld>>;
let github: LocalGithub;
let secretsManager: LocalSecretsManager;
beforeAll(async () => {
  world = await startHandlerWorld();
  secretsManager = await startLocalSecretsManager();
});
beforeEach(async () => {
  github = await startLocalGithub({ basePath: "/api/v3" });
  secretsManager.secrets.set("github", github.secret);
  world.reset();
  world.upload("r-1");
  return () => github.close();
});
afterAll(async () => {
  await world.close();
  await secretsManager.close();
});

const SOON = String(Math.floor(Date.now() / 1000) + 900);

/** GitHub answers in time, on a busy machine too. */
const PATIENT = { GITHUB_TIME_BUDGET_SECONDS: "50" };

/** Invokes the exported handler in a process of its own, which says all that it can say. */
const invoke = (payload: Record<string, unknown> = {}, environment: Environment = {}) =>
  world.invoke(
    { flavor: "large", ...payload },
    {
      AWS_ENDPOINT_URL_SECRETS_MANAGER: secretsManager.endpoint,
      POWERTOOLS_LOG_LEVEL: "DEBUG",
      GITHUB_SECRET_ID: "github",
      GITHUB_OWNERS: "acme",
      GITHUB_API_URL: github.apiUrl,
      GITHUB_TIME_BUDGET_SECONDS: "2",
      ...environment,
    },
  );

/** All that an invocation wrote or returned. */
const outputOf = (invocation: Invocation) => JSON.stringify(invocation);

const metricsOf = ({ lines }: Invocation) => Object.assign({}, ...lines.filter((line) => "_aws" in line));

test("the exported handler asks GitHub with the secret's App, and its events, summary and metrics say what it told", async () => {
  github.addJobs(REPOSITORY, RUN_ID, [{ runner: "r-1", conclusion: "failure" }]);
  github.setRunners("acme", [{ name: "another" }]);
  const invocation = await invoke({ githubRunners: "acme" }, PATIENT);
  expect(invocation.returned).toMatchObject({
    extracted: 1,
    verifications: { verified: 1 },
    github: { requests: 4, statuses: { 200: 2, 201: 2 }, rateLimit: { limit: 5000, remaining: 4998 } },
  });
  expect(metricsOf(invocation)).toMatchObject({
    "Verification.verified": 1,
    GithubRequests: 4,
    GithubRateLimitRemaining: 4998,
  });
  const details = world.events().map(({ detail }) => detail);
  expect(details).toMatchObject([{}, { queue_duration: 80 }, { job_conclusion: "failure", verification: "verified" }]);
});

test("without GitHub configured nothing of it is asked, loaded or measured", async () => {
  const invocation = await invoke({}, { GITHUB_SECRET_ID: undefined, GITHUB_OWNERS: undefined });
  expect(invocation.returned).toMatchObject({ extracted: 1, jobMetricsUnknown: { "not-configured": 1 } });
  expect(invocation.returned).not.toHaveProperty("github");
  expect(Object.keys(metricsOf(invocation)).filter((name) => /Github|JobMetrics|Verification/.test(name))).toEqual([]);
  expect(github.requests).toEqual([]);
  const [, start, stop] = world.events().map(({ detail }) => detail);
  for (const detail of [start, stop]) {
    expect(detail).toMatchObject({ job_metrics_unknown: "not-configured", verification: "unverified" });
  }
});

test("the limit's state is a metric also where the call was refused", async () => {
  const headers = { "x-ratelimit-limit": "5000", "x-ratelimit-remaining": "0", "x-ratelimit-reset": SOON };
  github.failWith(({ method }) => (method === "GET" ? { kind: "reply", status: 403, headers } : undefined));
  expect(metricsOf(await invoke())).toMatchObject({
    GithubRateLimitRemaining: 0,
    GithubRateLimited: 1,
    "JobMetricsUnknown.rate-limited": 1,
    "Verification.unverified": 1,
  });
});

test("a list of runners that can't be had is a metric", async () => {
  github.failWith(({ path }) => (path.startsWith("/orgs") ? { kind: "reply", status: 404 } : undefined));
  const invocation = await invoke({ githubRunners: "acme" });
  expect(invocation.returned).toMatchObject({ runnersUnknown: "not-found" });
  expect(metricsOf(invocation)).toMatchObject({ GithubRunnersUnknown: 1 });
});

const INVALID_INPUTS: [Record<string, unknown>, Record<string, undefined>, RegExp][] = [
  [{ githubRunners: "acme", runners: ["r-1"] }, {}, /githubRunners: can't be combined with a list of runners/],
  [{ githubRunners: "../acme" }, {}, /githubRunners: must be an organisation or repository on GitHub/],
  [{ githubRunners: "acme/.." }, {}, /githubRunners: must be/],
  [
    { githubRunners: "acme" },
    { GITHUB_SECRET_ID: undefined, GITHUB_OWNERS: undefined },
    /githubRunners: needs GITHUB_SECRET_ID/,
  ],
];

test.each(effort(INVALID_INPUTS.slice(0, 1), INVALID_INPUTS))(
  "invalid schedule input is rejected: %o",
  async (payload, env, problem) => {
    const { threw } = await invoke(payload, env);
    expect(threw).toMatch(problem);
    expect(world.events()).toEqual([]);
  },
);

describe("no token, header or body of GitHub's is in any line of output", () => {
  const withCanary = (status: number, headers: Record<string, string> = {}): GithubFault => ({
    kind: "reply",
    status,
    headers: {
      "x-canary": CANARY,
      location: `https://${CANARY}.example/`,
      deprecation: CANARY,
      sunset: CANARY,
      link: `<https://${CANARY}.example>; rel="deprecation"`,
      ...headers,
    },
    body: JSON.stringify({ message: CANARY, documentation_url: CANARY, errors: [{ message: CANARY }], token: CANARY }),
  });
  const faults: (readonly ["GET" | "POST", string, GithubFault | undefined])[] = [
    ["GET", "answered", undefined],
    ...[200, 301, 401, 403, 404, 422, 500].map((status) => ["GET", String(status), withCanary(status)] as const),
    ["GET", "refused for a limit", withCanary(403, { "x-ratelimit-remaining": "0", "x-ratelimit-reset": SOON })],
    ["GET", "answered with HTML", withCanary(502, { "content-type": "text/html" })],
    ["GET", "reset", { kind: "reset" }],
    ["GET", "never answered", { kind: "hang" }],
    ...[201, 401, 422, 500].map((status) => ["POST", String(status), withCanary(status)] as const),
  ];

  // Each is a process of its own, which takes more than a second.
  const tried = effort(
    faults.filter(([, name]) => ["answered", "403", "422"].includes(name)),
    faults,
  );
  test.each(tried)("%s: %s", async (on, _, fault) => {
    github.addJobs(REPOSITORY, RUN_ID, [{ runner: "r-1" }]);
    github.setRunners("acme", [{ name: "another" }]);
    github.failWith(({ method }) => (method === on ? fault : undefined));
    const invocation = await invoke({ githubRunners: "acme" });
    expect(invocation.returned).toMatchObject({ extracted: 1, events: { RunnerStop: { accepted: 1 } } });
    const tokens = github.requests.map(({ headers }) => headers.authorization?.split(" ")[1] ?? "");
    const key = JSON.parse(github.secret).private_key.split("\n")[1];
    for (const secret of [CANARY, ...tokens, key, "ghs_", "Bearer", "PRIVATE KEY", "x-github-request-id", "LOCAL"]) {
      expect(outputOf(invocation)).not.toContain(secret);
    }
  });

  test.each(effort(["ghp_plaintext"], ["ghp_plaintext", '{"token": "ghp_two words"}', '{"app_id": "ghp_x"}']))(
    "a secret that is not right: %s",
    async (secret) => {
      secretsManager.secrets.set("github", secret);
      const invocation = await invoke();
      expect(invocation.returned).toMatchObject({ extracted: 1, jobMetricsUnknown: { "unreadable-credentials": 1 } });
      expect(outputOf(invocation)).not.toContain("ghp_");
    },
  );

  test("no such secret", async () => {
    const { returned } = await invoke({}, { GITHUB_SECRET_ID: "another" });
    expect(returned).toMatchObject({ extracted: 1, jobMetricsUnknown: { "no-credentials": 1 } });
  });
});
