import { InvalidArgumentError } from "commander";
import { FLAVOR } from "../contract/object-keys.ts";
import { parseDuration } from "./print.ts";

/** Reads the name of a flavor from the command line. */
export function flavorName(name: string): string {
  if (!FLAVOR.test(name)) throw new InvalidArgumentError("It is not the name of a flavor.");
  return name;
}

/** Reads an age from the command line, in milliseconds. */
export function age(text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds === undefined) throw new InvalidArgumentError("It must be like 90s, 30m, 12h or 7d.");
  return milliseconds;
}
