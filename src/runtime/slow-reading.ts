/**
 * A reading that takes a program to find out, for those who want an answer at once: they are given what was read last,
 * and by asking see to it that it is read again, in the background, at most once at a time.
 *
 * Invariants: nobody asks, nothing is started; `latest` never waits and never throws; what could not be read is null.
 */

export interface SlowReading<T> {
  /** What was read last; null before the first answer, or when it cannot be read. */
  latest(): T | null;
}

/** `read` is called at most every `everyMs`, counted from the end of the one before. */
export function slowReading<T>(everyMs: number, read: () => Promise<T | null>): SlowReading<T> {
  let value: T | null = null;
  let dueAt = Number.NEGATIVE_INFINITY;
  const renew = async (): Promise<void> => {
    dueAt = Number.POSITIVE_INFINITY;
    value = await read().catch(() => null);
    dueAt = performance.now() + everyMs;
  };
  return {
    latest: () => {
      if (performance.now() >= dueAt) void renew();
      return value;
    },
  };
}
