import { describe, expect, it } from "vitest";
import { EVENT_SCHEMAS, eventId, runnerInstalled } from "../../contract/events.ts";
import { postJobMetrics, preJobMetrics } from "../../contract/runner-files.ts";
import { issueEvents, quarantineEvent } from "../../functions/domain/issue-events.ts";
import { type RunnerMetrics, runnerMetrics } from "../../functions/domain/runner-metrics.ts";
import { type GithubJob, summarizeSteps, verifyJob } from "../../functions/domain/verify-job.ts";
import { FILES, NOW } from "../worlds/memory.ts";

const MINUTE = 60_000;
const PRE_JOB = { timestamp: 1, workflow: "CI", workflow_run_id: "1", repository: "acme/widgets", event: "push" };

function metricsOf(changes: Record<string, string> = {}, lastModified = NOW) {
  const files = Object.entries({ ...FILES, ...changes }).map(([name, text]) => [
    name,
    { bytes: Buffer.from(text), lastModified },
  ]);
  return runnerMetrics("r-1", Object.fromEntries(files));
}

function runner(lastModified = NOW): RunnerMetrics {
  const metrics = metricsOf({}, lastModified);
  if (metrics.kind !== "metrics") throw new Error(metrics.kind);
  return metrics;
}

describe("an event's id", () => {
  it("is the same today and tomorrow: over lengths in bytes, and the parts", () => {
    expect(eventId("large", "r-1", "runner_start", [Buffer.from("a"), Buffer.from("b")])).toBe(
      "b8a25625fbe590e9a804c2942e023509",
    );
    expect(eventId("large", "é", "runner_stop", [Buffer.from("é")])).toBe("a51ef99e1545f3a0e3f7b43639080b3a");
  });

  it("is told apart where the same bytes are cut otherwise", () => {
    const id = (...parts: string[]) =>
      eventId(
        "large",
        "r-1",
        "runner_start",
        parts.map((part) => Buffer.from(part)),
      );
    expect(id("ab", "c")).not.toBe(id("a", "bc"));
    expect(id("", "a")).not.toBe(id("a", ""));
  });

  it("is 32 hex digits by the schema, not more or fewer", () => {
    const [installed] = issueEvents(runner(), "large");
    const parse = (event_id: string) => runnerInstalled.safeParse({ ...installed?.detail, event_id }).success;
    expect(parse("0".repeat(32))).toBe(true);
    for (const id of ["0".repeat(31), "0".repeat(33), `x${"0".repeat(32)}`, `${"0".repeat(32)}x`]) {
      expect(parse(id)).toBe(false);
    }
  });

  it("of a quarantine is of its own kind", () => {
    const quarantine = { reason: "invalid-key", storage: "r-1", id: "0", prefix: "q/", objects: 1, bytes: 2 } as const;
    const { detail } = quarantineEvent(quarantine, "large", NOW);
    expect(detail.event_id).toBe(eventId("large", "r-1", "metrics_quarantined", [Buffer.from("0")]));
    expect(EVENT_SCHEMAS.MetricsQuarantined.parse(detail)).toEqual(detail);
  });
});

describe("what GitHub knows", () => {
  const eventsWith = (answer: Parameters<typeof issueEvents>[2]) =>
    issueEvents(runner(), "large", answer).map(({ detail }) => detail as Record<string, unknown>);

  it("is in the events, or why it is not", () => {
    const [, start, stop] = eventsWith({ queue_duration: 7, conclusion: "success" });
    expect(start).toMatchObject({ queue_duration: 7, verification: "verified" });
    expect(stop).toMatchObject({ job_conclusion: "success", verification: "verified" });
    expect([start, stop].some((detail) => detail && "job_metrics_unknown" in detail)).toBe(false);
    expect(stop).not.toHaveProperty("post_steps_skipped");
  });

  it("is in the Start how many jobs were cancelled in the queue, also if none was", () => {
    for (const jobs_cancelled_in_queue of [0, 3]) {
      const [, start, stop] = eventsWith({ queue_duration: 7, jobs_cancelled_in_queue });
      expect(start).toMatchObject({ jobs_cancelled_in_queue });
      expect(EVENT_SCHEMAS.RunnerStart.parse(start)).toEqual(start);
      expect(stop).not.toHaveProperty("jobs_cancelled_in_queue");
    }
    expect(eventsWith({ queue_duration: 7 })[1]).not.toHaveProperty("jobs_cancelled_in_queue");
  });

  it("is in the Stop that all post steps were skipped", () => {
    const [, start, stop] = eventsWith({ conclusion: "failure", post_steps_skipped: true });
    expect(stop).toMatchObject({ status: "normal", job_conclusion: "failure", post_steps_skipped: true });
    expect(EVENT_SCHEMAS.RunnerStop.parse(stop)).toEqual(stop);
    expect(start).not.toHaveProperty("post_steps_skipped");
  });

  it("may be the one and not the other", () => {
    const [, start, stop] = eventsWith({ queue_duration: 7 });
    expect(start).not.toHaveProperty("job_metrics_unknown");
    expect(stop).toMatchObject({ job_metrics_unknown: "no-value" });
    expect(stop).not.toHaveProperty("job_conclusion");
    const [, start2, stop2] = eventsWith({ conclusion: "failure" });
    expect(start2).toMatchObject({ job_metrics_unknown: "no-value" });
    expect(Object.keys(start2 ?? {})).not.toContain("queue_duration");
    expect(stop2).not.toHaveProperty("job_metrics_unknown");
  });

  it("is nothing where it was not asked or did not say", () => {
    const [, start, stop] = eventsWith({ unknown: "timeout" });
    for (const detail of [start, stop]) {
      expect(detail).toMatchObject({ job_metrics_unknown: "timeout", verification: "unverified" });
      expect(Object.keys(detail ?? {})).not.toContain("queue_duration");
      expect(Object.keys(detail ?? {})).not.toContain("job_conclusion");
    }
  });
});

describe("a job of GitHub's", () => {
  // The runner's claim is of 1700000120, 22:15:20.
  const job = (changes: Partial<GithubJob> = {}): GithubJob => ({
    runner_name: "r-1",
    status: "completed",
    created_at: "2023-11-14T22:15:10Z",
    started_at: "2023-11-14T22:15:17Z",
    conclusion: "success",
    ...changes,
  });
  const answer = (...jobs: GithubJob[]) => verifyJob({ jobs }, runner(), NOW + 10 * MINUTE);

  it("tells how long it waited and how it ended", () => {
    expect(answer(job({ runner_name: "r-2" }), job())).toEqual({ queue_duration: 7, conclusion: "success" });
  });

  it("has no queue time without both times, and none of the year 1 or 1970", () => {
    const none = { conclusion: "success" };
    expect(answer(job({ started_at: null }))).toEqual(none);
    expect(answer(job({ created_at: "" }))).toEqual(none);
    expect(answer(job({ started_at: "0001-01-01T00:00:00Z" }))).toEqual(none);
    expect(answer(job({ created_at: "1970-01-02T00:00:00Z" }))).toEqual(none);
    expect(answer(job({ created_at: "1970-01-02T00:00:01Z" }))).toHaveProperty("queue_duration");
  });

  it("has a conclusion only if that is a word of GitHub's kind", () => {
    const word = (conclusion: string | null) => answer(job({ conclusion }));
    expect(word("timed_out")).toHaveProperty("conclusion", "timed_out");
    expect(word("x".repeat(40))).toHaveProperty("conclusion");
    for (const none of [null, "", "_", "X", "x".repeat(41), "a b", "success\n", "1a"]) {
      expect(word(none)).not.toHaveProperty("conclusion");
    }
  });

  it("is of several the one that started closest to the claim, and none if two are about as close", () => {
    const at = (time: string | null, conclusion: string) =>
      job({ started_at: time && `2023-11-14T22:${time}Z`, conclusion });
    expect(answer(at("15:00", "early"), at("15:19", "closest"), at("15:30", "late"))).toMatchObject({
      conclusion: "closest",
    });
    expect(answer(at("15:30", "late"), at("15:19", "closest"))).toMatchObject({ conclusion: "closest" });
    expect(answer(at("15:22", "first"), at("15:18", "second"))).toEqual({});
    expect(answer(at(null, "never"), at("15:30", "late"))).toMatchObject({ conclusion: "late" });
  });

  it("that is not found is a mismatch, unless GitHub may have yet to give it to a runner", () => {
    const mismatch = { unknown: "job-not-found", isMismatch: true };
    const queued = job({ runner_name: null, status: "queued" });
    const after = (milliseconds: number, ...jobs: GithubJob[]) => verifyJob({ jobs }, runner(NOW), NOW + milliseconds);
    expect(after(0)).toEqual(mismatch);
    expect(after(5 * MINUTE - 1, queued)).toEqual({ unknown: "job-not-found" });
    expect(after(5 * MINUTE - 1, job({ runner_name: "r-2" }), queued)).toEqual({ unknown: "job-not-found" });
    expect(after(5 * MINUTE, queued)).toEqual(mismatch);
    expect(after(0, job({ runner_name: null, conclusion: "cancelled" }))).toEqual(mismatch);
    expect(after(0, job({ runner_name: null, conclusion: "skipped" }))).toEqual(mismatch);
    expect(after(0, job({ runner_name: "r-2", status: "in_progress" }))).toEqual(mismatch);
  });

  it.each([null, ""])("G2 without the runner's name (%j) on a job that ran contradicts no claim", (runner_name) => {
    expect(verifyJob({ jobs: [job({ runner_name })] }, runner(NOW), NOW + 10 * MINUTE)).toEqual({
      unknown: "job-not-found",
    });
  });

  it("G1 that is listed again by a re-run has the earliest times, in whatever order", () => {
    const original = job({ run_attempt: 1, created_at: "2023-11-14T22:15:10Z" });
    const copy = job({ run_attempt: 2, created_at: "2023-11-15T09:00:00Z" });
    for (const jobs of [
      [original, copy],
      [copy, original],
    ])
      expect(answer(...jobs)).toMatchObject({ queue_duration: 7 });
  });

  it("is of the attempt that the runner claims; if GitHub lists only others, it has no values", () => {
    const claim = { ...runner(), preJob: { ...runner().preJob, run_attempt: 2 } } as RunnerMetrics;
    const first = job({ run_attempt: 1, conclusion: "failure" });
    const second = job({ run_attempt: 2, conclusion: "success" });
    expect(verifyJob({ jobs: [first, second] }, claim, NOW)).toMatchObject({ conclusion: "success" });
    expect(verifyJob({ jobs: [first] }, claim, NOW)).toEqual({});
  });

  it("brings its id, name and labels", () => {
    const known = { id: "7", name: "build (arm64)", labels: ["self-hosted", "large"] };
    expect(answer(job(known))).toMatchObject({ job_id: "7", job_name: "build (arm64)", labels: known.labels });
  });

  it("that failed with all its post steps skipped is one whose machine failed; no other conclusion says so", () => {
    const steps = "post-steps-skipped";
    expect(answer(job({ conclusion: "failure", steps }))).toHaveProperty("post_steps_skipped", true);
    for (const conclusion of ["success", "cancelled", "timed_out", null])
      expect(answer(job({ conclusion, steps }))).not.toHaveProperty("post_steps_skipped");
    expect(answer(job({ conclusion: "failure", status: "in_progress", steps }))).not.toHaveProperty(
      "post_steps_skipped",
    );
    for (const steps of ["some", "none", undefined] as const)
      expect(answer(job({ conclusion: "failure", steps }))).not.toHaveProperty("post_steps_skipped");
  });

  describe("that was cancelled before it had a runner", () => {
    const labels = ["self-hosted", "large"];
    const own = job({ labels });
    const cancelled = (changes: Partial<GithubJob> = {}) =>
      job({
        name: "a",
        labels,
        runner_name: null,
        conclusion: "cancelled",
        started_at: null,
        steps: "none",
        ...changes,
      });
    const count = (...jobs: GithubJob[]) => answer(own, ...jobs);

    it("is counted in the answer about another job of its workflow run", () => {
      expect(count()).toHaveProperty("jobs_cancelled_in_queue", 0);
      expect(count(cancelled(), cancelled({ name: "b" }))).toHaveProperty("jobs_cancelled_in_queue", 2);
      expect(count(cancelled({ runner_name: "" }))).toHaveProperty("jobs_cancelled_in_queue", 1);
      expect(count(cancelled({ labels: ["Large", "self-hosted"] }))).toHaveProperty("jobs_cancelled_in_queue", 1);
    });

    it.each<[string, Partial<GithubJob>]>([
      ["had a runner", { runner_name: "r-2" }],
      ["did some steps on a runner that GitHub does not name", { steps: "some" }],
      ["has unknown steps", { steps: undefined }],
      ["is still queued", { status: "queued", conclusion: null }],
      ["was skipped", { conclusion: "skipped" }],
      ["asked for other labels", { labels: ["ubuntu-latest"] }],
      ["asked for more labels", { labels: [...labels, "gpu"] }],
      ["has unknown labels", { labels: undefined }],
    ])("is none if it %s", (_, changes) => {
      expect(count(cancelled(changes))).toHaveProperty("jobs_cancelled_in_queue", 0);
    });

    it("counts once if a re-run lists it again, and again if it was cancelled again", () => {
      const at = (run_attempt: number, started_at: string | null) => cancelled({ run_attempt, started_at });
      const [first, second] = ["2023-11-14T22:15:10Z", "2023-11-15T09:00:00Z"];
      expect(count(at(1, first), at(2, first))).toHaveProperty("jobs_cancelled_in_queue", 1);
      expect(count(at(1, first), at(2, second))).toHaveProperty("jobs_cancelled_in_queue", 2);
      // A matrix whose jobs all have one name.
      expect(count(at(1, first), at(1, first), at(2, first))).toHaveProperty("jobs_cancelled_in_queue", 2);
    });

    it("is not counted if the list is incomplete, or it is unknown for which labels the runner's job asked", () => {
      const known = { conclusion: "success", queue_duration: 7 };
      expect(verifyJob({ jobs: [own, cancelled()], unknown: "denied" }, runner(), NOW)).toEqual({ ...known, labels });
      expect(answer(job(), cancelled())).toEqual(known);
      expect(answer(job({ runner_name: "r-2" }), cancelled())).toEqual({ unknown: "job-not-found", isMismatch: true });
    });
  });

  it("counts as claimed now without a pre-job file", () => {
    const { preJob: _, files, ...rest } = runner(NOW - 60 * MINUTE);
    const { "pre-job-metrics.json": __, ...others } = files;
    const queued = job({ runner_name: null, status: "queued" });
    expect(verifyJob({ jobs: [queued] }, { ...rest, files: others }, NOW)).toEqual({ unknown: "job-not-found" });
    expect(verifyJob({ jobs: [job(), job({ conclusion: "other" })] }, { ...rest, files: others }, NOW)).toMatchObject({
      conclusion: "success",
    });
  });
});

describe("the steps of a job", () => {
  const summary = (steps: Record<string, string | null>) =>
    summarizeSteps(Object.entries(steps).map(([name, conclusion]) => ({ name, conclusion })));
  const begun = { "Set up job": "success", "Run actions/checkout@v4": "success", "Run make": "failure" };
  const checkout = "Post Run actions/checkout@v4";

  it("are none before a runner has the job", () => {
    expect(summary({})).toBe("none");
  });

  it.each<[string, Record<string, string | null>]>([
    ["and GitHub's last step is missing", { ...begun, [checkout]: "skipped" }],
    ["and GitHub's last step, too", { ...begun, [checkout]: "skipped", "Complete job": "skipped" }],
    ["and GitHub's last step has not ended", { ...begun, [checkout]: "skipped", "Complete job": null }],
    [
      "and the hook with them: a runner that is shut down still reports its last step",
      {
        "Set up runner": "success",
        ...begun,
        [checkout]: "skipped",
        "Complete runner": "skipped",
        "Complete job": "success",
      },
    ],
    [
      "and the hook is the only one",
      { "Set up runner": "success", "Run make": "failure", "Complete runner": "skipped", "Complete job": "success" },
    ],
    [
      "by the name that the user gave to the action",
      { Checkout: "success", Test: "failure", "Post Checkout": "skipped" },
    ],
  ])("say that all post steps were skipped %s", (_, steps) => {
    expect(summary(steps)).toBe("post-steps-skipped");
  });

  it.each<[string, Record<string, string | null>]>([
    ["a post step was executed", { ...begun, [checkout]: "success" }],
    ["a post step failed", { ...begun, [checkout]: "failure" }],
    ["a post step is not reported yet", { ...begun, [checkout]: null }],
    ["one of two was executed", { ...begun, "Run a": "success", "Post Run a": "skipped", [checkout]: "success" }],
    ["there is no post step", begun],
    ["a step of the user's own that is named so was skipped", { ...begun, "Post results": "skipped" }],
    ["a step of the user's own has a name as long", { "Run make": "failure", "Test Run make": "skipped" }],
    ["only the names are alike", { ...begun, "Run a": "success", "Post  Run a": "skipped", Post: "skipped" }],
    [
      "an action cleans up only after a success, and the job ended in order",
      {
        ...begun,
        "Run actions/cache@v4": "success",
        "Post Run actions/cache@v4": "skipped",
        "Complete job": "success",
      },
    ],
    [
      "an action cleans up only after a success, and the hook was executed",
      {
        "Set up runner": "success",
        "Run actions/cache@v4": "success",
        "Post Run actions/cache@v4": "skipped",
        "Complete runner": "success",
      },
    ],
    ["the hook failed", { "Set up runner": "success", ...begun, [checkout]: "skipped", "Complete runner": "failure" }],
    [
      "a step of the user's own has the hook's name",
      { ...begun, "Complete runner": "skipped", "Complete job": "success" },
    ],
  ])("say nothing if %s", (_, steps) => {
    expect(summary(steps)).toBe("some");
  });
});

describe("the schemas", () => {
  it.each(["1a", "a1", "", " 1", "1\n", "-1", "1.0"])("take no workflow_run_id %j", (workflow_run_id) => {
    expect(preJobMetrics.safeParse({ ...PRE_JOB, workflow_run_id }).success).toBe(false);
  });

  it.each(["a/...", "a/..b", "a/.b", "a/b.", `${"a".repeat(39)}/${"b".repeat(100)}`])(
    "take the repository %j",
    (repository) => {
      expect(preJobMetrics.safeParse({ ...PRE_JOB, repository }).success).toBe(true);
    },
  );

  it.each(["a/.", "a/..", "/b", "a/", "a/b/c", "x a/b", "a/b x", `${"a".repeat(40)}/b`, `a/${"b".repeat(101)}`])(
    "take no repository %j",
    (repository) => {
      expect(preJobMetrics.safeParse({ ...PRE_JOB, repository }).success).toBe(false);
    },
  );

  it("tell what is wrong by our own names, at most five", () => {
    expect(metricsOf({ "pre-job-metrics.json": "{}" })).toMatchObject({
      problems: [
        expect.stringMatching(/^timestamp: /),
        expect.stringMatching(/^workflow: /),
        expect.stringMatching(/^workflow_run_id: /),
        expect.stringMatching(/^repository: /),
        expect.stringMatching(/^event: /),
      ],
    });
    expect(metricsOf({ "pre-job-metrics.json": "[]" })).toMatchObject({ problems: ["document: invalid_type"] });
    const status_info = { code: "x" };
    const post = JSON.stringify({ timestamp: 1, status: "normal", status_info });
    expect(metricsOf({ "post-job-metrics.json": post })).toMatchObject({
      problems: ["status_info.code: invalid_type"],
    });
    expect(postJobMetrics.safeParse({ timestamp: 1, status: "normal", status_info: { code: 1.5 } }).success).toBe(
      false,
    );
  });
});
