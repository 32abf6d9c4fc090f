/** `node invoke.ts PAYLOAD`: invokes the exported handler as Lambda does, in a process of its own. Exit code 1 if it throws. */
import type { Context } from "aws-lambda";
import { handler } from "../../functions/extract-metrics/handler.ts";

const context = {
  functionName: "extract-metrics",
  functionVersion: "1",
  invokedFunctionArn: "arn:aws:lambda:us-east-1:111111111111:function:extract-metrics",
  memoryLimitInMB: "256",
  awsRequestId: "00000000-0000-4000-8000-000000000000",
  getRemainingTimeInMillis: () => 60_000,
} as Context;

try {
  const summary = await handler(JSON.parse(process.argv[2] ?? "{}"), context);
  console.log(JSON.stringify({ returned: summary }));
} catch (error) {
  console.log(JSON.stringify({ threw: String(error) }));
  process.exitCode = 1;
}
