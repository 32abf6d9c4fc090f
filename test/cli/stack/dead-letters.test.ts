import { expect, test } from "vitest";
import { withLetters } from "../../../cli/commands/dead-letters.ts";
import { describeLetter } from "../../../cli/stack/dead-letters.ts";
import { listRuns } from "../../../cli/stack/runs.ts";
import { healthyStack, letter, NOW, runLine } from "./operations.ts";

// Forms: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html,
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html and
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
const INPUT = { flavor: "large", orphanAfterSeconds: 86_400 };
test.each([
  [
    letter({
      version: "1.0",
      requestContext: { condition: "RetriesExhausted", approximateInvokeCount: 1 },
      requestPayload: INPUT,
      responseContext: { statusCode: 200, functionError: "Unhandled" },
      responsePayload: { errorMessage: "The event bus does not exist.", errorType: "Error" },
    }),
    { kind: "run", error: "The event bus does not exist.", input: INPUT },
  ],
  [
    letter(INPUT, { ERROR_CODE: "AWS.Scheduler.InternalServerError", ERROR_MESSAGE: "Rate exceeded" }),
    { kind: "schedule", error: "AWS.Scheduler.InternalServerError: Rate exceeded", input: INPUT },
  ],
  [
    letter({ "detail-type": "RunnerStop", detail: {} }, { ERROR_CODE: "NO_PERMISSIONS" }),
    { kind: "event", error: "NO_PERMISSIONS" },
  ],
  [
    letter({
      flavor: "large",
      storages: [{ name: "r-1", listedAt: 1, objects: [["post-job-metrics.json", 1, '"a"', 1]] }],
    }),
    { kind: "worker", error: "" },
  ],
  [
    { ...letter(""), body: "{" },
    { kind: "unknown", error: "" },
  ],
])("a message of the dead-letter queue is told apart by its form", (message, expected) => {
  const { letter: _, ...found } = describeLetter(message);
  expect(found).toEqual(expected);
});

test("messages that a command does not remove are visible again afterwards, also if it fails", async () => {
  const letters = ["first", "second"].map((id) => ({ ...letter(INPUT), id }));
  const removed: string[] = [];
  const returned: string[] = [];
  const operations = healthyStack({
    deadLetters: async () => letters,
    deleteLetter: async ({ id }) => void removed.push(id),
    returnLetters: async (some) => void returned.push(...some.map(({ id }) => id)),
  });
  const use = withLetters(operations, async ([first], remove) => {
    if (first) await remove(first);
    throw new Error("interrupted");
  });
  await expect(use).rejects.toThrow("interrupted");
  expect({ removed, returned }).toEqual({ removed: ["first"], returned: ["second"] });
});

test("the last runs are read from the log, the newest last, and lines that are none are left out", async () => {
  const lines = [
    runLine(NOW - 3_000, { listed: 1 }),
    { at: NOW, message: "not JSON {" },
    runLine(NOW - 1_000, { listed: 3 }),
    runLine(NOW - 2_000, { listed: 2 }),
  ];
  const operations = healthyStack({
    logLines: async function* () {
      yield* lines;
    },
  });
  const runs = await listRuns(operations, { since: 0, last: 2 });
  expect(runs.map(({ summary }) => summary.listed)).toEqual([2, 3]);
  expect(await listRuns(operations, { since: 0, last: 2, flavor: "arm" })).toEqual([]);
});
