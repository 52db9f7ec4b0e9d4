/** What an operator orders of one worker, put on record with who ordered it: to take no more work, or some again; to wake. */

import { OctasklyError } from '../base/errors.ts';
import type { SchedulerState } from '../core/state.ts';
import type { Actor } from '../core/trust.ts';
import type { KeptFiles } from './kept.ts';
import type { KnownWorkers } from './known-workers.ts';
import { putOnRecord } from './record.ts';
import type { Turn } from './turn.ts';
import type { Waking } from './waking.ts';

interface Parts {
  readonly known: KnownWorkers;
  /** Null = it has not the means to wake anybody. */
  readonly waking: Waking | null;
  state(): SchedulerState;
  kept(): KeptFiles;
  inTurn<T>(action: (turn: Turn) => T): Promise<T>;
}

export class WorkerOrders {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Errors: `not_found`, those of a turn. */
  async setDraining(workerId: string, draining: boolean, actor: Actor): Promise<void> {
    const { known, state, kept } = this.#parts;
    await this.#parts.inTurn((turn) => {
      const record = known.get(workerId);
      if (record === undefined) throw new OctasklyError('not_found', `There is no worker ${workerId}.`);
      if (!state().workers.has(workerId)) {
        const changed = { ...record, draining };
        turn.change({ kind: 'worker', record: changed });
        turn.afterwards(() => known.remember(changed));
      }
      turn.apply({ kind: 'drainRequested', workerId, draining });
      if (draining) turn.afterwards(() => kept().relieve(workerId));
      putOnRecord(turn, { eventType: draining ? 'worker_drained' : 'worker_undrained', actor, workerId });
    });
  }

  /** Calls a worker that is away; how many packets left. Errors: `conflict`, those of a turn. */
  async wakeWorker(workerId: string, actor: Actor): Promise<number> {
    const { waking } = this.#parts;
    if (waking === null)
      throw new OctasklyError('conflict', 'This dispatcher was not given the means to wake anybody.');
    const packets = await waking.call(workerId);
    await this.#parts.inTurn((turn) => putOnRecord(turn, { eventType: 'worker_woken', actor, workerId }));
    return packets;
  }
}
