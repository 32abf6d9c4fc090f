import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Architecture, Code, type FunctionOptions, Function as LambdaFunction, Runtime } from "aws-cdk-lib/aws-lambda";
import { NodejsFunction, OutputFormat } from "aws-cdk-lib/aws-lambda-nodejs";
import type { Construct } from "constructs";
import { BUNDLING, type FunctionName } from "./bundling.ts";

/**
 * A Lambda function of the handler in `functions/<name>/`. The npm package has its bundle. The repository has none: there esbuild bundles
 * the handler at synthesis.
 */
export function bundledFunction(
  scope: Construct,
  id: string,
  name: FunctionName,
  options: FunctionOptions,
): LambdaFunction {
  const properties = { ...options, runtime: Runtime.NODEJS_24_X, architecture: Architecture.ARM_64 };
  const prebuilt = path(`../../lambda/${name}`);
  if (existsSync(prebuilt)) {
    return new LambdaFunction(scope, id, { ...properties, code: Code.fromAsset(prebuilt), handler: "index.handler" });
  }
  return new NodejsFunction(scope, id, {
    ...properties,
    entry: path(`../../functions/${name}/handler.ts`),
    handler: "handler",
    projectRoot: path("../.."),
    depsLockFilePath: path("../../package-lock.json"),
    bundling: { ...BUNDLING[name], format: OutputFormat.ESM },
    awsSdkConnectionReuse: false,
  });
}

function path(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}
