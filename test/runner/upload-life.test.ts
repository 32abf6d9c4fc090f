/** The upload protocol alone: made-up clocks and answers, no program, no network. */
import { describe, expect, it } from "vitest";
import { type Instant, type LifeRecord, lifeOf } from "../../runner/life.ts";
import { GAP_MILLISECONDS, isGap, type PutResult, type UploadResult, uploadLife } from "../../runner/upload-life.ts";

const START = "runner-installation-start.timestamp";
const INSTALLED = "runner-installed.timestamp";
const PRE = "pre-job-metrics.json";
const POST = "post-job-metrics.json";
type File = typeof START | typeof INSTALLED | typeof PRE | typeof POST;

/** A runner that records a file and uploads; `bucket` and `answers` may be changed between. */
function newRunner() {
  const journal: LifeRecord[] = [];
  const bucket = new Set<File>();
  const clock = { wall: 1_000_000_000_000, uptime: 1_000_000, date: 1_000_000_000_000 };
  const pass = (milliseconds: number) => {
    clock.wall += milliseconds;
    clock.uptime += milliseconds;
    clock.date += milliseconds;
  };
  const now = (): Instant => ({ wall: clock.wall, uptime: clock.uptime });

  function put(file: File, isLost: boolean): PutResult {
    const sentAt = now();
    if (bucket.has(file)) return { kind: "there" };
    bucket.add(file);
    if (isLost) return { kind: "failed", reason: "no answer", isLasting: false, mayBeStored: true };
    return { kind: "stored", sentAt, answeredAt: { ...now(), date: clock.date } };
  }

  /** Takes a step; gives its requests and what came of it. */
  function step(by: string, record?: File, { losesAnswers = false } = {}): { sent: string[]; result: UploadResult } {
    if (record) journal.push({ record, content: record, at: clock.wall });
    const sent: string[] = [];
    const acts = uploadLife(lifeOf(journal), by, now);
    let next = acts.next();
    while (!next.done) {
      if (next.value.kind === "note") {
        journal.push(next.value.record);
        next = acts.next(lifeOf(journal));
      } else {
        const file = next.value.file as File;
        sent.push(file);
        next = acts.next(put(file, losesAnswers));
      }
    }
    return { sent, result: next.value };
  }
  return { step, pass, clock, bucket, life: () => lifeOf(journal) };
}

const STORED = { kind: "stored" };

describe("the upload protocol", () => {
  it("sends each of four files once", () => {
    const { step, pass } = newRunner();
    for (const file of [START, INSTALLED, PRE, POST] as const) {
      expect(step(file, file)).toEqual({ sent: [file], result: STORED });
      pass(GAP_MILLISECONDS - 1);
    }
    expect(step("upload").sent).toEqual([]);
  });

  it("sends a collected life again after a gap, and 13 requests at most", () => {
    const { step, pass, bucket } = newRunner();
    let requests = 0;
    for (const file of [START, INSTALLED, PRE, POST] as const) {
      requests += step(file, file).sent.length;
      pass(GAP_MILLISECONDS);
    }
    expect(requests).toBe(13);
    expect([...bucket]).toEqual([START, INSTALLED, PRE, POST]);
  });

  it("does not take a 412 for an acknowledgement: nobody knows how long the file has been there", () => {
    const { step, pass, bucket, life } = newRunner();
    step("installed", INSTALLED);
    expect(step("job-started", PRE, { losesAnswers: true }).result).toMatchObject({ kind: "failed" });
    pass(GAP_MILLISECONDS - 1);
    expect(step("upload")).toEqual({ sent: [PRE, INSTALLED, PRE], result: STORED });
    expect(life().repeats).toBe(true);
    // A collector has seen no new object for more than an hour.
    pass(GAP_MILLISECONDS - 1);
    bucket.clear();
    expect(step("job-completed", POST).result).toEqual(STORED);
    expect([...bucket].sort()).toEqual([POST, PRE, INSTALLED].sort());
  });

  it("stops at a file that another life has put there", () => {
    const { step, bucket } = newRunner();
    bucket.add(INSTALLED);
    expect(step("installed", INSTALLED)).toEqual({ sent: [INSTALLED], result: { kind: "occupied", file: INSTALLED } });
    expect(step("job-started", PRE)).toEqual({ sent: [INSTALLED], result: { kind: "occupied", file: INSTALLED } });
    bucket.clear();
    expect(step("upload")).toEqual({ sent: [INSTALLED, PRE], result: STORED });
  });

  it("sends all again if a gap shows only in S3's answer to the last file", () => {
    const { step, clock, bucket } = newRunner();
    for (const file of [START, INSTALLED, PRE] as const) step(file, file);
    clock.date += GAP_MILLISECONDS;
    bucket.clear();
    expect(step("job-completed", POST).sent.slice(0, 4)).toEqual([POST, START, INSTALLED, PRE]);
    expect(bucket.size).toBe(4);
  });
});

describe("a gap", () => {
  const earlier: Instant = { wall: 0, uptime: 0, date: 0 };
  it.each([
    [{ wall: GAP_MILLISECONDS - 1, uptime: GAP_MILLISECONDS - 1, date: GAP_MILLISECONDS - 1 }, false],
    [{ wall: GAP_MILLISECONDS, uptime: 0, date: 0 }, true],
    [{ wall: 0, uptime: GAP_MILLISECONDS, date: 0 }, true],
    [{ wall: 0, uptime: 0, date: GAP_MILLISECONDS }, true],
    [{ wall: -2_001, uptime: 0, date: 0 }, true],
    [{ wall: 0, uptime: -2_001, date: 0 }, true],
    [{ wall: -1_000, uptime: 0, date: 0 }, false],
    [{ wall: 0, uptime: 0 }, false],
    [{ wall: Number.NaN, uptime: 0 }, true],
    [{ wall: 0, uptime: 0, date: Number.NaN }, true],
  ] as const)("is between 0 and %j: %s", (later, expected) => {
    expect(isGap(earlier, later)).toBe(expected);
  });

  it("is there if S3's time at the earlier acknowledgement is not known", () => {
    expect(isGap({ wall: 0, uptime: 0 }, { wall: 0, uptime: 0, date: 0 })).toBe(true);
  });
});
