import { uptime } from "node:os";
import type { Instant } from "./life.ts";

/** Now, by the clocks of this machine. */
export function now(): Instant {
  return { wall: Date.now(), uptime: Math.round(uptime() * 1000) };
}

/** Time that only goes forward, in milliseconds from any moment on: what limits are measured by. */
export function monotonic(): number {
  return performance.now();
}

/** Milliseconds as UNIX seconds. */
export function seconds(milliseconds: number): number {
  return Math.round(milliseconds) / 1000;
}
