/** A map whose entries stand in the order of its keys' UTF-16 units; made for a million entries and ordered pages. */
export interface SortedMap<V> {
  size(): number;
  get(key: string): V | undefined;
  set(key: string, value: V): void;
  delete(key: string): boolean;
  /** The values of the keys at or after `key` (`inclusive`), or after it. Not to be iterated across a change. */
  from(key: string, inclusive: boolean): Generator<V>;
}

/** Half of a full chunk: small enough to splice fast, large enough to keep the list of chunks short. */
const CHUNK_KEYS = 512;

/** Keys live in sorted chunks of at most `2 * CHUNK_KEYS`, values in a plain map. */
export function createSortedMap<V>(): SortedMap<V> {
  const values = new Map<string, V>();
  const chunks: string[][] = [[]];

  /** The last chunk whose first key is at or before `key`, or the first chunk. */
  function chunkIndexFor(key: string): number {
    return Math.max(0, firstIndexWhere(chunks, (chunk) => (chunk[0] ?? "") > key) - 1);
  }

  function insert(key: string): void {
    const index = chunkIndexFor(key);
    const chunk = chunks[index] ?? [];
    chunk.splice(
      firstIndexWhere(chunk, (other) => other >= key),
      0,
      key,
    );
    if (chunk.length > 2 * CHUNK_KEYS) chunks.splice(index + 1, 0, chunk.splice(CHUNK_KEYS));
  }

  function remove(key: string): void {
    const index = chunkIndexFor(key);
    const chunk = chunks[index] ?? [];
    chunk.splice(
      firstIndexWhere(chunk, (other) => other >= key),
      1,
    );
    if (chunk.length === 0 && chunks.length > 1) chunks.splice(index, 1);
  }

  return {
    size: () => values.size,
    get: (key) => values.get(key),
    set(key, value) {
      if (!values.has(key)) insert(key);
      values.set(key, value);
    },
    delete(key) {
      if (!values.delete(key)) return false;
      remove(key);
      return true;
    },
    *from(key, inclusive) {
      let index = chunkIndexFor(key);
      let start = firstIndexWhere(chunks[index] ?? [], (other) => (inclusive ? other >= key : other > key));
      for (; index < chunks.length; index++, start = 0) {
        const chunk = chunks[index] ?? [];
        for (let i = start; i < chunk.length; i++) {
          const value = values.get(chunk[i] ?? "");
          if (value !== undefined) yield value;
        }
      }
    },
  };
}

/** The first index at which the predicate holds, which must then hold for all that follow; the length if for none. */
function firstIndexWhere<T>(items: readonly T[], holds: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(items[middle] as T)) high = middle;
    else low = middle + 1;
  }
  return low;
}
