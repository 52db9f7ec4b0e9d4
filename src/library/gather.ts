/**
 * Taking several values at once from something that gives them one by one: as many as are there, without waiting for more
 * once there is one. It reads ahead by at most one value.
 */

import { sleep } from '../client/backoff.ts';

/** Ms within which further values still belong to the same handful. */
const windowMs = 20;

export interface Gatherer<T> {
  /** The next values, at least one and at most `most`; none at the end. Fails as the source does. */
  next(most: number): Promise<T[]>;
  /** Tells the source that no more is wanted. */
  close(): void;
}

/** Over a source of either kind. */
export function gatherer<T>(source: Iterable<T> | AsyncIterable<T>): Gatherer<T> {
  const values = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  let pending: Promise<IteratorResult<T>> | null = null;
  let isOver = false;
  /** The value that comes next, whoever asks; a source that throws at once is a rejection too. */
  const coming = (): Promise<IteratorResult<T>> => {
    pending ??= (async () => values.next())();
    return pending;
  };
  return {
    async next(most) {
      const taken: T[] = [];
      const closing = new AbortController();
      let enough: Promise<null> | null = null;
      try {
        while (!isOver && taken.length < most) {
          const result = await (enough === null ? coming() : Promise.race([coming(), enough]));
          // What comes too late for this handful is in the next one.
          if (result === null) break;
          pending = null;
          if (result.done === true) isOver = true;
          else taken.push(result.value);
          enough ??= sleep(windowMs, closing.signal).then(() => null);
        }
        return taken;
      } finally {
        enough?.catch(() => {});
        closing.abort();
      }
    },
    close: () => void (async () => values.return?.())().catch(() => {}),
  };
}
