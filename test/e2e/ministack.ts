import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MINISTACK, startEmulator } from "../emulators.ts";

const region = "us-east-1";
const credentials = { accessKeyId: "test", secretAccessKey: "test" };

/** Starts a MiniStack with a directory of its own. Says how programs (`env`) and clients of the SDK (`client`) reach it. */
export async function startMiniStack(name: string) {
  const directory = mkdtempSync(join(tmpdir(), `runner-metrics-${name}-`));
  const { endpoint, stop } = await startEmulator(MINISTACK, directory);
  return {
    directory,
    client: { endpoint, region, credentials },
    env: {
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    },
    stop() {
      stop();
      rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
}
