import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { BUCKET, launch, SHELLS, startCloud } from "./fleet.ts";

const doc = readFileSync(new URL("../../docs/runner.md", import.meta.url), "utf8");

it.each(SHELLS)("what docs/runner.md gives to try without AWS is a whole life, in $name", async ({ command }) => {
  const [, script = ""] = /## Try it without AWS[\s\S]*?```sh\n([\s\S]*?)```/.exec(doc) ?? [];
  const cloud = await startCloud();
  const here = script.replace("http://127.0.0.1:4599", cloud.endpoint).replace("runner-metrics-demo", BUCKET);
  const TMPDIR = mkdtempSync(join(tmpdir(), "try-"));
  expect(await launch([...command, "-c", here], { PATH: process.env.PATH, TMPDIR }).finished).toMatchObject({
    code: 0,
    stderr: "",
  });
  expect(cloud.files("demo").map((key) => key.replace(/^runners\/demo\/try-[0-9]+-[0-9]+\//, ""))).toEqual([
    "post-job-metrics.json",
    "pre-job-metrics.json",
    "runner-installation-start.timestamp",
    "runner-installed.timestamp",
  ]);
  await cloud.close();
  rmSync(TMPDIR, { recursive: true });
});
