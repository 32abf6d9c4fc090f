import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    environment: "node",
    testTimeout: 60_000,
    // Many of them wait most of the time: for a shell, for a time-out, for a server that stalls.
    maxWorkers: Math.max(4, availableParallelism()),
  },
});
