/** Somebody who may do anything under one prefix. */

import { corruptBody, EMPTY, FILE_NAMES, MARK, otherKey, POST, validBody } from "./bodies.ts";
import type { Meaning } from "./history.ts";
import type { Random } from "./random.ts";
import { BUCKET, PREFIX, type Universe } from "./universe.ts";

const FOREIGN_KMS_KEY = "arn:aws:kms:us-east-1:999999999999:key/foreign";
const GIBIBYTE = 1024 ** 3;

/** Does one thing, drawn by chance. */
export function attack(universe: Universe, random: Random, storage: string, objectsMax: number): void {
  const name = random.pick(FILE_NAMES);
  const put = (...[file, body, options]: Put) => universe.upload("attacker", storage, file, body, options);
  type Put = [string, Parameters<Universe["upload"]>[3], Parameters<Universe["upload"]>[4]?];

  switch (random.pick(ACTIONS)) {
    case "valid":
      return void put(name, validBody(random, name));
    case "all":
      for (const file of FILE_NAMES) put(file, validBody(random, file));
      return;
    case "corrupt":
      put(name, corruptBody(random, name));
      // Ready at once: nobody waits a day to see what comes of it.
      if (random.chance(0.7)) put(POST, validBody(random, POST));
      return;
    case "empty":
      return void put(name, EMPTY);
    case "folder":
      return void put("", EMPTY);
    case "other": {
      const key = otherKey(random);
      const meaning: Meaning = { kind: key.isSane ? "other" : "insane-key" };
      return void put(key.name, { bytes: Buffer.from(MARK), meaning });
    }
    case "large": {
      const bytes = Buffer.alloc(random.pick([1025, 2000]), " ");
      put(name, { bytes, meaning: { kind: "corrupt", reason: "file-too-large" } });
      return void put(POST, validBody(random, POST));
    }
    case "huge": {
      const size = random.pick([1024 ** 2, 1024 ** 2 + 1, 5 * GIBIBYTE, 50 * GIBIBYTE]);
      const body = { bytes: new Uint8Array(), meaning: { kind: "corrupt", reason: "file-too-large" } as const };
      put(name, body, { attributes: { size } });
      return void put(random.chance(0.5) ? POST : MARK, validBody(random, POST));
    }
    case "unreadable": {
      const attributes = random.pick([
        { customerKey: true },
        { denied: true, kmsKeyId: FOREIGN_KMS_KEY },
        { storageClass: "GLACIER" },
        { storageClass: "DEEP_ARCHIVE" },
      ]);
      put(name, { bytes: validBody(random, name).bytes, meaning: { kind: "unreadable" } }, { attributes });
      return;
    }
    case "flood": {
      const count = objectsMax + random.integer(0, 40);
      for (let index = 0; index < count; index++) {
        put(`${MARK}-${index}`, { bytes: Buffer.from(`${index}`), meaning: { kind: "other" } });
      }
      return;
    }
    case "remove": {
      const key = `${PREFIX}${storage}/${name}`;
      universe.s3.deleteObject(BUCKET, key);
      return void universe.note({ type: "upload", by: "attacker", storage, key, outcome: "removed" });
    }
  }
}

const ACTIONS = [
  "valid",
  "valid",
  "valid",
  "all",
  "all",
  "corrupt",
  "corrupt",
  "corrupt",
  "empty",
  "folder",
  "other",
  "other",
  "large",
  "huge",
  "unreadable",
  "unreadable",
  "flood",
  "remove",
] as const;
