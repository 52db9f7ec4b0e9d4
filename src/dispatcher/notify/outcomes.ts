/**
 * What became of the notices that somebody asked for, for a while: so that who sent one can see whether it arrived. In memory
 * only, the last `keptMax`; pure.
 */

import type { DeliveryState } from '../../api/backend.ts';

/** Notices whose fate is kept. */
const keptMax = 1000;

interface Kept extends DeliveryState {
  /** Subject of who asked; null = the cluster's owner. */
  readonly sender: string | null;
}

export class Outcomes {
  readonly #kept = new Map<string, Kept>();

  /** It is on its way. */
  begin(id: string, sender: string | null): void {
    this.#kept.set(id, { sender, state: 'pending', failed_tries: 0, error: null });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= keptMax) return;
      this.#kept.delete(oldest);
    }
  }

  /** A try succeeded (`error` null), or failed for the last time or not. Others than those that began are left out. */
  tried(id: string, error: string | null, isLast: boolean): void {
    const known = this.#kept.get(id);
    if (known === undefined) return;
    const state = error === null ? 'delivered' : isLast ? 'given_up' : 'pending';
    const failed = known.failed_tries + Number(error !== null);
    this.#kept.set(id, { ...known, state, failed_tries: failed, error: error ?? known.error });
  }

  /** `scope`: only what this subject asked for; null = whoever asked. */
  of(id: string, scope: string | null): DeliveryState | null {
    const known = this.#kept.get(id);
    if (known === undefined || (scope !== null && known.sender !== scope)) return null;
    const { sender: _sender, ...state } = known;
    return state;
  }
}
