/**
 * What the hooks add to a job when S3 answers at once: `npm run bench:runner [-- ROUNDS]`. Every round runs each hook as
 * GitHub does (`bash -e hook.sh`), and an empty one between them. Each hook is a job's first: it does all its uploads. Other
 * work on the machine shows in all figures but the least, and in the load.
 */

import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { RUNNER_FILE_NAMES } from "../../contract/runner-file-grammar.ts";
import { installRunner, JOB, launch, type Settings } from "../runner/fleet.ts";
import { NODES, type Platform } from "../runner/platforms.ts";
import { startStub } from "../runner/stub-server.ts";

const rounds = Number(process.argv[2] ?? 40);
const root = mkdtempSync(join(tmpdir(), "bench-"));
const empty = join(root, "empty.sh");
writeFileSync(empty, "#!/bin/sh\nexit 0\n");

const credentials = JSON.stringify({ AccessKeyId: "ASIA", SecretAccessKey: "s", Token: "t" });
const stored = new Set<string>();
const cloud = await startStub(({ method, url }) => {
  if (method === "PUT" && url.startsWith("/metrics/")) {
    const file = url.slice(url.lastIndexOf("/") + 1);
    if (stored.has(file)) return { status: 412 };
    stored.add(file);
  }
  if (url.endsWith("/api/token")) return { body: "token" };
  if (url.endsWith("/security-credentials/")) return { body: "role" };
  if (url.endsWith("/security-credentials/role")) return { body: credentials };
  return {};
});

console.log(
  `| Node | credentials | hook | median ms | p95 ms | added ms (median) | x empty hook | least added ms |\n|---|---|---|---|---|---|---|---|`,
);
for (const platform of NODES) {
  if (!existsSync(platform.node)) {
    console.log(`${platform.name} is not installed: npm run setup:runner`);
    continue;
  }
  for (const source of ["environment", "EC2 instance"] as const) await measure(platform, source);
}
console.log(`load: ${loadavg().map((load) => load.toFixed(1))} on ${availableParallelism()} cores, ${rounds} rounds`);
cloud.close();
rmSync(root, { recursive: true });

async function measure(platform: Platform, source: "environment" | "EC2 instance"): Promise<void> {
  const fromInstance: Settings = {
    AWS_ACCESS_KEY_ID: undefined,
    AWS_EC2_METADATA_DISABLED: undefined,
    AWS_EC2_METADATA_SERVICE_ENDPOINT: cloud.endpoint,
  };
  const settings = {
    ...JOB,
    RUNNER_METRICS_FLAVOR: "large",
    RUNNER_METRICS_STORAGE: "runner-1",
    AWS_ENDPOINT_URL: cloud.endpoint,
    ...(source === "EC2 instance" && fromInstance),
  };
  stored.clear();
  const runner = installRunner(platform, settings);
  const node = join(runner.directory, "externals/node24/bin/node");
  rmSync(node);
  symlinkSync(platform.node, node);
  const spools: Record<string, string> = {};
  for (const step of ["installation-start", "installed", "job-started"]) {
    await runner.step(step);
    spools[step] = join(root, `${step}-${platform.name}-${source}`);
    cpSync(runner.spool, spools[step], { recursive: true });
  }
  const times = { empty: [] as number[], "job-started": [] as number[], "job-completed": [] as number[] };
  for (let round = 0; round < rounds; round++) {
    for (const [hook, before, count] of [
      ["job-started", "installed", 2],
      ["job-completed", "job-started", 3],
    ] as const) {
      times.empty.push((await launch(["bash", "-e", empty], runner.environment).finished).milliseconds);
      rmSync(runner.spool, { recursive: true });
      cpSync(spools[before] ?? "", runner.spool, { recursive: true });
      stored.clear();
      for (const file of RUNNER_FILE_NAMES.slice(0, count)) stored.add(file);
      const { milliseconds, stderr } = await launch(["bash", "-e", join(runner.home, `${hook}.sh`)], runner.environment)
        .finished;
      if (stderr) throw new Error(stderr);
      times[hook].push(milliseconds);
    }
  }
  runner.remove();
  const base = quantile(times.empty, 0.5);
  for (const [hook, values] of Object.entries(times)) {
    if (hook === "empty" && source !== "environment") continue;
    const median = quantile(values, 0.5);
    const figures = [
      median,
      quantile(values, 0.95),
      median - base,
      median / base,
      Math.min(...values) - Math.min(...times.empty),
    ].map((value) => value.toFixed(1));
    console.log(`| ${[platform.name, hook === "empty" ? "" : source, hook, ...figures].join(" | ")} |`);
  }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
