/**
 * What the programs of a world say to each other about work that changes hands, written down as it is said. By it the
 * checks know who was told to run what, and the counts say how often each thing happened. Nothing is decided here.
 */

import type { AttemptKey } from '../../src/core/attempt.ts';
import type { DispatcherMessage, WorkerMessage } from '../../src/wire/messages.ts';
import type { PeerMessage } from '../../src/wire/peer-messages.ts';
import type { Machine } from './clock.ts';

export interface Said {
  readonly message: WorkerMessage | DispatcherMessage | PeerMessage;
  readonly from: Machine;
  readonly to: Machine;
  /** Of peers among themselves, not with the dispatcher. */
  readonly amongPeers: boolean;
}

/** How often each thing happened; of what comes in lists, entries. */
export interface Exchanged {
  offered: number;
  taken: number;
  handedOver: number;
  granted: number;
  /** Attempts that were granted and began. */
  begun: number;
  wanted: number;
  adopted: number;
}

export function nothingExchanged(): Exchanged {
  return { offered: 0, taken: 0, handedOver: 0, granted: 0, begun: 0, wanted: 0, adopted: 0 };
}

const keyed = ({ taskId, attempt }: AttemptKey): string => `${taskId}.${attempt}`;

export class Ledger {
  readonly counts = nothingExchanged();
  /** By attempt, the program that was told to run it. */
  readonly #told = new Map<string, Machine>();
  readonly #granted = new Set<string>();
  /** An attempt that two programs were told to run; null = there is none. */
  doubled: string | null = null;
  /** By worker, when the dispatcher last did without it. */
  readonly #away = new Map<string, number>();

  said({ message, from, to, amongPeers }: Said): void {
    const { counts } = this;
    switch (message.kind) {
      case 'assign':
        for (const key of message.attempts) this.#tell(key, to);
        return;
      case 'granted':
        counts.granted += message.entries.length;
        for (const key of message.entries) {
          this.#tell(key, to);
          this.#granted.add(keyed(key));
        }
        return;
      case 'run':
        this.#tell(message.task, to);
        return;
      case 'offer':
        counts.offered += message.attempts.length;
        return;
      case 'offerAnswered':
        counts.taken += message.taken.length;
        return;
      case 'handedOver':
        counts.handedOver += message.entries.length;
        return;
      case 'workWanted':
        counts.wanted += 1;
        return;
      case 'adopted':
        if (!amongPeers && from.alive) counts.adopted += message.tasks.length;
    }
  }

  #tell(key: AttemptKey, to: Machine): void {
    if ((this.#told.get(keyed(key)) ?? to) !== to) this.doubled = keyed(key);
    this.#told.set(keyed(key), to);
  }

  /** The program on `machine` was told to run this attempt. */
  wasTold(machine: Machine, key: AttemptKey): boolean {
    return this.#told.get(keyed(key)) === machine;
  }

  began(key: AttemptKey): void {
    if (this.#granted.has(keyed(key))) this.counts.begun += 1;
  }

  /** At `now` the dispatcher, if there is one, has no link with this worker. */
  isAway(worker: string, now: number): void {
    this.#away.set(worker, now);
  }

  /** The dispatcher was without the worker at some time since then. */
  wasAwaySince(worker: string, time: number): boolean {
    return (this.#away.get(worker) ?? Number.NEGATIVE_INFINITY) >= time;
  }
}
