import { describe, expect, test } from "vitest";
import {
  MESSAGE_BYTES_MAX,
  OBJECTS_PER_STORAGE_MAX,
  readWorkMessage,
  type WorkStorage,
  workMessages,
} from "../../contract/work-message.ts";

const OBJECT: WorkStorage["objects"][number] = [
  "post-job-metrics.json",
  57,
  '"0123456789abcdef0123456789abcdef"',
  1_700_000_000_000,
];

function storage(name: string, objects: WorkStorage["objects"] = [OBJECT]): WorkStorage {
  return { name, listedAt: 1_700_000_000_000, objects };
}

describe("messages for workers", () => {
  test("hold all storages in their order, many in one, and none is larger than SQS allows", () => {
    const storages = Array.from({ length: 5_000 }, (_, index) => storage(`runner-${index}`));
    const messages = workMessages("large", storages);
    expect(messages.flatMap(({ body }) => readWorkMessage(body).storages)).toEqual(storages);
    for (const { body, count } of messages) {
      expect(Buffer.byteLength(body)).toBeLessThanOrEqual(MESSAGE_BYTES_MAX);
      expect(readWorkMessage(body)).toMatchObject({ flavor: "large", storages: { length: count } });
    }
    // As few as there can be: the next storage would not have fitted.
    const [first] = messages;
    expect(Buffer.byteLength(first?.body ?? "")).toBeGreaterThan(MESSAGE_BYTES_MAX - 250);
  });

  test("have room for a storage with the most objects and the longest names", () => {
    const longest = Array.from({ length: OBJECTS_PER_STORAGE_MAX - 1 }, (_, index): WorkStorage["objects"][number] => {
      return ['"'.repeat(252) + String(index).padStart(3, "0"), 2 ** 40, OBJECT[2], OBJECT[3]];
    });
    const [message, ...others] = workMessages("large", [storage("r".repeat(128), [OBJECT, ...longest])]);
    expect(others).toEqual([]);
    expect(Buffer.byteLength(message?.body ?? "")).toBeLessThanOrEqual(MESSAGE_BYTES_MAX / 2);
    expect(readWorkMessage(message?.body ?? "").storages).toHaveLength(1);
  });

  test("are none for no storage", () => {
    expect(workMessages("large", [])).toEqual([]);
  });
});

test.each<[string, object, string]>([
  ["a flavor that is none", { flavor: "../x", storages: [storage("r-1")] }, "flavor: "],
  ["no storage", { flavor: "large", storages: [] }, "storages: "],
  ["a storage twice", { flavor: "large", storages: [storage("r-1"), storage("r-1")] }, "storages: must be named once"],
  ["an invalid name", { flavor: "large", storages: [storage("a/b")] }, "storages.0.name: must be the name"],
  ["the name of another place", { flavor: "large", storages: [storage("..")] }, "storages.0.name: must be the name"],
  [
    "a file in a sub-folder",
    { flavor: "large", storages: [storage("r-1", [OBJECT, ["../r-2/x", 1, '"a"', 1]])] },
    "storages.0.objects.1.0: must be a file's name",
  ],
  [
    "no post-job file",
    { flavor: "large", storages: [storage("r-1", [["pre-job-metrics.json", 1, '"a"', 1]])] },
    "storages.0.objects: must have a post-job file",
  ],
  [
    "an empty post-job file",
    { flavor: "large", storages: [storage("r-1", [["post-job-metrics.json", 0, '"a"', 1]])] },
    "storages.0.objects: must have a post-job file",
  ],
  ["an unknown key", { flavor: "large", storages: [storage("r-1")], quarantine: true }, "quarantine"],
])("a message with %s is refused, and the error says what is wrong", (_, message, problem) => {
  expect(() => readWorkMessage(JSON.stringify(message))).toThrow("Invalid work message: ");
  expect(() => readWorkMessage(JSON.stringify(message))).toThrow(problem);
});

test("a message that is no JSON is refused", () => {
  expect(() => readWorkMessage("{")).toThrow("Invalid work message: ");
});
