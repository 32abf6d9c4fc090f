import { expect, test } from "vitest";
import { memoryLimit, openDatabase } from "../../../cli/report/database.ts";

const GIGABYTE = 1_000_000_000;

test.each([
  [1, 16 * GIGABYTE, "400MB"],
  [1_000_000, 16 * GIGABYTE, "400MB"],
  [10_000_000, 16 * GIGABYTE, "4000MB"],
  [100_000_000, 16 * GIGABYTE, "8000MB"],
  [100_000_000, GIGABYTE / 2, "400MB"],
])("%i events on a machine with %i bytes may take %s", (events, machine, limit) => {
  expect(memoryLimit(events, machine)).toBe(limit);
});

test("the limit grows with the events that are read", async () => {
  const database = await openDatabase();
  const limit = async () => (await database.rows<{ x: string }>("SELECT current_setting('memory_limit') AS x"))[0]?.x;
  try {
    expect(await limit()).toBe("381.4 MiB");
    await database.makeRoomFor(2_000_000);
    expect(await limit()).toBe("762.9 MiB");
  } finally {
    await database.close();
  }
});
