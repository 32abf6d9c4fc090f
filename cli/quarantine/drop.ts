import { type Bucket, DELETE_KEYS_MAX } from "../bucket.ts";
import type { DescribedQuarantine } from "./list.ts";
import { type ReleaseOptions, record } from "./release.ts";

/** What became of a drop. */
export interface DropResult {
  readonly result: "dropped" | "would-drop" | "refused";
  readonly because?: string;
  /** Copies that are deleted. */
  readonly copies: number;
}

/**
 * Deletes the copies of a quarantine. The manifest stays, with a record of who dropped the copies, until the quarantine expires. It can be
 * repeated after an interruption.
 */
export async function drop(
  bucket: Bucket,
  { prefix, copies, state }: DescribedQuarantine,
  options: Pick<ReleaseOptions, "by" | "now" | "dryRun">,
): Promise<DropResult> {
  if (state === "unfinished")
    return { result: "refused", because: "A run has not finished it yet.", copies: copies.length };
  if (options.dryRun) return { result: "would-drop", copies: copies.length };
  if (state !== "dropped") await record(bucket, prefix, "dropped", options);
  for (let from = 0; from < copies.length; from += DELETE_KEYS_MAX) {
    await bucket.delete(copies.slice(from, from + DELETE_KEYS_MAX));
  }
  return { result: "dropped", copies: copies.length };
}
