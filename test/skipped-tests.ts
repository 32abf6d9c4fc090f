import type { Reporter, TestCase, TestModule, Vitest } from "vitest/node";
import { missingTools } from "./tools.ts";

/** Lists and counts the tests that were skipped, by the tool that they need, at the end of a run. */
export class SkippedTests implements Reporter {
  #isSelection = false;

  onInit(vitest: Vitest): void {
    this.#isSelection = vitest.config.testNamePattern !== undefined;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    if (this.#isSelection) return;
    const skipped = modules.flatMap((module) => [...module.children.allTests("skipped")]);
    if (skipped.length === 0) return;
    console.log(`\nSkipped ${skipped.length} tests:`);
    for (const [reason, tests] of Map.groupBy(skipped, reasonOf)) {
      console.log(`\n  ${reason} (${tests.length})`);
      for (const test of tests) console.log(`    ${test.module.relativeModuleId} > ${test.fullName}`);
    }
    console.log(
      `\nSkipped ${skipped.length} tests, listed above by the tools that they need. With CI=1 they fail instead.`,
    );
    for (const [tag, install] of missingTools) {
      const count = skipped.filter(({ tags }) => tags.includes(tag)).length;
      if (count > 0) console.log(`  ${tag} (${count} tests): ${install}`);
    }
  }
}

function reasonOf({ tags }: TestCase): string {
  const missing = tags.filter((tag) => missingTools.has(tag));
  return missing.length > 0 ? missing.join(", ") : "without a reason";
}
