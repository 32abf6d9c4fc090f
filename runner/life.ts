import { isRunnerStorageName, SLOTS } from "../contract/object-keys.ts";
import { FILE_SIZE_BYTES_LIMIT, RUNNER_FILE_NAMES, type RunnerFileName } from "../contract/runner-file-grammar.ts";

/** A moment by the three clocks that there are, in milliseconds. */
export interface Instant {
  readonly wall: number;
  /** Since the machine started. */
  readonly uptime: number;
  /** S3's time, from the `Date` of its answer. */
  readonly date?: number | undefined;
}

/** A moment as `installation-start.sh` notes it: the texts of the kernel and of S3. */
interface InstantAsRead {
  readonly wall: number;
  /** Linux's `/proc/uptime`, or the `kern.boottime` of macOS. */
  readonly up: string;
  readonly date: string;
}

/** What GitHub's environment says about a job: enough to tell one job from another. */
export interface JobIdentity {
  readonly runId: string;
  readonly attempt?: string;
  readonly job?: string;
  /** The runner's name at GitHub. */
  readonly runner?: string;
  /** GitHub's runner draws one for each job. */
  readonly tracking?: string;
}

/** One line of a life's journal. */
export type LifeRecord =
  /** A file's content, as it is uploaded. `at`: when it was recorded, by the wall clock, in milliseconds. */
  | { readonly record: RunnerFileName; readonly content: string; readonly at: number }
  | { readonly job: JobIdentity }
  /** Where the files go; the storage is empty until it is known. If that changes, earlier marks and acknowledgements are of another place. */
  | { readonly storage: string; readonly slot?: number | undefined }
  /** A request for the file is about to be made by this step; it may take effect without an answer. */
  | { readonly sent: RunnerFileName; readonly by: string }
  /** Nothing of that step's request is in the bucket. */
  | { readonly unsent: RunnerFileName; readonly by: string }
  /** S3 stored the file by a request that began at `at`. */
  | { readonly ack: RunnerFileName; readonly at: Instant | InstantAsRead }
  /** The file is there by a request of ours whose answer was lost. It is no acknowledgement: nobody knows since when. */
  | { readonly there: RunnerFileName }
  /** A collector may have presumed this runner dead: from now on all files are sent again with each step. */
  | { readonly gap: true }
  /** A step waited for the upload, in milliseconds. */
  | { readonly waited: number }
  /** Said once. */
  | { readonly told: string }
  /** Everything is uploaded, or will never be. */
  | { readonly done: true };

/** One life of a runner: its journal, summed up. */
export interface Life {
  readonly files: Readonly<Partial<Record<RunnerFileName, { readonly content: string; readonly at: number }>>>;
  readonly job: JobIdentity | undefined;
  readonly storage: string | undefined;
  readonly slot: number | undefined;
  /** File -> steps whose request may have taken effect. */
  readonly sent: ReadonlyMap<RunnerFileName, ReadonlySet<string>>;
  /** Files that are known to have been in the bucket by our doing. */
  readonly stored: ReadonlySet<RunnerFileName>;
  readonly lastAck: Instant | undefined;
  readonly repeats: boolean;
  /** How long steps waited for uploads, in milliseconds: in all, and since the last file was recorded. */
  readonly waited: number;
  readonly waitedSinceRecord: number;
  readonly told: ReadonlySet<string>;
  readonly isDone: boolean;
}

/** A life while its journal is read. A job may have written any number of lines there: each takes constant time. */
type Draft = { -readonly [Name in Exclude<keyof Life, "files" | "sent" | "stored" | "told">]: Life[Name] } & {
  readonly files: Partial<Record<RunnerFileName, { readonly content: string; readonly at: number }>>;
  readonly sent: Map<RunnerFileName, Set<string>>;
  readonly stored: Set<RunnerFileName>;
  readonly told: Set<string>;
};

/** The life that a journal describes. */
export function lifeOf(records: readonly LifeRecord[]): Life {
  const life: Draft = {
    files: {},
    job: undefined,
    storage: undefined,
    slot: undefined,
    sent: new Map(),
    stored: new Set(),
    lastAck: undefined,
    repeats: false,
    waited: 0,
    waitedSinceRecord: 0,
    told: new Set(),
    isDone: false,
  };
  for (const record of records) add(life, record);
  return life;
}

/** Parses one line of a journal; undefined for one that was cut off, or is not ours. */
export function parseRecord(line: string): LifeRecord | undefined {
  const value = parseJson(line);
  if (typeof value !== "object" || value === null) return undefined;
  const record = value as Readonly<Record<string, unknown>>;
  const isValid = Object.entries(SHAPES).some(([name, check]) => name in record && check(record));
  return isValid ? (value as LifeRecord) : undefined;
}

function add(life: Draft, record: LifeRecord): void {
  if ("record" in record) {
    // What was recorded first stands.
    if (life.files[record.record]) return;
    const { content, at } = record;
    life.files[record.record] = { content, at };
    life.waitedSinceRecord = 0;
  } else if ("job" in record) {
    life.job ??= record.job;
  } else if ("storage" in record) {
    const { storage, slot } = record;
    // If not, only now it is known where `installation-start.sh` has sent its file.
    if (life.storage !== undefined || slot !== life.slot) {
      life.sent.clear();
      life.stored.clear();
      life.lastAck = undefined;
      life.repeats = false;
    }
    life.storage = storage || undefined;
    life.slot = slot;
  } else if ("sent" in record) {
    const steps = life.sent.get(record.sent) ?? new Set();
    life.sent.set(record.sent, steps.add(record.by));
  } else if ("unsent" in record) {
    life.sent.get(record.unsent)?.delete(record.by);
  } else if ("ack" in record) {
    life.stored.add(record.ack);
    life.lastAck = instantOf(record.at);
  } else if ("there" in record) {
    life.stored.add(record.there);
  } else if ("gap" in record) {
    life.repeats = true;
  } else if ("waited" in record) {
    life.waited += record.waited;
    life.waitedSinceRecord += record.waited;
  } else if ("told" in record) {
    life.told.add(record.told);
  } else {
    life.isDone = true;
  }
}

/** Not a number where a text is none of a clock's: then a gap is assumed. */
function instantOf(at: Instant | InstantAsRead): Instant {
  if (!("up" in at)) return at;
  const { wall, up, date } = at;
  const [, sinceStart, startedAt] = /^([0-9.]+) |\bsec = ([0-9]+)/.exec(up) ?? [];
  const uptime = startedAt === undefined ? Number(sinceStart) * 1000 : wall - Number(startedAt) * 1000;
  return { wall, uptime, date: Date.parse(date) };
}

type Shape = (record: Readonly<Record<string, unknown>>) => boolean;

const isText = (value: unknown): value is string => typeof value === "string" && value.length <= 4096;
const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
const isContent = (value: unknown) => isText(value) && Buffer.byteLength(value) <= FILE_SIZE_BYTES_LIMIT;
const isSlotNumber = (value: unknown) => Number.isInteger(value) && Number(value) >= 0 && Number(value) < SLOTS;
const isFile = (value: unknown): value is RunnerFileName => RUNNER_FILE_NAMES.some((name) => name === value);

const SHAPES: Readonly<Record<string, Shape>> = {
  record: ({ record, content, at }) => isFile(record) && isContent(content) && isNumber(at),
  job: ({ job }) =>
    typeof job === "object" && job !== null && "runId" in job && Object.values(job).every((value) => isText(value)),
  storage: ({ storage, slot }) =>
    (storage === "" || (isText(storage) && isRunnerStorageName(storage))) && (slot === undefined || isSlotNumber(slot)),
  sent: ({ sent, by }) => isFile(sent) && isText(by),
  unsent: ({ unsent, by }) => isFile(unsent) && isText(by),
  ack: ({ ack, at }) => isFile(ack) && isInstant(at),
  there: ({ there }) => isFile(there),
  gap: ({ gap }) => gap === true,
  waited: ({ waited }) => isNumber(waited) && waited >= 0,
  told: ({ told }) => isText(told),
  done: ({ done }) => done === true,
};

function isInstant(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { wall, uptime, up, date } = value as Readonly<Record<string, unknown>>;
  if (up !== undefined) return isNumber(wall) && isText(up) && isText(date);
  return isNumber(wall) && isNumber(uptime) && (date === undefined || isNumber(date));
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
