import type { QuarantineReason } from "../../contract/reasons.ts";
import type { RunnerFileName } from "../../contract/runner-files.ts";

/** A storage that is not trustworthy. Contains no text from the runner. */
export interface Corrupt {
  readonly kind: "corrupt";
  readonly reason: QuarantineReason;
  /** The file that shows it, if it is a metrics file. */
  readonly file?: RunnerFileName;
  /** Which fields are wrong, as `field: code`; at most 5, and only names of our own. */
  readonly problems?: readonly string[];
}

export function corrupt(reason: QuarantineReason, file?: RunnerFileName, problems: readonly string[] = []): Corrupt {
  return { kind: "corrupt", reason, ...(file && { file }), ...(problems.length > 0 && { problems }) };
}

export function isCorrupt(value: unknown): value is Corrupt {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "corrupt";
}
