import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Vitest calls it before all tests: what they and the programs that they start leave in the directory for temporary files is deleted at the end. */
export function setup(): () => void {
  const directory = mkdtempSync(join(tmpdir(), "runner-metrics-tests-"));
  process.env.TMPDIR = directory;
  return () => rmSync(directory, { recursive: true, force: true });
}
