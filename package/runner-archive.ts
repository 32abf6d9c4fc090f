import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { tar } from "./tar.ts";

const WRAP_RUN = fileURLToPath(new URL("../runner/recipes/wrap-run.sh", import.meta.url));

/** The program for runners and its shims, from the folder that `buildRunner` wrote, and the script that recipes need, as a .tar.gz. */
export function runnerArchive(directory: string): Uint8Array {
  const files = readdirSync(directory).sort();
  const entries = files.map((name) => ({ name, content: readFileSync(join(directory, name)) }));
  return gzipSync(tar([...entries, { name: "wrap-run.sh", content: readFileSync(WRAP_RUN) }]), { level: 9 });
}
