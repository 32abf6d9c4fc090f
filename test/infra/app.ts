import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App } from "aws-cdk-lib";

/** A directory of its own. It is deleted with all temporary files at the end of the tests. */
export function outputDirectory(): string {
  return mkdtempSync(join(tmpdir(), "cdk.out-"));
}

/** An app that bundles nothing and leaves nothing behind. */
export function createApp(): App {
  return new App({
    outdir: outputDirectory(),
    treeMetadata: false,
    context: { "aws:cdk:bundling-stacks": [], "aws:cdk:disable-stack-trace": true },
  });
}
