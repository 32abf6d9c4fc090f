import { describe } from "vitest";
import { needs } from "../tools.ts";
import type { Shell } from "./fleet.ts";

/** Declares the tests once for every shell; `$name` in the title is the shell's name. Without the shell they are skipped. */
export function describeShells(title: string, shells: readonly Shell[], declare: (shell: Shell) => void): void {
  for (const shell of shells) {
    const tags = [needs("runner-tools"), needs(shell.command[0])];
    describe(title.replace("$name", shell.name), { tags }, () => declare(shell));
  }
}
