/** Many small calls, some of them at once. */

const callsAtOnce = 8;

/** `items` in order, `size` at a time. */
export function chunksOf<T>(items: readonly T[], size: number): (readonly T[])[] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, index) => items.slice(index * size, (index + 1) * size));
}

/** Runs `action` for each item, at most `atOnce` side by side; results in order. The first error ends it: nothing new starts. */
export async function eachOf<T, R>(
  items: readonly T[],
  action: (item: T) => Promise<R>,
  atOnce = callsAtOnce,
): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  let failed = false;
  const work = async (): Promise<void> => {
    for (const [index, item] of queue) {
      if (failed) return;
      try {
        results[index] = await action(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const runs = await Promise.allSettled(Array.from({ length: Math.min(atOnce, items.length) }, work));
  for (const run of runs) if (run.status === 'rejected') throw run.reason;
  return results;
}
