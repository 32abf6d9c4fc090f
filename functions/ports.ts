/**
 * What a run needs from the outside world. No SDK types: an adapter (`aws/`, `github/`) or a model (tests) implements these, and
 * translates every outcome that the run decides on into a value. Only outcomes that the run can't decide on are thrown.
 */
import type { GITHUB_SETTINGS, RUN_SETTINGS, ValuesOf } from "../contract/environment.ts";
import type { DeleteResult, GithubReason } from "../contract/reasons.ts";
import type { RunnerMetrics } from "./domain/runner-metrics.ts";
import type { WorkflowRunJobs } from "./domain/verify-job.ts";

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
  /** When S3 answered, by its own clock, in milliseconds since the epoch. */
  readonly date: number;
  readonly objects: readonly ListedObject[];
  /** Where the next page starts; absent on the last one. */
  readonly next?: ListPosition;
}

/** Where a page starts: after a key (exclusive), or where an earlier page ended, after its last key if that is known. */
export type ListPosition = { readonly after: string } | { readonly token: string; readonly after?: string };

/** What HEAD says about an object. All other headers that an uploader can set are ignored. */
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
 * Why S3 refused a call for an object:
 * - `gone`: there is no such object (404)
 * - `changed`: it is another version than the one asked for (412, 409), or its body is not as long as announced
 * - `denied`: our role may not (403)
 * - `unreadable`: no role could: archived, or encrypted with a key of the uploader's (SSE-C)
 */
export type Refusal = "gone" | "changed" | "denied" | "unreadable";

/** The bucket. Every method throws `ServiceError` if S3 did not answer or refused for a reason that is not a `Refusal`. */
export interface ObjectStore {
  /** A page (at most 1,000 objects) of the keys that begin with `prefix`. */
  list(prefix: string, from?: ListPosition): Promise<ListPage>;
  head(key: string): Promise<ObjectHead | Refusal>;
  /** The body, which has exactly `size` bytes; never reads more than that, whatever the headers say. */
  get(object: ObjectVersion, size: number): Promise<Uint8Array | Refusal>;
  /** Stores a JSON document, or gzipped bytes, unless the key exists. */
  putIfAbsent(key: string, body: string | Uint8Array): Promise<"stored" | "exists">;
  /** Copies within the bucket, replacing any object at `to`. */
  copy(from: ObjectVersion, to: string): Promise<"copied" | Refusal>;
  /** Deletes exactly these versions. Results are in the order of `objects`; a `failed` delete may be tried again. */
  delete(objects: readonly ObjectVersion[]): Promise<DeleteResult[]>;
}

/** One entry for the event bus. `detail` is a JSON object, serialised. */
export interface EventEntry {
  readonly source: string;
  readonly detailType: string;
  readonly resources: readonly string[];
  readonly detail: string;
}

/** What happened to an entry. A failed one has EventBridge's error code. */
export type EntryResult = "accepted" | { readonly code: string };

/** The event bus. */
export interface EventBus {
  /** Whether the bus exists: PutEvents to a missing bus reports success and loses the event. Throws `ServiceError`. */
  exists(): Promise<boolean>;
  /**
   * Publishes entries and reports on each, in the order of `entries`. Tries again if EventBridge says that it may help, until shortly
   * before `deadline`, in milliseconds since the epoch. Never throws for what EventBridge answers.
   */
  publish(entries: readonly EventEntry[], deadline: number): Promise<EntryResult[]>;
}

/** The queue of storages that runs hand over to workers. Both methods throw `ServiceError`. */
export interface WorkQueue {
  /** Whether no message waits or is being worked on, as far as SQS knows: it counts late. */
  isEmpty(): Promise<boolean>;
  /** Sends one message. */
  send(body: string): Promise<void>;
}

/** GitHub's jobs, as one run asks for them. */
export interface JobLookup {
  /** The jobs of the workflow run that a runner claims, of all attempts, or why they are unknown. Never throws. */
  jobsOf(metrics: RunnerMetrics): Promise<WorkflowRunJobs>;
}

/** GitHub's self-hosted runners, as one run asks for them. */
export interface RunnerLookup {
  /** Names of all runners of an organisation (`acme`) or repository (`acme/widgets`) that are online or busy, or why they are unknown. */
  alive(owner: string): Promise<ReadonlySet<string> | { readonly unknown: GithubReason }>;
}

/** The calls of one run to GitHub. */
export interface GithubUsage {
  /** Calls, including refused ones. */
  readonly requests: number;
  /** Calls that GitHub's rate limit refused, or that were not made to respect it. */
  readonly rateLimited: number;
  /** Calls by the HTTP status of the answer. */
  readonly statuses: Record<number, number>;
  /** The rate limit in GitHub's last answer; absent if no answer had it. */
  readonly rateLimit?: { readonly limit: number; readonly remaining: number };
}

/** How GitHub is asked. */
export interface GithubConfig extends ValuesOf<typeof GITHUB_SETTINGS> {
  /** `https://api.github.com`, `https://api.acme.ghe.com`, or `https://github.acme.example/api/v3`. */
  readonly apiUrl: string;
  /** Name or ARN of the secret that holds the credentials. */
  readonly secretId: string;
  /** Only repositories of these owners are asked about. */
  readonly owners: readonly string[];
  /** PEM; trusted in addition to the public authorities. */
  readonly caCertificates?: string | undefined;
}

/** Time as the run sees it, so that tests can own it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  sleep(milliseconds: number): Promise<void>;
}

/** The configuration of every run. */
export interface RunConfig extends ValuesOf<typeof RUN_SETTINGS> {
  readonly bucketName: string;
  readonly eventBusName: string;
  /** ARN of the KMS key that encrypts the bucket, if it has one. */
  readonly kmsKeyArn?: string | undefined;
  /** Our AWS account, if known: an object encrypted with a key of another account is unreadable because of its uploader. */
  readonly accountId?: string | undefined;
  /** Of our AWS region: `aws`, `aws-cn`, … */
  readonly partition: string;
  /** Whether a runner is quarantined that claims a job which GitHub says it did not do; otherwise its events are flagged. */
  readonly quarantineMismatches?: boolean;
  /** Whether the bucket records how EC2 instances end: without it nothing is read there. */
  readonly endedInstances?: boolean;
}

/** All that a run depends on. */
export interface Dependencies {
  readonly store: ObjectStore;
  readonly bus: EventBus;
  /** Absent if GitHub is not configured: events are then issued without the values that only GitHub knows. */
  readonly jobs?: JobLookup;
  readonly runners?: RunnerLookup;
  /** Absent without workers: a run then does all that its time allows. */
  readonly queue?: WorkQueue | undefined;
  readonly clock: Clock;
  readonly config: RunConfig;
  /** A random UUID of this invocation: the names of its objects in the archive. */
  readonly runId: string;
  /** When this process will be stopped, in milliseconds since the epoch. */
  readonly deadline: number;
  /** Aborted shortly before the deadline: calls in progress are then abandoned. */
  readonly timeUp?: AbortSignal;
}

/** A service failed or refused a call, for a reason that no rule of ours decides on. */
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
