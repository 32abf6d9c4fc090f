import { zipSync } from "fflate";
import type { FunctionName } from "../infra/constructs/bundling.ts";

/** The zip file of the functions. Lambda runs each as `<name>.handler`. It depends on the bundles alone: its time is fixed. */
export function lambdaZip(bundles: Readonly<Record<FunctionName, Uint8Array>>): Uint8Array {
  const files = Object.fromEntries(Object.entries(bundles).map(([name, bundle]) => [`${name}.mjs`, bundle]));
  // Zip files have local times.
  return zipSync(files, { level: 9, mtime: new Date(1980, 0, 1) });
}
