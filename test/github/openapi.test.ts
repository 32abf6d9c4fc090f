import { createSign } from "node:crypto";
import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import formats from "ajv-formats";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type LocalGithub, startLocalGithub } from "../../local/github.ts";

const { source: _, ...DESCRIPTIONS } = JSON.parse(readFileSync(new URL("openapi.json", import.meta.url), "utf8"));
const ajv = formats.default(new Ajv({ strict: false, allErrors: true }));

let github: LocalGithub;
beforeAll(async () => {
  github = await startLocalGithub();
  github.addJobs("acme/widgets", "1", [
    { runner: "r-1" },
    { runner: null, status: "queued", conclusion: null, completedAt: null },
    { runner: null, conclusion: "cancelled", startedAt: "0001-01-01T00:00:00Z" },
    { runner: "r-2", attempt: 2, conclusion: "timed_out" },
    {
      runner: "r-3",
      status: "in_progress",
      completedAt: null,
      steps: { "Set up job": "success", "Run make": null, "Post Run actions/checkout@v4": "skipped" },
    },
  ]);
  github.setRunners("acme", [{ name: "r-1" }, { name: "r-2", status: "offline", busy: true }]);
  github.setRunners("acme/widgets", [{ name: "r-3" }]);
});
afterAll(() => github.close());

async function call(method: string, path: string, authorization: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${github.apiUrl}${path}`, { method, headers: { authorization } });
  return { status: response.status, body: await response.json() };
}

function appToken(): string {
  const { app_id, private_key } = JSON.parse(github.secret);
  const seconds = Math.floor(Date.now() / 1000);
  const parts = [{ alg: "RS256" }, { iat: seconds, exp: seconds + 60, iss: app_id }];
  const unsigned = parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  return `Bearer ${unsigned}.${createSign("RSA-SHA256").update(unsigned).sign(private_key, "base64url")}`;
}

test.each(Object.keys(DESCRIPTIONS))(
  "every body of the local GitHub is as the OpenAPI description of %s has it",
  async (name) => {
    const created = await call("POST", "/app/installations/5678/access_tokens", appToken());
    const token = `Bearer ${(created.body as { token: string }).token}`;
    const answers = {
      "POST /app/installations/{installation_id}/access_tokens": created,
      "GET /repos/{owner}/{repo}/actions/runs/{run_id}/jobs": await call(
        "GET",
        "/repos/acme/widgets/actions/runs/1/jobs?filter=all",
        token,
      ),
      "GET /repos/{owner}/{repo}/actions/runners": await call("GET", "/repos/acme/widgets/actions/runners", token),
      "GET /orgs/{org}/actions/runners": await call("GET", "/orgs/acme/actions/runners", token),
      BasicError: await call("GET", "/orgs/nobody/actions/runners", token),
    };
    expect(Object.keys(answers).toSorted()).toEqual(Object.keys(DESCRIPTIONS[name]).toSorted());
    for (const [operation, { status, body }] of Object.entries(answers)) {
      const validate = ajv.compile(DESCRIPTIONS[name][operation]);
      expect(validate(body), `${operation}: ${ajv.errorsText(validate.errors)}`).toBe(true);
      expect(status).toBe(operation === "BasicError" ? 404 : operation.startsWith("POST") ? 201 : 200);
    }
    expect(answers["GET /repos/{owner}/{repo}/actions/runs/{run_id}/jobs"].body).toMatchObject({ total_count: 5 });
  },
);
