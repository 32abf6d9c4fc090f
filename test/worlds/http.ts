/** A run with the real SDK clients against local AWS, over HTTP: for tests of what only the wire shows. */

import { randomUUID } from "node:crypto";
import type { RunInput } from "../../contract/schedule-input.ts";
import { createClients } from "../../functions/aws/clients.ts";
import { eventBridgeBus } from "../../functions/aws/event-bridge-bus.ts";
import { s3ObjectStore } from "../../functions/aws/s3-object-store.ts";
import type { Dependencies } from "../../functions/ports.ts";
import { run } from "../../functions/run/run.ts";
import { startLocalAws } from "../../local/server.ts";
import { BUCKET, BUS, CONFIG, EVERY_RUNNER, viewOf } from "./memory.ts";

/** For tests of an answer that never comes: they wait for it several times. */
export const IMPATIENT_MILLISECONDS = 1_500;

/** No request takes as long, on a busy machine either. */
const TIMEOUT_MILLISECONDS = 60_000;

export async function startHttpWorld(timeoutMilliseconds = TIMEOUT_MILLISECONDS) {
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
    ...viewOf(local),
    clients,
    dependencies,
    run: (payload: Partial<RunInput> = {}) =>
      run({ ...EVERY_RUNNER, ...payload }, { ...dependencies, runId: randomUUID() }),
  };
}
