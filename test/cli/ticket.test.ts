import { describe, expect, it } from "vitest";
import { effort } from "../effort.ts";
import { runCommand } from "./run.ts";

const NAMES = ["--bucket", "metrics", "--flavor", "large", "--runner", "runner-1"];
const CREDENTIALS = { AWS_ACCESS_KEY_ID: "AKIATEST", AWS_SECRET_ACCESS_KEY: "secret", AWS_REGION: "eu-central-1" };

const ticket = (...args: string[]) => runCommand(["ticket", ...args], CREDENTIALS);

describe("runner-metrics ticket", () => {
  it("post prints a form for each of the four files", async () => {
    const { code, stdout, stderr } = await ticket("post", ...NAMES);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.match(/^\S+ url https:\/\/metrics\.s3\.eu-central-1\.amazonaws\.com\/?$/gm)).toHaveLength(4);
  });

  it("session prints what assume-role wants", async () => {
    const { stdout } = await ticket("session", ...NAMES);
    expect(JSON.parse(stdout)).toMatchObject({ RoleSessionName: "runner-1", DurationSeconds: 3600 });
    const key = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555";
    expect((await ticket("session", ...NAMES, "--kms-key-arn", key)).stdout).toContain("kms:GenerateDataKey");
  });

  it.each(effort([["--help"]], [["--help"], ["post", "-h"], ["session", "-h"]]))(
    "prints its usage if asked: %j",
    async (...args) => {
      expect(await ticket(...args)).toEqual({ code: 0, stdout: expect.stringMatching(/^Usage:/), stderr: "" });
    },
  );

  const wrong: [string[], RegExp][] = [
    [["post", "--bucket", "metrics", "--flavor", "L", "--runner", "a b"], /flavor must match .*; runner must match .*/],
    [["post"], /--bucket is missing; --flavor is missing; --runner is missing/],
    [["session", "--bucket", "metrics", "--flavor", "l"], /--runner is missing/],
    [["post", ...NAMES, "--lifetime", "1d"], /lifetime must be 1 to 604800 s/],
    [["session", ...NAMES, "--lifetime", "60"], /lifetime must be 900 to 43200 s/],
    [["post", ...NAMES, "--kms-key-arn", "x"], /unknown option '--kms-key-arn'/],
    [["post", ...NAMES, "runner-2"], /too many arguments/],
  ];
  it.each(effort(wrong.slice(0, 1), wrong))(
    "names what is wrong with the command line, and prints no ticket: %j",
    async (args, problem) => {
      const stderr = expect.stringMatching(
        new RegExp(`^runner-metrics ticket (post|session): ${problem.source}.*\\n$`),
      );
      expect(await ticket(...args)).toEqual({ code: 2, stdout: "", stderr });
    },
  );

  it("says what to set if there are no credentials to sign with", async () => {
    const none = { AWS_REGION: "eu-central-1", AWS_EC2_METADATA_DISABLED: "true", HOME: "/nonexistent" };
    expect(await runCommand(["ticket", "post", ...NAMES], none)).toEqual({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(
        /^runner-metrics: no AWS credentials to sign with \(.+\): set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE\n$/,
      ),
    });
  });

  it("says how to set the region if AWS's own settings have none", async () => {
    const noRegion = { ...CREDENTIALS, AWS_REGION: undefined, HOME: "/nonexistent" };
    const stderr = "runner-metrics: no region: set --region or AWS_REGION\n";
    expect(await runCommand(["ticket", "post", ...NAMES], noRegion)).toEqual({ code: 1, stdout: "", stderr });
    const args = ["ticket", "post", ...NAMES, "--region", "eu-central-1"];
    expect(await runCommand(args, noRegion)).toMatchObject({ code: 0, stderr: "" });
  });
});
