/** A bucket, a bus and a clock in memory, and what a test says of them. */

import { randomUUID } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { expect } from "vitest";
import { type DetailType, EVENT_SCHEMAS, EVENT_SOURCE } from "../../contract/events.ts";
import { EVENTS_PREFIX } from "../../contract/object-keys.ts";
import type { RunInput } from "../../contract/schedule-input.ts";
import type { Dependencies, RunConfig } from "../../functions/ports.ts";
import { run } from "../../functions/run/run.ts";
import { createEventBridgeModel, type EventBridgeModel } from "../../local/event-bridge.ts";
import { createS3Model, type S3Model } from "../../local/s3.ts";
import { modelEventBus, modelObjectStore } from "./model-ports.ts";

export const BUCKET = "metrics";
export const BUS = "runner-metrics";

/** 2023-11-15, a day after the golden files' timestamps begin to be written. */
export const NOW = 1_700_100_000_000;

export const CONFIG: RunConfig = {
  bucketName: BUCKET,
  eventBusName: BUS,
  maxObjectsPerRunner: 32,
  concurrency: 8,
  accountId: "111111111111",
  partition: "aws",
};

export const EVERY_RUNNER: RunInput = { flavor: "large", include: false, orphanAfterSeconds: 24 * 60 * 60 };

/** The four files of a runner that did a job: installed in 60 s, idle for 60 s, a job of 600 s. */
export const FILES = {
  "runner-installation-start.timestamp": "1700000000\n",
  "runner-installed.timestamp": "1700000060\n",
  "pre-job-metrics.json":
    '{"timestamp": 1700000120, "workflow": "CI", "workflow_run_id": "6873452345", "repository": "acme/widgets", "event": "push"}',
  "post-job-metrics.json": '{"timestamp": 1700000720, "status": "normal"}',
} as const;

export interface IssuedEvent {
  readonly detailType: string;
  readonly source: string;
  readonly resources: readonly string[];
  readonly detail: Record<string, unknown>;
}

export function createWorld(now = NOW) {
  const clock = {
    time: now,
    now: () => clock.time,
    async sleep(milliseconds: number) {
      clock.time += milliseconds;
    },
  };
  const s3 = createS3Model({ now: clock.now });
  const eventBridge = createEventBridgeModel({ now: clock.now });
  s3.createBucket(BUCKET);
  eventBridge.createBus(BUS);
  const dependencies: Dependencies = {
    store: modelObjectStore(s3, BUCKET),
    bus: modelEventBus(eventBridge, BUS, clock),
    clock,
    config: CONFIG,
    runId: "run",
    deadline: Number.POSITIVE_INFINITY,
  };
  return {
    ...viewOf({ s3, eventBridge }),
    clock,
    s3,
    eventBridge,
    dependencies,
    run: (payload: Partial<RunInput> = {}, changes: Partial<Dependencies> = {}) =>
      run({ ...EVERY_RUNNER, ...payload }, { ...dependencies, runId: randomUUID(), ...changes }),
  };
}

/** What a test puts into a bucket and finds there and on the bus, be they in memory or behind HTTP. */
export function viewOf({ s3, eventBridge }: { readonly s3: S3Model; readonly eventBridge: EventBridgeModel }) {
  /** All events so far; each must keep the public contract. */
  const events = () =>
    eventBridge.events().map(({ detailType, source, resources, detail }): IssuedEvent => {
      const schema = EVENT_SCHEMAS[detailType as DetailType];
      expect(source).toBe(EVENT_SOURCE);
      expect(schema.strict().parse(JSON.parse(detail))).toEqual(JSON.parse(detail));
      return { detailType, source, resources, detail: JSON.parse(detail) };
    });
  const bodyOf = (key: string) => [...s3.objects(BUCKET, key)].find((object) => object.key === key)?.body;
  return {
    /** Puts a runner's files, by name; text or bytes. */
    upload(runner: string, files: Readonly<Record<string, string | Uint8Array>> = FILES, flavor = "large") {
      for (const [name, content] of Object.entries(files)) {
        s3.putObject(BUCKET, `runners/${flavor}/${runner}/${name}`, { body: Buffer.from(content) });
      }
    },
    /** Without a prefix, all but the archive. */
    keys: (prefix = "") => keysIn(s3, prefix),
    text: (key: string) => Buffer.from(bodyOf(key) ?? []).toString(),
    archived: () => archivedIn(s3),
    events,
    /** Events of one runner. */
    eventsOf: (runner: string) => events().filter(({ detail }) => detail.runner_name === runner),
    /** The manifest of each quarantine. */
    manifests: () =>
      [...s3.objects(BUCKET, "quarantine/")]
        .filter(({ key }) => key.endsWith("/manifest.json"))
        .map(({ body }) => JSON.parse(Buffer.from(body ?? []).toString())),
  };
}
/** Keys under a prefix; without one, all but those of the archive. */
export function keysIn(s3: S3Model, prefix: string): string[] {
  const keys = [...s3.objects(BUCKET, prefix)].map(({ key }) => key);
  return prefix === "" ? keys.filter((key) => !key.startsWith(EVENTS_PREFIX)) : keys;
}

/** Every line of the archive. */
export function archivedIn(s3: S3Model): ArchivedEvent[] {
  const objects = [...s3.objects(BUCKET, EVENTS_PREFIX)];
  return objects.flatMap(({ body }) =>
    gunzipSync(Buffer.from(body ?? []))
      .toString()
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as ArchivedEvent),
  );
}

/** An event as the archive holds it. */
export interface ArchivedEvent {
  readonly source: string;
  readonly "detail-type": string;
  readonly resources: readonly string[];
  readonly time: string;
  readonly detail: Record<string, unknown>;
}
