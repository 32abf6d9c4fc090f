import { describe, expect, test } from "vitest";
import type { GithubApi } from "../../functions/github/api.ts";
import { createJobLookup } from "../../functions/github/job-lookup.ts";
import type { LocalJob } from "../../local/github.ts";
import { claimOf, QUEUED_80_SECONDS, REPOSITORY, RUN_ID, startGithubWorld } from "./github-world.ts";

const others = (count: number, from = 0): LocalJob[] =>
  Array.from({ length: count }, (_, index) => ({ runner: `other-${from + index}` }));

describe("a runner's job", () => {
  test("is the one of its workflow run that has its name", async () => {
    const { github, startRun, asked } = await startGithubWorld();
    github.addJobs(REPOSITORY, RUN_ID, [...others(3), { runner: "r-1", ...QUEUED_80_SECONDS, conclusion: "failure" }]);
    expect(await startRun().jobs.find(claimOf("r-1"))).toMatchObject({ queue_duration: 80, conclusion: "failure" });
    expect(asked()).toEqual([`/repos/acme/widgets/actions/runs/${RUN_ID}/jobs?filter=all&per_page=100&page=1`]);
  });

  test("is found on page 3", async () => {
    const { github, startRun, asked } = await startGithubWorld();
    github.addJobs(REPOSITORY, RUN_ID, [...others(230), { runner: "r-1", ...QUEUED_80_SECONDS }]);
    expect(await startRun().jobs.find(claimOf("r-1"))).toMatchObject({ queue_duration: 80, conclusion: "success" });
    expect(asked()).toHaveLength(3);
  });

  test("is found by the runner's name on EC2, which follows the storage's last colon", async () => {
    const { github, startRun } = await startGithubWorld();
    github.addJobs(REPOSITORY, RUN_ID, [{ runner: "i-0abc" }]);
    expect(await startRun().jobs.find(claimOf("AROAEXAMPLE:i-0abc"))).toMatchObject({ conclusion: "success" });
  });

  test("may be of an earlier attempt, and of several that it did it is the one closest to its claim", async () => {
    const { github, startRun } = await startGithubWorld();
    github.addJobs(REPOSITORY, RUN_ID, [
      { runner: "earlier", attempt: 1, conclusion: "failure" },
      {
        runner: "r-1",
        attempt: 1,
        createdAt: "2023-11-14T20:00:00Z",
        startedAt: "2023-11-14T20:00:09Z",
        conclusion: "failure",
      },
      { runner: "r-1", attempt: 2, ...QUEUED_80_SECONDS, conclusion: "success" },
      {
        runner: "r-1",
        attempt: 3,
        createdAt: "2023-11-15T03:00:00Z",
        startedAt: "2023-11-15T03:00:01Z",
        conclusion: "cancelled",
      },
    ]);
    const { jobs } = startRun();
    expect(await jobs.find(claimOf("r-1"))).toMatchObject({ queue_duration: 80, conclusion: "success" });
    expect(await jobs.find(claimOf("earlier"))).toMatchObject({ conclusion: "failure" });
  });

  test("is its own of a matrix on one workflow run, which is asked for once", async () => {
    const { github, startRun, asked } = await startGithubWorld();
    const matrix = Array.from({ length: 20 }, (_, index) => ({
      runner: `m-${index}`,
      name: `test (${index})`,
      createdAt: "2023-11-14T22:14:00Z",
      startedAt: `2023-11-14T22:14:${String(index).padStart(2, "0")}Z`,
    }));
    github.addJobs(REPOSITORY, RUN_ID, matrix);
    const { jobs } = startRun();
    const found = await Promise.all(matrix.map(({ runner }) => jobs.find(claimOf(runner))));
    expect(found).toMatchObject(matrix.map((_, index) => ({ queue_duration: index, conclusion: "success" })));
    expect(asked()).toHaveLength(1);
  });

  test("that was cancelled before it was given to a runner is nobody's", async () => {
    const { github, startRun } = await startGithubWorld();
    github.addJobs(REPOSITORY, RUN_ID, [
      { runner: null, conclusion: "cancelled", startedAt: "0001-01-01T00:00:00Z", completedAt: "0001-01-01T00:00:00Z" },
      { runner: "", conclusion: "cancelled" },
    ]);
    expect(await startRun().jobs.find(claimOf("r-1"))).toEqual({ unknown: "job-not-found", isMismatch: true });
  });

  test.each([
    ["0001-01-01T00:00:00Z", "2023-11-14T22:15:20Z"],
    ["2023-11-14T22:14:00Z", "0001-01-01T00:00:00Z"],
    ["2023-11-14T22:14:00Z", "1970-01-01T00:00:00Z"],
    ["2023-11-14T22:14:00Z", "soon"],
  ])("with a time that is none (created %s, started %s) has no queue time", async (createdAt, startedAt) => {
    const { github, startRun } = await startGithubWorld();
    github.addJobs(REPOSITORY, RUN_ID, [{ runner: "r-1", createdAt, startedAt, conclusion: "cancelled" }]);
    expect(await startRun().jobs.find(claimOf("r-1"))).toMatchObject({ conclusion: "cancelled" });
  });

  test("that was completed before it started, and started before it was created, has its times as they are", async () => {
    const { github, startRun } = await startGithubWorld();
    const times = { createdAt: "2023-11-14T22:15:20Z", startedAt: "2023-11-14T22:15:18Z" };
    github.addJobs(REPOSITORY, RUN_ID, [{ runner: "r-1", ...times, completedAt: "2023-11-14T22:15:00Z" }]);
    expect(await startRun().jobs.find(claimOf("r-1"))).toMatchObject({ queue_duration: -2, conclusion: "success" });
  });

  test.each([
    "success",
    "failure",
    "neutral",
    "cancelled",
    "skipped",
    "timed_out",
    "action_required",
    "stale",
    "something_new",
  ])("has the conclusion that GitHub gives: %s", async (conclusion) => {
    const { github, startRun } = await startGithubWorld();
    github.addJobs(REPOSITORY, RUN_ID, [{ runner: "r-1", conclusion }]);
    expect(await startRun().jobs.find(claimOf("r-1"))).toMatchObject({ conclusion });
  });

  test("comes with the number of those that were cancelled in the queue, on whatever page", async () => {
    const { github, startRun } = await startGithubWorld();
    const cancelled = { runner: null, conclusion: "cancelled", startedAt: "0001-01-01T00:00:00Z" };
    github.addJobs(REPOSITORY, RUN_ID, [
      { runner: "r-1" },
      { ...cancelled, labels: ["ubuntu-latest"] },
      { ...cancelled, steps: { "Set up job": "success" } },
      ...others(110),
      cancelled,
      { ...cancelled, runner: "" },
    ]);
    expect(await startRun().jobs.find(claimOf("r-1"))).toMatchObject({ jobs_cancelled_in_queue: 2 });
    github.failWith(({ path }) => (path.includes("page=2") ? { kind: "reply", status: 403 } : undefined));
    const found = await startRun().jobs.find(claimOf("r-1"));
    expect(found).toMatchObject({ conclusion: "success" });
    expect(found).not.toHaveProperty("jobs_cancelled_in_queue");
  });

  test("whose post steps were all skipped says so, and of the steps nothing else is kept", async () => {
    const { github, startRun } = await startGithubWorld();
    const steps = (conclusion: string) => ({
      "Set up job": "success",
      "Set up runner": "success",
      "Run actions/checkout@v4": "success",
      "Run make": "failure",
      "Post Run actions/checkout@v4": conclusion,
      "Complete runner": conclusion,
      "Complete job": "success",
    });
    github.addJobs(REPOSITORY, RUN_ID, [
      { runner: "shut-down", conclusion: "failure", steps: steps("skipped") },
      { runner: "red", conclusion: "failure", steps: steps("success") },
    ]);
    const { jobs } = startRun();
    expect(await jobs.find(claimOf("shut-down"))).toMatchObject({ conclusion: "failure", post_steps_skipped: true });
    expect(await jobs.find(claimOf("red"))).not.toHaveProperty("post_steps_skipped");
    const kept = await jobs.jobsOf(claimOf("red"));
    expect(kept.jobs.map(({ steps }) => steps)).toEqual(["post-steps-skipped", "some"]);
    expect(JSON.stringify(kept)).not.toContain("checkout");
  });

  test.each([[undefined], [null], ["none"], [[{}]], [[{ name: 7, conclusion: "skipped" }]]])(
    "is found although GitHub describes its steps as %j",
    async (steps) => {
      const job = { run_id: 1, status: "completed", runner_name: "r-1", created_at: "", conclusion: "failure", steps };
      const api: GithubApi = { within: (task) => task(), get: async () => ({ total_count: 1, jobs: [job] }) };
      const found = await createJobLookup(api, new Set(["acme"]), () => true).jobsOf(
        claimOf("r-1", { workflow_run_id: "1" }),
      );
      expect(found).toMatchObject({ jobs: [{ runner_name: "r-1", conclusion: "failure" }] });
      expect(found.jobs[0]?.steps).toBeUndefined();
    },
  );

  test("that has not ended by GitHub's account has no conclusion", async () => {
    const { github, startRun } = await startGithubWorld();
    github.addJobs(REPOSITORY, RUN_ID, [
      { runner: "r-1", status: "in_progress", completedAt: null, ...QUEUED_80_SECONDS },
    ]);
    expect(await startRun().jobs.find(claimOf("r-1"))).toMatchObject({ queue_duration: 80 });
  });
});

describe("a job that is not found", () => {
  test("is a mismatch where every job of the run is somebody else's or over", async () => {
    const { github, startRun, clock } = await startGithubWorld();
    github.addJobs(REPOSITORY, RUN_ID, others(2));
    expect(await startRun().jobs.find(claimOf("liar", {}, clock.now()))).toEqual({
      unknown: "job-not-found",
      isMismatch: true,
    });
  });

  // https://docs.github.com/en/rest/actions/workflow-jobs: all that are not completed.
  test.each(["queued", "in_progress", "waiting", "requested", "pending"])(
    "is no mismatch while it may be one that GitHub has yet to give to a runner (%s); for five minutes by S3's clock",
    async (status) => {
      const { github, startRun, clock } = await startGithubWorld();
      github.addJobs(REPOSITORY, RUN_ID, [...others(2), { runner: null, status, completedAt: null }]);
      const { jobs } = startRun();
      const minutesAgo = (minutes: number) => clock.now() - minutes * 60_000;
      const unknown = "job-not-found";
      expect(await jobs.find(claimOf("r-1", {}, minutesAgo(4)))).toEqual({ unknown });
      expect(await jobs.find(claimOf("r-1", {}, minutesAgo(6)))).toEqual({ unknown, isMismatch: true });
    },
  );

  test("in a run that GitHub does not know is no mismatch: it may be hidden from us", async () => {
    const { startRun } = await startGithubWorld();
    expect(await startRun().jobs.find(claimOf("r-1"))).toEqual({ unknown: "not-found" });
  });

  test("on the pages that could be read is no mismatch, but one that is found there counts", async () => {
    const { github, startRun } = await startGithubWorld();
    github.addJobs(REPOSITORY, RUN_ID, [{ runner: "r-1" }, ...others(150)]);
    github.failWith(({ path }) => (path.includes("page=2") ? { kind: "reply", status: 403 } : undefined));
    const { jobs } = startRun();
    expect(await jobs.find(claimOf("r-1"))).toMatchObject({ conclusion: "success" });
    expect(await jobs.find(claimOf("liar"))).toEqual({ unknown: "denied" });
  });

  test("among more jobs than are read is no mismatch", async () => {
    const { github, startRun, asked } = await startGithubWorld();
    github.addJobs(REPOSITORY, RUN_ID, others(3_200));
    expect(await startRun().jobs.find(claimOf("liar"))).toEqual({ unknown: "too-many-pages" });
    expect(asked()).toHaveLength(30);
  });
});

describe("A36 a repository that this fleet has nothing to do with", () => {
  test.each(["evil/widgets", "acme2/widgets", "acm/e", "ACMEE/widgets"])("%s: nothing is asked", async (repository) => {
    const { github, startRun, secretReads } = await startGithubWorld();
    github.addJobs(repository, RUN_ID, [{ runner: "r-1" }]);
    expect(await startRun().jobs.find(claimOf("r-1", { repository }))).toEqual({ unknown: "owner-not-allowed" });
    expect(github.requests).toEqual([]);
    expect(secretReads).toEqual([]);
  });

  test("owners have no case, as at GitHub", async () => {
    const { github, startRun } = await startGithubWorld({ owners: ["Acme"] });
    github.addJobs("acme/widgets", RUN_ID, [{ runner: "r-1" }]);
    expect(await startRun().jobs.find(claimOf("r-1", { repository: "ACME/Widgets" }))).toMatchObject({
      conclusion: "success",
    });
  });
});

describe("what is asked", () => {
  test("is bounded: no id that GitHub can't have", async () => {
    const { github, startRun } = await startGithubWorld();
    for (const workflow_run_id of ["0", "007", "9".repeat(20), "9".repeat(500)]) {
      expect(await startRun().jobs.find(claimOf("r-1", { workflow_run_id }))).toEqual({ unknown: "not-found" });
    }
    expect(github.requests).toEqual([]);
  });

  test("has no second page if that may not be requested", async () => {
    const pages: string[] = [];
    const api: GithubApi = {
      within: (task) => task(),
      async get(_path, { page = "" }) {
        pages.push(page);
        const job = { run_id: Number(RUN_ID), status: "completed", runner_name: "other", created_at: "" };
        return { total_count: 150, jobs: Array.from({ length: 100 }, () => job) };
      },
    };
    const { jobs, unknown } = await createJobLookup(api, new Set(["acme"]), () => false).jobsOf(claimOf("r-1"));
    expect([jobs.length, unknown]).toEqual([100, "request-budget"]);
    expect(pages).toEqual(["1"]);
  });

  test("is kept in memory for 100,000 jobs, and forgotten beyond that", async () => {
    const asked = new Map<string, number>();
    const api: GithubApi = {
      within: (task) => task(),
      async get(path) {
        const runId = path[5] ?? "";
        asked.set(runId, (asked.get(runId) ?? 0) + 1);
        const job = { run_id: Number(runId), status: "completed", runner_name: `r-${runId}`, created_at: "" };
        return { total_count: 100, jobs: Array.from({ length: 100 }, () => job) };
      },
    };
    const jobs = createJobLookup(api, new Set(["acme"]), () => true);
    const find = (runId: number) => jobs.jobsOf(claimOf(`r-${runId}`, { workflow_run_id: String(runId) }));
    for (let runId = 1; runId <= 1_001; runId++) expect((await find(runId)).unknown).toBeUndefined();
    for (const runId of [1_001, 1, 3]) await find(runId);
    expect([asked.get("1001"), asked.get("1"), asked.get("3")]).toEqual([1, 2, 1]);
  });

  test("is asked for conditionally the next time, which GitHub does not count", async () => {
    const { github, startRun } = await startGithubWorld();
    github.addJobs(REPOSITORY, RUN_ID, [...others(150), { runner: "r-1" }]);
    const first = startRun();
    const found = await first.jobs.find(claimOf("r-1"));
    const { remaining } = github.rateLimit;
    const second = startRun();
    expect(await second.jobs.find(claimOf("r-1"))).toEqual(found);
    expect(github.rateLimit.remaining).toBe(remaining);
    expect(second.usage()).toMatchObject({ requests: 2, statuses: { 304: 2 } });
    github.addJobs(REPOSITORY, RUN_ID, [{ runner: "new" }]);
    expect(await startRun().jobs.find(claimOf("new"))).toMatchObject({ conclusion: "success" });
  });

  test("has a token that may read Actions and nothing else", async () => {
    const { github, startRun } = await startGithubWorld();
    github.addJobs(REPOSITORY, RUN_ID, [{ runner: "r-1" }]);
    await startRun().jobs.find(claimOf("r-1"));
    const [token, jobs] = github.requests;
    expect(token).toMatchObject({ method: "POST", path: "/app/installations/5678/access_tokens" });
    expect(JSON.parse(token?.body ?? "")).toEqual({ permissions: { actions: "read" } });
    expect(jobs?.headers.authorization).toMatch(/^Bearer ghs_/);
  });

  test("goes to the base path of GitHub Enterprise Server", async () => {
    const { github, startRun, asked } = await startGithubWorld({ basePath: "/api/v3" });
    expect(github.apiUrl).toMatch(/\/api\/v3$/);
    github.addJobs(REPOSITORY, RUN_ID, [{ runner: "r-1" }]);
    expect(await startRun().jobs.find(claimOf("r-1"))).toMatchObject({ conclusion: "success" });
    expect(asked()).toHaveLength(1);
  });
});
