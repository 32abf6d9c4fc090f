/** What happened in a simulated world, in order. The checker reads nothing else. */

import type { DeleteResult } from "../../contract/reasons.ts";
import type { RunInput } from "../../contract/schedule-input.ts";
import type { PutResult } from "../../functions/aws/publish-entries.ts";
import type { JobAnswer } from "../../functions/domain/verify-job.ts";
import type { EventEntry, ListedObject, ObjectVersion, RunConfig } from "../../functions/ports.ts";
import type { Summary } from "../../functions/run/summary.ts";
import type { FaultName } from "./faults.ts";

interface Happening {
  /** Its place in the history. */
  readonly step: number;
  /** Milliseconds since the epoch, by the world's clock. */
  readonly time: number;
}

/** Somebody who may write under the storage's prefix put or removed an object there. */
export interface Upload extends Happening {
  readonly type: "upload";
  readonly by: "honest" | "attacker";
  readonly storage: string;
  readonly key: string;
  /** `there`: not stored, since the key exists (412). `failed`: had no effect. `removed`: the object was deleted. */
  readonly outcome: "stored" | "there" | "failed" | "removed";
  /** Absent where nothing was stored. */
  readonly version?: UploadedVersion;
}

export interface UploadedVersion {
  readonly etag: string;
  readonly size: number;
  readonly bytes?: Uint8Array;
  /** What it is, as he says who made it. */
  readonly meaning: Meaning;
}

/** What a body means under the key where it was put. The generator knows; the checker never parses. */
export type Meaning =
  | { readonly kind: "seconds"; readonly seconds: number }
  | {
      readonly kind: "pre-job";
      readonly timestamp: number;
      readonly workflow: string;
      readonly workflow_run_id: string;
      readonly repository: string;
      readonly event: string;
      readonly installed_timestamp?: number;
    }
  | {
      readonly kind: "post-job";
      readonly timestamp: number;
      readonly status: string;
      readonly status_info?: { readonly code: number };
      readonly job_timestamp?: number;
    }
  | { readonly kind: "corrupt"; readonly reason: string }
  | { readonly kind: "unreadable" }
  | { readonly kind: "empty" }
  /** Not one of the four files, under a sane key. */
  | { readonly kind: "other" }
  | { readonly kind: "insane-key" };

/** A runner has sent all it will ever send, and was told that all of it is stored. */
export interface RunnerFinished extends Happening {
  readonly type: "runner-finished";
  readonly storage: string;
}

export interface RunBegins extends Happening {
  readonly type: "run-begins";
  readonly run: number;
  readonly worker: number;
  readonly payload: RunInput;
  readonly config: RunConfig;
  readonly deadline: number;
  readonly pageSize: number;
  /** The world has come to rest: no faults and no uploads from here on. */
  readonly isQuiet: boolean;
  /** It is the run of a message of the work queue, which claims that these objects are there. */
  readonly given?: readonly ListedObject[];
}

/** What became of a message that SQS had accepted; or that all were purged. */
export interface MessageHappens extends Happening {
  readonly type: "message";
  readonly is: "there" | "lost" | "doubled" | "late" | "late and doubled" | "purged";
}

export interface RunEnds extends Happening {
  readonly type: "run-ends";
  readonly run: number;
  readonly end: "done" | "rejected" | "crashed" | "timed-out";
  readonly summary?: Summary;
  readonly error?: unknown;
}

/** The end of an EC2 instance was recorded. */
export interface InstanceRecorded extends Happening {
  readonly type: "recorded";
  readonly key: string;
}

/** The bus was deleted or made again. */
export interface BusChanges extends Happening {
  readonly type: "bus";
  readonly is: "deleted" | "created";
}

/** Nothing is left to do, or the bound of runs is reached. */
export interface WorldEnds extends Happening {
  readonly type: "end";
  readonly quietRuns: number;
  readonly quietRunsMax: number;
}

/** One operation of a run's, at the moment of its effect. */
export type Operation = Happening & {
  readonly type: "operation";
  readonly run: number;
  /** When the run asked for it, in milliseconds since the epoch. */
  readonly askedAt: number;
  /** Operations of the same run and kind that were waiting, with this one. */
  readonly inFlight: number;
  fault?: FaultName;
  /** Whether the run was told `answer`; it was not if it crashed, or if the answer was lost. */
  heard: boolean;
} & (
    | { readonly kind: "exists"; answer?: boolean }
    | {
        readonly kind: "list";
        readonly prefix: string;
        readonly isFirstPage: boolean;
        answer?: readonly ListedObject[];
      }
    | { readonly kind: "head"; readonly key: string; answer?: string }
    | { readonly kind: "get"; readonly key: string; readonly size: number; answer?: string }
    | {
        readonly kind: "putIfAbsent";
        readonly key: string;
        readonly json: string;
        answer?: string;
        hasWritten?: boolean;
      }
    | {
        readonly kind: "archive";
        readonly key: string;
        /** The archived events, as lines of the object. */
        readonly entries: readonly {
          readonly resources: readonly string[];
          readonly detail: { readonly event_id: string };
        }[];
        answer?: string;
        hasWritten?: boolean;
      }
    | { readonly kind: "copy"; readonly from: ObjectVersion; readonly to: string; answer?: string; wrote?: string }
    | {
        readonly kind: "delete";
        readonly objects: readonly ObjectVersion[];
        readonly removed: ObjectVersion[];
        answer?: readonly DeleteResult[];
      }
    | {
        readonly kind: "put";
        readonly entries: readonly EventEntry[];
        readonly delivered: EventEntry[];
        answer?: readonly PutResult[];
      }
    | { readonly kind: "jobs"; readonly storage: string; answer?: JobAnswer | undefined }
    | { readonly kind: "alive"; answer?: ReadonlySet<string> | undefined }
    | { readonly kind: "isEmpty"; answer?: boolean }
    | { readonly kind: "send"; readonly body: string }
  );

export type Event =
  | Upload
  | RunnerFinished
  | InstanceRecorded
  | RunBegins
  | RunEnds
  | BusChanges
  | MessageHappens
  | WorldEnds
  | Operation;
export type History = Event[];
