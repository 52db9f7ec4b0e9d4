/** Many small calls, some of them at once. */

const callsAtOnce = 8;

/** Runs `action` for each item, at most `callsAtOnce` side by side; results in order. The first error ends it. */
export async function eachOf<T, R>(items: readonly T[], action: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let i = 0; i < items.length; i += callsAtOnce) {
    results.push(...(await Promise.all(items.slice(i, i + callsAtOnce).map(action))));
  }
  return results;
}
