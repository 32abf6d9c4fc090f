/**
 * What a run needs of the outside world. No SDK types: an adapter (`aws/`) or a model (tests) implements these, and
 * translates every outcome that the run decides on into a value. Only what the run can't decide on is thrown.
 */

import type { JobAnswer, JobMetricsUnknown } from "./metrics/github-job.ts";
import type { RunnerMetrics } from "./metrics/runner-metrics.ts";

/** An object as a listing shows it. */
export interface ListedObject {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Opaque, with its quotes, as S3 gives it. */
  readonly etag: string;
  /** Milliseconds since the epoch, by S3's clock. */
  readonly lastModified: number;
  readonly storageClass: string;
}

/** One page of a listing, in the byte order of the UTF-8 keys. */
export interface ListPage {
  readonly objects: readonly ListedObject[];
  /** Where the next page begins; absent on the last one. */
  readonly next?: ListPosition;
}

/** Where a page begins: after a key (exclusive), or where an earlier page ended. */
export type ListPosition = { readonly after: string } | { readonly token: string };

/** What HEAD says of an object. Of all the headers that an uploader can set, only these are looked at. */
export interface ObjectHead {
  readonly size: number;
  readonly etag: string;
  /** Milliseconds since the epoch, by S3's clock. */
  readonly lastModified: number;
  readonly storageClass: string;
  /** ARN of the KMS key that encrypts the object; absent with S3's own keys. */
  readonly kmsKeyId?: string;
}

/** Exactly one version of an object: no other is read, copied or deleted. */
export interface ObjectVersion {
  readonly key: string;
  readonly etag: string;
}

/**
 * Why S3 did not do to an object what was asked:
 * - `gone`: there is no such object (404)
 * - `changed`: it is another version than the one asked for (412, 409), or its body is not as long as was announced
 * - `denied`: our role may not (403)
 * - `unreadable`: nobody could with these means: archived, or encrypted with a key of the uploader's (SSE-C)
 */
export type Refusal = "gone" | "changed" | "denied" | "unreadable";

/** The bucket. Every method throws `ServiceError` when S3 did not answer or refused for another reason than a `Refusal`. */
export interface ObjectStore {
  /** A page (at most 1,000 objects) of the keys that begin with `prefix`. */
  list(prefix: string, from?: ListPosition): Promise<ListPage>;
  head(key: string): Promise<ObjectHead | Refusal>;
  /** The body, which has exactly `size` bytes; never reads more than that, whatever the headers say. */
  get(object: ObjectVersion, size: number): Promise<Uint8Array | Refusal>;
  /** Stores a JSON document unless the key exists. */
  putIfAbsent(key: string, json: string): Promise<"stored" | "exists">;
  /** Copies within the bucket, replacing what is at `to`. */
  copy(from: ObjectVersion, to: string): Promise<"copied" | Refusal>;
  /** Deletes exactly these versions. Results stand in the order of `objects`; a `failed` one may be tried again. */
  delete(objects: readonly ObjectVersion[]): Promise<DeleteResult[]>;
}

export const DELETE_RESULTS = ["deleted", "gone", "changed", "denied", "failed"] as const;
export type DeleteResult = (typeof DELETE_RESULTS)[number];

/** One entry for the event bus. `detail` is a JSON object, serialised. */
export interface EventEntry {
  readonly source: string;
  readonly detailType: string;
  readonly resources: readonly string[];
  readonly detail: string;
}

/** What became of an entry: a failed one comes with EventBridge's error code, and says whether to send it again. */
export type EntryResult = "accepted" | { readonly code: string; readonly retryable: boolean };

/** The event bus. Methods throw `ServiceError` when EventBridge did not answer or refused the whole call. */
export interface EventBus {
  /** Whether the bus is there. PutEvents to a missing bus reports success and loses the event. */
  exists(): Promise<boolean>;
  /** At most 10 entries and 256 KB. Results stand in the order of `entries`. */
  put(entries: readonly EventEntry[]): Promise<EntryResult[]>;
}

/** GitHub's jobs, as one run asks for them. */
export interface JobLookup {
  /** What GitHub knows of the job that a runner says it did, or why that can't be told; undefined where nobody was asked. Never throws. */
  find(metrics: RunnerMetrics): Promise<JobAnswer | undefined>;
}

/** GitHub's self-hosted runners, as one run asks for them. */
export interface RunnerLookup {
  /** Names of all runners of an organisation (`acme`) or repository (`acme/widgets`) that live, or why they can't be told. */
  alive(owner: string): Promise<ReadonlySet<string> | { readonly unknown: JobMetricsUnknown }>;
}

/** What one run has asked of GitHub. */
export interface GithubUsage {
  /** Calls that were made, refused ones included. */
  readonly requests: number;
  /** Calls that GitHub's limits refused, or that were not made for their sake. */
  readonly rateLimited: number;
  /** Calls by the HTTP status of the answer. */
  readonly statuses: Record<number, number>;
  /** What GitHub said last of its limit; absent if it said nothing. */
  readonly rateLimit?: { readonly limit: number; readonly remaining: number };
}

/** How GitHub is asked. */
export interface GithubConfig {
  /** `https://api.github.com`, `https://api.acme.ghe.com`, or `https://github.acme.example/api/v3`. */
  readonly apiUrl: string;
  /** Name or ARN of the secret that holds the credentials. */
  readonly secretId: string;
  /** Only of repositories of these owners it is asked. */
  readonly owners: readonly string[];
  /** How long one run may wait for it in all. */
  readonly timeBudgetMilliseconds: number;
  /** How many calls one run may make. */
  readonly requestsMax: number;
}

/** Time as the run sees it, so that tests can own it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  sleep(milliseconds: number): Promise<void>;
}

/** What a run is told by its configuration. */
export interface RunConfig {
  readonly bucketName: string;
  readonly eventBusName: string;
  readonly runnersPrefix: string;
  readonly quarantinePrefix: string;
  readonly fileSizeBytesLimit: number;
  readonly maxObjectsPerRunner: number;
  /** Runners in progress. */
  readonly concurrency: number;
  /** ARN of the bucket's own KMS key, where it has one. */
  readonly kmsKeyArn?: string | undefined;
  /** Our AWS account, where it is known: an object encrypted with a key of another one is its uploader's doing. */
  readonly accountId?: string | undefined;
  /** Of our AWS region: `aws`, `aws-cn`, … */
  readonly partition: string;
  /** Whether a runner that claims a job which GitHub says it did not do is quarantined; else its events are flagged. */
  readonly quarantineMismatches?: boolean;
}

/** All that a run depends on. */
export interface Dependencies {
  readonly store: ObjectStore;
  readonly bus: EventBus;
  /** Absent where GitHub is not configured: events are issued without what only GitHub knows. */
  readonly jobs?: JobLookup;
  readonly runners?: RunnerLookup;
  readonly clock: Clock;
  readonly config: RunConfig;
  /** When this process will be stopped, in milliseconds since the epoch. */
  readonly deadline: number;
}

/** A service did not do what was asked, for a reason that no rule of ours decides on. */
export class ServiceError extends Error {
  override readonly name = "ServiceError";
  /** The service's own error code, from its closed list; safe to log. */
  readonly code: string;
  readonly retryable: boolean;

  constructor(code: string, message: string, options: { retryable: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable;
  }

  /** Our role may not. */
  get isAccessDenied(): boolean {
    return this.code.startsWith("AccessDenied");
  }
}
