/**
 * Files in a directory where a job may have put anything: links, pipes, directories, files of others. Each open refuses what is not a
 * plain file of our own, and never waits.
 */
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readSync,
  type Stats,
  unlinkSync,
  writeSync,
} from "node:fs";

const { O_RDONLY, O_WRONLY, O_APPEND, O_CREAT, O_EXCL } = constants;
/** Windows has neither: there a link is seen before the open. */
const SAFE = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/** The content of a file of ours; undefined if there is none, or it is larger than `bytesMax`. */
export function readPlainFile(path: string, bytesMax: number): string | undefined {
  return withPlainFile(path, O_RDONLY, (descriptor, { size }) => {
    if (size > bytesMax) return undefined;
    const bytes = Buffer.alloc(bytesMax + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = readSync(descriptor, bytes, length, bytes.length - length, null);
    }
    return length > bytesMax ? undefined : bytes.toString("utf8", 0, length);
  });
}

/** Adds text to a file of ours that exists. Whether all of it was written. */
export function appendToPlainFile(path: string, text: string): boolean {
  return withPlainFile(path, O_WRONLY | O_APPEND, (descriptor) => writeWhole(descriptor, text)) ?? false;
}

/** Creates a file, only its owner may read it. Whether it did not exist before, and all was written. */
export function createPlainFile(path: string, text: string): boolean {
  return (
    withPlainFile(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL, (descriptor) => writeWhole(descriptor, text)) ?? false
  );
}

/** Gives the file's space back to the disk. */
export function emptyPlainFile(path: string): boolean {
  return (
    withPlainFile(path, O_WRONLY, (descriptor) => {
      ftruncateSync(descriptor, 0);
      return true;
    }) ?? false
  );
}

/** Removes a file or a link. What is something else stays. */
export function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Not there, or not to be removed.
  }
}

/** Whether there is a file that this module would read. */
export function isPlainFile(path: string): boolean {
  try {
    return isPlain(lstatSync(path));
  } catch {
    return false;
  }
}

/** Whether files of this owner are ours. Windows knows no such numbers. */
export function isOurs({ uid }: Pick<Stats, "uid">): boolean {
  return process.getuid === undefined || uid === process.getuid();
}

function withPlainFile<Result>(
  path: string,
  flags: number,
  use: (descriptor: number, stats: Stats) => Result | undefined,
): Result | undefined {
  let descriptor: number | undefined;
  try {
    const isNew = (flags & O_EXCL) !== 0;
    if (!isNew && !isPlain(lstatSync(path))) return undefined;
    descriptor = openSync(path, flags | SAFE, 0o600);
    const stats = fstatSync(descriptor);
    return isPlain(stats) ? use(descriptor, stats) : undefined;
  } catch {
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** A second name of a file could lie anywhere. */
function isPlain(stats: Stats): boolean {
  return stats.isFile() && stats.nlink === 1 && isOurs(stats);
}

function writeWhole(descriptor: number, text: string): boolean {
  const bytes = Buffer.from(text);
  return writeSync(descriptor, bytes) === bytes.length;
}
