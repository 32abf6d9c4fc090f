import { EventBridgeClient } from "@aws-sdk/client-eventbridge";
import { S3Client } from "@aws-sdk/client-s3";
import { startLocalAws } from "../../local/server.ts";
import type { EmulatorName } from "./known-gaps.ts";

/** What the contracts are run against, through the real SDK clients. */
export interface Target {
  /** `local` is this project's own; `aws` a real account. */
  readonly name: "local" | "aws" | "unknown" | EmulatorName;
  readonly s3: S3Client;
  readonly events: EventBridgeClient;
  close(): Promise<void>;
}

/**
 * The endpoint in `AWS_ENDPOINT_URL` if there is one, otherwise one of our own, in this process. `EMULATOR` says what
 * it is, where that can't be found out by asking; `EMULATOR=aws` means a real account, with the SDK's own settings.
 */
export async function openTarget(): Promise<Target> {
  const { AWS_ENDPOINT_URL: endpoint, EMULATOR: emulator } = process.env;
  if (emulator === "aws") return target("aws", undefined, async () => {});
  if (endpoint) return target(toName(emulator) ?? (await detect(endpoint)), endpoint, async () => {});
  const local = await startLocalAws();
  return target("local", local.endpoint, () => local.close());
}

function target(name: Target["name"], endpoint: string | undefined, stop: () => Promise<void>): Target {
  // One attempt: a contract says what an answer is, and a retry would hide it.
  const common = { maxAttempts: 1, region: process.env.AWS_REGION ?? "us-east-1" };
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  const s3 = new S3Client(endpoint === undefined ? common : { ...common, endpoint, credentials, forcePathStyle: true });
  const events = new EventBridgeClient(endpoint === undefined ? common : { ...common, endpoint, credentials });
  return {
    name,
    s3,
    events,
    close() {
      s3.destroy();
      events.destroy();
      return stop();
    },
  };
}

/** What only one of them answers with success; MiniStack answers what LocalStack does, so it comes first. */
const PROBES: readonly [EmulatorName, string][] = [
  ["ministack", "/_ministack/health"],
  ["moto", "/moto-api/"],
  ["localstack", "/_localstack/health"],
];

async function detect(endpoint: string): Promise<Target["name"]> {
  for (const [name, path] of PROBES) {
    const response = await fetch(new URL(path, endpoint));
    await response.arrayBuffer();
    if (response.ok) return name;
  }
  return "unknown";
}

function toName(emulator: string | undefined): EmulatorName | undefined {
  return PROBES.map(([name]) => name).find((name) => name === emulator);
}
