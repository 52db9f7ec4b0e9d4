/** The workers on record, also those that are away. Their number is bounded: the longest unseen are forgotten first. */

import type { RememberedWorker } from '../core/restore.ts';

/** Workers on record beside those the scheduler knows. */
const rememberedMax = 1000;

export class KnownWorkers {
  /** The longest unseen first. */
  readonly #records = new Map<string, RememberedWorker>();
  readonly #isPresent: (id: string) => boolean;

  /** `isPresent`: the scheduler knows it. */
  constructor(isPresent: (id: string) => boolean) {
    this.#isPresent = isPresent;
  }

  get size(): number {
    return this.#records.size;
  }

  get(id: string): RememberedWorker | undefined {
    return this.#records.get(id);
  }

  /** Those the scheduler does not know. */
  absent(): RememberedWorker[] {
    return [...this.#records.values()].filter(({ declaration }) => !this.#isPresent(declaration.id));
  }

  /** It was seen just now. */
  remember(record: RememberedWorker): void {
    this.#records.delete(record.declaration.id);
    this.#records.set(record.declaration.id, record);
    if (this.#records.size <= rememberedMax) return;
    for (const id of this.#records.keys()) {
      if (this.#isPresent(id)) continue;
      this.#records.delete(id);
      return;
    }
  }
}
