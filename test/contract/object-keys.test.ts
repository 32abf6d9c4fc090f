import { describe, expect, it } from "vitest";
import {
  endedKey,
  INSTANCE_ENDS,
  instanceOf,
  isNamed,
  parseEndedKey,
  quarantineId,
  quarantineKey,
  quarantineName,
  quarantinePrefix,
  runnerName,
  storageOfKey,
  storagePrefix,
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

  it("of ended instances say which, when and what, and nothing else is read as one", () => {
    for (const instance of ["i-0abc1234", "i-0123456789abcdef0"]) {
      for (const what of INSTANCE_ENDS) {
        const end = { instance, time: 1_700_000_000, what };
        expect(endedKey(end)).toBe(`ended/${instance}/1700000000-${what}`);
        expect(parseEndedKey(endedKey(end))).toEqual(end);
        for (const odd of [` ${endedKey(end)}`, `${endedKey(end)}\n`, `${endedKey(end)}/`, `x${endedKey(end)}`])
          expect(parseEndedKey(odd), odd).toBeUndefined();
      }
    }
    for (const key of ["ended/i-0abc/1-stopped", "ended/i-0ABC1234/1-stopped", "ended/i-0abc1234/1.5-stopped"])
      expect(parseEndedKey(key), key).toBeUndefined();
  });

  it("of storages name an EC2 instance, or none", () => {
    expect(instanceOf("AROAEXAMPLE:i-0123456789abcdef0~07")).toBe("i-0123456789abcdef0");
    expect(instanceOf("i-0abc1234")).toBe("i-0abc1234");
    for (const name of ["r-1", "i-0abc123", "i-0abc1234-2", "xi-0abc1234", "i-0abc1234:r-1"])
      expect(instanceOf(name), name).toBeUndefined();
  });

  it("in a slot of a persistent runner have that slot; all others behind the runner's ~ are in one storage", () => {
    expect(storageOfKey("runners/large/AROA:i-0abc~07/a", "large")).toBe("AROA:i-0abc~07");
    for (const name of ["~", "~7", "~007", "~0x", "~0é", "~~0", "~07~08", "~/x", "~00 "]) {
      expect(storageOfKey(`runners/large/r-1${name}/a`, "large"), name).toBe("r-1~");
    }
    expect(storagePrefix("large", "r-1~")).toBe("runners/large/r-1~");
    expect(storagePrefix("large", "r-1~07")).toBe("runners/large/r-1~07/");
    expect(runnerName("AROA:i-0abc~07")).toBe("i-0abc");
    for (const name of ["AROA:i-0abc~07", "AROA:i-0abc", "i-0abc"]) {
      expect(isNamed("AROA:i-0abc~07", (known) => known === name)).toBe(true);
    }
    expect(isNamed("AROA:i-0abc~07", (known) => known === "i-0ab")).toBe(false);
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
