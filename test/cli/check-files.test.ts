import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { type CheckFilesOptions, checkFiles } from "../../cli/check-files.ts";
import { runCommand } from "./run.ts";

const PRE = JSON.stringify({
  timestamp: 1_700_000_120,
  workflow: "CI",
  workflow_run_id: "1",
  repository: "acme/widgets",
  event: "push",
});
const JOB = {
  "runner-installation-start.timestamp": "1700000000\n",
  "runner-installed.timestamp": "1700000060",
  "pre-job-metrics.json": PRE,
  "post-job-metrics.json": '{"timestamp": 1700000720.5, "status": "normal"}',
};

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

type Files = Readonly<Record<string, string | Buffer | undefined>>;

function reportOn(files: Files, options?: CheckFilesOptions) {
  return checkFiles(write(files), options);
}

function write(files: Files): string {
  const directory = mkdtempSync(join(tmpdir(), "files-"));
  directories.push(directory);
  for (const [name, content] of Object.entries(files)) {
    if (content !== undefined) writeFileSync(join(directory, name), content);
  }
  return directory;
}

describe("check-files", () => {
  it("is a command, whose exit code says whether the files are taken, and which prints names escaped", async () => {
    expect(await runCommand(["check-files", write(JOB)])).toEqual({
      code: 0,
      stdout: "outcome  extracted\nready    yes\nevents   RunnerInstalled, RunnerStart, RunnerStop\n",
      stderr: "",
    });
    const { code, stdout } = await runCommand(["check-files", write({ ...JOB, "\u001b[31mred": "x" })]);
    expect(code).toBe(3);
    expect(stdout).toContain("outcome  quarantined: invalid-key\n");
    expect(stdout).toContain("\\u001b[31mred");
    expect(stdout).not.toContain("\u001b");
  });

  it("says what is wrong with a directory that is not there", async () => {
    const { code, stderr } = await runCommand(["check-files", "/nonexistent"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^runner-metrics: ENOENT.*\/nonexistent.*\n$/);
  });

  it("reports the events of a whole job", async () => {
    expect(await reportOn(JOB)).toEqual({
      isReady: true,
      outcome: "extracted",
      events: ["RunnerInstalled", "RunnerStart", "RunnerStop"],
      problems: [],
      ignored: [],
    });
  });

  it("reports that a storage without a post-job file waits", async () => {
    const files = { ...JOB, "post-job-metrics.json": undefined };
    expect(await reportOn(files)).toMatchObject({ isReady: false, events: ["RunnerInstalled", "RunnerStart"] });
  });

  it.each([
    ["S5 a byte order mark", "runner-installed.timestamp", Buffer.from("\ufeff1700000060"), "invalid-encoding", []],
    ["S5 UTF-16", "pre-job-metrics.json", Buffer.from(PRE, "utf16le"), "invalid-json", []],
    ["S5 a decimal comma", "runner-installed.timestamp", "1700000060,5", "invalid-timestamp", []],
    ["milliseconds", "runner-installed.timestamp", "1700000060000", "timestamp-in-future", []],
    ["a file of 1,025 bytes", "pre-job-metrics.json", PRE.padEnd(1_025), "file-too-large", []],
    [
      "a lacking field",
      "post-job-metrics.json",
      '{"timestamp": 1}',
      "invalid-schema",
      [expect.stringContaining("status")],
    ],
  ])("names the reason and the file of %s", async (_, file, content, reason, problems) => {
    const expected = { outcome: "quarantined", reason, file, problems, events: [] };
    expect(await reportOn({ ...JOB, [file]: content })).toMatchObject(expected);
  });

  it("accepts a file of exactly 1,024 bytes", async () => {
    const files = { ...JOB, "pre-job-metrics.json": PRE.padEnd(1_024) };
    expect(await reportOn(files)).toMatchObject({ outcome: "extracted" });
  });

  it("names a post-job file of another life", async () => {
    const other = '{"timestamp": 1700000720, "status": "normal", "job_timestamp": 5}';
    const expected = { outcome: "deferred", file: "post-job-metrics.json", events: [] };
    expect(await reportOn({ ...JOB, "post-job-metrics.json": other })).toMatchObject(expected);
  });

  it("counts an empty file as absent, and names files that are not read", async () => {
    const files = { "runner-installed.timestamp": "", "notes.txt": "x" };
    expect(await reportOn(files)).toMatchObject({ outcome: "incomplete", ignored: ["notes.txt"] });
  });

  it("reports what is no storage: a wrong name, a folder, too many files", async () => {
    expect(await reportOn(JOB, { storage: "a/b" })).toMatchObject({ outcome: "quarantined", reason: "invalid-key" });
    expect(await reportOn(JOB, { storage: "r~07" })).toMatchObject({ outcome: "extracted" });
    const many = Object.fromEntries(Array.from({ length: 33 }, (_, number) => [`junk-${number}`, "x"]));
    expect(await reportOn(many)).toMatchObject({ outcome: "quarantined", reason: "too-many-objects" });
    const directory = mkdtempSync(join(tmpdir(), "files-"));
    directories.push(directory);
    mkdirSync(join(directory, "folder"));
    expect(await checkFiles(directory)).toMatchObject({ reason: "invalid-key", file: "folder" });
  });
});
