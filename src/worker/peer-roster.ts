/**
 * Who belongs to the cluster, as the dispatcher said last; kept in the worker's folder, so that peers know each other
 * after a restart without a dispatcher. Only those on it are let in, and dialled; and a node that does not stand on it
 * itself has no peers: it was not let in yet, or is shut out.
 */

import type { KeptRoster } from '../ports/peers.ts';
import type { Clock, Timer } from '../ports/time.ts';
import { type DispatcherMessage, type RosterEntry, rosterMax } from '../wire/messages.ts';

/** Changes are kept together, ms. */
const saveMs = 500;

export interface PeerRosterParts {
  readonly clock: Clock;
  readonly kept: KeptRoster;
  /** This node's public key, hex. */
  readonly publicKey: string;
}

export class PeerRoster {
  readonly #clock: Clock;
  readonly #self: string;
  readonly #kept: KeptRoster;
  /** By public key. */
  readonly #members = new Map<string, RosterEntry>();
  #saving: Timer | null = null;

  constructor({ clock, kept, publicKey }: PeerRosterParts) {
    this.#clock = clock;
    this.#kept = kept;
    this.#self = publicKey;
    for (const member of kept.load()) this.#members.set(member.publicKey, member);
  }

  get members(): readonly RosterEntry[] {
    return [...this.#members.values()];
  }

  /** The member with this public key (hex); null = there is none. */
  byKey(publicKey: string): RosterEntry | null {
    return this.#members.get(publicKey) ?? null;
  }

  /** This node is a member itself, as far as it knows. */
  get hasSelf(): boolean {
    return this.#members.has(this.#self);
  }

  /** True when this node and the one with this public key (hex) may speak with each other. */
  admits(publicKey: string): boolean {
    return this.hasSelf && this.#members.has(publicKey);
  }

  /** Takes in what the dispatcher says; the public keys of those who are no members any more. */
  take({ whole, members, gone }: Extract<DispatcherMessage, { kind: 'roster' }>): readonly string[] {
    const removed = new Set(whole ? this.#members.keys() : gone);
    for (const member of members) removed.delete(member.publicKey);
    for (const key of removed) this.#members.delete(key);
    for (const member of members) {
      if (this.#members.size < rosterMax || this.#members.has(member.publicKey)) {
        this.#members.set(member.publicKey, member);
      }
    }
    // Who was shut out must not be let in after a crash either.
    if (removed.size > 0) this.flush(true);
    else this.#saving ??= this.#clock.after(saveMs, () => this.flush());
    return [...removed];
  }

  /** Forgets everybody; their public keys. */
  clear(): readonly string[] {
    return this.take({ kind: 'roster', whole: true, members: [], gone: [] });
  }

  /** Keeps what has changed now. */
  flush(hasChanged = this.#saving !== null): void {
    this.#saving?.cancel();
    this.#saving = null;
    if (hasChanged) this.#kept.save(this.members);
  }
}
