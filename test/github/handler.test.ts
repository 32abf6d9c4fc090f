import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Summary } from "../../functions/run/summary.ts";
import { type GithubFault, type LocalGithub, startLocalGithub } from "../../local/github.ts";
import { type LocalSecretsManager, startLocalSecretsManager } from "../../local/secrets-manager.ts";
import { type LocalAws, startLocalAws } from "../../local/server.ts";
import { effort } from "../effort.ts";
import { BUCKET, BUS, FILES } from "../harness.ts";
import { REPOSITORY, RUN_ID } from "./github-world.ts";

const INVOKE = fileURLToPath(new URL("../extract-metrics/invoke.ts", import.meta.url));

/** Stands in every answer of GitHub's that fails, and in no place of ours. */
const CANARY = "canary-7f3a";

let local: LocalAws;
let github: LocalGithub;
let secretsManager: LocalSecretsManager;
beforeAll(async () => {
  local = await startLocalAws();
  secretsManager = await startLocalSecretsManager();
});
beforeEach(async () => {
  github = await startLocalGithub({ basePath: "/api/v3" });
  secretsManager.secrets.set("github", github.secret);
  local.s3.createBucket(BUCKET);
  for (const { key } of [...local.s3.objects(BUCKET)]) local.s3.deleteObject(BUCKET, key);
  local.eventBridge.createBus(BUS);
  local.eventBridge.clear();
  for (const [name, content] of Object.entries(FILES)) {
    local.s3.putObject(BUCKET, `runners/large/r-1/${name}`, { body: Buffer.from(content) });
  }
  return () => github.close();
});
afterAll(async () => {
  await local.close();
  await secretsManager.close();
});

const SOON = String(Math.floor(Date.now() / 1000) + 900);

interface Invocation {
  readonly returned?: Summary;
  readonly threw?: string;
  /** All that it wrote, to either stream. */
  readonly output: string;
  readonly lines: readonly Record<string, unknown>[];
}

/** Invokes the exported handler in a process of its own, which says all that it can say. */
async function invoke(
  payload: Record<string, unknown> = {},
  env: Record<string, string | undefined> = {},
): Promise<Invocation> {
  const environment = {
    PATH: process.env.PATH,
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
    AWS_ENDPOINT_URL: local.endpoint,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secretsManager.endpoint,
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    POWERTOOLS_LOG_LEVEL: "DEBUG",
    NODE_DEBUG: undefined,
    BUCKET_NAME: BUCKET,
    EVENT_BUS_NAME: BUS,
    GITHUB_SECRET_ID: "github",
    GITHUB_OWNERS: "acme",
    GITHUB_API_URL: github.apiUrl,
    GITHUB_TIME_BUDGET_SECONDS: "2",
    ...env,
  };
  const [stdout, stderr] = await new Promise<[string, string]>((resolve) => {
    const args = [INVOKE, JSON.stringify({ flavor: "large", ...payload })];
    execFile(process.execPath, args, { env: environment as NodeJS.ProcessEnv }, (_, out, err) => resolve([out, err]));
  });
  const lines = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  return { ...lines.at(-1), output: stdout + stderr, lines };
}

const metricsOf = ({ lines }: Invocation) => Object.assign({}, ...lines.filter((line) => "_aws" in line));

test("the exported handler asks GitHub with the secret's App, and its events, summary and metrics say what it told", async () => {
  github.addJobs(REPOSITORY, RUN_ID, [{ runner: "r-1", conclusion: "failure" }]);
  github.setRunners("acme", [{ name: "another" }]);
  const invocation = await invoke({ githubRunners: "acme" });
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
  const details = local.eventBridge.events().map(({ detail }) => JSON.parse(detail));
  expect(details).toMatchObject([{}, { queue_duration: 80 }, { job_conclusion: "failure", verification: "verified" }]);
});

test("without GitHub configured nothing of it is asked, loaded or measured", async () => {
  const invocation = await invoke({}, { GITHUB_SECRET_ID: undefined, GITHUB_OWNERS: undefined });
  expect(invocation.returned).toMatchObject({ extracted: 1, jobMetricsUnknown: { "not-configured": 1 } });
  expect(invocation.returned).not.toHaveProperty("github");
  expect(Object.keys(metricsOf(invocation)).filter((name) => /Github|JobMetrics|Verification/.test(name))).toEqual([]);
  expect(github.requests).toEqual([]);
  const [, start, stop] = local.eventBridge.events().map(({ detail }) => JSON.parse(detail));
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
    expect(local.eventBridge.events()).toEqual([]);
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
      expect(invocation.output).not.toContain(secret);
    }
  });

  test.each(effort(["ghp_plaintext"], ["ghp_plaintext", '{"token": "ghp_two words"}', '{"app_id": "ghp_x"}']))(
    "a secret that is not right: %s",
    async (secret) => {
      secretsManager.secrets.set("github", secret);
      const { returned, output } = await invoke();
      expect(returned).toMatchObject({ extracted: 1, jobMetricsUnknown: { "unreadable-credentials": 1 } });
      expect(output).not.toContain("ghp_");
    },
  );

  test("no such secret", async () => {
    const { returned } = await invoke({}, { GITHUB_SECRET_ID: "another" });
    expect(returned).toMatchObject({ extracted: 1, jobMetricsUnknown: { "no-credentials": 1 } });
  });
});
