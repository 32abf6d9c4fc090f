import { describe, expect, test } from "vitest";
import type { GithubApi } from "../../functions/github/api.ts";
import { GithubFailure } from "../../functions/github/failure.ts";
import { createRunnerLookup } from "../../functions/github/runner-lookup.ts";
import type { LocalRunner } from "../../local/github.ts";
import { createWorld, FILES } from "../worlds/memory.ts";
import { pagedApi, startGithubWorld } from "./github-world.ts";

const runnersNamed = (count: number): LocalRunner[] =>
  Array.from({ length: count }, (_, index) => ({ name: `r-${index}` }));
const HOUR = 3_600_000;

describe("the runners that live", () => {
  test("are those of the organisation that are online, or busy though GitHub does not hear of them", async () => {
    const { github, startRun, asked } = await startGithubWorld();
    github.setRunners("acme", [
      { name: "idle" },
      { name: "busy", busy: true },
      { name: "silent", status: "offline", busy: true },
      { name: "gone", status: "offline" },
    ]);
    expect(await startRun().runners.alive("acme")).toEqual(new Set(["idle", "busy", "silent"]));
    expect(asked()).toEqual(["/orgs/acme/actions/runners?per_page=100&page=1"]);
    expect(JSON.parse(github.requests[0]?.body ?? "").permissions).toEqual({
      organization_self_hosted_runners: "read",
    });
  });

  test("are those of a repository", async () => {
    const { github, startRun, asked } = await startGithubWorld({ basePath: "/api/v3" });
    github.setRunners("acme/widgets", [{ name: "r-1" }]);
    expect(await startRun().runners.alive("acme/widgets")).toEqual(new Set(["r-1"]));
    expect(asked()).toEqual(["/repos/acme/widgets/actions/runners?per_page=100&page=1"]);
    expect(JSON.parse(github.requests[0]?.body ?? "").permissions).toEqual({ administration: "read" });
  });

  test.each([
    [0, 1],
    [99, 1],
    [100, 2],
    [101, 4],
    [250, 6],
  ])("%d runners cost %d calls: more than a page is read twice", async (count, calls) => {
    const { github, startRun, asked } = await startGithubWorld();
    github.setRunners("acme", runnersNamed(count));
    const alive = await startRun().runners.alive("acme");
    expect("size" in alive && alive.size).toBe(count);
    expect(asked()).toHaveLength(calls);
  });

  test("are complete though runners come and go between two pages", async () => {
    const { github, startRun, asked } = await startGithubWorld();
    const before = runnersNamed(250);
    github.setRunners("acme", before);
    // When page 2 is asked for, r-0 has gone: r-100 is now the last of page 1, which has been read. The sum stays the same.
    github.failWith(({ path }) => {
      if (asked().length === 2 && path.endsWith("page=2"))
        github.setRunners("acme", [...before.slice(1), { name: "new" }]);
      return undefined;
    });
    const alive = await startRun().runners.alive("acme");
    expect("has" in alive && alive.has("r-100")).toBe(true);
    expect("has" in alive && alive.has("new")).toBe(true);
  });

  test.each([
    ["a page that fails", (path: string) => path.endsWith("page=2"), "denied"],
    ["the first page failing", (path: string) => path.endsWith("page=1"), "denied"],
  ])("are not told from a part of them (%s)", async (_, fails, unknown) => {
    const { github, startRun } = await startGithubWorld();
    github.setRunners("acme", runnersNamed(250));
    github.failWith(({ path }) => (fails(path) ? { kind: "reply", status: 403 } : undefined));
    expect(await startRun().runners.alive("acme")).toEqual({ unknown });
  });

  test("are not told from pages that hold fewer than there are", async () => {
    const { github, startRun } = await startGithubWorld();
    github.failWith(({ method }) =>
      method === "GET" ? { kind: "reply", status: 200, body: '{"total_count": 7, "runners": []}' } : undefined,
    );
    expect(await startRun().runners.alive("acme")).toEqual({ unknown: "invalid-answer" });
  });
});

/** A lookup over `pagedApi`. */
function lookupOf(pages: readonly unknown[]) {
  const { api, asked } = pagedApi(pages);
  return { asked, ...createRunnerLookup(api) };
}

const RUNNER = { id: 1, name: "r-1", status: "online", busy: false };
const fullPage = (from: number) =>
  Array.from({ length: 100 }, (_, index) => ({ ...RUNNER, id: from + index, name: `r-${from + index}` }));

describe("GitHub's list of runners", () => {
  test("is read page by page, each with the permission for it", async () => {
    const [first, second] = [fullPage(1), [{ ...RUNNER, id: 2n ** 60n, name: "last", labels: [] }]];
    const pages = [first, second].map((runners) => ({ total_count: 101, runners }));
    const { alive, asked } = lookupOf([...pages, ...pages]);
    expect(await alive("acme")).toEqual(new Set([...first, ...second].map(({ name }) => name)));
    const page = (number: string) => [
      "orgs/acme/actions/runners",
      { per_page: "100", page: number },
      { organization_self_hosted_runners: "read" },
    ];
    expect(asked).toEqual(["1", "2", "1", "2"].map(page));
  });

  test("is that of a repository", async () => {
    const { alive, asked } = lookupOf([{ total_count: 1, runners: [RUNNER] }]);
    expect(await alive("acme/widgets")).toEqual(new Set(["r-1"]));
    expect(asked).toEqual([
      ["repos/acme/widgets/actions/runners", { per_page: "100", page: "1" }, { administration: "read" }],
    ]);
  });

  test("may have grown or shrunk while it was read a second time", async () => {
    const [first, grown] = [fullPage(1), fullPage(1).concat(fullPage(101).slice(0, 2))];
    const { alive } = lookupOf([
      { total_count: 101, runners: first },
      { total_count: 101, runners: [{ ...RUNNER, id: 101, name: "r-101" }] },
      { total_count: 102, runners: grown.slice(0, 100) },
      { total_count: 102, runners: grown.slice(100) },
    ]);
    expect(await alive("acme")).toEqual(new Set(grown.map(({ name }) => name)));
  });

  test("tells runners apart by their ids: of two readings the second counts", async () => {
    const first = fullPage(1);
    const gone = first.map((runner) => ({ ...runner, status: "offline" }));
    const last = [{ ...RUNNER, id: 101, name: "r-101" }];
    const { alive } = lookupOf([first, last, gone, last].map((runners) => ({ total_count: 101, runners })));
    expect(await alive("acme")).toEqual(new Set(["r-101"]));
  });

  test("is incomplete if it is shorter than GitHub says, in the second reading too", async () => {
    const pages = [fullPage(1), []].map((runners) => ({ total_count: 101, runners }));
    expect(await lookupOf([...pages, ...pages]).alive("acme")).toEqual({ unknown: "invalid-answer" });
    const short = { total_count: 2, runners: [RUNNER] };
    expect(await lookupOf([short]).alive("acme")).toEqual({ unknown: "invalid-answer" });
  });

  test("is read to the page 100, and no further", async () => {
    const pages = Array.from({ length: 101 }, () => ({ total_count: 10_100, runners: fullPage(1) }));
    const { alive, asked } = lookupOf(pages);
    expect(await alive("acme")).toEqual({ unknown: "too-many-pages" });
    expect(asked).toHaveLength(100);
  });

  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["no number of runners", { runners: [RUNNER] }],
    ["a negative number of runners", { total_count: -1, runners: [RUNNER] }],
    ["no runners", { total_count: 0 }],
    ["a runner that is none", { total_count: 1, runners: [7] }],
    ["a runner whose id is text", { total_count: 1, runners: [{ ...RUNNER, id: "1" }] }],
    ["a runner without a name", { total_count: 1, runners: [{ ...RUNNER, name: undefined }] }],
    ["a runner without a status", { total_count: 1, runners: [{ ...RUNNER, status: undefined }] }],
    ["a runner of which it does not say whether it is busy", { total_count: 1, runners: [{ ...RUNNER, busy: null }] }],
  ])("is invalid if it holds %s", async (_, answer) => {
    expect(await lookupOf([answer]).alive("acme")).toEqual({ unknown: "invalid-answer" });
  });

  test("is unknown for the reason why a page can't be had, or why it is not waited for", async () => {
    expect(await lookupOf([new GithubFailure("denied")]).alive("acme")).toEqual({ unknown: "denied" });
    const api: GithubApi = {
      within: () => Promise.reject(new GithubFailure("time-budget")),
      get: async () => undefined,
    };
    expect(await createRunnerLookup(api).alive("acme")).toEqual({ unknown: "time-budget" });
  });
});

describe("a run that asks GitHub which runners live", () => {
  async function fleet() {
    const world = createWorld();
    const { "post-job-metrics.json": _, ...unfinished } = FILES;
    world.upload("alive-and-done");
    world.upload("alive-for-days", unfinished);
    world.upload("gone", unfinished);
    world.clock.time += HOUR + 1_000;
    world.upload("done");
    world.upload("beginning", { "runner-installation-start.timestamp": "1700000000" });
    const github = await startGithubWorld();
    github.github.setRunners("acme", [{ name: "alive-and-done" }, { name: "alive-for-days", busy: true }]);
    return { world, ...github };
  }

  test("leaves those alone that have not ended, and takes all others but one that may be about to register", async () => {
    const { world, startRun, asked } = await fleet();
    const run = { ...startRun() };
    const summary = await world.run({ githubRunners: "acme" }, run);
    expect(summary).toMatchObject({ listed: 5, extracted: 3, excluded: 1, notReady: 1 });
    expect(world.eventsOf("gone").map(({ detailType }) => detailType)).toContain("RunnerLost");
    expect(world.eventsOf("done").map(({ detailType }) => detailType)).not.toContain("RunnerLost");
    expect(asked().filter((path) => path.startsWith("/orgs/"))).toHaveLength(1);

    world.clock.time += 61 * 60_000;
    expect(await world.run({ githubRunners: "acme" }, run)).toMatchObject({ listed: 2, incomplete: 1, excluded: 1 });
    expect(world.eventsOf("beginning").map(({ detailType }) => detailType)).toEqual(["RunnerInstallFailed"]);
  });

  test("goes by the readiness rule where the list can't be had in full, and says so", async () => {
    const { world, github, startRun } = await fleet();
    github.failWith(({ path }) => (path.startsWith("/orgs/") ? { kind: "reply", status: 500 } : undefined));
    const summary = await world.run({ githubRunners: "acme" }, { ...startRun() });
    expect(summary).toMatchObject({ listed: 5, extracted: 2, excluded: 0, notReady: 3, runnersUnknown: "unavailable" });
    expect(world.eventsOf("gone")).toEqual([]);
  });

  test("does not ask where the schedule does not say whose", async () => {
    const { world, startRun, asked } = await fleet();
    expect(await world.run({}, { ...startRun() })).toMatchObject({ extracted: 2, notReady: 3 });
    expect(asked().filter((path) => path.includes("/actions/runners"))).toEqual([]);
  });
});
