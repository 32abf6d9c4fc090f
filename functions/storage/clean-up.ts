import { DELETE_RESULTS, type DeleteResult, namesOf } from "../../contract/reasons.ts";
import type { ObjectStore, ObjectVersion } from "../ports.ts";

/** S3's limit of keys for one DeleteObjects. https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html */
export const DELETE_OBJECTS_MAX = 1000;

/** How many objects had which result. */
export type DeleteCounts = Readonly<Record<DeleteResult, number>>;

/**
 * Deletes exactly these versions and no others: an object that changed meanwhile stays for the next run. So does one that could not
 * be deleted; its events repeat then, with the same ids.
 */
export async function cleanUp(store: ObjectStore, objects: readonly ObjectVersion[]): Promise<DeleteCounts> {
  const results: DeleteResult[] = [];
  for (let from = 0; from < objects.length; from += DELETE_OBJECTS_MAX) {
    results.push(...(await store.delete(objects.slice(from, from + DELETE_OBJECTS_MAX))));
  }
  const counts = namesOf(DELETE_RESULTS).map((name) => [name, results.filter((result) => result === name).length]);
  return Object.fromEntries(counts);
}
