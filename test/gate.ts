/**
 * The gate: every check there is, one stage after the other.
 *
 *     npm run test:all                             all stages but the slow ones
 *     npm run test:all -- simulate                 one stage, also a slow one
 *     npm run test:all -- simulate --seed 7        with arguments of its own
 *
 * A stage needs the tools that its tests name, and Python 3 with `venv` for the emulators, which it installs into `.venv/`.
 * Prints the counts in its last line; ends with status 1 if a stage fails.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findCommand } from "./tools.ts";

interface Stage {
  readonly title: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Whether it is Vitest, whose tests are counted one by one. */
  readonly isVitest?: boolean;
  /** Whether it runs only by name: it takes longer than the others together, or measures. */
  readonly isSlow?: boolean;
}

const STAGES: Readonly<Record<string, Stage>> = {
  types: { title: "types", command: ["npx", "tsc"] },
  lint: { title: "format and lint", command: ["npx", "biome", "check", "--error-on-warnings"] },
  // Before the tests, some of which use what these two stages install.
  emulators: { title: "contracts on moto and MiniStack", command: ["node", "test/contracts/run-on-emulators.ts"] },
  "runner-tools": { title: "Node 20 and 22, Node for Windows", command: ["node", "test/runner-tools.ts"] },
  tests: { title: "all tests", command: ["npx", "vitest", "run"], env: { CI: "1" }, isVitest: true },
  simulate: { title: "20,000 simulated worlds", command: ["node", "test/simulation/main.ts"] },
  mutants: { title: "planted bugs", command: ["node", "test/simulation/run-mutants.ts"] },
  package: { title: "the package, as a user installs it", command: ["node", "test/package/main.ts"] },
  template: { title: "the release's template on MiniStack", command: ["node", "test/package/deploy-template.ts"] },
  release: { title: "the same release from two clones", command: ["node", "test/package/reproducible.ts"] },
  templates: {
    title: "cfn-lint in all regions, checkov, cfn-guard and NIST 800-53 over the templates",
    command: ["node", "test/infra/lint.ts"],
  },
  "by-hand": { title: "the commands for MiniStack in the documents", command: ["node", "test/e2e/by-hand.ts"] },
  e2e: { title: "deploy and run on MiniStack", command: ["node", "test/e2e/deploy.ts"] },
  backlog: {
    title: "3,000 runners through a real queue, on MiniStack",
    command: ["node", "test/e2e/backlog.ts"],
    isSlow: true,
  },
  operate: { title: "the runbook's commands on MiniStack", command: ["node", "test/e2e/operate.ts"] },
  lifecycle: {
    title: "stacks side by side, deleted and deployed again, on MiniStack",
    command: ["node", "test/e2e/lifecycle.ts"],
  },
  localstack: {
    title: "contracts, tickets and a run on LocalStack",
    command: ["node", "test/e2e/localstack.ts", "--host"],
    env: { PYTHON: newestPython() },
  },
  stryker: { title: "mutation tests", command: ["npx", "stryker", "run"], isSlow: true },
  fuzz: { title: "millions of hostile bodies and keys", command: ["node", "test/fuzz/main.ts"], isSlow: true },
  scale: { title: "floods, backlogs, a month", command: ["node", "test/scale/main.ts"], isSlow: true },
};

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

process.exitCode = main(process.argv.slice(2));

function main([name, ...args]: readonly string[]): number {
  const isKnown = name === undefined || Object.hasOwn(STAGES, name);
  if (!isKnown) {
    console.error(`There is no stage ${name}. There are ${Object.keys(STAGES).join(", ")}.`);
    return 2;
  }
  const stages = Object.entries(STAGES).filter(([key, { isSlow }]) => (name === undefined ? !isSlow : key === name));
  const counts = stages.map(([, stage]) => runStage(stage, args));
  const sum = (key: keyof Counts) => counts.reduce((total, count) => total + count[key], 0);
  console.log(`${sum("passed")} passed, ${sum("failed")} failed, ${sum("skipped")} skipped`);
  return sum("failed") === 0 ? 0 : 1;
}

function runStage({ title, command, env, isVitest = false }: Stage, args: readonly string[]): Counts {
  const directory = mkdtempSync(join(tmpdir(), "runner-metrics-gate-"));
  const report = join(directory, "report.json");
  const [program = "", ...rest] = command;
  const reporters = isVitest ? ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`] : [];
  const began = performance.now();
  console.log(`=== ${title}`);
  const { status } = spawnSync(program, [...rest, ...reporters, ...args], {
    stdio: "inherit",
    env: { ...process.env, ...env },
  });
  console.log(
    `=== ${title}: ${status === 0 ? "passed" : "FAILED"} in ${Math.round((performance.now() - began) / 1000)} s`,
  );
  const counts = isVitest ? countTests(report, status) : { passed: 0, failed: 0, skipped: 0 };
  rmSync(directory, { recursive: true, force: true });
  return isVitest ? counts : { ...counts, [status === 0 ? "passed" : "failed"]: 1 };
}

function countTests(report: string, status: number | null): Counts {
  try {
    const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(report, "utf8"));
    // A run can fail without a failed test: a file that can't be loaded, an unhandled error.
    const failed = status === 0 ? numFailedTests : Math.max(1, numFailedTests);
    return { passed: numPassedTests, failed, skipped: numPendingTests };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

/** LocalStack needs Python 3.12 or later; `LOCALSTACK_PYTHON` names one that is not on the PATH. */
function newestPython(): string {
  const names = ["python3.14", "python3.13", "python3.12"];
  return process.env.LOCALSTACK_PYTHON ?? names.find((name) => findCommand(name)) ?? process.env.PYTHON ?? "python3";
}
