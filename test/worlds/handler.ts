import { startLocalAws } from "../../local/server.ts";
import { type Environment, invokeHandler } from "./invoke-handler.ts";
import { BUCKET, BUS, viewOf } from "./memory.ts";

/** Local AWS, and the collector's handler with an environment that names it. */
export async function startHandlerWorld() {
  const local = await startLocalAws();
  return {
    ...local,
    ...viewOf(local),
    /** Makes the bucket and the bus as they are on the first day. */
    reset() {
      local.s3.createBucket(BUCKET);
      for (const { key } of [...local.s3.objects(BUCKET)]) local.s3.deleteObject(BUCKET, key);
      local.eventBridge.createBus(BUS);
      local.eventBridge.clear();
    },
    invoke: (event: unknown, environment: Environment = {}) =>
      invokeHandler(event, {
        AWS_ENDPOINT_URL: local.endpoint,
        BUCKET_NAME: BUCKET,
        EVENT_BUS_NAME: BUS,
        ...environment,
      }),
  };
}
