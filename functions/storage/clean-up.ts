import type { DeleteResult, ObjectStore, ObjectVersion } from "../ports.ts";

/** S3's limit of keys for one DeleteObjects. https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html */
export const DELETE_OBJECTS_MAX = 1000;

export type CleanUpCounts = Readonly<Record<DeleteResult, number>>;

/**
 * Deletes exactly these versions and no others: what has changed meanwhile stays for the next run. So does what could not be
 * deleted; its events come again then, under the same ids.
 */
export async function cleanUp(store: ObjectStore, objects: readonly ObjectVersion[]): Promise<CleanUpCounts> {
  const counts = { deleted: 0, gone: 0, changed: 0, denied: 0, failed: 0 };
  for (let from = 0; from < objects.length; from += DELETE_OBJECTS_MAX) {
    for (const result of await store.delete(objects.slice(from, from + DELETE_OBJECTS_MAX))) counts[result]++;
  }
  return counts;
}
