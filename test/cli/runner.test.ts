import { afterAll, beforeAll, expect, test } from "vitest";
import { eventsOfRunner } from "../../cli/archived-events.ts";
import { startHttpWorld } from "../worlds/http.ts";
import { BUCKET, FILES } from "../worlds/memory.ts";
import { localAwsEnvironment, runCommand } from "./run.ts";

let world: Awaited<ReturnType<typeof startHttpWorld>>;
beforeAll(async () => {
  world = await startHttpWorld();
});
afterAll(() => world.close());

const cli = (...args: string[]) =>
  runCommand(["runner", ...args, "--bucket", BUCKET], localAwsEnvironment(world.endpoint));

test("everything known about a runner is shown: its files, its events from the archive, its quarantine, and of no other", async () => {
  world.upload("r-1");
  world.upload("r-10");
  world.upload("evil", { ...FILES, "pre-job-metrics.json": "{" });
  await world.run();
  const { "post-job-metrics.json": _, ...unfinished } = FILES;
  world.upload("r-1", unfinished);

  const shown = await cli("r-1");
  expect(shown).toMatchObject({ code: 0, stderr: "" });
  expect(shown.stdout.match(/RunnerInstalled|RunnerStart|RunnerStop/g)?.toSorted()).toEqual([
    "RunnerInstalled",
    "RunnerStart",
    "RunnerStop",
  ]);
  expect(shown.stdout).toContain("not-configured");
  expect(shown.stdout.match(/runners\/large\/r-1\//g)).toHaveLength(3);
  expect(shown.stdout).not.toContain("r-10");
  expect(shown.stdout).toMatch(/^[ -~\n]+$/);

  const { files, events, quarantines } = JSON.parse((await cli("evil", "--json")).stdout);
  expect({ files, quarantines }).toMatchObject({ files: [], quarantines: [{ manifest: { reason: "invalid-json" } }] });
  expect(events).toMatchObject([{ type: "MetricsQuarantined", detail: { runner_name: "evil" } }]);
  expect(await cli("nobody")).toMatchObject({ code: 3, stdout: expect.stringMatching(/none[\s\S]*none[\s\S]*none/) });
});

test("an event that was published twice is shown once, as the line that knows most", async () => {
  const { gzipSync } = await import("node:zlib");
  const line = (time: string, detail: object) =>
    JSON.stringify({ "detail-type": "RunnerStop", time, detail: { runner_name: "r", event_id: "1", ...detail } });
  const objects: Record<string, string> = {
    "events/dt=2026-11-25/flavor=large/a-0.ndjson.gz": line("2026-11-25T23:59:59.000Z", { job_conclusion: "success" }),
    "events/dt=2026-11-26/flavor=large/b-0.ndjson.gz": `${line("2026-11-26T00:00:01.000Z", {})}\n`,
    "events/dt=2026-11-24/flavor=large/c-0.ndjson.gz": line("2026-11-24T00:00:01.000Z", { event_id: "too old" }),
  };
  const bucket = {
    async *list(prefix: string) {
      for (const key of Object.keys(objects))
        if (key.startsWith(prefix)) yield { key, size: 1, etag: '"0"', lastModified: 0 };
    },
    get: async (key: string) => gzipSync(objects[key] ?? ""),
  };
  const period = { since: Date.parse("2026-11-25T12:00:00Z"), now: Date.parse("2026-11-26T01:00:00Z") };
  const counts: number[] = [];
  const events = await eventsOfRunner(bucket, "r", { ...period, progress: (read) => counts.push(read) });
  expect(events).toMatchObject([{ time: "2026-11-25T23:59:59.000Z", detail: { job_conclusion: "success" } }]);
  expect(counts.at(-1)).toBe(2);
});
