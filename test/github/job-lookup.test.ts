import { describe, expect, test } from "vitest";
import type { GithubApi } from "../../functions/github/api.ts";
import { GithubFailure } from "../../functions/github/failure.ts";
import { createJobLookup } from "../../functions/github/job-lookup.ts";
import type { LocalJob } from "../../local/github.ts";
import { claimOf, pagedApi, QUEUED_80_SECONDS, REPOSITORY, RUN_ID, startGithubWorld } from "./github-world.ts";

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

/** A lookup over `pagedApi`. */
function lookupOf(pages: readonly unknown[], mayFetchNextPage = () => true) {
  const { api, asked } = pagedApi(pages);
  const { jobsOf } = createJobLookup(api, new Set(["acme"]), mayFetchNextPage);
  const find = (claim: { repository?: string; workflow_run_id?: string } = {}) =>
    jobsOf(claimOf("r-1", { workflow_run_id: "7", ...claim }));
  return { asked, jobsOf, find };
}

const JOB = { run_id: 7, status: "queued", created_at: "2026-11-27T09:00:00Z" };
const KEPT = {
  status: "queued",
  created_at: "2026-11-27T09:00:00Z",
  runner_name: null,
  started_at: null,
  conclusion: null,
};

describe("GitHub's answer", () => {
  test("is read with the fields that are used, and of long texts the begin", async () => {
    const long = "x".repeat(1_001);
    const full = {
      ...JOB,
      id: 9_007_199_254_740_993n,
      name: long,
      labels: [long, "large"],
      run_attempt: 2,
      runner_name: "r-1",
      started_at: "2026-11-27T09:00:01Z",
      conclusion: "success",
      steps: [{ name: "Set up job", conclusion: "success", number: 1 }],
      head_sha: "of no use",
    };
    const { find } = lookupOf([{ total_count: 2, jobs: [full, JOB], other: 1 }]);
    expect(await find()).toEqual({
      jobs: [
        {
          id: "9007199254740993",
          name: "x".repeat(1_000),
          labels: ["x".repeat(1_000), "large"],
          run_attempt: 2,
          status: "queued",
          runner_name: "r-1",
          created_at: "2026-11-27T09:00:00Z",
          started_at: "2026-11-27T09:00:01Z",
          conclusion: "success",
          steps: "some",
        },
        KEPT,
      ],
    });
  });

  test("may hold steps that have not ended, and nothing where it has no value", async () => {
    const nothing = {
      runner_name: null,
      started_at: null,
      conclusion: null,
      labels: [],
      steps: [{ name: "Set up job" }],
    };
    const { find } = lookupOf([{ total_count: 1, jobs: [{ ...JOB, ...nothing }] }]);
    expect(await find()).toEqual({ jobs: [{ ...KEPT, labels: [], steps: "some" }] });
  });

  test("may hold as many as 100 labels, and no steps", async () => {
    const labels = Array.from({ length: 100 }, (_, index) => `label-${index}`);
    const { find } = lookupOf([{ total_count: 1, jobs: [{ ...JOB, labels, steps: [] }] }]);
    expect(await find()).toEqual({ jobs: [{ ...KEPT, labels, steps: "none" }] });
  });

  test("may be that there are no jobs", async () => {
    expect(await lookupOf([{ total_count: 0, jobs: [] }]).find()).toEqual({ jobs: [] });
  });

  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["text", "<html>"],
    ["no number of jobs", { jobs: [JOB] }],
    ["a negative number of jobs", { total_count: -1, jobs: [] }],
    ["half a job", { total_count: 0.5, jobs: [JOB] }],
    ["no jobs", { total_count: 0 }],
    ["jobs that are none", { total_count: 1, jobs: [7] }],
    ["a job of another workflow run", { total_count: 2, jobs: [JOB, { ...JOB, run_id: 8 }] }],
    ["a job of no workflow run", { total_count: 1, jobs: [{ ...JOB, run_id: undefined }] }],
    ["a workflow run whose id is text", { total_count: 1, jobs: [{ ...JOB, run_id: "7" }] }],
    ["a job whose id is text", { total_count: 1, jobs: [{ ...JOB, id: "7" }] }],
    ["a name that is none", { total_count: 1, jobs: [{ ...JOB, name: 7 }] }],
    ["101 labels", { total_count: 1, jobs: [{ ...JOB, labels: Array(101).fill("x") }] }],
    ["half an attempt", { total_count: 1, jobs: [{ ...JOB, run_attempt: 1.5 }] }],
    ["a job without a status", { total_count: 1, jobs: [{ ...JOB, status: undefined }] }],
    ["a job that was never created", { total_count: 1, jobs: [{ ...JOB, created_at: null }] }],
    ["a runner that has no text for a name", { total_count: 1, jobs: [{ ...JOB, runner_name: 7 }] }],
    ["a start that is a number", { total_count: 1, jobs: [{ ...JOB, started_at: 7 }] }],
    ["a conclusion that is none", { total_count: 1, jobs: [{ ...JOB, conclusion: true }] }],
  ])("is invalid if it holds %s", async (_, answer) => {
    expect(await lookupOf([answer]).find()).toEqual({ jobs: [], unknown: "invalid-answer" });
  });
});

describe("pages", () => {
  const PAGE = Array(100).fill(JOB);

  test("are read until there are as many jobs as GitHub says, each with the permission to read Actions", async () => {
    const { asked, find } = lookupOf([
      { total_count: 201, jobs: PAGE },
      { total_count: 200, jobs: PAGE },
    ]);
    expect(await find()).toEqual({ jobs: Array(200).fill(KEPT) });
    const path = "repos/acme/widgets/actions/runs/7/jobs";
    const query = { filter: "all", per_page: "100" };
    expect(asked).toEqual([
      [path, { ...query, page: "1" }, { actions: "read" }],
      [path, { ...query, page: "2" }, { actions: "read" }],
    ]);
  });

  test.each<[string, unknown, string, number]>([
    ["is empty though there should be more", { total_count: 101, jobs: [] }, "invalid-answer", 100],
    ["can't be had", new GithubFailure("time-budget"), "time-budget", 100],
    ["is of another form", {}, "invalid-answer", 0],
  ])("are not all known if one %s", async (_, second, unknown, known) => {
    const { find } = lookupOf([{ total_count: 101, jobs: PAGE }, second]);
    expect(await find()).toEqual({ jobs: Array(known).fill(KEPT), unknown });
  });

  test("are asked about before each but the first", async () => {
    let count = 0;
    const pages = Array(4).fill({ total_count: 1_000, jobs: PAGE });
    const { asked, find } = lookupOf(pages, () => ++count < 3);
    expect(await find()).toEqual({ jobs: Array(300).fill(KEPT), unknown: "request-budget" });
    expect([asked.length, count]).toEqual([3, 3]);
  });

  test("are asked for once, also where they could not be had, whatever the case of the repository", async () => {
    const { asked, find } = lookupOf([new GithubFailure("denied")]);
    const found = await Promise.all([find(), find({ repository: "ACME/Widgets" })]);
    expect([...found, await find()]).toEqual(Array(3).fill({ jobs: [], unknown: "denied" }));
    expect(asked).toHaveLength(1);
  });

  test("of other workflow runs and repositories are others", async () => {
    const { asked, find } = lookupOf([undefined, undefined, undefined]);
    await find();
    await find({ workflow_run_id: "8" });
    await find({ repository: "acme/other" });
    expect(asked).toHaveLength(3);
  });

  test("are waited for within the run's time budget", async () => {
    const api: GithubApi = {
      within: () => Promise.reject(new GithubFailure("time-budget")),
      get: async () => undefined,
    };
    const found = await createJobLookup(api, new Set(["acme"]), () => true).jobsOf(claimOf("r-1"));
    expect(found).toEqual({ jobs: [], unknown: "time-budget" });
  });
});

describe("what is kept in memory", () => {
  const many = (count: number, runId: number) => ({
    total_count: count,
    jobs: Array(count).fill({ ...JOB, run_id: runId }),
  });

  test("are the jobs of the workflow runs that were asked for last", async () => {
    const { asked, find } = lookupOf([many(50_000, 1), many(50_000, 2), many(1, 3), many(50_000, 1), many(1, 2)]);
    const calls = async (...runIds: string[]) => {
      const before = asked.length;
      for (const workflow_run_id of runIds) expect((await find({ workflow_run_id })).unknown).toBeUndefined();
      return asked.length - before;
    };
    expect(await calls("1", "2", "1", "2")).toBe(2);
    expect(await calls("3", "3", "2")).toBe(1);
    expect(await calls("1", "1", "3")).toBe(1);
    expect(await calls("2", "1", "3")).toBe(1);
  });

  test("are those of one workflow run, however many it has", async () => {
    const { asked, find } = lookupOf([
      { ...many(60_000, 7), total_count: 120_000 },
      { ...many(60_000, 7), total_count: 120_000 },
    ]);
    const { jobs } = await find();
    expect((await find()).jobs).toBe(jobs);
    expect([jobs.length, asked.length]).toEqual([120_000, 2]);
  });
});

describe("nobody is asked", () => {
  test("for a runner without a job", async () => {
    const { asked, jobsOf } = lookupOf([]);
    const { preJob: _, ...metrics } = claimOf("r-1");
    expect(await jobsOf(metrics)).toEqual({ jobs: [], unknown: "owner-not-allowed" });
    expect(asked).toEqual([]);
  });

  test.each(["0", "01", "1".repeat(20)])("for a workflow run that GitHub can't have: %s", async (workflow_run_id) => {
    const { asked, find } = lookupOf([]);
    expect(await find({ workflow_run_id })).toEqual({ jobs: [], unknown: "not-found" });
    expect(asked).toEqual([]);
  });

  test("but for one with the largest id", async () => {
    const { asked, find } = lookupOf([new GithubFailure("denied")]);
    await find({ workflow_run_id: "9".repeat(19) });
    expect(asked).toHaveLength(1);
  });
});
