import { isNamed, manifestKey, QUARANTINE_PREFIX } from "../../contract/object-keys.ts";
import {
  type Action,
  parseQuarantineKey,
  type QuarantineManifest,
  quarantineManifest,
} from "../../contract/quarantine-manifest.ts";
import type { QuarantineReason } from "../../contract/reasons.ts";
import type { Bucket } from "../bucket.ts";

/** A quarantine as the bucket shows it. */
export interface Quarantine {
  readonly flavor: string;
  /** Name of the storage in quarantine: its own if that is valid. */
  readonly storage: string;
  readonly id: string;
  /** `quarantine/<flavor>/<storage>/<id>/` */
  readonly prefix: string;
  readonly state: QuarantineState;
  /** Keys of the copies that are still there. */
  readonly copies: readonly string[];
  /** When the manifest was written, in milliseconds since the epoch; undefined if it is not there (yet). */
  readonly quarantinedAt: number | undefined;
}

/** What can be seen of a quarantine. */
export const QUARANTINE_STATES = {
  kept: "Nobody has done anything with it.",
  unfinished: "It has no manifest: a run was interrupted, and the next one finishes it.",
  "release-started": "A release was started and not finished. Repeat it.",
  released: "Its files were put back.",
  dropped: "Its copies were deleted.",
} as const;
export type QuarantineState = keyof typeof QUARANTINE_STATES;

/** A quarantine with its manifest. */
export interface DescribedQuarantine extends Quarantine {
  /** Undefined if there is none, or it is not one of ours. */
  readonly manifest: QuarantineManifest | undefined;
}

/** Which quarantines are wanted. Every condition that is there has to hold. */
export interface QuarantineFilter {
  readonly flavor?: string | undefined;
  readonly reason?: QuarantineReason | undefined;
  /** Name of a storage or runner. */
  readonly name?: string | undefined;
  /** Quarantined at this time or later, in milliseconds since the epoch. */
  readonly from?: number | undefined;
  /** Quarantined before this time. */
  readonly until?: number | undefined;
}

/** Larger manifests are not read: even one of a flood, with a page of the longest keys, is smaller. */
const MANIFEST_BYTES_MAX = 16 * 1024 * 1024;

/** Manifests that are read at once. */
const READS = 32;

/** All quarantines that the filter wants, the oldest first. `progress` is called with the number of manifests read so far. */
export async function listQuarantines(
  bucket: Bucket,
  filter: QuarantineFilter = {},
  progress: (read: number) => void = () => {},
): Promise<DescribedQuarantine[]> {
  const found: DescribedQuarantine[] = [];
  let batch: Quarantine[] = [];
  const describeBatch = async () => {
    found.push(...(await Promise.all(batch.map((one) => describe(bucket, one)))));
    batch = [];
    progress(found.length);
  };
  for await (const one of quarantines(bucket, filter.flavor)) {
    if (!isWanted(one, filter)) continue;
    batch.push(one);
    if (batch.length === READS) await describeBatch();
  }
  await describeBatch();
  return found
    .filter(({ manifest }) => !filter.reason || manifest?.reason === filter.reason)
    .sort(
      (one, other) =>
        (one.quarantinedAt ?? Number.POSITIVE_INFINITY) - (other.quarantinedAt ?? Number.POSITIVE_INFINITY),
    );
}

/** How many quarantines somebody still has to do something about, by state, and the one that has been kept for the longest time. */
export async function countOpenQuarantines(bucket: Bucket): Promise<{
  readonly counts: Readonly<Record<"kept" | "unfinished" | "release-started", number>>;
  readonly oldest: Quarantine | undefined;
}> {
  const counts = { kept: 0, unfinished: 0, "release-started": 0 };
  let oldest: Quarantine | undefined;
  for await (const one of quarantines(bucket)) {
    if (one.state === "released" || one.state === "dropped") continue;
    counts[one.state]++;
    if (one.state === "kept" && (one.quarantinedAt ?? 0) < (oldest?.quarantinedAt ?? Number.POSITIVE_INFINITY))
      oldest = one;
  }
  return { counts, oldest };
}

/**
 * The quarantines that a person means: by prefix (as in the event and the log), id (its first 8 digits or more), storage, or runner.
 * Without a flavor all are searched.
 */
export async function findQuarantines(bucket: Bucket, name: string, flavor?: string): Promise<DescribedQuarantine[]> {
  const prefix = name.replace(/^s3:\/\/[^/]+\//, "").replace(/\/?$/, "/");
  const byPrefix = parseQuarantineKey(manifestKey(prefix));
  const found: Quarantine[] = [];
  for await (const one of quarantines(bucket, byPrefix?.flavor ?? flavor)) {
    const isId = /^[0-9a-f]{8,32}$/.test(name) && one.id.startsWith(name);
    if (byPrefix ? one.prefix === prefix : isId || isNamed(one.storage, (known) => known === name)) found.push(one);
  }
  return Promise.all(found.map((one) => describe(bucket, one)));
}

async function* quarantines(bucket: Bucket, flavor?: string): AsyncGenerator<Quarantine> {
  const flavors = flavor === undefined ? await bucket.folders(QUARANTINE_PREFIX) : [`${flavor}/`];
  for (const folder of flavors) yield* quarantinesBelow(bucket, `${QUARANTINE_PREFIX}${folder}`);
}

/** Keys come in byte order, so those of a quarantine are adjacent. */
async function* quarantinesBelow(bucket: Bucket, prefix: string): AsyncGenerator<Quarantine> {
  let open: (Omit<Quarantine, "state" | "copies"> & { actions: Action[]; copies: string[] }) | undefined;
  for await (const { key, lastModified } of bucket.list(prefix)) {
    const parsed = parseQuarantineKey(key);
    if (!parsed) continue;
    if (parsed.prefix !== open?.prefix) {
      if (open) yield closed(open);
      const { flavor, storage, id, prefix } = parsed;
      open = { flavor, storage, id, prefix, actions: [], copies: [], quarantinedAt: undefined };
    }
    if (parsed.kind === "manifest") open = { ...open, quarantinedAt: lastModified };
    else if (parsed.kind === "copy") open.copies.push(key);
    else open.actions.push(parsed.kind);
  }
  if (open) yield closed(open);
}

/** The latest action counts: their keys sort by time. A record of the same millisecond sorts by its name. */
function closed({ actions, ...one }: Omit<Quarantine, "state"> & { actions: readonly Action[] }): Quarantine {
  const last = actions.at(-1);
  return { ...one, state: last ?? (one.quarantinedAt === undefined ? "unfinished" : "kept") };
}

function isWanted(one: Quarantine, { name, from, until }: QuarantineFilter): boolean {
  if (name !== undefined && !isNamed(one.storage, (known) => known === name)) return false;
  if (from !== undefined && (one.quarantinedAt ?? from) < from) return false;
  return until === undefined || (one.quarantinedAt ?? Number.POSITIVE_INFINITY) < until;
}

async function describe(bucket: Bucket, one: Quarantine): Promise<DescribedQuarantine> {
  if (one.quarantinedAt === undefined) return { ...one, manifest: undefined };
  const bytes = await bucket.get(manifestKey(one.prefix), MANIFEST_BYTES_MAX);
  return { ...one, manifest: bytes && parseManifest(bytes) };
}

function parseManifest(bytes: Uint8Array): QuarantineManifest | undefined {
  try {
    return quarantineManifest.safeParse(JSON.parse(Buffer.from(bytes).toString())).data;
  } catch {
    return undefined;
  }
}
