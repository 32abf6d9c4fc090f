import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import tls from "node:tls";
import { fileURLToPath } from "node:url";
import { CreateEventBusCommand } from "@aws-sdk/client-eventbridge";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { createClients } from "../../functions/aws/clients.ts";
import { eventBridgeBus } from "../../functions/aws/event-bridge-bus.ts";
import { s3ObjectStore } from "../../functions/aws/s3-object-store.ts";
import type { Clock, Dependencies } from "../../functions/ports.ts";
import { BUCKET, BUS, CONFIG, FILES } from "../worlds/memory.ts";

/** As deployed. */
export const BENCH_CONFIG = { ...CONFIG, concurrency: 32 };

/** Local AWS in a process of its own, so that its work is not counted as ours. */
export interface LocalProcess {
  readonly endpoint: string;
  /** Puts objects there, without requests that count. */
  plant(objects: Iterable<{ key: string; text?: string; size?: number; lastModified?: number }>): Promise<void>;
  /** Requests by operation since the last `reset`. */
  requests(): Promise<Record<string, number>>;
  reset(): Promise<void>;
  stop(): Promise<void>;
}

/** A certificate for AWS's host names, and the authority that signed it, which nobody trusts but the bench. */
const TLS_FOLDER = fileURLToPath(new URL("tls", import.meta.url));
/** File with the authority's certificate, for `NODE_EXTRA_CA_CERTS`. */
export const AUTHORITY_FILE = `${TLS_FOLDER}/ca.pem`;

export async function startLocalProcess(): Promise<LocalProcess> {
  tls.setDefaultCACertificates([...tls.rootCertificates, readFileSync(AUTHORITY_FILE, "utf8")]);
  const script = fileURLToPath(new URL("../../local/main.ts", import.meta.url));
  const child = spawn(process.execPath, ["--max-old-space-size=8192", script, "--tls", TLS_FOLDER], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const { endpoint } = JSON.parse(await firstLine(child));
  useEndpoint(endpoint);
  const { s3, eventBridge } = createClients(1, true);
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  await eventBridge.send(new CreateEventBusCommand({ Name: BUS }));
  const control = (path: string, init?: RequestInit) => fetch(`${endpoint}/_local/${path}`, init);
  return {
    endpoint,
    async plant(objects) {
      let lines: string[] = [];
      const send = async () => {
        await control("objects", { method: "POST", body: lines.join("\n") });
        lines = [];
      };
      for (const object of objects) {
        lines.push(JSON.stringify({ bucket: BUCKET, ...object }));
        if (lines.length === 10_000) await send();
      }
      await send();
    },
    requests: async () => (await control("requests")).json() as Promise<Record<string, number>>,
    reset: async () => void (await control("requests", { method: "DELETE" })),
    async stop() {
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
}

/** Points the SDK at an endpoint that asks for no credentials. */
export function useEndpoint(endpoint: string): void {
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
  });
}

/** What a run needs, with the real adapters. */
export function realDependencies(): Dependencies {
  const clients = createClients(BENCH_CONFIG.concurrency, true);
  const clock: Clock = {
    now: Date.now,
    sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  };
  return {
    store: s3ObjectStore(clients, BUCKET),
    bus: eventBridgeBus(clients.eventBridge, BUS, clock),
    clock,
    config: BENCH_CONFIG,
    runId: randomUUID(),
    deadline: Number.POSITIVE_INFINITY,
  };
}

/** The four files of so many finished runners; their uploads are a minute old. */
export function* finishedRunners(flavor: string, count: number) {
  for (let number = 0; number < count; number++) {
    const prefix = `runners/${flavor}/runner-${String(number).padStart(7, "0")}`;
    for (const [name, text] of Object.entries(FILES)) yield { key: `${prefix}/${name}`, text };
  }
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (!child.stdout) throw new Error("Local AWS has no output.");
  for await (const line of createInterface(child.stdout)) return line;
  throw new Error("Local AWS ended before it was ready.");
}
