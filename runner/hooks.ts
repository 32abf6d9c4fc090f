import { accessSync, constants, statSync } from "node:fs";
import { join } from "node:path";
import type { Environment } from "./settings.ts";

/** GitHub's variables for hooks, and the files of ours. https://docs.github.com/actions/hosting-your-own-runners/managing-self-hosted-runners/running-scripts-before-or-after-a-job */
const HOOKS = [
  { variable: "ACTIONS_RUNNER_HOOK_JOB_STARTED", step: "job-started" },
  { variable: "ACTIONS_RUNNER_HOOK_JOB_COMPLETED", step: "job-completed" },
] as const;

/** The variables that make GitHub's runner call our hooks, and what is wrong. Hooks that somebody else has set stay. */
export function hookVariables(
  home: string,
  environment: Environment,
): { readonly variables: Readonly<Record<string, string>>; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const extension = process.platform === "win32" ? "ps1" : "sh";
  const variables = HOOKS.flatMap(({ variable, step }): [string, string][] => {
    const path = join(home, `${step}.${extension}`);
    const set = environment[variable];
    if (set && set !== path) {
      problems.push(`${variable} is set to ${safe(set)}, so ${step} is recorded only if that calls ${path}`);
      return [];
    }
    const missing = whyNot(path);
    if (missing === undefined) return [[variable, path]];
    problems.push(`${path} ${missing}, so ${step} is not recorded`);
    return [];
  });
  return { variables: Object.fromEntries(variables), problems };
}

/** GitHub's runner fails each job if a hook is not there. */
function whyNot(path: string): string | undefined {
  try {
    const stats = statSync(path);
    if (!stats.isFile() || stats.size === 0) return "is not a file with a script";
    accessSync(path, process.platform === "win32" ? constants.R_OK : constants.R_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ENOENT" ? "is missing" : "is not executable";
  }
}

function safe(text: string): string {
  return text.replace(/[^ -~]/g, "?").slice(0, 200);
}
