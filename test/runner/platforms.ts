/** What the program for runners has to work on: the versions of Node that GitHub's runner brings, and the shells that start it. */
import { fileURLToPath } from "node:url";
import { describe } from "vitest";
import { effort } from "../effort.ts";
import { nodePath } from "../runner-tools.ts";
import { needs, type ToolName } from "../tools.ts";

export interface Platform {
  readonly name: string;
  /** The shell that runs the shims. */
  readonly shell: readonly ["sh" | "dash" | "bash" | "busybox", ...string[]];
  readonly node: string;
  readonly tools: readonly ToolName[];
  /** Whether steps are taken in the test's process, without a shell. */
  readonly isThisProcess?: boolean;
}

const NODE_24: Omit<Platform, "shell"> = {
  name: "Node 24",
  node: fileURLToPath(new URL("../../node_modules/node/bin/node", import.meta.url)),
  tools: [],
};

/** Every Node, by the shell that is `sh` on Debian and Ubuntu. An ordinary change works on all of them or on none: the gate tries the older ones. */
export const NODES: readonly Platform[] = [
  { ...NODE_24, name: "Node 20", node: nodePath(20), shell: ["dash"], tools: ["dash", "node-20", "gate"] },
  { ...NODE_24, name: "Node 22", node: nodePath(22), shell: ["dash"], tools: ["dash", "node-22", "gate"] },
  { ...NODE_24, shell: ["dash"], tools: ["dash"] },
];

/** Every shell, with one Node. */
export const SHELLS: readonly Platform[] = [
  { ...NODE_24, name: "dash", shell: ["dash"], tools: ["dash"] },
  { ...NODE_24, name: "bash", shell: ["bash"], tools: ["bash"] },
  { ...NODE_24, name: "busybox sh", shell: ["busybox", "sh"], tools: ["busybox"] },
];

/** For tests that one platform is enough for, with what every machine has. */
export const ONE: Platform = { ...NODE_24, shell: ["sh"], tools: [] };

/** For tests of what steps do, however they are started: outside the gate they start nothing. */
export const ANY: Platform = { ...ONE, isThisProcess: effort(true, false) };

/** Declares the tests once for every platform; `$name` in the title is the platform's name. Without its tools they are skipped. */
export function describePlatforms(
  title: string,
  platforms: readonly Platform[],
  declare: (platform: Platform) => void,
): void {
  for (const platform of platforms) {
    const tags = platform.tools.map(needs);
    describe(title.replace("$name", platform.name), { tags }, () => declare(platform));
  }
}
