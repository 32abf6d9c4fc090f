import { ENDED_PREFIX, type InstanceEnd, instanceOf, parseEndedKey } from "../../contract/object-keys.ts";
import type { EndedUnknownReason } from "../../contract/reasons.ts";
import { type ListPage, type ListPosition, type ObjectStore, ServiceError } from "../ports.ts";

/** A run reads so many pages, of 1,000 records each. */
export const ENDED_PAGES_MAX = 50;

/** What is recorded about EC2 instances that have ended, as one run knows it. */
export interface EndedInstances {
  /** What happened to the instance that a storage is named after. What S3 does not give is not known, and no error. */
  endsOf(storage: string): Promise<readonly InstanceEnd[]>;
  /** Whether something could not be read. Undefined if all was, or nothing was needed. */
  unknown(): Promise<EndedUnknown | undefined>;
}

/** Why not everything is known. */
export interface EndedUnknown {
  readonly reason: EndedUnknownReason;
  readonly failure?: unknown;
}

/** The records in the bucket. They are listed once, when the first storage needs them: a run that meets none makes no request. */
export function endedInstances(store: ObjectStore): EndedInstances {
  let listed: Promise<Listed> | undefined;
  return {
    async endsOf(storage) {
      const instance = instanceOf(storage);
      if (instance === undefined) return [];
      listed ??= listEnded(store);
      return (await listed).ends.get(instance) ?? [];
    },
    async unknown() {
      return (await listed)?.unknown;
    },
  };
}

interface Listed {
  readonly ends: ReadonlyMap<string, readonly InstanceEnd[]>;
  readonly unknown?: EndedUnknown;
}

async function listEnded(store: ObjectStore): Promise<Listed> {
  const ends = new Map<string, InstanceEnd[]>();
  try {
    let from: ListPosition | undefined = { after: "" };
    for (let page = 1; from; page++) {
      if (page > ENDED_PAGES_MAX) return { ends, unknown: { reason: "too-many" } };
      const { objects, next }: ListPage = await store.list(ENDED_PREFIX, from);
      for (const { key } of objects) {
        const end = parseEndedKey(key);
        if (end) ends.set(end.instance, [...(ends.get(end.instance) ?? []), end]);
      }
      from = next;
    }
    return { ends };
  } catch (failure) {
    if (!(failure instanceof ServiceError)) throw failure;
    return { ends, unknown: { reason: failure.isAccessDenied ? "denied" : "failed", failure } };
  }
}
