/** This version's runner with the prototype's collector, whose rules collector-prototype.js has. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { startLocalAws } from "../../local/server.ts";
import { BUCKET, installRunner, JOB } from "../runner/fleet.ts";
import { ONE } from "../runner/platforms.ts";
import { needs } from "../tools.ts";
import { issueEvents, runnerMetrics } from "./collector-prototype.js";

/** What the tests need. */
const RUNNER = { tags: [needs("dash")] };

let aws: Awaited<ReturnType<typeof startLocalAws>>;
beforeAll(async () => {
  aws = await startLocalAws();
  aws.s3.createBucket(BUCKET);
});
afterAll(() => aws.close());

/** Takes the steps of a life, and returns what the prototype's collector issues for the files that were uploaded. */
async function eventsOf(storage: string, steps: readonly (readonly string[])[], job: object = {}) {
  const runner = installRunner(ONE, {
    ...JOB,
    ...job,
    RUNNER_METRICS_ENDPOINT: aws.endpoint,
    RUNNER_METRICS_FLAVOR: "large",
    RUNNER_METRICS_STORAGE: storage,
  });
  try {
    for (const step of steps) expect(await runner.step(step)).toMatchObject({ code: 0, stderr: "" });
  } finally {
    runner.remove();
  }
  const objects = [...aws.s3.objects(BUCKET, `runners/large/${storage}/`)];
  const files = objects.map(({ key, body }) => [key.split("/").at(-1), { bytes: body, lastModified: Date.now() }]);
  const metrics = runnerMetrics(storage, Object.fromEntries(files));
  expect(metrics).toMatchObject({ kind: "metrics" });
  return issueEvents(metrics, "large").map(({ detailType, detail }) => ({ detailType, ...detail }));
}

test("a job that ended is issued as Installed, Start and Stop", RUNNER, async () => {
  const events = await eventsOf("r-1", [["installation-start"], ["installed"], ["job-started"], ["job-completed"]]);
  expect(events).toMatchObject([
    { detailType: "RunnerInstalled" },
    { detailType: "RunnerStart", repo: "acme/widgets", workflow: "CI", workflow_run_id: "6873452345" },
    { detailType: "RunnerStop", status: "normal" },
  ]);
});

test("an abnormal end and a refusal keep their status and code", RUNNER, async () => {
  const died = await eventsOf("r-2", [["installed"], ["job-started"], ["ended", "137"]]);
  expect(died.at(-1)).toMatchObject({ detailType: "RunnerStop", status: "abnormal", status_info: { code: 137 } });
  const refused = await eventsOf("r-3", [["installed"], ["policy-failure", "403"]]);
  const status = { status: "repo-policy-check-failure", status_info: { code: 403 } };
  expect(refused.at(-1)).toMatchObject({ detailType: "RunnerStop", ...status });
});

test("odd texts of a job are not corrupt", RUNNER, async () => {
  const job = { GITHUB_WORKFLOW: `Bau "größer" \\ \u202e\t🚀 ${"x".repeat(900)}`, GITHUB_EVENT_NAME: "y".repeat(500) };
  const events = await eventsOf("r-4", [["installed"], ["job-started"], ["job-completed"]], job);
  expect(events.map(({ detailType }) => detailType)).toEqual(["RunnerStart", "RunnerStop"]);
});
