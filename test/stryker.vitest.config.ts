import { defineConfig } from "vitest/config";
import { toolTags } from "./tools.ts";

// Tests of `functions/`: not those that start processes, or take seconds to say what others say too.
// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default defineConfig({
  test: {
    include: [
      "test/attacks/{events,keys,objects,text,values}.test.ts",
      "test/aws/**/*.test.ts",
      "test/concurrency.test.ts",
      "test/contracts/ports.test.ts",
      "test/domain/**/*.test.ts",
      "test/extract-metrics/{config,idle-connections,invocation,report,worker}.test.ts",
      "test/github/!(handler|openapi).test.ts",
      "test/golden/**/*.test.ts",
      "test/run/**/*.test.ts",
      "test/simulation/*.test.ts",
      "test/storage/**/*.test.ts",
    ],
    testNamePattern:
      /^(?!.*(100,000|linear|over HTTP|url-encoded|small worlds|Expires|20,000|every file, folder|variable of the env|has one place in))/,
    env: { SIMULATION_SEEDS: "60" },
    tags: toolTags,
    environment: "node",
    // One start for all files of a mutant: the tests leave nothing behind.
    isolate: false,
    testTimeout: 30_000,
  },
});
