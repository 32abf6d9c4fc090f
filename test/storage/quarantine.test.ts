import { describe, expect, it } from "vitest";
import { corrupt } from "../../functions/domain/corrupt.ts";
import type { ObjectStore, Refusal } from "../../functions/ports.ts";
import { moveToQuarantine } from "../../functions/storage/quarantine.ts";
import { denied } from "../../functions/storage/read.ts";
import { NOW } from "../worlds/memory.ts";
import { managerOf, POST, refusing, storage } from "./one-storage.ts";

const DENIED = denied("COPY to quarantine", "s3:GetObject there and s3:PutObject in quarantine", { flavor: "large" });

describe("moving to quarantine", () => {
  it.each<[Refusal, object]>([
    ["gone", { kind: "deferred", reason: "changed" }],
    ["changed", { kind: "deferred", reason: "changed" }],
    ["denied", DENIED],
  ])("a copy that is answered with %s defers it, without a manifest", async (refusal, expected) => {
    const { world, manager, listing } = await refusing("copy", refusal);
    expect(await moveToQuarantine(manager, listing, corrupt("invalid-json", POST))).toEqual(expected);
    expect(world.manifests()).toEqual([]);
  });

  it("a denied copy of an object that has gone defers it: nobody can say any more whose fault it was", async () => {
    const { world, listing } = await storage();
    const store: ObjectStore = { ...world.dependencies.store, copy: async () => "denied", head: async () => "gone" };
    const manager = managerOf(store);
    expect(await moveToQuarantine(manager, listing, corrupt("invalid-json"))).toEqual(DENIED);
  });

  it("the manifest says what, why, when and where; the file and its fields only where there are some", async () => {
    const { world, manager, listing } = await storage();
    const found = corrupt("invalid-schema", POST, ["status: invalid_value"]);
    const moved = await moveToQuarantine(manager, listing, found);
    expect(moved).toMatchObject({ kind: "quarantine", reason: "invalid-schema", storage: "r-1", objects: 4 });
    expect(world.manifests()).toEqual([
      {
        schema_version: 1,
        flavor: "large",
        storage: "r-1",
        reason: "invalid-schema",
        file: POST,
        problems: ["status: invalid_value"],
        quarantined_at: new Date(NOW).toISOString(),
        objects: listing.objects.map(({ key, size, etag }) => ({
          key,
          size,
          etag,
          last_modified: new Date(NOW).toISOString(),
          storage_class: "STANDARD",
          copied_to: expect.stringMatching(/^quarantine\/large\/r-1\/[0-9a-f]{32}\/objects\//),
        })),
      },
    ]);
    const other = await storage();
    await moveToQuarantine(other.manager, other.listing, corrupt("too-many-objects"));
    expect(Object.keys(other.world.manifests()[0])).toEqual(
      Object.keys(world.manifests()[0]).filter((name) => name !== "file" && name !== "problems"),
    );
  });
});
