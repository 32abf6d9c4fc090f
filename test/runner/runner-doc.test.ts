import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { BUCKET, launch, PATIENT, PROGRAM, startCloud } from "./fleet.ts";
import { describePlatforms, SHELLS } from "./platforms.ts";

const doc = readFileSync(new URL("../../docs/use/runner.md", import.meta.url), "utf8");

describePlatforms("what docs/use/runner.md gives to try without AWS, in $name,", SHELLS, ({ shell }) => {
  it("is a whole life", async () => {
    const [, script = ""] = /## Try it without AWS[\s\S]*?```sh\n([\s\S]*?)```/.exec(doc) ?? [];
    const cloud = await startCloud();
    const here = script
      .replace("http://127.0.0.1:4599", cloud.endpoint)
      .replace("runner-metrics-demo", BUCKET)
      .replaceAll("runner/dist", PROGRAM);
    const TMPDIR = mkdtempSync(join(tmpdir(), "try-"));
    expect(await launch([...shell, "-c", here], { PATH: process.env.PATH, TMPDIR, ...PATIENT }).finished).toMatchObject(
      {
        code: 0,
        stderr: "",
      },
    );
    expect(cloud.files("demo").map((key) => key.replace(/^runners\/demo\/try-[0-9]+-[0-9]+\//, ""))).toEqual([
      "post-job-metrics.json",
      "pre-job-metrics.json",
      "runner-installation-start.timestamp",
      "runner-installed.timestamp",
    ]);
    await cloud.close();
    rmSync(TMPDIR, { recursive: true });
  });
});

it("what docs/use/runner.md gives to try without AWS leaves no credentials behind in the shell", async () => {
  const [, script = ""] = /## Try it without AWS[\s\S]*?```sh\n([\s\S]*?)```/.exec(doc) ?? [];
  const dry = script
    .replaceAll(/^(sh|mkdir|ln|npm) /gm, ": ")
    .replaceAll("mktemp -d", "pwd")
    .replace(/^cat > .*$/m, "cat <<'END'");
  const { stdout, code } = await launch(["sh", "-c", `${dry}\necho "<$AWS_ACCESS_KEY_ID>"`], { PATH: process.env.PATH })
    .finished;
  expect(code).toBe(0);
  expect(stdout).toMatch(/<>\n$/);
});

it("what docs/use/runner.md gives for EKS Pod Identity prints a policy by the pod's name", () => {
  const [, command = ""] = /```sh\n +(node -e [\s\S]*?)\n +```/.exec(doc) ?? [];
  // The package exports a bundle of this file.
  const here = command.replace(
    '"runner-metrics/ticket"',
    `"${new URL("../../package/exports/ticket.ts", import.meta.url)}"`,
  );
  expect(here).not.toBe(command);
  const { Statement } = JSON.parse(
    execFileSync("sh", ["-c", here.replace("node", process.execPath)], { encoding: "utf8" }),
  );
  expect(Statement).toHaveLength(1);
  expect(Statement[0].Resource).toContain(
    "arn:aws:s3:::my-metrics/runners/large/$" + "{aws:PrincipalTag/kubernetes-pod-name}/post-job-metrics.json",
  );
});

it("docs/use/runner.md explains lines that the program says", () => {
  const sources = ["runner-metrics.js", "runner-metrics.sh"].map((name) => readFileSync(join(PROGRAM, name), "utf8"));
  const script = sources.join("\n");
  const [, section = ""] = /## When something goes wrong([\s\S]*?)\n## /.exec(doc) ?? [];
  const lines = [...section.matchAll(/^\|([^|]*)\|/gm)].flatMap(([, cell = ""]) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, line = ""]) => line),
  );
  expect(lines.length).toBeGreaterThan(15);
  const parts = lines.flatMap((line) =>
    line.split(/…|(?<=^HTTP \d+), /).map((part) => part.replaceAll(/^[ ,)]+|[ ,(]+$/g, "")),
  );
  const unsaid = parts.filter((part) => !/^HTTP \d+$/.test(part) && !script.includes(part));
  expect(unsaid).toEqual([]);
});
