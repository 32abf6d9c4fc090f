import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { SkippedTests } from "./test/skipped-tests.ts";
import { missingTools, toolsAreRequired, toolTags } from "./test/tools.ts";

// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default defineConfig({
  test: {
    environment: "node",
    include: ["test/**/*.test.ts"],
    // The files that a worker runs share one copy of the CDK and of AWS's SDK, each of which takes a second to load.
    isolate: false,
    tags: toolTags,
    globalSetup: ["test/setup.ts"],
    setupFiles: [
      "test/shared-process.ts",
      ...(toolsAreRequired && missingTools.size > 0 ? ["test/require-tools.ts"] : []),
    ],
    reporters: ["default", new SkippedTests()],
    // Long enough for a machine with much else to do: a test that hangs is found late, and no other fails.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    // Many of them wait most of the time: for a shell, for a time-out, for a server that stalls.
    maxWorkers: Math.max(4, availableParallelism()),
  },
});
