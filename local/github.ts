import { createHash, createVerify, generateKeyPairSync, type KeyObject } from "node:crypto";
import { createServer, type ServerResponse } from "node:http";
import { type HttpReply, type HttpRequest, readRequest } from "./http.ts";

/** A job as GitHub keeps it, as far as tests tell them apart. */
export interface LocalJob {
  readonly runner: string | null;
  readonly status?: string;
  readonly conclusion?: string | null;
  readonly createdAt?: string;
  readonly startedAt?: string;
  readonly completedAt?: string | null;
  readonly attempt?: number;
  readonly name?: string;
  readonly labels?: readonly string[];
  /** Name -> conclusion of all its steps; by default those of a job without actions. A step without a conclusion has not ended. */
  readonly steps?: Readonly<Record<string, string | null>>;
}

/** A self-hosted runner as GitHub keeps it. */
export interface LocalRunner {
  readonly name: string;
  readonly status?: "online" | "offline";
  readonly busy?: boolean;
}

export interface GithubRequest {
  readonly method: string;
  /** Without the base path, with the query. */
  readonly path: string;
  readonly headers: HttpRequest["headers"];
  readonly body: string;
}

/** Something that goes wrong with one request. */
export type GithubFault =
  | {
      readonly kind: "reply";
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  | { readonly kind: "hang" | "stalled-body" | "reset" };

/** A running GitHub, and all that a test may want to look at or to change in it. */
export interface LocalGithub {
  /** Of the API, with its base path. */
  readonly apiUrl: string;
  /** The text of a secret that holds its App's credentials. */
  readonly secret: string;
  /** All requests, in the order in which they came. */
  readonly requests: GithubRequest[];
  /** What GitHub says of its limit in every answer. */
  readonly rateLimit: { limit: number; remaining: number; reset: number };
  /** What the App has been granted. */
  readonly granted: Record<string, string>;
  /** Adds jobs to a workflow run of `owner/name`. */
  addJobs(repository: string, runId: string, jobs: readonly LocalJob[]): void;
  /** Replaces the runners of an organisation or of `owner/name`. */
  setRunners(owner: string, runners: readonly LocalRunner[]): void;
  /** Asked before each request is answered. */
  failWith(fault: ((request: GithubRequest) => GithubFault | undefined) | undefined): void;
  /** Every installation token that there is, is refused from now on. */
  revokeTokens(): void;
  /** Breaks all connections. */
  close(): Promise<void>;
}

export interface LocalGithubOptions {
  /** `/api/v3`, as GitHub Enterprise Server has it; none by default, as GitHub.com. */
  readonly basePath?: string;
  readonly port?: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

const APP_ID = "1234";
const INSTALLATION_ID = "5678";
const TOKEN_SECONDS = 60 * 60;

/** The App's key: one for all that a process starts, because it takes up to a second to make. */
let keys: { readonly privateKey: KeyObject; readonly publicKey: KeyObject } | undefined;

const JOB_PATH = /^\/repos\/([^/]+\/[^/]+)\/actions\/runs\/([0-9]+)\/jobs$/;
const RUNNERS_PATH = /^\/(?:orgs\/([^/]+)|repos\/([^/]+\/[^/]+))\/actions\/runners$/;
const TOKENS_PATH = `/app/installations/${INSTALLATION_ID}/access_tokens`;

/**
 * Serves the part of GitHub's REST API that a run asks for, on loopback only, in the shape of GitHub's OpenAPI descriptions, with
 * its authentication, permissions, pages, ETags and rate limit. https://docs.github.com/en/rest
 */
export async function startLocalGithub(options: LocalGithubOptions = {}): Promise<LocalGithub> {
  const { basePath = "", port = 0, now = Date.now } = options;
  keys ??= generateKeyPairSync("rsa", { modulusLength: 2048 });
  const { privateKey, publicKey } = keys;
  const jobs = new Map<string, Record<string, unknown>[]>();
  const runners = new Map<string, Record<string, unknown>[]>();
  const tokens = new Map<string, { permissions: Record<string, string>; expiresAt: number }>();
  const requests: GithubRequest[] = [];
  const rateLimit = { limit: 5000, remaining: 5000, reset: Math.floor(now() / 1000) + 3600 };
  const granted: Record<string, string> = {
    actions: "read",
    administration: "read",
    organization_self_hosted_runners: "read",
    metadata: "read",
  };
  let fault: Parameters<LocalGithub["failWith"]>[0];
  let ids = 0;

  const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 }, async (message, response) => {
    response.on("error", () => response.destroy());
    const request = await readRequest(message);
    const query = request.query.size > 0 ? `?${request.query}` : "";
    const path = request.path.startsWith(`${basePath}/`) ? request.path.slice(basePath.length) : undefined;
    const seen = {
      method: request.method,
      path: `${path ?? request.path}${query}`,
      headers: request.headers,
      body: request.body.toString(),
    };
    requests.push(seen);
    const failure = fault?.(seen);
    if (failure) fail(response, failure);
    else send(response, path === undefined ? error(404, "Not Found") : conditional(request, answer(request, path)));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(port, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port.");
  const apiUrl = `http://127.0.0.1:${address.port}${basePath}`;

  return {
    apiUrl,
    secret: JSON.stringify({
      app_id: APP_ID,
      installation_id: INSTALLATION_ID,
      // As GitHub gives it for download.
      private_key: privateKey.export({ type: "pkcs1", format: "pem" }),
    }),
    requests,
    rateLimit,
    granted,
    addJobs(repository, runId, added) {
      const known = jobs.get(`${repository}/${runId}`.toLowerCase()) ?? [];
      jobs.set(`${repository}/${runId}`.toLowerCase(), known);
      for (const job of added) known.push(jobBody(job, ++ids, runId, `${apiUrl}/repos/${repository}`));
    },
    setRunners(owner, list) {
      runners.set(
        owner.toLowerCase(),
        list.map((runner) => runnerBody(runner, ++ids)),
      );
    },
    failWith: (hook) => {
      fault = hook;
    },
    revokeTokens: () => tokens.clear(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };

  function answer(request: HttpRequest, path: string): HttpReply {
    const bearer = /^(?:Bearer|token) (.+)$/i.exec(request.headers.authorization ?? "")?.[1] ?? "";
    if (request.method === "POST" && path === TOKENS_PATH) return createToken(request, bearer);
    const token = tokens.get(bearer);
    if (!token || token.expiresAt <= now()) return error(401, "Bad credentials");
    rateLimit.remaining = Math.max(0, rateLimit.remaining - 1);
    const [, repository, runId] = JOB_PATH.exec(path) ?? [];
    if (repository) {
      if (!token.permissions.actions) return forbidden();
      const found = jobs.get(`${repository}/${runId}`.toLowerCase());
      return found ? page(request, "jobs", attempts(request, found)) : error(404, "Not Found");
    }
    const [isRunners, organisation, ofRepository] = RUNNERS_PATH.exec(path) ?? [];
    if (!isRunners) return error(404, "Not Found");
    const needed = organisation ? "organization_self_hosted_runners" : "administration";
    if (!token.permissions[needed]) return forbidden();
    const found = runners.get((organisation ?? ofRepository ?? "").toLowerCase());
    return found ? page(request, "runners", found) : error(404, "Not Found");
  }

  function createToken(request: HttpRequest, jwt: string): HttpReply {
    if (!isSignedByApp(jwt, publicKey, now())) return error(401, "A JSON web token could not be decoded");
    const { permissions = granted } = JSON.parse(request.body.toString() || "{}");
    const refused = Object.entries(permissions).some(([name, access]) => granted[name] !== access);
    if (refused) return error(422, "The permissions requested are not granted to this installation.");
    const token = `ghs_${createHash("sha256").update(`${++ids}`).digest("hex").slice(0, 36)}`;
    const expiresAt = now() + TOKEN_SECONDS * 1000;
    tokens.set(token, { permissions, expiresAt });
    const expires_at = `${new Date(expiresAt).toISOString().slice(0, 19)}Z`;
    return json(201, { token, expires_at, permissions, repository_selection: "all" });
  }

  function conditional(request: HttpRequest, reply: HttpReply): HttpReply {
    const headers = {
      "x-github-request-id": "LOCAL",
      "x-ratelimit-limit": String(rateLimit.limit),
      "x-ratelimit-remaining": String(rateLimit.remaining),
      "x-ratelimit-reset": String(rateLimit.reset),
      "x-ratelimit-resource": "core",
      ...reply.headers,
    };
    if (reply.status !== 200) return { ...reply, headers };
    const etag = `W/"${createHash("sha256").update(String(reply.body)).digest("hex")}"`;
    if (request.headers["if-none-match"] !== etag) return { ...reply, headers: { ...headers, etag } };
    // What has not changed is not counted.
    rateLimit.remaining++;
    const remaining = String(rateLimit.remaining);
    return { status: 304, headers: { ...headers, etag, "x-ratelimit-remaining": remaining } };
  }
}

function isSignedByApp(jwt: string, key: KeyObject, now: number): boolean {
  const [header = "", payload = "", signature = ""] = jwt.split(".");
  const isSigned = createVerify("RSA-SHA256").update(`${header}.${payload}`).verify(key, signature, "base64url");
  if (!isSigned) return false;
  const { iat, exp, iss } = JSON.parse(Buffer.from(payload, "base64url").toString());
  const seconds = now / 1000;
  return iss === APP_ID && iat <= seconds && exp > seconds && exp - iat <= 600;
}

/** All attempts, or (GitHub's default) only the last. */
function attempts({ query }: HttpRequest, jobs: readonly Record<string, unknown>[]): Record<string, unknown>[] {
  const last = Math.max(...jobs.map(({ run_attempt }) => Number(run_attempt)));
  return jobs.filter(({ run_attempt }) => query.get("filter") === "all" || run_attempt === last);
}

function page({ query }: HttpRequest, name: string, items: readonly unknown[]): HttpReply {
  const size = Math.min(100, Number(query.get("per_page") ?? 30));
  const from = (Number(query.get("page") ?? 1) - 1) * size;
  return json(200, { total_count: items.length, [name]: items.slice(from, from + size) });
}

/** As the OpenAPI description has it, all required fields included. */
function jobBody(job: LocalJob, id: number, runId: string, repositoryUrl: string): Record<string, unknown> {
  const { runner, attempt = 1, name = `job ${id}`, steps = runner ? { "Set up job": "success" } : {} } = job;
  const status = job.status ?? "completed";
  const runnerId = runner === null ? null : id;
  return {
    id,
    run_id: Number(runId),
    workflow_name: "CI",
    head_branch: "main",
    run_url: `${repositoryUrl}/actions/runs/${runId}`,
    run_attempt: attempt,
    node_id: `CR_${id}`,
    head_sha: "009b8a3a9ccbb128af87f9b1c0f4c62e8a304f6d",
    url: `${repositoryUrl}/actions/jobs/${id}`,
    html_url: null,
    status,
    conclusion: job.conclusion === undefined ? (status === "completed" ? "success" : null) : job.conclusion,
    created_at: job.createdAt ?? "2023-11-14T22:14:00Z",
    started_at: job.startedAt ?? "2023-11-14T22:15:20Z",
    completed_at: job.completedAt === undefined ? "2023-11-14T22:25:20Z" : job.completedAt,
    name,
    steps: Object.entries(steps).map(([name, conclusion], index) => ({
      name,
      status: conclusion === null ? "in_progress" : "completed",
      conclusion,
      number: index + 1,
    })),
    check_run_url: `${repositoryUrl}/check-runs/${id}`,
    labels: job.labels ?? ["self-hosted", "large"],
    runner_id: runnerId,
    runner_name: runner,
    runner_group_id: runner === null ? null : 1,
    runner_group_name: runner === null ? null : "Default",
  };
}

function runnerBody({ name, status = "online", busy = false }: LocalRunner, id: number): Record<string, unknown> {
  const labels = [{ id: 1, name: "self-hosted", type: "read-only" }];
  return { id, runner_group_id: 1, name, os: "linux", status, busy, labels, ephemeral: true };
}

function forbidden(): HttpReply {
  return error(403, "Resource not accessible by integration");
}

function error(status: number, message: string): HttpReply {
  return json(status, { message, documentation_url: "https://docs.github.com/rest", status: String(status) });
}

function json(status: number, body: unknown): HttpReply {
  return { status, headers: { "content-type": "application/json; charset=utf-8" }, body: JSON.stringify(body) };
}

function fail(response: ServerResponse, fault: GithubFault): void {
  switch (fault.kind) {
    case "reply": {
      const { status, headers = {}, body = '{"message": "It was asked for."}' } = fault;
      send(response, { status, headers: { "content-type": "application/json", ...headers }, body });
      return;
    }
    case "stalled-body":
      response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
      response.write('{"total_count": ');
      return;
    case "reset":
      response.socket?.resetAndDestroy();
      return;
    case "hang":
      return;
  }
}

function send(response: ServerResponse, { status, headers, body }: HttpReply): void {
  response.writeHead(status, { ...headers });
  response.end(body);
}
