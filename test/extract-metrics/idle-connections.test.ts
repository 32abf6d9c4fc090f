import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Context } from "aws-lambda";
import { afterEach, expect, test, vi } from "vitest";
import { startLocalGithub } from "../../local/github.ts";
import { startLocalSecretsManager } from "../../local/secrets-manager.ts";
import { startLocalAws } from "../../local/server.ts";
import { effort } from "../effort.ts";
import { REPOSITORY, RUN_ID } from "../github/github-world.ts";
import { BUCKET, BUS, FILES } from "../worlds/memory.ts";

const RUNS = effort(10, 60);

const open: (() => unknown)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  // The modules that were loaded with this environment are no other file's.
  vi.resetModules();
  for (const close of open.splice(0)) await close();
});

type Death = "reset" | "silence";

/** Forwards connections until they have been idle over the end of a run; then it does what NAT gateways and firewalls do. */
async function startFirewall(target: string, death: Death) {
  const { port } = new URL(target);
  let run = 0;
  let connections = 0;
  let uses = 0;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    connections++;
    sockets.add(client);
    let lastUsed = run;
    const upstream = connect(Number(port), "127.0.0.1");
    client.on("data", (chunk) => {
      if (lastUsed === run) return void upstream.write(chunk);
      uses++;
      if (death === "reset") client.resetAndDestroy();
    });
    upstream.on("data", (chunk) => {
      lastUsed = run;
      client.write(chunk);
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on("error", () => {}).on("close", () => other.destroy());
    }
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  open.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const url = new URL(target);
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href.replace(/\/$/, ""),
    endRun: () => void run++,
    /** How often a connection was used that had idled since an earlier run. */
    deadUses: () => uses,
    connections: () => connections,
  };
}

test.each<Death>(effort(["reset"], ["reset", "silence"]))(
  "S1 no run uses a connection that idled since an earlier run, where such connections end in %s",
  async (death) => {
    const local = await startLocalAws();
    const github = await startLocalGithub();
    const secretsManager = await startLocalSecretsManager({ github: github.secret });
    open.push(local.close, github.close, secretsManager.close);
    local.s3.createBucket(BUCKET);
    local.eventBridge.createBus(BUS);
    const s3 = await startFirewall(local.endpoint, death);
    const events = await startFirewall(local.endpoint, death);
    const secrets = await startFirewall(secretsManager.endpoint, death);
    const api = await startFirewall(github.apiUrl, death);
    const env = {
      AWS_ENDPOINT_URL_S3: s3.url,
      AWS_ENDPOINT_URL_EVENTBRIDGE: events.url,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url,
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      POWERTOOLS_LOG_LEVEL: "SILENT",
      POWERTOOLS_METRICS_DISABLED: "true",
      BUCKET_NAME: BUCKET,
      EVENT_BUS_NAME: BUS,
      GITHUB_SECRET_ID: "github",
      GITHUB_OWNERS: "acme",
      GITHUB_API_URL: api.url,
    };
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    // It reads the environment when it is loaded.
    vi.resetModules();
    const { handler } = await import("../../functions/extract-metrics/handler.ts");
    const context = { getRemainingTimeInMillis: () => 60_000 } as Context;

    for (let run = 1; run <= RUNS; run++) {
      const runId = String(Number(RUN_ID) + run);
      github.addJobs(REPOSITORY, runId, [{ runner: "r-1" }]);
      for (const [name, content] of Object.entries(FILES)) {
        const body = Buffer.from(content.replace(RUN_ID, runId));
        local.s3.putObject(BUCKET, `runners/large/r-1/${name}`, { body });
      }
      expect(await handler({ flavor: "large" }, context)).toMatchObject({
        extracted: 1,
        verifications: { verified: 1 },
        errors: [],
        stopped: "done",
      });
      for (const firewall of [s3, events, secrets, api]) firewall.endRun();
    }
    expect([s3, events, secrets, api].map(({ deadUses }) => deadUses())).toEqual([0, 0, 0, 0]);
    // Within a run they are shared: the first four requests of a runner at once, and the next page of the listing.
    expect(s3.connections()).toBeLessThanOrEqual(RUNS * 5);
    expect(s3.connections()).toBeGreaterThanOrEqual(RUNS);
    expect(api.connections()).toBeGreaterThanOrEqual(RUNS);
  },
);
