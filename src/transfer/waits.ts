/** Those who wait for one blob. A transfer goes on for as long as there is one. */

import { OctasklyError } from '../base/errors.ts';

/** A wait for one blob. */
export interface Fetch {
  /** Rejects with an `OctasklyError` that says why it cannot be had. */
  readonly done: Promise<void>;
  /** Waits no more: `done` rejects unless it has settled. The transfer ends with its last waiter. */
  cancel(): void;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: OctasklyError) => void;
}

export class Waits {
  readonly #waiters = new Set<Waiter>();

  /** One more who waits. `left` is called when the last one has given it up. */
  join(left: () => void): Fetch {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { resolve, reject };
    this.#waiters.add(waiter);
    const cancel = (): void => {
      reject(new OctasklyError('io', 'it was given up'));
      if (this.#waiters.delete(waiter) && this.#waiters.size === 0) left();
    };
    return { done: promise, cancel };
  }

  /** It is here. */
  resolve(): void {
    for (const { resolve } of this.#waiters) resolve();
  }

  reject(error: OctasklyError): void {
    for (const { reject } of this.#waiters) reject(error);
  }
}

/** A wait for what is here. */
export const fetched: Fetch = { done: Promise.resolve(), cancel: () => undefined };

/** A wait for a blob of `bytes` bytes while one of `others` bytes is fetched under the same name. */
export function otherSize(bytes: number, others: number): Fetch {
  const error = new OctasklyError('invalid', `it is said to have ${bytes} bytes, and elsewhere ${others}`);
  return { done: Promise.reject(error), cancel: () => undefined };
}
