import { randomBytes, randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { SLOTS } from "../contract/object-keys.ts";
import { RUNNER_FILE_NAMES, type RunnerFileName } from "../contract/runner-file-grammar.ts";
import { monotonic, now } from "./clock.ts";
import type { Life } from "./life.ts";
import type { Environment } from "./settings.ts";
import type { Journal, Spool } from "./spool.ts";
import { filesToSend, mayMove, type UploadResult, uploadLife } from "./upload-life.ts";
import { createUploader, type Uploader } from "./uploader.ts";

export interface UploadContext {
  readonly spool: Spool;
  /** Of the current life, if there is one. */
  readonly current: Journal | undefined;
  readonly environment: Environment;
  readonly hasManyJobs: boolean;
  /** Milliseconds: for one request; how long to go on trying; the end of it all. From when the step began, `begunAt`. */
  readonly timeout: number;
  readonly retry: number;
  readonly limit: number;
  readonly begunAt: number;
  /** What tries again if this step fails. */
  readonly next: string;
}

/** Occupied slots that a job is offered to before it goes unreported. */
const SLOTS_TRIED_MAX = 5;

/** The bucket forgets what no run has collected after 14 days (`uncollectedRetentionDays`). */
const LIFE_MILLISECONDS_MAX = 14 * 24 * 60 * 60 * 1000;

type Failure = { readonly text: string; readonly isLasting: boolean };

/** Uploads what all lives have recorded, the oldest first. Tries again until all is stored, the failure lasts, or the time is up. */
export async function upload(context: UploadContext): Promise<string[]> {
  const { timeout, retry, limit, begunAt, next } = context;
  const elapsed = () => monotonic() - begunAt;
  let uploader: Uploader | undefined;
  const by = `${process.pid}-${randomBytes(4).toString("hex")}`;
  for (let attempt = 1, pause = 1_000; ; attempt++, pause *= 2) {
    const waiting = journalsToUpload(context);
    if (waiting.length === 0) return [];
    if (!uploader) {
      const created = createUploader({ ...context, timeout, left: () => limit - elapsed() });
      if ("problem" in created) return [created.problem];
      uploader = created.value;
    }
    const { problems, failure } = await uploadAll(waiting, uploader, by, context, elapsed);
    if (!failure) return problems;
    if (failure.isLasting || elapsed() + pause >= retry) {
      const often = attempt === 1 ? "once" : `${attempt} times`;
      const tried = `${failure.text} (tried ${often} in ${Math.round(elapsed() / 1000)} s)`;
      return [...problems, failure.isLasting ? tried : `${tried}; ${next} tries again`];
    }
    await sleep(pause);
  }
}

/** Journals with something to upload. Those of earlier lives that have nothing are removed. */
function journalsToUpload({ spool, current }: UploadContext): Journal[] {
  const journals = spool.journals().map((journal) => (journal.number === current?.number ? current : journal));
  return journals.filter((journal, index) => {
    const life = journal.life();
    const isLast = index === journals.length - 1;
    const isOver = life.isDone || filesToSend(life).length === 0 || (!isLast && isTooOld(life));
    if (isOver && !isLast) spool.remove(journal);
    return !isOver;
  });
}

function isTooOld({ files }: Life): boolean {
  const newest = Math.max(...RUNNER_FILE_NAMES.map((file) => files[file]?.at ?? 0));
  return now().wall - newest > LIFE_MILLISECONDS_MAX;
}

async function uploadAll(
  journals: readonly Journal[],
  uploader: Uploader,
  by: string,
  context: UploadContext,
  elapsed: () => number,
): Promise<{ problems: string[]; failure?: Failure }> {
  const problems: string[] = [];
  for (const journal of journals) {
    const isCurrent = journal === journals.at(-1) && journal.number === context.current?.number;
    // There are more steps to come for what waits since earlier lives.
    if (!isCurrent && elapsed() > context.retry) break;
    const outcome = await uploadOne(journal, uploader, by, context);
    if (outcome === "stored") {
      if (!isCurrent) context.spool.remove(journal);
    } else if ("given up" in outcome) {
      journal.note({ done: true });
      problems.push(outcome["given up"]);
    } else if (isCurrent || !outcome.isLasting) {
      return { problems, failure: outcome };
    } else if (!journal.life().told.has(outcome.text)) {
      journal.note({ told: outcome.text });
      problems.push(`of an earlier life: ${outcome.text}`);
    }
  }
  return { problems };
}

async function uploadOne(
  journal: Journal,
  uploader: Uploader,
  by: string,
  context: UploadContext,
): Promise<"stored" | { "given up": string } | Failure> {
  for (let tried = 1; ; tried++) {
    const life = journal.life();
    if (life.slot !== undefined && uploader.isTicket) {
      return { "given up": "a ticket is for one job, so this one is not reported" };
    }
    const storage = await storageOf(life, uploader);
    if ("problem" in storage) return { text: storage.problem, isLasting: storage.isLasting };
    if (life.storage === undefined) journal.note({ storage: storage.value, slot: life.slot });
    else if (uploader.isTicket && life.storage !== storage.value) {
      return { "given up": "what an earlier life has recorded can't be sent any more: its ticket is gone" };
    }
    const place = { storage: storage.value, slot: life.slot };
    const result = await drive(journal, by, (file, content) => uploader.put(place, file, content));
    if (result.kind === "stored") return "stored";
    if (result.kind === "failed") {
      return { text: `cannot store ${result.file}: ${result.reason}`, isLasting: result.isLasting };
    }
    const now = journal.life();
    if (!context.hasManyJobs || !mayMove(now)) return occupied(result.file, now);
    if (tried === SLOTS_TRIED_MAX) {
      const all = `${SLOTS_TRIED_MAX} slots in a row hold files that no run has collected`;
      return { "given up": `${all}, so this job is not reported: does the collector run?` };
    }
    const slot = now.slot === undefined ? randomInt(SLOTS) : (now.slot + 1) % SLOTS;
    journal.note({ storage: storage.value, slot });
    if (filesToSend(journal.life()).length === 0) return "stored";
  }
}

async function storageOf(
  { storage }: Life,
  uploader: Uploader,
): Promise<{ readonly value: string } | { readonly problem: string; readonly isLasting: boolean }> {
  return storage === undefined || uploader.isTicket ? uploader.storage() : { value: storage };
}

function occupied(file: RunnerFileName, { storage, slot }: Life): Failure {
  const there = `cannot store ${file}: there is one of another life`;
  if (slot !== undefined) return { text: `${there} until it is collected`, isLasting: false };
  const text = `${there}: the storage's name, ${storage}, is not new, so this life goes unrecorded until that one is collected`;
  return { text, isLasting: true };
}

/** Does what the protocol asks for. */
async function drive(
  journal: Journal,
  by: string,
  put: (file: RunnerFileName, content: string) => ReturnType<Uploader["put"]>,
): Promise<UploadResult> {
  const acts = uploadLife(journal.life(), by, now);
  let next = acts.next();
  while (!next.done) {
    const act = next.value;
    if (act.kind === "put") next = acts.next(await put(act.file, act.content));
    else {
      journal.note(act.record);
      next = acts.next(journal.life());
    }
  }
  return next.value;
}
