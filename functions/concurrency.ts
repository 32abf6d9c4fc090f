/**
 * Maps with at most `concurrency` items in progress, and yields results as they come, in whatever order. While its consumer is
 * busy no new item is begun. The first error ends it, as its consumer may, once what is in progress is done.
 */
export async function* mapConcurrently<Item, Result>(
  items: AsyncIterable<Item> | Iterable<Item>,
  concurrency: number,
  map: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const source = iterate(items);
  const inProgress = new Set<Promise<Finished<Result>>>();
  let exhausted = false;
  try {
    for (;;) {
      while (!exhausted && inProgress.size < concurrency) {
        const next = await source.next();
        if (next.done) exhausted = true;
        else inProgress.add(begin(map(next.value)));
      }
      if (inProgress.size === 0) return;
      const finished = await Promise.race(inProgress);
      inProgress.delete(finished.task);
      yield finished.result;
    }
  } finally {
    // Whatever ended it: what has been begun is not left behind.
    await Promise.allSettled(inProgress);
    await source.return(undefined);
  }
}

interface Finished<Result> {
  readonly task: Promise<Finished<Result>>;
  readonly result: Result;
}

function begin<Result>(mapped: Promise<Result>): Promise<Finished<Result>> {
  const task: Promise<Finished<Result>> = mapped.then((result) => ({ task, result }));
  // An error is met where the tasks are raced; until then nobody listens, and Node would end the process.
  task.catch(() => {});
  return task;
}

async function* iterate<Item>(items: AsyncIterable<Item> | Iterable<Item>): AsyncGenerator<Item> {
  yield* items;
}
