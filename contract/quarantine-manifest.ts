/** The documents in a quarantine: the manifest, which the collector writes, and the records of what operators did with it. */
import * as z from "zod";
import { isStorageName, manifestKey, QUARANTINE_PREFIX } from "./object-keys.ts";
import { namesOf, QUARANTINE_REASONS } from "./reasons.ts";
import { RUNNER_FILES } from "./runner-files.ts";

/** Why an object was recorded but not copied. */
export const NOT_COPIED = {
  "too-large": "It is larger than 1 MiB.",
  "too-many": "The storage holds more objects than the setting maxObjectsPerRunner, and this one is over that number.",
  unreadable: "Nobody but its uploader can read it: archived, or encrypted with the uploader's key.",
} as const;
export type NotCopied = keyof typeof NOT_COPIED;

const quarantinedObject = z.object({
  /** Its key before. The uploader chose the last part. */
  key: z.string(),
  /** Bytes. */
  size: z.int().nonnegative(),
  /** Opaque, with its quotes. */
  etag: z.string(),
  /** When S3 stored it. A runner can't change this clock: timestamps are checked against it, also after a release. */
  last_modified: z.iso.datetime(),
  storage_class: z.string(),
  /** Key of the copy. One of this and `not_copied` is there. */
  copied_to: z.string().optional(),
  not_copied: z.enum(namesOf(NOT_COPIED)).optional(),
});
export type QuarantinedObject = z.infer<typeof quarantinedObject>;

/** `manifest.json`: what was quarantined, and why. It is written after the copies. */
export const quarantineManifest = z.object({
  schema_version: z.literal(1),
  flavor: z.string(),
  /** Name of the storage as it was found, which may be invalid. */
  storage: z.string(),
  reason: z.enum(namesOf(QUARANTINE_REASONS)),
  /** The file that shows the reason, if it is a metrics file. */
  file: z.enum(namesOf(RUNNER_FILES)).optional(),
  /** Wrong fields, as `field: code`. */
  problems: z.array(z.string()).optional(),
  quarantined_at: z.iso.datetime(),
  objects: z.array(quarantinedObject),
});
export type QuarantineManifest = z.infer<typeof quarantineManifest>;

/** What an operator can do with a quarantine, in the order of a record's life: a release is recorded before and after. */
export const ACTIONS = ["release-started", "released", "dropped"] as const;
export type Action = (typeof ACTIONS)[number];

/** `actions/<time>-<action>.json`: who did what, and when. */
export const actionRecord = z.object({
  schema_version: z.literal(1),
  action: z.enum(ACTIONS),
  /** ARN of the caller, as STS says. */
  by: z.string(),
  at: z.iso.datetime(),
});
export type ActionRecord = z.infer<typeof actionRecord>;

/** Key of the record of an action. `at` is in milliseconds since the epoch. */
export function actionKey(prefix: string, action: Action, at: number): string {
  return `${prefix}actions/${new Date(at).toISOString().replaceAll(/[-:.]/g, "")}-${action}.json`;
}

/** What a key in quarantine is. */
export interface QuarantineKey {
  readonly flavor: string;
  /** Name of the storage in quarantine. */
  readonly storage: string;
  readonly id: string;
  /** `quarantine/<flavor>/<storage>/<id>/` */
  readonly prefix: string;
  readonly kind: "manifest" | "copy" | Action;
}

const KEY = new RegExp(`^${QUARANTINE_PREFIX}([a-z0-9-]{1,32})/([^/]+)/([0-9a-f]{32})/(.+)$`);
const ACTION = new RegExp(`^actions/[0-9TZ]+-(${ACTIONS.join("|")})\\.json$`);

/** Takes a key apart; undefined for one that is not from the collector or an operator's action. */
export function parseQuarantineKey(key: string): QuarantineKey | undefined {
  const [, flavor = "", storage = "", id = "", rest = ""] = KEY.exec(key) ?? [];
  if (!isStorageName(storage)) return undefined;
  const prefix = key.slice(0, key.length - rest.length);
  const kind = kindOf(key, prefix, rest);
  return kind && { flavor, storage, id, prefix, kind };
}

function kindOf(key: string, prefix: string, rest: string): QuarantineKey["kind"] | undefined {
  if (key === manifestKey(prefix)) return "manifest";
  if (/^(objects|renamed)\/[^/]+$/.test(rest)) return "copy";
  return ACTIONS.find((action) => action === ACTION.exec(rest)?.[1]);
}
