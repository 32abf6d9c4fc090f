/** Names of objects in a storage: anything that S3 takes for a key. */

import { FILES_TO_READ } from "../../contract/runner-files.ts";
import type { Random } from "../simulation/random.ts";
import { MARK } from "./bodies.ts";

export function fuzzedName(random: Random): string {
  const name = Array.from({ length: random.pick([1, 1, 2, 3, 8, 40]) }, () => part(random)).join("");
  return clipped(name, random.chance(0.02) ? 990 : 200);
}

/** A storage's name, mostly a valid one. */
export function fuzzedStorage(random: Random, number: number): string {
  if (random.chance(0.7)) return `r-${number}`;
  return clipped(`${random.pick(["r-", "", ".", "a:b:"])}${part(random)}${number}`.replaceAll("/", "_"), 120);
}

function part(random: Random): string {
  const kind = random.integer(0, 5);
  if (kind === 0) return random.pick(FILES_TO_READ);
  if (kind === 1) return random.pick(PIECES);
  if (kind === 2) return String.fromCharCode(random.integer(0x20, 0x7e));
  if (kind === 3) return String.fromCharCode(random.integer(0, 0x9f));
  if (kind === 4) return String.fromCodePoint(random.integer(0xa0, 0xd7ff));
  return String.fromCodePoint(random.integer(0xe000, 0x10ffff));
}

const PIECES = [
  MARK,
  "/",
  "//",
  "..",
  ".",
  "%2F",
  "%00",
  "+",
  " ",
  "?versionId=1",
  "&amp;",
  "<![CDATA[",
  "]]>",
  '"',
  "\\",
  "\r\n",
  "\u202e",
  "\ufffe",
  "manifest.json",
  "objects/",
  "e\u0301",
];

/** At most so many bytes of UTF-8, without half a character. */
function clipped(text: string, bytesMax: number): string {
  let clip = text;
  while (Buffer.byteLength(clip) > bytesMax) clip = clip.slice(0, -1);
  return clip.toWellFormed();
}
