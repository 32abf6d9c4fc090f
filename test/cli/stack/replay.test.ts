import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test, vi } from "vitest";
import { planReplay, runReplay } from "../../../cli/commands/replay.ts";
import { awsOperations } from "../../../cli/stack/operations.ts";
import { runCommand } from "../run.ts";
import { NOW } from "./operations.ts";

const OUTPUTS = {
  ReplayArchiveArn: "arn:aws:events:us-east-1:111111111111:archive/a",
  EventBusArn: "arn:aws:events:us-east-1:111111111111:event-bus/b",
};
const HOUR = 3_600_000;
const REPLAY = { ...planReplay(OUTPUTS, NOW - 2 * HOUR, NOW - HOUR, NOW), rules: [] };

test("a replay is started once, and ends when EventBridge has completed it", async () => {
  const states = ["STARTING", "RUNNING", "COMPLETED"];
  const startReplay = vi.fn(async () => {});
  const pause = vi.fn(async () => {});
  const replayState = async () => ({ state: states.shift() ?? "", last: NOW - HOUR });
  expect(await runReplay({ startReplay, replayState }, REPLAY, pause)).toMatchObject({ state: "COMPLETED" });
  expect(startReplay.mock.calls).toEqual([["runner-metrics-1795694400000", NOW - 2 * HOUR, NOW - HOUR, []]]);
  expect(pause).toHaveBeenCalledTimes(2);
});

test("a replay that EventBridge does not complete is an error with its reason, escaped", async () => {
  const replayState = async () => ({ state: "FAILED", reason: "no \u001b[31mtarget" });
  await expect(runReplay({ startReplay: async () => {}, replayState }, REPLAY, async () => {})).rejects.toThrow(
    "the replay runner-metrics-1795694400000 ended as FAILED: no \\u001b[31mtarget",
  );
});

test("what cannot be replayed is said before anything is started", () => {
  expect(() => planReplay({}, 0, 1, NOW)).toThrow(/keeps no events to replay: set archiveRetentionDays/);
  expect(() => planReplay(OUTPUTS, NOW, NOW + HOUR, NOW)).toThrow(/is in the future/);
});

test.each([
  [["--from", "yesterday", "--to", "2026-11-23"], "It must be like 2026-11-23 (in UTC)"],
  [["--from", "2026-11-23T06:00", "--to", "2026-11-23"], "It must be like 2026-11-23 (in UTC)"],
  [["--from", "2026-11-24", "--to", "2026-11-23"], "--from must be before --to"],
])("a period that is none is refused: %j", async (args, problem) => {
  const { code, stderr } = await runCommand(["replay", ...args]);
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(problem) });
});

test("EventBridge is asked for the archive's events of the period, for the bus and the rules", async () => {
  const requests: unknown[] = [];
  const server = createServer(async (request, response) => {
    const body = JSON.parse(Buffer.concat(await request.toArray()).toString());
    requests.push([request.headers["x-amz-target"], body]);
    response.setHeader("content-type", "application/x-amz-json-1.1");
    response.end(JSON.stringify({ State: "RUNNING", EventLastReplayedTime: NOW / 1_000 }));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const variables = { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" };
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  vi.stubEnv("AWS_ENDPOINT_URL", `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  try {
    const operations = awsOperations(OUTPUTS, { stack: "s", region: "us-east-1" });
    await operations.startReplay("r", NOW - HOUR, NOW, ["arn:rule"]);
    expect(await operations.replayState("r")).toEqual({ state: "RUNNING", reason: undefined, last: NOW });
  } finally {
    vi.unstubAllEnvs();
    server.close();
  }
  expect(requests).toEqual([
    [
      "AWSEvents.StartReplay",
      {
        ReplayName: "r",
        EventSourceArn: OUTPUTS.ReplayArchiveArn,
        EventStartTime: (NOW - HOUR) / 1_000,
        EventEndTime: NOW / 1_000,
        Destination: { Arn: OUTPUTS.EventBusArn, FilterArns: ["arn:rule"] },
      },
    ],
    ["AWSEvents.DescribeReplay", { ReplayName: "r" }],
  ]);
});
