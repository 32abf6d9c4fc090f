/** Runners that a collector takes for dead after an hour without an upload: in the end their files have to be in the bucket together. */
import { type LifeRecord, lifeOf } from "../../runner/life.ts";
import { type PutResult, uploadLife } from "../../runner/upload-life.ts";

const INSTALLED = "runner-installed.timestamp";
const PRE = "pre-job-metrics.json";
const POST = "post-job-metrics.json";
type File = typeof INSTALLED | typeof PRE | typeof POST;

const MINUTE = 60_000;
const ORPHAN_AFTER = 60 * MINUTE;

/** Plays them, and gives what is wrong. */
export function playGaps(): string[] {
  const wrong: string[] = [];
  for (const minutes of [1, 44, 46, 100]) {
    for (const setBack of [0, 1, 90, 200]) {
      // The machine restarts with a clock that is wrong: neither of its clocks shows how long it was silent.
      const runner = newRunner();
      runner.step("installed", INSTALLED);
      runner.step("job-started", PRE);
      runner.pass(minutes);
      runner.restart(setBack);
      runner.step("job-completed", POST);
      if (!runner.isWhole()) wrong.push(`silent for ${minutes} minutes, its clock set back by ${setBack}`);
    }
    // An answer is lost: the 412 to the next request does not say when the file came.
    const runner = newRunner();
    runner.step("installed", INSTALLED);
    runner.step("job-started", PRE, { losesAnswers: true });
    runner.pass(minutes);
    runner.step("upload");
    runner.pass(minutes);
    runner.step("job-completed", POST);
    if (!runner.isWhole()) wrong.push(`an answer lost, and ${minutes} minutes before and after the repetition`);
  }
  return wrong;
}

function newRunner() {
  const journal: LifeRecord[] = [];
  let bucket: { file: File; at: number }[] = [];
  let time = 1_700_000_000_000;
  let wallOffset = 0;
  let startedAt = time - MINUTE;
  const now = () => ({ wall: time + wallOffset, uptime: time - startedAt });

  function put(file: File, losesAnswer: boolean): PutResult {
    if (bucket.some((one) => one.file === file)) return { kind: "there" };
    bucket.push({ file, at: time });
    if (losesAnswer) return { kind: "failed", reason: "no answer", isLasting: false, mayBeStored: true };
    return { kind: "stored", sentAt: now(), answeredAt: { ...now(), date: time } };
  }

  return {
    step(by: string, record?: File, { losesAnswers = false } = {}) {
      if (record) journal.push({ record, content: record, at: now().wall });
      const acts = uploadLife(lifeOf(journal), by, now);
      for (let next = acts.next(); !next.done; ) {
        if (next.value.kind === "note") journal.push(next.value.record);
        next = acts.next(next.value.kind === "note" ? lifeOf(journal) : put(next.value.file as File, losesAnswers));
      }
    },
    /** Meanwhile a collector looks. */
    pass(minutes: number) {
      time += minutes * MINUTE;
      if (bucket.every(({ at }) => time - at > ORPHAN_AFTER)) bucket = [];
    },
    restart(minutesBack: number) {
      startedAt = time;
      wallOffset -= minutesBack * MINUTE;
    },
    isWhole: () => [INSTALLED, PRE, POST].every((wanted) => bucket.some(({ file }) => file === wanted)),
  };
}
