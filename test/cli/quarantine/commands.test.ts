import { afterAll, beforeAll, expect, test } from "vitest";
import { s3Bucket } from "../../../cli/bucket.ts";
import { startHttpWorld } from "../../worlds/http.ts";
import { BUCKET, FILES } from "../../worlds/memory.ts";
import { localAwsEnvironment, runCommand } from "../run.ts";

let world: Awaited<ReturnType<typeof startHttpWorld>>;
beforeAll(async () => {
  world = await startHttpWorld();
});
afterAll(() => world.close());

const cli = (...args: string[]) =>
  runCommand(["quarantine", ...args, "--bucket", BUCKET], localAwsEnvironment(world.endpoint));

const HOSTILE = "\u001b[2J\u202e\r\n\u0000<b>";

test("a quarantine is listed, explained, released with the same ids, and dropped, against S3 over HTTP", async () => {
  world.upload("evil", {
    ...FILES,
    "pre-job-metrics.json": `{"repository": ${JSON.stringify(HOSTILE)}, "x": "${"\u009b31m"}"}`,
  });
  await world.run();

  const listed = await cli("list");
  expect(listed).toMatchObject({ code: 0, stderr: "" });
  expect(listed.stdout).toMatch(
    /^quarantined \(UTC\).*\n\d{4}-\d\d-\d\d \d\d:\d\d +large +invalid-schema +kept +[0-9a-f]{8} +evil\n$/,
  );

  const shown = await cli("show", "evil");
  expect(shown.code).toBe(0);
  expect(shown.stdout).toMatch(/^[ -~\n]+$/);
  expect(shown.stdout).toContain("the next run quarantines it again: invalid-schema");
  expect(shown.stdout).toContain("\\u009b31m");
  for (const line of shown.stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);

  const refused = await cli("release", "evil");
  expect(refused).toMatchObject({ code: 3 });
  expect(refused.stdout).toContain("Use --anyway");
  expect(world.keys("runners/")).toEqual([]);

  const released = await cli("release", "evil", "--anyway", "--json");
  expect(released).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(released.stdout)).toMatchObject([{ storage: "evil", result: "released" }]);
  expect(world.keys("runners/")).toHaveLength(4);

  const dropped = await cli("drop", "evil");
  expect(dropped).toMatchObject({ code: 0, stderr: "" });
  expect(world.keys("quarantine/").filter((key) => key.includes("/objects/"))).toEqual([]);
  expect(JSON.parse((await cli("list", "--json")).stdout)).toMatchObject([{ state: "dropped", copies: 0 }]);
  expect(await cli("release", "evil", "--anyway")).toMatchObject({ code: 3 });
});

test("what is not there, and a wrong command line, are one line on stderr", async () => {
  expect(await cli("show", "nobody\u001b[2J")).toEqual({
    code: 1,
    stdout: "",
    stderr: "runner-metrics: there is no quarantine nobody\\u001b[2J\n",
  });
  expect(await cli("release")).toMatchObject({ code: 2, stdout: "" });
  expect(await cli("list", "--reason", "no-such-reason")).toMatchObject({ code: 2, stdout: "" });
  expect(await cli("list", "--newer-than", "yesterday")).toMatchObject({ code: 2, stdout: "" });
});

test("the day on which a lifecycle rule deletes an object is the one that S3 names, if it names one", async () => {
  const bucket = s3Bucket(world.clients.s3, BUCKET);
  await bucket.putIfAbsent("quarantine/x", Buffer.from("x"));
  expect(await bucket.expiry("quarantine/x")).toBeUndefined();
  const expiration = 'expiry-date="Fri, 12 Feb 2027 00:00:00 GMT", rule-id="quarantine"';
  world.faults.use(() => ({
    kind: "changed-answer",
    change: (reply) => ({ ...reply, headers: { ...reply.headers, "x-amz-expiration": expiration } }),
  }));
  expect(await bucket.expiry("quarantine/x")).toBe(Date.parse("2027-02-12T00:00:00Z"));
  world.faults.clear();
});
