import { describe, expect, it } from "vitest";
import { FILES_TO_READ } from "../../contract/runner-files.ts";
import type { ListedObject } from "../../functions/ports.ts";
import { hasCompleteJob, hasEnded, listingProblem, storageListing } from "../../functions/storage/storage-listing.ts";

const PREFIX = "runners/large/r-1/";
const object = (name: string, changes: Partial<ListedObject> = {}): ListedObject => ({
  key: PREFIX + name,
  size: 1,
  etag: '"a"',
  lastModified: 0,
  storageClass: "STANDARD",
  ...changes,
});
const listing = (...objects: ListedObject[]) => storageListing("large", "r-1", objects, 0);

describe("a storage's listing", () => {
  it("knows which metrics files are present; an empty one and other objects are not", () => {
    const { files, prefix } = listing(
      object("other"),
      object("pre-job-metrics.json"),
      object("post-job-metrics.json", { size: 0 }),
    );
    expect(prefix).toBe(PREFIX);
    expect(Object.keys(files)).toEqual(["pre-job-metrics.json"]);
  });

  it("shows that the runner has ended by the post-job file alone, and a complete job by all files", () => {
    const all = FILES_TO_READ.map((name) => object(name));
    expect(hasEnded(listing(object("post-job-metrics.json")))).toBe(true);
    expect(hasCompleteJob(listing(...all))).toBe(true);
    for (const missing of FILES_TO_READ) {
      const others = listing(...all.filter(({ key }) => key !== PREFIX + missing));
      expect(hasCompleteJob(others)).toBe(false);
      expect(hasEnded(others)).toBe(missing !== "post-job-metrics.json");
    }
  });

  it("shows a complete job in a slot by three files: it has no installation", () => {
    const slot = (...names: string[]) => {
      const objects = names.map((name) => object(name, { key: `runners/large/r-1~07/${name}` }));
      return storageListing("large", "r-1~07", objects, 0);
    };
    const [, ...all] = FILES_TO_READ;
    expect(hasCompleteJob(slot(...all))).toBe(true);
    for (const missing of all) expect(hasCompleteJob(slot(...all.filter((name) => name !== missing)))).toBe(false);
  });

  it("accepts an empty folder object, and rejects one with content", () => {
    expect(listingProblem(listing(object("", { size: 0 }), object("a")), 32)).toBeUndefined();
    expect(listingProblem(listing(object("", { size: 1 })), 32)).toBe("invalid-key");
    expect(listingProblem(listing(object("sub/", { size: 0 })), 32)).toBe("invalid-key");
  });

  it.each([".", "..", "a/b", "\u0000", "\u007f", "é", "n".repeat(256)])("rejects the key %j", (name) => {
    expect(listingProblem(listing(object(name)), 32)).toBe("invalid-key");
  });

  it.each(["...", " ", "~", "a.b", "n".repeat(255)])("accepts the key %j", (name) => {
    expect(listingProblem(listing(object(name)), 32)).toBeUndefined();
  });

  it("rejects more objects than allowed, and an invalid storage name", () => {
    expect(listingProblem(listing(object("a"), object("b")), 2)).toBeUndefined();
    expect(listingProblem(listing(object("a"), object("b")), 1)).toBe("too-many-objects");
    expect(listingProblem(storageListing("large", "a..b", [], 0), 32)).toBe("invalid-key");
  });
});
