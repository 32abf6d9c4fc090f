import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Architecture, Code, type FunctionOptions, Function as LambdaFunction, Runtime } from "aws-cdk-lib/aws-lambda";
import { type BundlingOptions, NodejsFunction, OutputFormat } from "aws-cdk-lib/aws-lambda-nodejs";
import type { Construct } from "constructs";

/** How a handler is bundled: with the SDK if it uses that, so that the tested code runs. */
export const BUNDLING: BundlingOptions = {
  minify: true,
  format: OutputFormat.ESM,
  target: "node24",
  bundleAwsSDK: true,
  mainFields: ["module", "main"],
};

/**
 * A Lambda function of the handler in `functions/<name>/`. The npm package has its bundle. The repository has none: there esbuild bundles
 * the handler at synthesis.
 */
export function bundledFunction(
  scope: Construct,
  id: string,
  name: string,
  options: FunctionOptions,
  bundling: BundlingOptions = BUNDLING,
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
    bundling,
    awsSdkConnectionReuse: false,
  });
}

function path(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}
