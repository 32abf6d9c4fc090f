import { defineConfig } from "vitest/config";
import { toolTags } from "./tools.ts";

// Tests of `functions/metrics/` and `functions/storage/`: not those that take seconds, or HTTP, to say what others say too.
// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default defineConfig({
  test: {
    include: [
      "test/attacks/{keys,objects,text,values}.test.ts",
      "test/golden/**/*.test.ts",
      "test/metrics/**/*.test.ts",
      "test/storage/**/*.test.ts",
      "test/simulation/*.test.ts",
      "test/github/{job-rule,lost-runners}.test.ts",
      "test/{crash,publish,summary,docs}.test.ts",
    ],
    testNamePattern:
      /^(?!.*(100,000|linear|over HTTP|url-encoded|small worlds|Expires|20,000|every file, folder|variable of the env))/,
    env: { SIMULATION_SEEDS: "60" },
    tags: toolTags,
    environment: "node",
    testTimeout: 30_000,
  },
});
