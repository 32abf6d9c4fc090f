import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { createPlainFile, readPlainFile, removeFile } from "./plain-file.ts";
import { readPlainText } from "./plain-text.ts";
import { makeOwnDirectory } from "./spool.ts";

const OWNER_NAME = "owner";
const OWNER_BYTES_MAX = 1_000;
const ATTEMPTS_MAX = 3;

/** Long enough for another one that begins at the same moment to write its name. */
const PAUSE_MILLISECONDS = 50;

/**
 * Makes the spool this process's, as long as it lives: two runners in one spool would mix their lives. Gives the other one's process id if
 * there is one. Of two that begin at once, one may remove the other's name as that of a dead one; so each looks again after a pause.
 */
export function ownSpool(
  directory: string,
  pause: () => void = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MILLISECONDS),
): { readonly release: () => void } | { readonly takenBy: number } {
  const nothing = { release: () => {} };
  if (makeOwnDirectory(directory) !== undefined) return nothing;
  const path = join(directory, OWNER_NAME);
  const own = JSON.stringify({ pid: process.pid, started: startOf(process.pid), id: randomBytes(8).toString("hex") });
  const isOwn = () => readPlainFile(path, OWNER_BYTES_MAX) === own;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    if (createPlainFile(path, own)) {
      pause();
      if (isOwn()) return { release: () => isOwn() && removeFile(path) };
    }
    const other = parse(readPlainFile(path, OWNER_BYTES_MAX));
    if (other && isAlive(other)) return { takenBy: other.pid };
    removeFile(path);
  }
  return nothing;
}

interface Owner {
  readonly pid: number;
  /** When it started, in the kernel's count; empty where that is not known. */
  readonly started: string;
}

function parse(text: string | undefined): Owner | undefined {
  try {
    const { pid, started } = JSON.parse(text ?? "") as { pid?: unknown; started?: unknown };
    return Number.isInteger(pid) && typeof started === "string" ? { pid: pid as number, started } : undefined;
  } catch {
    return undefined;
  }
}

/** After a restart of the machine, a process of this number may be another one. */
function isAlive({ pid, started }: Owner): boolean {
  if (pid <= 0 || startOf(pid) !== started) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** Field 22 of Linux's `/proc/PID/stat`, and which start of the machine it counts from. */
function startOf(pid: number): string {
  if (process.platform !== "linux") return "";
  const stat = procText(`/proc/${pid}/stat`);
  const afterName = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  return afterName?.[19] === undefined ? "" : `${procText("/proc/sys/kernel/random/boot_id")?.trim()} ${afterName[19]}`;
}

function procText(path: string): string | undefined {
  return readPlainText(path, 4_096);
}
