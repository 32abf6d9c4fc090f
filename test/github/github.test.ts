/** What the runs of one process share, and what each has of its own. */
import { expect, test } from "vitest";
import { claimOf, REPOSITORY, RUN_ID, startGithubWorld } from "./github-world.ts";

const others = (count: number) => Array.from({ length: count }, (_, index) => ({ runner: `other-${index}` }));

test("runs share the token, and what GitHub has answered; each asks anew, and counts its own calls", async () => {
  const { github, startRun, secretReads } = await startGithubWorld();
  github.addJobs(REPOSITORY, RUN_ID, [{ runner: "r-1" }]);
  const [first, second] = [startRun(), startRun()];
  const found = await first.jobs.find(claimOf("r-1"));
  const rateLimit = { limit: 5_000, remaining: 4_999 };
  expect(first.usage()).toEqual({ requests: 2, rateLimited: 0, statuses: { 200: 1, 201: 1 }, rateLimit });
  expect(second.usage()).toEqual({ requests: 0, rateLimited: 0, statuses: {} });
  expect(await second.jobs.find(claimOf("r-1"))).toEqual(found);
  expect(second.usage()).toEqual({ requests: 1, rateLimited: 0, statuses: { 304: 1 }, rateLimit });
  expect(secretReads).toEqual([false]);
});

test("what a run has used up to now does not change with what it uses later", async () => {
  const { startRun } = await startGithubWorld();
  const run = startRun();
  const usage = run.usage();
  await run.jobs.find(claimOf("r-1"));
  expect(usage).toEqual({ requests: 0, rateLimited: 0, statuses: {} });
});

test.each([
  [6, 200],
  [7, 300],
])("of %d calls the first half may be for further pages", async (requestsMax, known) => {
  const { github, startRun } = await startGithubWorld({ requestsMax });
  github.addJobs(REPOSITORY, RUN_ID, others(600));
  const { jobs, usage } = startRun();
  const found = await jobs.jobsOf(claimOf("r-1"));
  expect([found.jobs.length, found.unknown]).toEqual([known, "request-budget"]);
  expect(usage().requests).toBe(1 + known / 100);
});

test("what GitHub refused for its limit in one run, the next does not ask", async () => {
  const { github, startRun } = await startGithubWorld();
  github.failWith(() => ({ kind: "reply", status: 429, headers: { "retry-after": "60" } }));
  expect(await startRun().jobs.find(claimOf("r-1"))).toEqual({ unknown: "rate-limited" });
  const second = startRun();
  expect(await second.runners.alive("acme")).toEqual({ unknown: "rate-limited" });
  expect(second.usage()).toEqual({ requests: 0, rateLimited: 1, statuses: {} });
});

test("owners are those of the configuration, in whatever case", async () => {
  const { github, startRun } = await startGithubWorld({ owners: ["Octo-Org", "ACME"] });
  github.addJobs(REPOSITORY, RUN_ID, [{ runner: "r-1" }]);
  const { jobs } = startRun();
  expect(await jobs.find(claimOf("r-1"))).toMatchObject({ conclusion: "success" });
  expect(await jobs.find(claimOf("r-1", { repository: "other/widgets" }))).toEqual({ unknown: "owner-not-allowed" });
});
