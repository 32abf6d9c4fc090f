import { fileURLToPath } from "node:url";
import type { BundlingOptions } from "aws-cdk-lib/aws-lambda-nodejs";

/** Modules that stand for a package in the bundle. */
export const ALIASES: Readonly<Record<string, string>> = {
  "@aws-sdk/credential-provider-node": fileURLToPath(
    new URL("../../functions/aws/environment-credentials.ts", import.meta.url),
  ),
};

/** One file that has all it needs, with the SDK if it uses that, so that the tested code runs. */
const COMMON = {
  minify: true,
  target: "node24",
  bundleAwsSDK: true,
  mainFields: ["module", "main"],
  esbuildArgs: Object.fromEntries(Object.entries(ALIASES).map(([name, path]) => [`--alias:${name}`, path])),
};

/** The functions of the stack, and how the handler of each in `functions/<name>/` becomes an ECMAScript module. */
export const BUNDLING = {
  "extract-metrics": {
    ...COMMON,
    // Dependencies that are CommonJS require Node's own modules.
    banner: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
  },
  "record-instance-ends": { ...COMMON, banner: "" },
} satisfies Record<string, BundlingOptions>;

export type FunctionName = keyof typeof BUNDLING;
