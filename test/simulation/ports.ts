/** The ports of one run, over the universe's models: every call waits for its turn, and may fail, or be the run's last. */

import { gunzipSync } from "node:zlib";
import type { DeleteResult } from "../../contract/reasons.ts";
import { type PutEvents, type PutResult, publishEntries } from "../../functions/aws/publish-entries.ts";
import type { JobAnswer } from "../../functions/domain/verify-job.ts";
import {
  type Clock,
  type EventBus,
  type JobLookup,
  type ObjectStore,
  type ObjectVersion,
  type RunnerLookup,
  ServiceError,
  type WorkQueue,
} from "../../functions/ports.ts";
import { isS3Error } from "../../local/s3.ts";
import { jobsThatSay, modelObjectStore, modelPutEvents } from "../worlds/model-ports.ts";
import type { FaultName, OperationKind } from "./faults.ts";
import type { Operation } from "./history.ts";
import type { SimulatedQueue } from "./queue.ts";
import { BUCKET, BUS, type SimulatedRun, type Universe, type Unnoted } from "./universe.ts";

/** What GitHub answers. */
export interface Github {
  job(storage: string): JobAnswer;
  alive(): ReadonlySet<string>;
}

export interface SimulatedPorts {
  readonly store: ObjectStore;
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly jobs?: JobLookup;
  readonly runners?: RunnerLookup;
  readonly queue?: WorkQueue;
}

type OperationOf<Kind extends OperationKind> = Extract<Operation, { kind: Kind }>;
type Asked = "type" | "step" | "time" | "run" | "askedAt" | "inFlight" | "heard" | "fault" | "answer";
type Question<Kind extends OperationKind> = Omit<OperationOf<Kind>, Asked> & { readonly kind: Kind };

export function simulatedPorts(
  universe: Universe,
  run: SimulatedRun,
  github: Github | undefined,
  queue?: SimulatedQueue,
): SimulatedPorts {
  const { s3, eventBridge, director, pending } = universe;
  const store = modelObjectStore(s3, BUCKET, { pageSize: run.pageSize });
  const shortPages = modelObjectStore(s3, BUCKET, { pageSize: 1 });
  const putToModel = modelPutEvents(eventBridge, BUS);

  function ask<Kind extends OperationKind, Answer>(
    question: Question<Kind>,
    perform: (operation: OperationOf<Kind>, fault: FaultName | undefined) => Promise<Answer>,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const askedAt = universe.now();
      pending.push({ run, kind: question.kind, notBefore: 0, perform: take });

      async function take(): Promise<void> {
        const fault = director.fault(question.kind, run);
        universe.advance(fault === "stalled" ? 5_000 : director.latency());
        if (run.isDead || universe.now() >= run.deadline) return;
        const operation = universe.note({
          type: "operation",
          ...question,
          run: run.id,
          askedAt,
          inFlight: 1 + pending.filter((other) => other.run === run && other.kind === question.kind).length,
          heard: false,
          ...(fault && { fault }),
        } as Unnoted) as OperationOf<Kind>;
        if (fault === "crash-before") return run.die("crashed");
        const error = fault && ERRORS[fault];
        if (error && fault !== "lost") {
          for (const watch of universe.watchers) watch(operation);
          return reject(error());
        }
        let answer: Answer;
        try {
          answer = await perform(operation, fault);
        } catch (refused) {
          return reject(refused);
        }
        for (const watch of universe.watchers) watch(operation);
        if (fault === "crash-after") return run.die("crashed");
        if (error) return reject(error());
        operation.heard = true;
        resolve(answer);
      }
    });
  }

  /** Does it once, or twice where the SDK did not hear the first answer. */
  async function again<Answer>(fault: FaultName | undefined, act: () => Promise<Answer>): Promise<Answer> {
    if (fault === "repeated") await act();
    return act();
  }

  const putEvents: PutEvents = (entries) =>
    ask({ kind: "put", entries, delivered: [] }, async (operation, fault) => {
      const failing = fault === "some-entries" ? 1 + director.choose(entries.length) : 0;
      const fails = entries.map((_, index) => index < failing);
      const sent = entries.filter((_, index) => !fails[index]);
      const before = eventBridge.events().length;
      const results = sent.length === 0 ? [] : await again(fault, () => putToModel(sent));
      const taken = eventBridge.events().length - before;
      if (taken > 0) operation.delivered.push(...sent);
      const code = operation.step % 8 === 0 ? "MalformedDetail" : "ThrottlingException";
      const failure: PutResult = { code, retryable: code === "ThrottlingException" };
      operation.answer = fails.map((hasFailed) => (hasFailed ? failure : (results.shift() ?? failure)));
      return [...operation.answer];
    });

  const clock: Clock = {
    now: universe.now,
    sleep: (milliseconds) =>
      new Promise((resolve) => {
        pending.push({
          run,
          kind: "sleep",
          notBefore: universe.now() + milliseconds,
          perform: async () => resolve(),
        });
      }),
  };

  return {
    clock,
    ...(github && {
      jobs: {
        jobsOf: ({ storage }) =>
          ask({ kind: "jobs", storage }, async (operation, fault) => {
            operation.answer = fault === "no-answer" ? { unknown: "timeout" } : github.job(storage);
            return jobsThatSay(operation.answer, storage);
          }),
      },
      runners: {
        alive: () =>
          ask({ kind: "alive" }, async (operation, fault) => {
            if (fault === "no-answer") return { unknown: "timeout" };
            operation.answer = github.alive();
            return operation.answer;
          }),
      },
    }),
    ...(queue && {
      queue: {
        isEmpty: () =>
          ask({ kind: "isEmpty" }, async (operation) => {
            operation.answer = queue.isEmpty();
            return operation.answer;
          }),
        send: (body) =>
          ask({ kind: "send", body }, async (_, fault) => {
            await again(fault, async () => queue.accept(body));
          }),
      },
    }),
    bus: {
      exists: () =>
        ask({ kind: "exists" }, async (operation, fault) => {
          operation.answer = fault !== "bus-missing" && typeof eventBridge.describeBus(BUS) === "string";
          return operation.answer;
        }),
      publish: (entries, deadline) => publishEntries(putEvents, entries, clock, deadline),
    },
    store: {
      list: (prefix, from) =>
        ask(
          { kind: "list", prefix, isFirstPage: !from || ("after" in from && from.after === "") },
          async (operation, fault) => {
            if (fault === "empty-page") {
              operation.answer = [];
              return { date: universe.now(), objects: [], next: from ?? { after: prefix } };
            }
            const page = await (fault === "short-page" ? shortPages : store).list(prefix, from);
            operation.answer = page.objects;
            return page;
          },
        ),
      head: (key) =>
        ask({ kind: "head", key }, async (operation, fault) => {
          const head = fault === "denied" ? fault : await store.head(key);
          operation.answer = typeof head === "string" ? head : head.etag;
          return head;
        }),
      get: (object, size) =>
        ask({ kind: "get", key: object.key, size }, async (operation, fault) => {
          const bytes = refusalOf(fault) ?? (await store.get(object, size));
          operation.answer = typeof bytes === "string" ? bytes : `${bytes.length} bytes`;
          return bytes;
        }),
      putIfAbsent(key, body) {
        async function put(operation: OperationOf<"putIfAbsent" | "archive">, fault: FaultName | undefined) {
          const existed = etagAt(key) !== undefined;
          operation.answer = await again(fault, () => store.putIfAbsent(key, body));
          operation.hasWritten = !existed;
          return operation.answer as "stored" | "exists";
        }
        if (typeof body === "string") return ask({ kind: "putIfAbsent", key, json: body }, put);
        const lines = gunzipSync(body).toString().trimEnd().split("\n");
        return ask({ kind: "archive", key, entries: lines.map((line) => JSON.parse(line)) }, put);
      },
      copy: (from, to) =>
        ask({ kind: "copy", from, to }, async (operation, fault) => {
          const copied = refusalOf(fault) ?? (await again(fault, () => store.copy(from, to)));
          operation.answer = copied;
          const etag = copied === "copied" ? etagAt(to) : undefined;
          if (etag !== undefined) operation.wrote = etag;
          return copied;
        }),
      delete: (objects) =>
        ask({ kind: "delete", objects, removed: [] }, async (operation, fault) => {
          const refusal = refusalOf(fault);
          const failing = fault === "some-keys" ? 1 + director.choose(objects.length) : 0;
          const first = fault === "some-keys" ? director.choose(objects.length) : 0;
          const isFailing = (index: number) => (index - first + objects.length) % objects.length < failing;
          const fails = objects.map((_, index) => refusal ?? (isFailing(index) ? "failed" : undefined));
          const targets = objects.filter((_, index) => !fails[index]);
          const before = targets.map(({ key }) => etagAt(key));
          const results = await again(fault, () => store.delete(targets));
          targets.forEach(({ key }, index) => {
            const etag = before[index];
            if (etag !== undefined && etagAt(key) === undefined) operation.removed.push({ key, etag });
          });
          operation.answer = fails.map((failure): DeleteResult => failure ?? results.shift() ?? "failed");
          return [...operation.answer];
        }),
    },
  };

  function etagAt(key: string): ObjectVersion["etag"] | undefined {
    const object = s3.headObject(BUCKET, key);
    if (!isS3Error(object)) return object.etag;
    // HEAD of an object under a customer's key is refused, but it is there.
    if (object.httpStatus === 404) return undefined;
    for (const { key: found, etag } of s3.objects(BUCKET, key)) return found === key ? etag : undefined;
    return undefined;
  }
}

function refusalOf(fault: FaultName | undefined): "denied" | "changed" | undefined {
  if (fault === "denied") return "denied";
  return fault === "conflict" || fault === "truncated" ? "changed" : undefined;
}

const ERRORS: { readonly [Name in FaultName]?: () => ServiceError } = {
  refused: () => new ServiceError("InternalError", "InternalError (HTTP 500)", { retryable: true }),
  throttled: () => new ServiceError("SlowDown", "SlowDown (HTTP 503)", { retryable: true }),
  stalled: () => new ServiceError("TimeoutError", "TimeoutError", { retryable: true }),
  forbidden: () => new ServiceError("AccessDenied", "AccessDenied (HTTP 403)", { retryable: false }),
  invalid: () => new ServiceError("ValidationException", "ValidationException (HTTP 400)", { retryable: false }),
  lost: () => new ServiceError("ECONNRESET", "ECONNRESET", { retryable: true }),
};
