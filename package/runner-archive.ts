import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { tar } from "./tar.ts";

/** The program for runners and its shims, from the folder that `buildRunner` wrote, as a .tar.gz. */
export function runnerArchive(directory: string): Uint8Array {
  const files = readdirSync(directory).sort();
  return gzipSync(tar(files.map((name) => ({ name, content: readFileSync(join(directory, name)) }))), { level: 9 });
}
