/** Tasks that were submitted together, all or none, and what can be asked of them together. */

import type { BatchView, TaskView } from '../api/schemas.ts';
import type { ReadOptions } from './bytes.ts';
import { type Shared, TaskHandle } from './task.ts';

/** Calls throw `OctasklyError`; `not_found` when the batch is gone. */
export class BatchHandle {
  readonly id: string;
  /** In the order they were given in. */
  readonly tasks: readonly TaskHandle[];
  readonly #shared: Shared;

  constructor(shared: Shared, id: string, taskIds: readonly string[]) {
    this.id = id;
    this.#shared = shared;
    this.tasks = taskIds.map((taskId) => new TaskHandle(shared, taskId));
  }

  /** How many of its tasks are in which state. */
  show(options: ReadOptions = {}): Promise<BatchView> {
    return this.#shared.client.batch(this.id, options);
  }

  /** Its tasks, each as it ends, well or not. Waits for a dispatcher that is away. */
  ended({ signal }: ReadOptions = {}): AsyncIterable<TaskView> {
    return this.#shared.client.ended(this.#ids(), { batches: [this.id], signal });
  }

  /** Its tasks in their order, once all have ended. */
  wait({ signal }: ReadOptions = {}): Promise<TaskView[]> {
    return this.#shared.client.waitFor(this.#ids(), { batches: [this.id], signal });
  }

  /** Asks for the end of all that have not ended. */
  cancel(options: ReadOptions = {}): Promise<void> {
    return this.#shared.client.cancelBatch(this.id, options);
  }

  #ids(): string[] {
    return this.tasks.map(({ id }) => id);
  }
}
