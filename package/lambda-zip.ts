import { zipSync } from "fflate";

/** The zip file that Lambda runs as `index.handler`. It depends on the bundle alone: its time is fixed. */
export function lambdaZip(bundle: Uint8Array): Uint8Array {
  // Zip files have local times.
  return zipSync({ "index.mjs": bundle }, { level: 9, mtime: new Date(1980, 0, 1) });
}
