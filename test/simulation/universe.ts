/** The simulated world: models, clock, history, and the operations that wait for their turn. */

import { createEventBridgeModel, type EventBridgeModel } from "../../local/event-bridge.ts";
import { createS3Model, isS3Error, type S3Model, type S3Object } from "../../local/s3.ts";
import type { Body } from "./bodies.ts";
import type { FaultName, OperationKind } from "./faults.ts";
import type { Event, History, Operation, Upload } from "./history.ts";

export const BUCKET = "metrics";
export const BUS = "runner-metrics";
export const FLAVOR = "large";
export const PREFIX = `runners/${FLAVOR}/`;
const BEGIN = 1_700_100_000_000;

/** One run of the code under test: until it ends or dies. */
export interface SimulatedRun {
  readonly id: number;
  readonly worker: number;
  readonly deadline: number;
  readonly pageSize: number;
  isDead: boolean;
  /** Ends the run as a crash would: nothing that it waits for ever comes. */
  die(end: "crashed" | "timed-out"): void;
}

/** An operation that a run waits for, or a sleep. */
export interface Pending {
  readonly run: SimulatedRun;
  readonly kind: OperationKind | "sleep";
  /** Not before this time. */
  readonly notBefore: number;
  perform(): Promise<void>;
}

/** Who decides what happens next: chance, or a script. */
export interface Director {
  fault(kind: OperationKind, run: SimulatedRun): FaultName | undefined;
  /** Milliseconds that an operation takes. */
  latency(): number;
  /** One of so many. */
  choose(length: number): number;
}

export interface Universe {
  readonly s3: S3Model;
  readonly eventBridge: EventBridgeModel;
  readonly history: History;
  readonly director: Director;
  readonly pending: Pending[];
  readonly runs: Set<SimulatedRun>;
  /** Called after each operation. */
  readonly watchers: ((operation: Operation) => void)[];
  now(): number;
  advance(milliseconds: number): void;
  /** Adds it to the history, with its place and time. */
  note(event: Unnoted): Event;
  upload(by: Upload["by"], storage: string, name: string, body: Body, options?: UploadOptions): Upload["outcome"];
}

/** An event before it has its place in the history. */
export type Unnoted = Event extends infer E ? (E extends unknown ? Omit<E, "step" | "time"> : never) : never;

export interface UploadOptions {
  readonly onlyIfAbsent?: boolean;
  /** Attributes that no plain PUT gives: a sparse size, an archive's class, a foreign key. */
  readonly attributes?: Partial<Omit<S3Object, "key">>;
}

export function createUniverse(director: Director): Universe {
  let time = BEGIN;
  let steps = 0;
  const now = () => time;
  const s3 = createS3Model({ now });
  const eventBridge = createEventBridgeModel({ now });
  s3.createBucket(BUCKET);
  eventBridge.createBus(BUS);
  const history: History = [];
  const runs = new Set<SimulatedRun>();

  const universe: Universe = {
    s3,
    eventBridge,
    history,
    director,
    pending: [],
    runs,
    watchers: [],
    now,
    advance(milliseconds) {
      time += milliseconds;
      for (const run of runs) if (time >= run.deadline) run.die("timed-out");
    },
    note(event) {
      steps += 1;
      const noted = Object.assign(event, { step: steps, time }) as Event;
      history.push(noted);
      return noted;
    },
    upload(by, storage, name, { bytes, meaning }, { onlyIfAbsent, attributes } = {}) {
      const key = `${PREFIX}${storage}/${name}`;
      const stored = attributes
        ? s3.plant(BUCKET, key, { ...(attributes.size === undefined && { body: bytes }), ...attributes })
        : s3.putObject(BUCKET, key, { body: bytes, ...(onlyIfAbsent && { ifNoneMatch: "*" }) });
      if (isS3Error(stored)) {
        const outcome = stored.httpStatus === 412 ? "there" : "failed";
        universe.note({ type: "upload", by, storage, key, outcome });
        return outcome;
      }
      const version = { etag: stored.etag, size: stored.size, bytes, meaning };
      universe.note({ type: "upload", by, storage, key, outcome: "stored", version });
      return "stored";
    },
  };
  return universe;
}

/** A run that may be killed; `death` resolves when it is. */
export function createRun(
  universe: Universe,
  { id, worker, deadline, pageSize }: Omit<SimulatedRun, "isDead" | "die">,
) {
  const { promise: death, resolve } = Promise.withResolvers<{ end: "crashed" | "timed-out" }>();
  const simulated: SimulatedRun = {
    id,
    worker,
    deadline,
    pageSize,
    isDead: false,
    die(end) {
      simulated.isDead = true;
      forget(universe, simulated);
      resolve({ end });
    },
  };
  universe.runs.add(simulated);
  return { simulated, death };
}

/** Takes the run's operations off the list: a dead worker waits for nothing. */
export function forget(universe: Universe, run: SimulatedRun): void {
  for (let index = universe.pending.length - 1; index >= 0; index--) {
    if (universe.pending[index]?.run === run) universe.pending.splice(index, 1);
  }
  universe.runs.delete(run);
}

/** Resolves when every promise that can settle by itself has: then all that runs is waiting for a turn. */
export async function drained(): Promise<void> {
  await null; // from inside of a microtask, nextTick comes after the last of them
  await new Promise<void>((resolve) => process.nextTick(resolve));
}
