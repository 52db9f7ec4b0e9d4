/** Which batches have tasks that have not ended, and how many: when the last one ends, the batch has. */

export class OpenBatches {
  readonly #left = new Map<string, number>();

  constructor(live: Iterable<{ readonly spec: { readonly batchId: string | null } }> = []) {
    for (const { spec } of live) this.begin(spec.batchId);
  }

  /** A task of this batch is live. */
  begin(batchId: string | null): void {
    if (batchId !== null) this.#left.set(batchId, (this.#left.get(batchId) ?? 0) + 1);
  }

  /** A task of this batch has ended; true when it was the last one. */
  end(batchId: string | null): boolean {
    if (batchId === null) return false;
    const left = (this.#left.get(batchId) ?? 0) - 1;
    if (left > 0) this.#left.set(batchId, left);
    else this.#left.delete(batchId);
    return left === 0;
  }
}
