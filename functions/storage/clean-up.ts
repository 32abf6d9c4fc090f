import { DELETE_RESULTS, type DeleteResult, namesOf } from "../../contract/reasons.ts";
import { type ObjectStore, type ObjectVersion, ServiceError } from "../ports.ts";

/** S3's limit of keys for one DeleteObjects. https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html */
export const DELETE_OBJECTS_MAX = 1000;

/** The objects of a storage, in the versions that were read or quarantined. */
export interface StorageToDelete {
  readonly objects: readonly ObjectVersion[];
  /** Those of them that are deleted after the others. */
  readonly last: readonly ObjectVersion[];
}

/** What was deleted. */
export interface CleanUpReport {
  /** How many objects had which result. */
  readonly counts: Readonly<Record<DeleteResult, number>>;
  /** Which of the storages are completely gone. */
  readonly gone: ReadonlySet<StorageToDelete>;
  readonly errors: readonly unknown[];
}

/**
 * Deletes exactly these versions and no others, of many storages at once: an object that changed meanwhile stays for the next run. So
 * does one that could not be deleted; its events repeat then, with the same ids. A partial delete must not leave files that look like
 * those of a lost or unused runner: the last objects of each storage go in a second call, when the others are confirmed gone. That call
 * repeats the others, which the runner may have uploaded again.
 */
export async function cleanUp(store: ObjectStore, storages: readonly StorageToDelete[]): Promise<CleanUpReport> {
  const first = await deleteAll(
    store,
    storages.flatMap(({ objects, last }) => objects.filter((object) => !last.includes(object))),
  );
  const isGone = (results: ReadonlyMap<ObjectVersion, DeleteResult>) => (object: ObjectVersion) =>
    results.get(object) === "deleted" || results.get(object) === "gone";
  const ready = storages.filter(({ objects, last }) =>
    objects.every((object) => last.includes(object) || isGone(first.results)(object)),
  );
  const second = await deleteAll(
    store,
    ready.flatMap(({ objects }) => objects),
  );
  // An object that the second call repeats counts again only if the runner had uploaded it again.
  const repeated = [...second.results].filter(([object, result]) => !(first.results.has(object) && result === "gone"));
  const results = [...first.results.values(), ...repeated.map(([, result]) => result)];
  const counts = namesOf(DELETE_RESULTS).map((name) => [name, results.filter((result) => result === name).length]);
  return {
    counts: Object.fromEntries(counts),
    gone: new Set(ready.filter(({ objects }) => objects.every(isGone(second.results)))),
    errors: [...first.errors, ...second.errors],
  };
}

/** Deletes in as few calls as the limit allows. A call that fails fails each of its objects. */
async function deleteAll(store: ObjectStore, objects: readonly ObjectVersion[]) {
  const results = new Map<ObjectVersion, DeleteResult>();
  const errors: unknown[] = [];
  for (let from = 0; from < objects.length; from += DELETE_OBJECTS_MAX) {
    const some = objects.slice(from, from + DELETE_OBJECTS_MAX);
    try {
      const answers = await store.delete(some);
      some.forEach((object, index) => {
        results.set(object, answers[index] ?? "failed");
      });
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      errors.push(error);
      for (const object of some) results.set(object, error.isAccessDenied ? "denied" : "failed");
    }
  }
  return { results, errors };
}
