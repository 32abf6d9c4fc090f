import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type RunnerMetrics, runnerMetrics } from "../../functions/domain/runner-metrics.ts";
import { apiUrlOf } from "../../functions/github/api.ts";
import { effort } from "../effort.ts";
import { createWorld, FILES } from "../worlds/memory.ts";
import { claimOf, QUEUED_80_SECONDS, REPOSITORY, RUN_ID, startGithubWorld } from "./github-world.ts";

const preJob = (claim: Record<string, unknown>) =>
  JSON.stringify({ ...JSON.parse(FILES["pre-job-metrics.json"]), ...claim });

describe("the events of a run", () => {
  test("carry queue time and conclusion, and say that they are verified", async () => {
    const world = createWorld();
    const { github, startRun } = await startGithubWorld();
    world.upload("r-1");
    github.addJobs(REPOSITORY, RUN_ID, [{ runner: "r-1", ...QUEUED_80_SECONDS, conclusion: "failure" }]);
    const summary = await world.run({}, { ...startRun() });
    const [, start, stop] = world.eventsOf("r-1");
    expect(start?.detail).toMatchObject({ event: "runner_start", queue_duration: 80, verification: "verified" });
    expect(stop?.detail).toMatchObject({ event: "runner_stop", job_conclusion: "failure", verification: "verified" });
    for (const { detail } of world.events()) expect(detail).not.toHaveProperty("job_metrics_unknown");
    expect(summary.verifications).toEqual({ verified: 1, unverified: 0, mismatch: 0 });
  });

  test("name a negative queue time, which becomes 0", async () => {
    const world = createWorld();
    const { github, startRun } = await startGithubWorld();
    world.upload("r-1");
    github.addJobs(REPOSITORY, RUN_ID, [
      {
        runner: "r-1",
        createdAt: "2023-11-14T22:15:20Z",
        startedAt: "2023-11-14T22:15:18Z",
        completedAt: "2023-11-14T22:15:00Z",
      },
    ]);
    await world.run({}, { ...startRun() });
    expect(world.eventsOf("r-1")[1]?.detail).toMatchObject({ queue_duration: 0, clamped: ["queue_duration"] });
  });

  test("have the same ids whatever GitHub says", async () => {
    const ids = new Set<string>();
    for (const conclusion of ["success", "failure", undefined]) {
      const world = createWorld();
      const { github, startRun } = await startGithubWorld();
      world.upload("r-1");
      if (conclusion) github.addJobs(REPOSITORY, RUN_ID, [{ runner: "r-1", conclusion }]);
      await world.run({}, { ...startRun() });
      ids.add(JSON.stringify(world.events().map(({ detail }) => detail.event_id)));
    }
    const world = createWorld();
    world.upload("r-1");
    await world.run();
    ids.add(JSON.stringify(world.events().map(({ detail }) => detail.event_id)));
    expect(ids.size).toBe(1);
  });

  test("say why GitHub did not tell, and that nothing is verified", async () => {
    const world = createWorld();
    const { github, startRun } = await startGithubWorld();
    world.upload("r-1");
    github.failWith(() => ({ kind: "reply", status: 403 }));
    const summary = await world.run({}, { ...startRun() });
    expect(summary).toMatchObject({ extracted: 1, jobMetricsUnknown: { denied: 1 }, verifications: { unverified: 1 } });
    for (const { detail } of world.eventsOf("r-1").slice(1)) {
      expect(detail).toMatchObject({ job_metrics_unknown: "denied", verification: "unverified" });
    }
    expect(world.eventsOf("r-1")[0]?.detail).not.toHaveProperty("job_metrics_unknown");
  });

  test("say which value GitHub does not have", async () => {
    const world = createWorld();
    const { github, startRun } = await startGithubWorld();
    world.upload("r-1");
    github.addJobs(REPOSITORY, RUN_ID, [
      { runner: "r-1", status: "in_progress", completedAt: null, ...QUEUED_80_SECONDS },
    ]);
    const summary = await world.run({}, { ...startRun() });
    const [, start, stop] = world.eventsOf("r-1");
    expect(start?.detail).toMatchObject({ queue_duration: 80, verification: "verified" });
    expect(start?.detail).not.toHaveProperty("job_metrics_unknown");
    expect(stop?.detail).toMatchObject({ job_metrics_unknown: "no-value", verification: "verified" });
    expect(summary.jobMetricsUnknown["no-value"]).toBe(1);
  });

  test("of a lost runner carry what GitHub says of its job's end", async () => {
    const world = createWorld();
    const { github, startRun } = await startGithubWorld();
    const { "post-job-metrics.json": _, ...started } = FILES;
    world.upload("r-1", started);
    world.clock.time += 2 * 86_400_000;
    github.addJobs(REPOSITORY, RUN_ID, [{ runner: "r-1", conclusion: "cancelled" }]);
    await world.run({}, { ...startRun() });
    expect(world.eventsOf("r-1").at(-1)?.detail).toMatchObject({
      event: "runner_lost",
      job_conclusion: "cancelled",
      verification: "verified",
    });
  });
});

describe("a runner that claims a job which GitHub says somebody else did", () => {
  async function liar() {
    const world = createWorld();
    const github = await startGithubWorld();
    world.upload("liar");
    world.upload("honest");
    github.github.addJobs(REPOSITORY, RUN_ID, [{ runner: "honest" }]);
    return { world, ...github };
  }

  test("is flagged", async () => {
    const { world, startRun } = await liar();
    const summary = await world.run({}, { ...startRun() });
    expect(summary).toMatchObject({ extracted: 2, quarantined: 0, verifications: { verified: 1, mismatch: 1 } });
    for (const { detail } of world.eventsOf("liar").slice(1)) {
      expect(detail).toMatchObject({ verification: "mismatch", job_metrics_unknown: "job-not-found" });
    }
  });

  test("is quarantined where the stack says so, and no other", async () => {
    const { world, startRun } = await liar();
    const config = { ...world.dependencies.config, quarantineMismatches: true };
    const summary = await world.run({}, { ...startRun(), config });
    expect(summary).toMatchObject({ extracted: 1, quarantined: 1, quarantineReasons: { "job-mismatch": 1 } });
    expect(world.eventsOf("liar").map(({ detailType }) => detailType)).toEqual(["MetricsQuarantined"]);
    expect(world.eventsOf("liar")[0]?.detail).toMatchObject({ reason: "job-mismatch" });
    expect(world.manifests()).toMatchObject([
      { reason: "job-mismatch", file: "pre-job-metrics.json", storage: "liar" },
    ]);
    expect(world.eventsOf("honest")).toHaveLength(3);
    expect(world.keys("runners/")).toEqual([]);
  });

  test.each(["not-found", "unavailable"])("is not quarantined for want of an answer (%s)", async (reason) => {
    const { world, github, startRun } = await liar();
    github.failWith(({ method }) =>
      method === "GET" ? { kind: "reply", status: reason === "unavailable" ? 503 : 404 } : undefined,
    );
    const config = { ...world.dependencies.config, quarantineMismatches: true };
    const summary = await world.run({}, { ...startRun(), config });
    expect(summary).toMatchObject({ extracted: 2, quarantined: 0, jobMetricsUnknown: { [reason]: 2 } });
  });
});

describe("what it costs", () => {
  const MANY = effort(100, 1_000);
  test.each([
    { runners: MANY, runs: MANY / 10, pages: 1 },
    ...effort([], [{ runners: MANY, runs: MANY, pages: 1 }]),
    { runners: effort(250, 1_000), runs: effort(1, 4), pages: 3 },
  ])(
    "$runners runners of $runs workflow runs, of $pages pages each: a call for each page, and one for the token",
    async ({ runners, runs, pages }) => {
      const calls = runs * pages;
      const world = createWorld();
      const { github, startRun, asked } = await startGithubWorld({ requestsMax: 5_000, timeBudgetSeconds: 60 });
      for (let index = 0; index < runners; index++) {
        const workflow_run_id = String(1 + (index % runs));
        world.upload(`r-${index}`, { ...FILES, "pre-job-metrics.json": preJob({ workflow_run_id }) });
        github.addJobs(REPOSITORY, workflow_run_id, [{ runner: `r-${index}`, ...QUEUED_80_SECONDS }]);
      }
      const run = startRun();
      const summary = await world.run({}, { ...run });
      expect(summary).toMatchObject({ extracted: runners, verifications: { verified: runners } });
      expect(asked()).toHaveLength(calls);
      expect(github.requests).toHaveLength(calls + 1);
      expect(world.events()).toHaveLength(3 * runners);
    },
  );

  test("a matrix of 256 jobs in 3 attempts: 8 pages for its 256 runners", async () => {
    const world = createWorld();
    const { github, startRun, asked } = await startGithubWorld();
    for (const attempt of [1, 2, 3]) {
      const name = (index: number) => (attempt === 3 ? `r-${index}` : `before-${attempt}-${index}`);
      github.addJobs(
        REPOSITORY,
        RUN_ID,
        Array.from({ length: 256 }, (_, index) => ({ runner: name(index), attempt })),
      );
    }
    for (let index = 0; index < 256; index++) world.upload(`r-${index}`);
    expect(await world.run({}, { ...startRun() })).toMatchObject({ extracted: 256, verifications: { verified: 256 } });
    expect(asked()).toHaveLength(8);
  });

  test("with GitHub hanging, a run takes its budget longer, and every event is issued", async () => {
    const { github, startRun } = await startGithubWorld({ timeBudgetSeconds: 1 });
    github.failWith(() => ({ kind: "hang" }));
    const upload = () => {
      const world = createWorld();
      for (let index = 0; index < MANY; index++) {
        const workflow_run_id = String(1 + (index % 100));
        world.upload(`r-${index}`, { ...FILES, "pre-job-metrics.json": preJob({ workflow_run_id }) });
      }
      return world;
    };
    const world = upload();
    const summary = await world.run({}, { ...startRun() });
    expect(summary).toMatchObject({ extracted: MANY, jobMetricsUnknown: { "time-budget": MANY } });
    expect(world.events()).toHaveLength(3 * MANY);
    expect(world.keys("runners/")).toEqual([]);
  });
});

describe("A35 a repository that is a path of its own", () => {
  const HOSTILE = [
    "../../user",
    "o/..",
    "o/.",
    "../r",
    "o/r?x=",
    "o/r#",
    "..\\x",
    "o/r\\..\\..",
    "o/%2e%2e",
    "o/r%2f..",
    "o/r\tx",
    "o/r\n",
    "a/b/c",
    "a//b",
    "/a/b",
    "o/r;x",
    "o/{owner}",
    "o/r@x",
    "o/\u2025",
    "",
  ];

  test.each(HOSTILE)("%j is quarantined as invalid-schema, and GitHub is not asked", async (repository) => {
    const world = createWorld();
    const { github, startRun } = await startGithubWorld({ owners: ["o", "a", ".."] });
    world.upload("evil", { ...FILES, "pre-job-metrics.json": preJob({ repository }) });
    world.upload("r-1");
    expect(await world.run({}, { ...startRun() })).toMatchObject({
      quarantineReasons: { "invalid-schema": 1 },
      extracted: 1,
    });
    expect(github.requests).toEqual([]);
  });

  test.each(HOSTILE.filter((repository) => repository !== "a/b/c"))(
    "%j makes no URL, even if it came so far",
    async (repository) => {
      const path = ["repos", ...repository.split("/"), "actions", "runs", "1", "jobs"];
      expect(() => apiUrlOf("https://api.github.com", path)).toThrow("GitHub");
    },
  );

  test.each(["https://api.github.com", "https://github.acme.example/api/v3", "https://api.acme.ghe.com"])(
    "the path of an accepted one is what was meant (%s)",
    (apiUrl) => {
      const plain = fc.string({ minLength: 1, maxLength: 12, unit: fc.constantFrom(..."aZ09._-") });
      const odd = fc.string({ maxLength: 6, unit: fc.constantFrom(..."a.-/\\%?#:@;{}\t\n\u00e9\u2025 ") });
      const part = fc.oneof({ weight: 3, arbitrary: plain }, odd);
      const accepted = { count: 0 };
      fc.assert(
        fc.property(part, part, (owner, name) => {
          const metrics = tryClaim(`${owner}/${name}`);
          if (!metrics?.preJob) return;
          accepted.count++;
          const [claimedOwner = "", claimedName = ""] = metrics.preJob.repository.split("/");
          const url = new URL(apiUrlOf(apiUrl, ["repos", claimedOwner, claimedName, "actions", "runs", "1", "jobs"]));
          expect(url.href).toBe(`${apiUrl}/repos/${owner}/${name}/actions/runs/1/jobs`);
          expect(url.pathname.split("/").slice(-6)).toEqual([
            claimedOwner,
            claimedName,
            "actions",
            "runs",
            "1",
            "jobs",
          ]);
        }),
        { numRuns: effort(200, 2_000) },
      );
      expect(accepted.count).toBeGreaterThan(effort(20, 100));
    },
  );
});

test("A36 of many runners, GitHub is asked only about those of the owners that the fleet serves", async () => {
  const world = createWorld();
  const { github, startRun, asked } = await startGithubWorld();
  for (const repository of ["evil/widgets", "acme-/widgets", "acme/widgets", "github/docs"]) {
    world.upload(repository.replace("/", "."), { ...FILES, "pre-job-metrics.json": preJob({ repository }) });
    github.addJobs(repository, RUN_ID, [{ runner: repository.replace("/", ".") }]);
  }
  expect(await world.run({}, { ...startRun() })).toMatchObject({
    extracted: 4,
    verifications: { verified: 1, unverified: 3 },
    jobMetricsUnknown: { "owner-not-allowed": 3 },
  });
  expect(asked()).toEqual([`/repos/acme/widgets/actions/runs/${RUN_ID}/jobs?filter=all&per_page=100&page=1`]);
});

function tryClaim(repository: string): RunnerMetrics | undefined {
  const files = { ...claimOf("r-1").files };
  const file = { bytes: Buffer.from(preJob({ repository })), lastModified: 1_700_100_000_000 };
  const metrics = runnerMetrics("r-1", { ...files, "pre-job-metrics.json": file });
  return metrics.kind === "metrics" ? metrics : undefined;
}
