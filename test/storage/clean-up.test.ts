import { describe, expect, it } from "vitest";
import { cleanUp, DELETE_OBJECTS_MAX } from "../../functions/storage/clean-up.ts";
import { FILES } from "../harness.ts";
import { storage } from "./one-storage.ts";

describe("cleaning up", () => {
  it("asks for as many deletes as S3's limit needs, and none for nothing", async () => {
    const batches: number[] = [];
    const { store, listing } = await storage(FILES, {
      async delete(objects) {
        batches.push(objects.length);
        return objects.map(() => "deleted" as const);
      },
    });
    const [object] = listing.objects;
    const many = (count: number) => Array.from({ length: count }, () => object ?? { key: "", etag: "" });
    expect(await cleanUp(store, many(0))).toMatchObject({ deleted: 0 });
    expect(await cleanUp(store, many(DELETE_OBJECTS_MAX))).toMatchObject({ deleted: 1_000 });
    expect(await cleanUp(store, many(DELETE_OBJECTS_MAX + 1))).toMatchObject({ deleted: 1_001 });
    expect(batches).toEqual([1_000, 1_000, 1]);
  });
});
