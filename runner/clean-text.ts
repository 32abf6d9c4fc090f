import { FORBIDDEN_CHARACTERS } from "../contract/runner-file-grammar.ts";

/**
 * A text of a job's choice as it can stand in a job file: characters that the collector rejects become U+FFFD, and what takes more than
 * `bytesMax` bytes of JSON is cut off between two characters.
 */
export function cleanText(text: string, bytesMax: number): string {
  let clean = "";
  let bytes = 0;
  for (const character of text.toWellFormed()) {
    const allowed = FORBIDDEN_CHARACTERS.test(character) ? "\ufffd" : character;
    bytes += jsonBytes(allowed) - jsonBytes("");
    if (bytes > bytesMax) break;
    clean += allowed;
  }
  return clean;
}

/** How many bytes a text takes in a JSON document, with its quotes. */
export function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text));
}
