import { Command } from "commander";
import { EXIT_CODES } from "../exit-codes.ts";
import { loadDuckDb } from "../report/database.ts";

/** The oldest Node that runs the collector's code. Lambda has a later one. */
const NODE_MIN = 22;

/** `runner-metrics demo`: the whole thing on this machine, with a fleet that is made up. */
export function demoCommand(): Command {
  return new Command("demo")
    .description("show it at work on this machine, without an AWS account: a fleet, its events, and the report")
    .option("--out <file>", "write the report to this file (default: one in a folder for temporary files)")
    .option("--watch", "go on collecting, and print how to upload", false)
    .option("--port <number>", "port of the local AWS (default: any free one)", "0")
    .action(async (options: { out?: string; watch: boolean; port: string }, command: Command) => {
      const port = Number(options.port);
      if (!Number.isInteger(port) || port < 0 || port > 65_535) command.error("--port is not a port");
      if (Number.parseInt(process.versions.node, 10) < NODE_MIN) {
        throw new Error(`the demo runs the collector's code, which needs Node ${NODE_MIN} or later`);
      }
      // First of all: without it there is no report, which comes last.
      await loadDuckDb();
      const { demo } = await import("../../local/demo/demo.ts");
      if (!(await demo({ ...options, port }))) process.exitCode = EXIT_CODES.problemFound;
    });
}
