/** Small questions of commands that move files: repeated while the dispatcher is away, but not for ever. */

import { Backoff, sleep } from '../client/backoff.ts';
import { isTransient } from '../client/http.ts';

/** Tries in a row that may fail without progress: some 20 s in all. */
export const triesMax = 10;
export const retryDelays = { baseMs: 200, capMs: 5000 } as const;

/** Throws what the last of `most` tries threw, or the signal's reason. */
export async function persisting<T>(
  signal: AbortSignal | undefined,
  action: () => Promise<T>,
  most: number = triesMax,
): Promise<T> {
  const backoff = new Backoff(retryDelays);
  for (let tries = 1; ; tries++) {
    try {
      return await action();
    } catch (error) {
      if (!isTransient(error) || tries >= most) throw error;
      await sleep(backoff.next(), signal);
    }
  }
}
