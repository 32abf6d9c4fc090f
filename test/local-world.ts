/** A run with the real SDK clients against local AWS, over HTTP: for tests of what only the wire shows. */

import { randomUUID } from "node:crypto";
import type { RunInput } from "../contract/schedule-input.ts";
import { createClients } from "../functions/aws/clients.ts";
import { eventBridgeBus } from "../functions/aws/event-bridge-bus.ts";
import { s3ObjectStore } from "../functions/aws/s3-object-store.ts";
import type { Dependencies } from "../functions/ports.ts";
import { run } from "../functions/run/run.ts";
import { startLocalAws } from "../local/server.ts";
import { archivedIn, BUCKET, BUS, CONFIG, EVERY_RUNNER, FILES, keysIn } from "./harness.ts";

/** For tests of an answer that never comes: they wait for it several times. */
export const IMPATIENT_MILLISECONDS = 1_500;

/** No request takes as long, on a busy machine either. */
const TIMEOUT_MILLISECONDS = 60_000;

export async function startLocalWorld(timeoutMilliseconds = TIMEOUT_MILLISECONDS) {
  const local = await startLocalAws();
  local.s3.createBucket(BUCKET);
  local.eventBridge.createBus(BUS);
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: local.endpoint,
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
  });
  const clients = createClients(CONFIG.concurrency, true, timeoutMilliseconds);
  const clock = { now: Date.now, sleep: async () => {} };
  const dependencies: Dependencies = {
    store: s3ObjectStore(clients, BUCKET, timeoutMilliseconds),
    bus: eventBridgeBus(clients.eventBridge, BUS, clock),
    clock,
    config: CONFIG,
    runId: "run",
    deadline: Number.POSITIVE_INFINITY,
  };
  return {
    ...local,
    clients,
    dependencies,
    upload(runner: string, files: Readonly<Record<string, string | Uint8Array>> = FILES) {
      for (const [name, content] of Object.entries(files)) {
        local.s3.putObject(BUCKET, `runners/large/${runner}/${name}`, { body: Buffer.from(content) });
      }
    },
    run: (payload: Partial<RunInput> = {}) =>
      run({ ...EVERY_RUNNER, ...payload }, { ...dependencies, runId: randomUUID() }),
    /** Without a prefix, all but the archive. */
    keys: (prefix = "") => keysIn(local.s3, prefix),
    archived: () => archivedIn(local.s3),
    events: () =>
      local.eventBridge.events().map(({ detailType, detail }) => ({ detailType, detail: JSON.parse(detail) })),
    manifests: () =>
      [...local.s3.objects(BUCKET, "quarantine/")]
        .filter(({ key }) => key.endsWith("/manifest.json"))
        .map(({ body }) => JSON.parse(Buffer.from(body ?? []).toString())),
  };
}
