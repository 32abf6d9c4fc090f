import { describe, expect, it } from "vitest";
import {
  quarantineId,
  quarantineKey,
  quarantineName,
  quarantinePrefix,
  storageOfKey,
} from "../../contract/object-keys.ts";
import type { ListedObject } from "../../functions/ports.ts";

const PREFIX = "runners/large/r-1/";
const QUARANTINE = "quarantine/large/r-1/0123/";

const object = (name: string, changes: Partial<ListedObject> = {}): ListedObject => ({
  key: PREFIX + name,
  size: 1,
  etag: '"a"',
  lastModified: 0,
  storageClass: "STANDARD",
  ...changes,
});

describe("object keys", () => {
  it("have a storage, except those of objects outside any storage", () => {
    expect(storageOfKey("runners/large/r-1/a/b", "large")).toBe("r-1");
    expect(storageOfKey("runners/large//a", "large")).toBe("");
    expect(storageOfKey("runners/large/stray", "large")).toBeUndefined();
  });

  it("of copies have the object's own name if it is valid, otherwise one derived from the key", () => {
    const renamed = /^quarantine\/large\/r-1\/0123\/renamed\/[0-9a-f]{64}$/;
    expect(quarantineKey(QUARANTINE, `${PREFIX}a b`, PREFIX)).toBe(`${QUARANTINE}objects/a b`);
    expect(quarantineKey(QUARANTINE, `${PREFIX}...`, PREFIX)).toBe(`${QUARANTINE}objects/...`);
    for (const name of ["", ".", "..", "a/b", "\n", "é", "n".repeat(256)]) {
      expect(quarantineKey(QUARANTINE, PREFIX + name, PREFIX)).toMatch(renamed);
    }
  });

  it("have at most 1,024 bytes", () => {
    const long = `quarantine/${"q".repeat(1024 - 255 - "quarantine/".length - "/objects/".length)}/`;
    const name = "n".repeat(255);
    expect(quarantineKey(long, PREFIX + name, PREFIX)).toHaveLength(1024);
    expect(quarantineKey(`q${long}`, PREFIX + name, PREFIX)).toContain("/renamed/");
  });

  it("of a quarantine depend on its objects, not on their order", () => {
    const [a, b] = [object("a"), object("b")];
    const id = quarantineId([a, b]);
    expect(quarantinePrefix("large", "r-1", id)).toBe(`quarantine/large/r-1/${id}/`);
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(quarantineId([b, a])).toBe(id);
    for (const other of [object("c"), object("b", { etag: '"b"' }), object("b", { lastModified: 1000 })]) {
      expect(quarantineId([a, other])).not.toBe(id);
    }
  });

  it("of a quarantine have the storage's own name only if it is valid", () => {
    expect(quarantineName("AROA:i-0abc")).toBe("AROA:i-0abc");
    expect(quarantineName("a..b")).toMatch(/^invalid-[0-9a-f]{32}$/);
    expect(quarantineName("")).toMatch(/^invalid-[0-9a-f]{32}$/);
    expect(quarantineName("a..b")).not.toBe(quarantineName("a..c"));
  });
});
