/** A runner as the runner's side (`runner/`) makes it: four files in order, each step sending what went before again. */

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
  /** Seconds that its clock is ahead of S3's, at each step. */
  readonly skews: readonly number[];
}

/** A life that mostly ends within so many milliseconds, while runs come and go. `isLate`: it is given up before its end. */
export function drawLife(
  random: Random,
  withinMilliseconds: number,
  orphanAfterSeconds: number,
  isLate: boolean,
): Life {
  const hasJob = random.chance(0.85);
  const files = FILE_NAMES.filter((name) => (name === START ? random.chance(0.85) : name !== PRE || hasJob));
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
  };
}

const WAKING: readonly OperationKind[] = ["head", "get", "list", "list", "delete", "delete"];

/** Sends each file at its time, and after the last one those before it once more. Ends with whether it knows that all is stored. */
export function* live(life: Life, name: string, now: () => number): Generator<Act, boolean, SendResult> {
  const recorded: { send: FileName; body: Body }[] = [];
  let acts = 0;
  function* send(files: typeof recorded): Generator<Act, boolean, SendResult> {
    for (const file of files) {
      acts += 1;
      if (acts > life.actsMax || (yield file) === "failed") return false;
    }
    return true;
  }

  let areAllSent = false;
  for (const [index, file] of life.files.entries()) {
    yield { wait: life.pauses[index] ?? 0, wakesAt: index > 0 ? life.wakesAt : undefined };
    const body = bodyOf(file, name, now() / 1000 + (life.skews[index] ?? 0), recorded);
    recorded.push({ send: file, body });
    areAllSent = yield* send(recorded);
  }
  if (life.isTorn) yield { wait: 20_000, wakesAt: "head" };
  for (let attempt = 1; attempt <= TRIES_AT_THE_END_MAX && acts <= life.actsMax; attempt++) {
    if (areAllSent && (yield* send(recorded.slice(0, -1)))) return true;
    yield { wait: 1_000, wakesAt: undefined };
    areAllSent = yield* send(recorded);
  }
  return false;
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
