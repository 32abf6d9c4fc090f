import { toolsAreRequired } from "./tools.ts";

/** What a test tries, or how much: `quick` in `npm test`, `full` in the gate, which sets `CI`. */
export function effort<T>(quick: T, full: T): T {
  return toolsAreRequired ? full : quick;
}
