import { execFile } from "node:child_process";
import { devNull } from "node:os";
import { fileURLToPath } from "node:url";
import { runCommandLine } from "../../cli/program.ts";
import { asProgram } from "../as-program.ts";
import { effort } from "../effort.ts";

const PROGRAM = fileURLToPath(new URL("../../cli/runner-metrics.ts", import.meta.url));

/** What a command printed, and how it ended. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `runner-metrics` in a pipe, with nothing in its environment but `PATH` and what is given. */
export function runProgram(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<CommandResult> {
  const { PATH, PROGRAMS_COMPILE_CACHE: NODE_COMPILE_CACHE } = process.env;
  const options = { env: { PATH, NODE_COMPILE_CACHE, ...environment }, maxBuffer: 64 * 1024 * 1024 };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [PROGRAM, ...args], options, (error, stdout, stderr) => {
      const code = error ? error.code : 0;
      if (typeof code === "number") resolve({ code, stdout, stderr });
      else reject(error);
    });
  });
}

/** Does the same without the program, in this process. */
async function runInProcess(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<CommandResult> {
  const { PATH } = process.env;
  const { result, ...output } = await asProgram({ PATH, ...environment }, () => runCommandLine(args));
  return { code: result, ...output };
}

/** Runs a command: what it does, prints and returns is of interest, not that it is a program. The gate runs the program all the same. */
export const runCommand = effort(runInProcess, runProgram);

/** What a command needs in its environment to use local AWS at this endpoint, and no configuration of this machine. */
export function localAwsEnvironment(endpoint: string): NodeJS.ProcessEnv {
  return {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    AWS_CONFIG_FILE: devNull,
    AWS_SHARED_CREDENTIALS_FILE: devNull,
  };
}
