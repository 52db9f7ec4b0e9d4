/** A value that changes and tells whoever looks: the one way by which what happens outside reaches the views. */

import { useEffect, useState } from 'preact/hooks';

export class Value<T> {
  #now: T;
  readonly #listeners = new Set<(value: T) => void>();

  constructor(first: T) {
    this.#now = first;
  }

  get now(): T {
    return this.#now;
  }

  /** Tells nobody when it is the value that was there before. */
  set(value: T): void {
    if (Object.is(value, this.#now)) return;
    this.#now = value;
    for (const listener of [...this.#listeners]) listener(value);
  }

  /** Returns what ends the listening. */
  listen(listener: (value: T) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

/** The present value; the view is drawn anew with each change. */
export function useValue<T>(value: Value<T>): T {
  const [, redraw] = useState({});
  const drawn = value.now;
  useEffect(() => {
    // It may have changed between the drawing and now.
    if (!Object.is(drawn, value.now)) redraw({});
    return value.listen(() => redraw({}));
  }, [value]);
  return drawn;
}
