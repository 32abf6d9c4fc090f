/**
 * Tools that some tests need besides Node and npm. A test names them by tag: `{ tags: [needs("dash")] }`, or `@module-tag needs-dash` in
 * the first comment of its file. Without the tool the test is skipped and listed at the end of the run; with `CI` set it fails.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { TestTagDefinition } from "vitest/config";
import { isInstalled, MOTO } from "./emulators.ts";
import { hasNode } from "./runner-tools.ts";

/** Whether missing tools fail the tests that need them, instead of skipping these tests. */
export const toolsAreRequired = !["", "0", "false"].includes(process.env.CI ?? "");

interface Tool {
  /** Programs that have to be on the PATH. */
  readonly commands?: readonly string[];
  /** Instead of `commands`, where the tool is not on the PATH. */
  readonly isInstalled?: () => boolean;
  /** How to install it, as one command. */
  readonly install: string;
}

const TOOLS = {
  /** What the scripts in `runner/` find on every Linux runner. */
  "runner-tools": {
    commands: ["bash", "curl", "awk", "sed", "find"],
    install: "apt-get install bash curl mawk sed findutils",
  },
  coreutils: { commands: ["date", "id", "ls", "mkdir"], install: "apt-get install coreutils" },
  "node-20": { isInstalled: () => hasNode("node-20"), install: "npm run setup:runner" },
  "node-22": { isInstalled: () => hasNode("node-22"), install: "npm run setup:runner" },
  wine: {
    commands: ["wine"],
    isInstalled: () => hasNode("node-win"),
    install: "apt-get install wine && npm run setup:runner",
  },
  /** Processes with numbers of their own, as in a container. */
  unshare: { isInstalled: canUnshare, install: "apt-get install util-linux, and allow user namespaces" },
  dash: { commands: ["dash"], install: "apt-get install dash" },
  bash: { commands: ["bash"], install: "apt-get install bash" },
  busybox: { commands: ["busybox"], install: "apt-get install busybox" },
  gawk: { commands: ["gawk"], install: "apt-get install gawk" },
  mawk: { commands: ["mawk"], install: "apt-get install mawk" },
  "original-awk": { commands: ["original-awk"], install: "apt-get install original-awk" },
  shellcheck: { commands: ["shellcheck"], install: "apt-get install shellcheck" },
  systemd: { commands: ["systemd-analyze"], install: "apt-get install systemd" },
  "aws-cli": { commands: ["aws"], install: "pip install awscli" },
  /** Not a tool: the tests that take more than their share of `npm test`'s minute. */
  gate: { isInstalled: () => toolsAreRequired, install: "npm run test:all" },
  chromium: { commands: ["chromium"], install: "apt-get install chromium fonts-dejavu-core" },
  moto: { isInstalled: () => isInstalled(MOTO), install: "npm run test:all -- emulators moto" },
} as const satisfies Record<string, Tool>;

export type ToolName = keyof typeof TOOLS;

/** The tag of a test that needs the tool. */
export function needs(tool: ToolName): `needs-${ToolName}` {
  return `needs-${tool}`;
}

/** Tag -> how to install the tool, for all tools that this machine does not have. */
export const missingTools: ReadonlyMap<string, string> = new Map(
  Object.entries<Tool>(TOOLS)
    .filter(([, tool]) => !isAvailable(tool))
    .map(([name, { install }]) => [needs(name as ToolName), install]),
);

/** The tags of all tools, for Vitest's configuration. */
export const toolTags: TestTagDefinition[] = Object.keys(TOOLS).map((name) => {
  const tag = needs(name as ToolName);
  // `skip: false` would override the `skip: true` of another tag.
  return { name: tag, ...(missingTools.has(tag) && !toolsAreRequired && { skip: true }) };
});

function isAvailable({ commands = [], isInstalled = () => true }: Tool): boolean {
  return isInstalled() && commands.every((command) => findCommand(command) !== undefined);
}

function canUnshare(): boolean {
  const args = ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "true"];
  return spawnSync("unshare", args).status === 0;
}

/** The path of a command, or undefined where the PATH has none. */
export function findCommand(command: string): string | undefined {
  const paths = (process.env.PATH ?? "").split(delimiter).map((directory) => join(directory, command));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
