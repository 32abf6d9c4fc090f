import fc from "fast-check";
import { expect, test } from "vitest";
import { type GithubJob, verificationOf, verifyJob } from "../../functions/domain/verify-job.ts";
import { claimOf } from "./github-world.ts";

const NOW = 1_700_100_000_000;

const time = fc.oneof(
  fc.integer({ min: 0, max: 4e12 }).map((milliseconds) => new Date(milliseconds).toISOString()),
  fc.constantFrom("0001-01-01T00:00:00Z", "", "soon", "1970-01-01T00:00:00Z"),
);
const job: fc.Arbitrary<GithubJob> = fc.record({
  runner_name: fc.option(fc.constantFrom("r-1", "r-2", "")),
  status: fc.constantFrom("queued", "in_progress", "completed", "something_new"),
  created_at: time,
  started_at: fc.option(time),
  conclusion: fc.option(fc.oneof(fc.constantFrom("success", "failure"), fc.string())),
});

test("whatever GitHub lists, a runner is verified exactly if one of the jobs is its own", () => {
  fc.assert(
    fc.property(fc.array(job), fc.integer({ min: 0, max: 600_000 }), (jobs, age) => {
      const answer = verifyJob({ jobs: jobs }, claimOf("r-1", {}, NOW - age), NOW);
      const isListed = jobs.some(({ runner_name }) => runner_name === "r-1");
      expect(verificationOf(answer) === "verified").toBe(isListed);
    }),
  );
});

test("whatever GitHub lists, its values are finite numbers and plain words", () => {
  fc.assert(
    fc.property(fc.array(job, { minLength: 1 }), (jobs) => {
      const answer = verifyJob({ jobs: jobs }, claimOf("r-1"), NOW);
      if ("unknown" in answer) return;
      if ("queue_duration" in answer) expect(answer.queue_duration).toSatisfy(Number.isFinite);
      if ("conclusion" in answer) expect(answer.conclusion).toMatch(/^[a-z][a-z_]{0,39}$/);
    }),
  );
});

test.each(["", "Success", "success\n", "a b", "x".repeat(41), "_", "{}", "1"])(
  "%j is no conclusion of GitHub's: it would become a metric's dimension",
  (conclusion) => {
    const job = { runner_name: "r-1", status: "completed", created_at: "", started_at: null, conclusion };
    expect(verifyJob({ jobs: [job] }, claimOf("r-1"), NOW)).toEqual({});
  },
);
