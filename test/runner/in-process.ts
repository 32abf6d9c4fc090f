/** The built program's steps without a process: many tests are of what a step does, and to start Node takes ten times as long. */
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import { join } from "node:path";
import { compileFunction } from "node:vm";

export interface Finished {
  readonly code: number | null;
  readonly stderr: string;
  readonly stdout: string;
  readonly milliseconds: number;
}

export type Settings = Readonly<Record<string, string | undefined>>;

type Program = (require: (name: string) => unknown, process: object, date: object) => void;

const programs = new Map<string, Program>();
const require = createRequire(import.meta.url);

/** Takes a step of the program in a directory, up to where it ends its process. Its clocks are off as `clock.cjs` says. */
export function takeStepInProcess(home: string, args: readonly string[], settings: Settings): Promise<Finished> {
  const path = join(home, "runner-metrics.js");
  const text = fs.readFileSync(path, "utf8");
  const program = programs.get(text) ?? (compileFunction(text, ["require", "process", "Date"]) as Program);
  programs.set(text, program);

  const env = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
  const wallOffset = Number(env.CLOCK_OFFSET || 0);
  const uptimeOffset = Number(env.UPTIME_OFFSET || wallOffset);
  class ItsDate extends Date {
    static override now(): number {
      return Date.now() + 1000 * wallOffset;
    }
  }
  const output = { stdout: "", stderr: "" };
  const writeSync = (fd: number, text: string) => {
    if (fd !== 2) return fs.writeSync(fd, text);
    output.stderr += text;
    return text.length;
  };
  const replaced = new Map<string, unknown>([
    ["node:fs", { ...fs, writeSync }],
    ["node:os", { ...os, uptime: () => os.uptime() + uptimeOffset }],
  ]);
  const write = (text: string) => {
    output.stdout += text;
  };
  const began = performance.now();
  return new Promise((resolve) => {
    const { platform, versions, pid, getuid, kill } = process;
    const exit = (code: number) => resolve({ code, ...output, milliseconds: performance.now() - began });
    const its = { platform, versions, pid, getuid, kill, exit, on() {}, stdout: { write }, env };
    program((name) => replaced.get(name) ?? require(name), { ...its, argv: ["node", path, ...args] }, ItsDate);
  });
}
