import { Command } from "commander";
import { type ConnectionOptions, openBucket, output, stackOutputs, withConnection } from "../connection.ts";
import { escapeText } from "../escape.ts";
import { EXIT_CODES } from "../exit-codes.ts";
import { printJson, printLines, wrap } from "../print.ts";
import { awsOperations } from "../stack/operations.ts";
import { checkStack } from "../stack/status.ts";

/** `runner-metrics status`: whether the deployed stack works, and how to fix what does not. */
export function statusCommand(): Command {
  return withConnection(new Command("status"))
    .description("check the deployed stack: what is missing or wrong, and how to fix it")
    .action(async (options: ConnectionOptions & { json?: boolean }) => {
      const outputs = await stackOutputs(options);
      const checks = await checkStack(
        outputs,
        awsOperations(outputs, options),
        () => openBucket({ ...options, bucket: output(outputs, "BucketName") }),
        Date.now(),
      );
      if (options.json) printJson(checks);
      else {
        printLines(
          checks.flatMap(({ check, ok, found, fix }) => [
            `${ok ? "ok     " : "WRONG  "} ${escapeText(check)}`,
            ...wrap(escapeText(found), "        "),
            ...(fix ? wrap(`Fix: ${fix}`, "        ") : []),
          ]),
        );
      }
      if (checks.some(({ ok }) => !ok)) process.exitCode = EXIT_CODES.problemFound;
    });
}
