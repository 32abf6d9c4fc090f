import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toolsAreRequired } from "./tools.ts";

/**
 * Vitest calls it before all tests: what they and the programs that they start leave in the directory for temporary files is deleted at
 * the end. There the programs also keep their compiled code, so that only the first of them takes long to start. Vitest's own processes do
 * not: they would take longer to write it than they save.
 */
export function setup(): () => void {
  const directory = mkdtempSync(join(tmpdir(), "runner-metrics-tests-"));
  process.env.TMPDIR = directory;
  process.env.PROGRAMS_COMPILE_CACHE = join(directory, "compiled");
  // The CDK notes for each construct where it was made.
  process.env.CDK_DISABLE_STACK_TRACE = "1";
  // The CDK checks each template with rules of CloudFormation, for half a second. The gate leaves that on.
  if (!toolsAreRequired) process.env.CDK_VALIDATION = "false";
  return () => rmSync(directory, { recursive: true, force: true });
}
