/** How an event of the work queue is told from a schedule's, and read. */
import { describe, expect, test } from "vitest";
import { isOfQueue, readWork } from "../../functions/extract-metrics/worker.ts";

const MESSAGE = {
  flavor: "large",
  storages: [
    {
      name: "r-1",
      listedAt: 1_700_100_000_000,
      objects: [
        ["pre-job-metrics.json", 120, '"a"', 1_700_000_120_000],
        ["post-job-metrics.json", 40, '"b"', 1_700_000_720_000],
        ["other", 0, '"c"', 1_700_000_000_000],
      ],
    },
  ],
};
const record = (body: string = JSON.stringify(MESSAGE), eventSource = "aws:sqs") => ({ eventSource, body });

test.each<[string, unknown, boolean]>([
  ["an event of the queue", { Records: [record()] }, true],
  ["an event of the queue, whatever it holds", { Records: undefined }, true],
  ["a schedule's input", { flavor: "large" }, false],
  ["nothing", null, false],
  ["no object", "Records", false],
  ["no event", undefined, false],
  ["a function", Object.assign(() => {}, { Records: [] }), false],
])("a queue is told by its records: %s", (_, event, isOne) => {
  expect(isOfQueue(event)).toBe(isOne);
});

test("a message is a run that collects what the message names and nothing that has not ended", () => {
  const prefix = "runners/large/r-1/";
  const storageClass = "STANDARD";
  const preJob = {
    key: `${prefix}pre-job-metrics.json`,
    size: 120,
    etag: '"a"',
    lastModified: 1_700_000_120_000,
    storageClass,
  };
  const postJob = {
    key: `${prefix}post-job-metrics.json`,
    size: 40,
    etag: '"b"',
    lastModified: 1_700_000_720_000,
    storageClass,
  };
  const other = { key: `${prefix}other`, size: 0, etag: '"c"', lastModified: 1_700_000_000_000, storageClass };
  expect(readWork({ Records: [record()] })).toEqual({
    input: { flavor: "large", include: false, orphanAfterSeconds: Number.POSITIVE_INFINITY },
    given: [
      {
        name: "r-1",
        prefix,
        listedAt: 1_700_100_000_000,
        objects: [preJob, postJob, other],
        files: { "pre-job-metrics.json": preJob, "post-job-metrics.json": postJob },
      },
    ],
  });
});

const ONE_MESSAGE = "Records: must be one message: the batch size of the event source mapping is 1";
describe("an error names what is wrong with", () => {
  test.each<[string, unknown, string]>([
    ["an event without a message", { Records: [] }, ONE_MESSAGE],
    ["an event with two messages", { Records: [record(), record()] }, ONE_MESSAGE],
    ["an event of no messages", { Records: {} }, ONE_MESSAGE],
    [
      "another source",
      { Records: [record("{}", "aws:s3")] },
      'Records.0.eventSource: Invalid input: expected "aws:sqs"',
    ],
    [
      "a body that is no text",
      { Records: [{ eventSource: "aws:sqs", body: 7 }] },
      "Records.0.body: Invalid input: expected string, received number",
    ],
  ])("%s", (_, event, problem) => {
    expect(() => readWork(event)).toThrow(new Error(`Invalid event of the work queue: ${problem}`));
  });

  test.each([
    ["a message that is no JSON", "{"],
    ["a message that is none of ours", '{"flavor": "large"}'],
  ])("%s", (_, body) => {
    expect(() => readWork({ Records: [record(body)] })).toThrow("Invalid work message: ");
  });
});
