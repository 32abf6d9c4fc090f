/**
 * Maps with at most `concurrency` items in progress, and yields results as they arrive, in any order. While its consumer is busy, no
 * new item is started. The first error ends it, as its consumer may, after the items in progress are finished. Returns what the
 * source returns.
 */
export async function* mapConcurrently<Item, Result, End>(
  items: AsyncIterable<Item, End> | Iterable<Item, End>,
  concurrency: number,
  map: (item: Item) => Promise<Result>,
): AsyncGenerator<Result, End> {
  const source = iterate(items);
  const inProgress = new Set<Promise<Finished<Result>>>();
  let end: { value: End } | undefined;
  try {
    for (;;) {
      while (!end && inProgress.size < concurrency) {
        const next = await source.next();
        if (next.done) end = { value: next.value };
        else inProgress.add(start(map(next.value)));
      }
      if (end && inProgress.size === 0) return end.value;
      const finished = await Promise.race(inProgress);
      inProgress.delete(finished.task);
      yield finished.result;
    }
  } finally {
    // Whatever ended it, no started item is left running.
    await Promise.allSettled(inProgress);
    await source.return(undefined as End);
  }
}

interface Finished<Result> {
  readonly task: Promise<Finished<Result>>;
  readonly result: Result;
}

function start<Result>(mapped: Promise<Result>): Promise<Finished<Result>> {
  const task: Promise<Finished<Result>> = mapped.then((result) => ({ task, result }));
  // An error is handled where the tasks are raced; without a handler until then, Node would end the process.
  task.catch(() => {});
  return task;
}

async function* iterate<Item, End>(items: AsyncIterable<Item, End> | Iterable<Item, End>): AsyncGenerator<Item, End> {
  return yield* items;
}
