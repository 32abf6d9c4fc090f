import { createWriteStream } from "node:fs";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { GetObjectCommand, ListObjectsV2Command, type S3Client } from "@aws-sdk/client-s3";
import { EVENTS_PREFIX } from "../../contract/object-keys.ts";

/** Called while objects are downloaded: how many of how many are in the cache, and how many bytes were downloaded. */
export type Progress = (done: number, total: number, bytes: number) => void;

/** Which objects of the archive are needed. */
export interface ArchiveSelection {
  /** Events published from then on, and before then, in UNIX seconds. */
  readonly from: number;
  readonly until: number;
  /** All if empty. */
  readonly flavors: readonly string[];
}

/** Paths of the archive's files in a folder that hold events of the selection, in the order of their names. */
export async function filesInFolder(folder: string, selection: ArchiveSelection): Promise<string[]> {
  const names = await readdir(folder, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    throw new Error(
      error.code === "ENOENT" ? `There is no folder ${folder}` : `Cannot read the folder ${folder}: ${error.message}`,
    );
  });
  return names
    .map((name) => name.replaceAll("\\", "/"))
    .filter((name) => isSelected(name.replace(/^events\//, ""), selection))
    .sort()
    .map((name) => join(folder, name));
}

/**
 * Downloads the objects of the selection that the cache does not have, and returns the paths of all of them. Objects never change, so one
 * that is there is not requested again; an interrupted download leaves nothing behind that looks complete.
 */
export async function filesInBucket(
  s3: S3Client,
  bucket: string,
  cacheFolder: string,
  selection: ArchiveSelection,
  progress: Progress = () => {},
): Promise<string[]> {
  const objects = await listObjects(s3, bucket, selection);
  const missing: ArchiveObject[] = [];
  for (const object of objects) {
    const size = await stat(join(cacheFolder, object.name)).then(
      ({ size }) => size,
      () => undefined,
    );
    if (size !== object.size) missing.push(object);
  }
  let done = objects.length - missing.length;
  let bytes = 0;
  progress(done, objects.length, bytes);
  const gone = new Set<string>();
  const queue = missing.values();
  const download = async () => {
    for (const object of queue) {
      if (!(await downloadObject(s3, bucket, object, join(cacheFolder, object.name)))) gone.add(object.name);
      bytes += object.size;
      progress(++done, objects.length, bytes);
    }
  };
  await Promise.all(Array.from({ length: DOWNLOADS_AT_ONCE }, download));
  return objects.filter(({ name }) => !gone.has(name)).map(({ name }) => join(cacheFolder, name));
}

const DOWNLOADS_AT_ONCE = 16;

/** Name of an object under `events/`. Nothing else is read, and no name leads out of the cache. */
const NAME = /^dt=(\d{4}-\d{2}-\d{2})\/flavor=([a-z0-9][a-z0-9-]{0,31})\/[A-Za-z0-9_-]{1,128}\.ndjson(?:\.gz)?$/;

function isSelected(name: string, { from, until, flavors }: ArchiveSelection): boolean {
  const [, day, flavor] = NAME.exec(name) ?? [];
  if (day === undefined || flavor === undefined) return false;
  return day >= dayOf(from) && day <= dayOf(until) && (flavors.length === 0 || flavors.includes(flavor));
}

/** The date in UTC, by which the archive is partitioned. */
function dayOf(seconds: number): string {
  return new Date(Math.min(Math.max(seconds, 0), 253_402_300_799) * 1000).toISOString().slice(0, 10);
}

interface ArchiveObject {
  /** Under `events/`. */
  readonly name: string;
  readonly size: number;
}

async function listObjects(s3: S3Client, bucket: string, selection: ArchiveSelection): Promise<ArchiveObject[]> {
  const objects: ArchiveObject[] = [];
  let token: string | undefined;
  do {
    const page = await s3.send(
      new ListObjectsV2Command({
        Bucket: bucket,
        Prefix: EVENTS_PREFIX,
        EncodingType: "url",
        // It is ignored when there is a token.
        ...(token === undefined
          ? { StartAfter: `${EVENTS_PREFIX}dt=${dayOf(selection.from)}` }
          : { ContinuationToken: token }),
      }),
    );
    const names = (page.Contents ?? []).map(({ Key = "", Size = 0 }) => ({
      name: decodeURIComponent(Key.replaceAll("+", " ")).slice(EVENTS_PREFIX.length),
      size: Size,
    }));
    objects.push(...names.filter(({ name }) => isSelected(name, selection)));
    const last = names.at(-1)?.name ?? "";
    const isPast = last.startsWith("dt=") && last.slice(3, 13) > dayOf(selection.until);
    token = page.IsTruncated && !isPast ? page.NextContinuationToken : undefined;
  } while (token !== undefined);
  return objects;
}

/** Whether the object was there. */
async function downloadObject(
  s3: S3Client,
  bucket: string,
  { name, size }: ArchiveObject,
  path: string,
): Promise<boolean> {
  const { Body } = await s3
    .send(new GetObjectCommand({ Bucket: bucket, Key: `${EVENTS_PREFIX}${name}` }))
    .catch((error: { $metadata?: { httpStatusCode?: number } }) => {
      // It expired since the listing.
      if (error.$metadata?.httpStatusCode === 404) return { Body: undefined };
      throw error;
    });
  if (!Body) return false;
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.${process.pid}.partial`;
  try {
    await pipeline(Body as Readable, createWriteStream(partial));
    const { size: received } = await stat(partial);
    if (received !== size) throw new Error(`Received ${received} of ${size} bytes of ${EVENTS_PREFIX}${name}`);
    await rename(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
  return true;
}
