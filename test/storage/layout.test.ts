import { describe, expect, it } from "vitest";
import type { ListedObject } from "../../functions/ports.ts";
import {
  listingProblem,
  quarantineKey,
  quarantineLocation,
  quarantineName,
  storageName,
} from "../../functions/storage/layout.ts";

const LAYOUT = { runnersPrefix: "runners/", quarantinePrefix: "quarantine/", flavor: "large" };
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
const listing = (...objects: ListedObject[]) => ({ name: "r-1", prefix: PREFIX, objects });

describe("the layout", () => {
  it("knows the storage of a key, and objects that lie beside the storages", () => {
    expect(storageName("runners/large/r-1/a/b", "runners/large/")).toBe("r-1");
    expect(storageName("runners/large//a", "runners/large/")).toBe("");
    expect(storageName("runners/large/stray", "runners/large/")).toBeUndefined();
    expect(storageName("/a", "")).toBe("");
  });

  it("takes an empty folder object for no problem, and one with content for one", () => {
    expect(listingProblem(listing(object("", { size: 0 }), object("a")), 32)).toBeUndefined();
    expect(listingProblem(listing(object("", { size: 1 })), 32)).toBe("invalid-key");
    expect(listingProblem(listing(object("sub/", { size: 0 })), 32)).toBe("invalid-key");
  });

  it.each([".", "..", "a/b", "\u0000", "\u007f", "é", "n".repeat(256)])("refuses the key %j", (name) => {
    expect(listingProblem(listing(object(name)), 32)).toBe("invalid-key");
  });

  it.each(["...", " ", "~", "a.b", "n".repeat(255)])("takes the key %j", (name) => {
    expect(listingProblem(listing(object(name)), 32)).toBeUndefined();
  });

  it("copies under an object's own name where that is sane, else under one made of the key", () => {
    const renamed = /^quarantine\/large\/r-1\/0123\/renamed\/[0-9a-f]{64}$/;
    expect(quarantineKey(QUARANTINE, `${PREFIX}a b`, PREFIX)).toBe(`${QUARANTINE}objects/a b`);
    expect(quarantineKey(QUARANTINE, `${PREFIX}...`, PREFIX)).toBe(`${QUARANTINE}objects/...`);
    for (const name of ["", ".", "..", "a/b", "\n", "é", "n".repeat(256)]) {
      expect(quarantineKey(QUARANTINE, PREFIX + name, PREFIX)).toMatch(renamed);
    }
  });

  it("makes no key of more than 1,024 bytes", () => {
    const long = `quarantine/${"q".repeat(1024 - 255 - "quarantine/".length - "/objects/".length)}/`;
    const name = "n".repeat(255);
    expect(quarantineKey(long, PREFIX + name, PREFIX)).toHaveLength(1024);
    expect(quarantineKey(`q${long}`, PREFIX + name, PREFIX)).toContain("/renamed/");
  });

  it("names a quarantine by what is in it, whatever the order", () => {
    const [a, b] = [object("a"), object("b")];
    const { id, prefix } = quarantineLocation(LAYOUT, listing(a, b));
    expect(prefix).toBe(`quarantine/large/r-1/${id}/`);
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(quarantineLocation(LAYOUT, listing(b, a)).id).toBe(id);
    for (const other of [object("c"), object("b", { etag: '"b"' }), object("b", { lastModified: 1000 })]) {
      expect(quarantineLocation(LAYOUT, listing(a, other)).id).not.toBe(id);
    }
  });

  it("quarantines under a storage's own name only if it is a valid one", () => {
    expect(quarantineName("AROA:i-0abc")).toBe("AROA:i-0abc");
    expect(quarantineName("a..b")).toMatch(/^invalid-[0-9a-f]{32}$/);
    expect(quarantineName("")).toMatch(/^invalid-[0-9a-f]{32}$/);
    expect(quarantineName("a..b")).not.toBe(quarantineName("a..c"));
  });
});
