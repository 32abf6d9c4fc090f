/** A runner with the protocol of the runner's side (`runner/upload-life.ts`): the real one, on clocks and answers that are made up. */

import { type Instant, type LifeRecord, lifeOf } from "../../runner/life.ts";
import { type PutResult, uploadLife } from "../../runner/upload-life.ts";

import {
  type Body,
  FILE_NAMES,
  type FileName,
  INSTALLED,
  POST,
  PRE,
  postJobBody,
  preJobBody,
  START,
  secondsBody,
} from "./bodies.ts";
import type { OperationKind } from "./faults.ts";
import type { Random } from "./random.ts";

/** What a runner does next: waits, or sends a file. */
export type Act =
  | { readonly wait: number; readonly wakesAt: OperationKind | undefined }
  | { readonly send: FileName; readonly body: Body };

export type SendResult = "stored" | "there" | "failed";

export interface Life {
  /** The files that this runner will have recorded, in order. */
  readonly files: readonly FileName[];
  /** Milliseconds before each step. */
  readonly pauses: readonly number[];
  /** Acts after which it is dead; Infinity for a long life. */
  readonly actsMax: number;
  /** It goes on as soon as a run does this to its storage: at the worst moment there is. */
  readonly wakesAt: OperationKind | undefined;
  /** It sends all at once, up to its last file; and the others again only when a run is reading that. */
  readonly isTorn: boolean;
  /** Seconds that its clock is ahead of S3's, at each step: it is set forward and back. */
  readonly skews: readonly number[];
  /** Whether its machine restarts before a step: the uptime begins again. */
  readonly restarts: readonly boolean[];
  /** Milliseconds after which it tries the upload of a step once more, before the next step. */
  readonly retries: readonly (number | undefined)[];
  /** Milliseconds between two acknowledgements after which it sends all again: three quarters of what makes an orphan, as 45 minutes are of an hour. */
  readonly gap: number;
}

/** A life that mostly ends within so many milliseconds, while runs come and go. `isLate`: it is given up before its end. */
export function drawLife(
  random: Random,
  name: string,
  withinMilliseconds: number,
  orphanAfterSeconds: number,
  isLate: boolean,
): Life {
  const hasJob = random.chance(0.85);
  // A slot has no installation, and is used for a job only.
  const isSlot = name.includes("~");
  const files = FILE_NAMES.filter((file) =>
    file === START ? random.chance(0.85) && !isSlot : file !== PRE || hasJob || isSlot,
  );
  const longPause = isLate ? orphanAfterSeconds * 2000 : Math.min(orphanAfterSeconds * 1000, withinMilliseconds) * 1.2;
  const isTorn = isLate && random.chance(0.3);
  const short = () => (isTorn ? 0 : random.pick([0, 0, random.integer(0, 1_000)]));
  const any = () => random.pick([0, random.integer(0, 3_000), random.integer(0, withinMilliseconds / 4), longPause]);
  // It is given up before its last step, mostly; or before another.
  const lateStep = random.chance(isTorn ? 0.5 : 0.6)
    ? files.length - 1
    : isTorn
      ? 1
      : random.integer(1, files.length - 1);
  const begin = random.integer(0, withinMilliseconds / (isLate ? 8 : 2));
  const pause = (index: number) => (isLate ? (index === lateStep ? longPause : short()) : any());
  return {
    files,
    pauses: files.map((_, index) => (index === 0 ? begin : pause(index))),
    actsMax: random.chance(0.15) ? random.integer(1, 12) : Number.POSITIVE_INFINITY,
    wakesAt: isTorn ? "list" : random.chance(0.7) ? random.pick(WAKING) : undefined,
    isTorn,
    skews: files.map(() => (random.chance(0.1) ? random.integer(-500, 500) : 0)),
    restarts: files.map(() => random.chance(0.05)),
    retries: files.map(() => (random.chance(0.2) ? random.integer(0, orphanAfterSeconds * 900) : undefined)),
    gap: orphanAfterSeconds * 750,
  };
}

const WAKING: readonly OperationKind[] = ["head", "get", "list", "list", "delete", "delete"];

/** Records each file at its time and uploads what is not uploaded. Ends with whether it knows that all is stored. */
export function* live(life: Life, name: string, now: () => number): Generator<Act, boolean, SendResult> {
  const recorded: { send: FileName; body: Body }[] = [];
  const [storage = "", slot] = name.split("~");
  const journal: LifeRecord[] = slot === undefined ? [] : [{ storage, slot: Number(slot) }];
  let acts = 0;
  let skew = 0;
  let startedAt = now() - 60_000;
  let isTearing = life.isTorn;
  const clocks = (): Instant => ({ wall: now() + skew * 1000, uptime: now() - startedAt });

  function* upload(by: string): Generator<Act, boolean, SendResult> {
    const protocol = uploadLife(lifeOf(journal), by, clocks, life.gap);
    let next = protocol.next();
    while (!next.done) {
      if (next.value.kind === "note") {
        journal.push(next.value.record);
        next = protocol.next(lifeOf(journal));
        continue;
      }
      const { file } = next.value;
      const known = recorded.find(({ send }) => send === file);
      if (!known) throw new Error(`${file} is not recorded`);
      if (isTearing && file !== POST && lifeOf(journal).stored.has(POST)) {
        isTearing = false;
        yield { wait: 20_000, wakesAt: "head" };
      }
      acts += 1;
      if (acts > life.actsMax) return false;
      const sentAt = clocks();
      next = protocol.next(answered(yield known, sentAt));
    }
    return next.value.kind === "stored";
  }

  /** Nobody knows whether a request without an answer took effect. */
  function answered(result: SendResult, sentAt: Instant): PutResult {
    if (result === "there") return { kind: "there" };
    if (result === "stored") return { kind: "stored", sentAt, answeredAt: { ...clocks(), date: now() } };
    return { kind: "failed", reason: "no answer", isLasting: false, mayBeStored: true };
  }

  let isStored = false;
  for (const [index, file] of life.files.entries()) {
    yield { wait: life.pauses[index] ?? 0, wakesAt: index > 0 ? life.wakesAt : undefined };
    skew = life.skews[index] ?? 0;
    if (life.restarts[index]) startedAt = now();
    const body = bodyOf(file, name, now() / 1000 + skew, recorded);
    recorded.push({ send: file, body });
    journal.push({ record: file, content: "", at: now() });
    isStored = yield* upload(file);
    const retry = life.retries[index];
    if (isStored || retry === undefined || acts > life.actsMax) continue;
    yield { wait: retry, wakesAt: undefined };
    isStored = yield* upload(`${file} again`);
  }
  for (let attempt = 1; attempt <= TRIES_AT_THE_END_MAX && !isStored && acts <= life.actsMax; attempt++) {
    yield { wait: 1_000, wakesAt: undefined };
    isStored = yield* upload(`end ${attempt}`);
  }
  return isStored;
}

const TRIES_AT_THE_END_MAX = 4;

function bodyOf(
  file: FileName,
  name: string,
  seconds: number,
  recorded: readonly { send: FileName; body: Body }[],
): Body {
  const earlier = (wanted: FileName) => recorded.find(({ send }) => send === wanted)?.body.meaning;
  const installed = earlier(INSTALLED);
  const preJob = earlier(PRE);
  switch (file) {
    case START:
    case INSTALLED:
      return secondsBody(seconds);
    case PRE:
      return preJobBody({
        timestamp: seconds,
        workflow: `Tests of ${name} 😀`,
        workflow_run_id: String(Math.floor(seconds)),
        repository: "acme/widgets",
        event: "push",
        ...(installed?.kind === "seconds" && { installed_timestamp: installed.seconds }),
      });
    case POST:
      return postJobBody({
        timestamp: seconds,
        status: "normal",
        status_info: { code: 0 },
        ...(preJob?.kind === "pre-job" && { job_timestamp: preJob.timestamp }),
      });
  }
}
