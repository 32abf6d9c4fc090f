import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App } from "aws-cdk-lib";
import { afterAll } from "vitest";

const made: string[] = [];
afterAll(() => {
  for (const directory of made) rmSync(directory, { recursive: true, force: true });
});

/** A directory that goes when the test file is done: the CDK's own would stay. */
export function outputDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "cdk.out-"));
  made.push(directory);
  return directory;
}

/** An app that bundles nothing and leaves nothing behind. */
export function createApp(): App {
  return new App({ outdir: outputDirectory(), context: { "aws:cdk:bundling-stacks": [] } });
}
