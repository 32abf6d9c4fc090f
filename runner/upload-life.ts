import {
  POST_JOB_METRICS_FILE_NAME,
  PRE_JOB_METRICS_FILE_NAME,
  RUNNER_FILE_NAMES,
  RUNNER_INSTALLATION_START_TS_FILE_NAME,
  type RunnerFileName,
} from "../contract/runner-file-grammar.ts";
import type { Instant, Life, LifeRecord } from "./life.ts";

/**
 * A collector presumes a runner dead after an hour without an upload at the earliest (`orphanAfterSeconds` is at least 3600). With less
 * than this between any two acknowledgements of a life it has not done so, and each file is sent once.
 */
export const GAP_MILLISECONDS = 45 * 60 * 1000;

/** Clocks are read one after the other, and some only know whole seconds. */
const BACKWARDS_MILLISECONDS_MAX = 2_000;

/** After the post-job file, all are sent until nothing was missing, this often at most: some collector is quicker otherwise. */
const ROUNDS_MAX = 4;

/** What S3 said to one PUT with `If-None-Match: *`. `sentAt`: before the request was made. */
export type PutResult =
  | { readonly kind: "stored"; readonly sentAt: Instant; readonly answeredAt: Instant }
  /** Something is there under this key (412). */
  | { readonly kind: "there" }
  | {
      readonly kind: "failed";
      readonly reason: string;
      /** Trying again at once is of no use. */
      readonly isLasting: boolean;
      /** The request may have taken effect. */
      readonly mayBeStored: boolean;
    };

/** What the protocol asks for: a line in the life's journal, or a request. */
export type Act =
  | { readonly kind: "note"; readonly record: LifeRecord }
  | { readonly kind: "put"; readonly file: RunnerFileName; readonly content: string };

/** The answer: the life with all that this and other steps have noted, or the result of the request. */
export type Reply = Life | PutResult;

export type UploadResult =
  /** All that is recorded is in the bucket. */
  | { readonly kind: "stored" }
  | { readonly kind: "failed"; readonly file: RunnerFileName; readonly reason: string; readonly isLasting: boolean }
  /** Another life's files are there. */
  | { readonly kind: "occupied"; readonly file: RunnerFileName };

/**
 * Uploads what a life has recorded, in order. Each file is sent once; after a gap between acknowledgements, the earlier files are sent
 * again with each step, before its own and after the last one, since a collector may have deleted them. `by` names this step among those
 * that run at once.
 */
export function* uploadLife(
  life: Life,
  by: string,
  now: () => Instant,
  gapMilliseconds = GAP_MILLISECONDS,
): Generator<Act, UploadResult, Reply> {
  let current = life;
  if (current.isDone) return { kind: "stored" };
  const toSend = filesToSend(current);
  if (toSend.every((file) => current.stored.has(file)) && !toSend.includes(POST_JOB_METRICS_FILE_NAME)) {
    return { kind: "stored" };
  }
  if (!current.repeats && current.lastAck && isGap(current.lastAck, now(), gapMilliseconds))
    current = yield* note({ gap: true });

  const earlier = toSend.filter((file) => file !== POST_JOB_METRICS_FILE_NAME);
  for (let areSent = false; !areSent; ) {
    const all = current.repeats;
    for (const file of earlier) {
      if (!all && current.stored.has(file)) continue;
      const sent = yield* send(file);
      if (sent.kind !== "sent") return sent;
    }
    // An answer may show a gap that no clock of this machine shows.
    areSent = all === current.repeats;
  }
  if (toSend.length === earlier.length) return { kind: "stored" };

  if (current.repeats || !current.stored.has(POST_JOB_METRICS_FILE_NAME)) {
    const sent = yield* send(POST_JOB_METRICS_FILE_NAME);
    if (sent.kind !== "sent") return sent;
  }
  // The post-job file makes the storage ready. Where a collector may have taken earlier ones, all have to be there together.
  let files: readonly RunnerFileName[] = earlier;
  for (let round = 0; current.repeats && round <= ROUNDS_MAX; round++) {
    let isAnyNew = false;
    for (const file of files) {
      const sent = yield* send(file);
      if (sent.kind !== "sent") return sent;
      isAnyNew ||= sent.isNew;
    }
    if (!isAnyNew) break;
    files = toSend;
  }
  yield* note({ done: true });
  return { kind: "stored" };

  function* note(record: LifeRecord): Generator<Act, Life, Reply> {
    current = (yield { kind: "note", record }) as Life;
    return current;
  }

  function* send(file: RunnerFileName): Generator<Act, { kind: "sent"; isNew: boolean } | UploadResult, Reply> {
    const content = current.files[file]?.content ?? "";
    const isRepetition = current.stored.has(file);
    // If S3 has the file from now on, it may be by a request of ours that was never answered.
    const isFirst = !isRepetition && !current.sent.get(file)?.size;
    if (!isRepetition) yield* note({ sent: file, by });
    const result = (yield { kind: "put", file, content }) as PutResult;
    switch (result.kind) {
      case "stored": {
        const { lastAck } = current;
        yield* note({ ack: file, at: { ...result.sentAt, date: result.answeredAt.date } });
        const { answeredAt } = result;
        if (lastAck && isGap(lastAck, { ...answeredAt, date: answeredAt.date ?? Number.NaN }, gapMilliseconds)) {
          yield* note({ gap: true });
        }
        return { kind: "sent", isNew: true };
      }
      case "there": {
        if (isRepetition) return { kind: "sent", isNew: false };
        // Noting it also reads what other steps have noted meanwhile.
        yield* note({ sent: file, by });
        const isOnlyOurs = [...(current.sent.get(file) ?? [])].every((step) => step === by);
        if (isFirst && isOnlyOurs && !current.stored.has(file)) {
          yield* note({ unsent: file, by });
          return { kind: "occupied", file };
        }
        if (!current.stored.has(file)) {
          yield* note({ there: file });
          yield* note({ gap: true });
        }
        return { kind: "sent", isNew: false };
      }
      case "failed":
        if (!isRepetition && !result.mayBeStored) yield* note({ unsent: file, by });
        return { kind: "failed", file, reason: result.reason, isLasting: result.isLasting };
    }
  }
}

/**
 * The files to upload now. A slot has no installation start, and its installed file waits for the job: an idle persistent runner leaves
 * nothing that looks unused.
 */
export function filesToSend({ files, slot }: Life): readonly RunnerFileName[] {
  const recorded = RUNNER_FILE_NAMES.filter((file) => files[file]);
  if (slot === undefined) return recorded;
  if (!files[PRE_JOB_METRICS_FILE_NAME]) return [];
  return recorded.filter((file) => file !== RUNNER_INSTALLATION_START_TS_FILE_NAME);
}

/** Whether a life in a slot can still move on to another one: none of its job files is in this one. */
export function mayMove({ stored, sent }: Life): boolean {
  return [PRE_JOB_METRICS_FILE_NAME, POST_JOB_METRICS_FILE_NAME].every(
    (file) => !stored.has(file as RunnerFileName) && !sent.get(file as RunnerFileName)?.size,
  );
}

/** Whether so much time may have passed between two moments that a collector presumed the runner dead. */
export function isGap(earlier: Instant, later: Instant, gapMilliseconds = GAP_MILLISECONDS): boolean {
  const differences = [later.wall - earlier.wall, later.uptime - earlier.uptime];
  // The moment before a request has no date of S3's yet.
  if (later.date !== undefined) differences.push(later.date - (earlier.date ?? Number.NaN));
  return !differences.every((difference) => difference > -BACKWARDS_MILLISECONDS_MAX && difference < gapMilliseconds);
}
