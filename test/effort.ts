import { toolsAreRequired } from "./tools.ts";

/** How much a test tries: `quick` in `npm test`, `full` in the gate, which sets `CI`. */
export function effort(quick: number, full: number): number {
  return toolsAreRequired ? full : quick;
}
