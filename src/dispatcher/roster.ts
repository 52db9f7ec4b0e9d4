/**
 * Tells workers that have peers who belongs to the cluster: everybody when a worker is welcome, then who came and who
 * went. Whoever is shut out is told of at once: peers end their links with it. Those who come are told of together, at
 * most every `rosterPauseMs`.
 *
 * What the roster says follows from what is on record. It is kept in a file as well, as workers keep theirs: commands on
 * the dispatcher's machine go by it while no dispatcher runs.
 */

import type { DispatcherLink } from '../ports/links.ts';
import type { KeptRoster } from '../ports/peers.ts';
import type { Clock, Timer } from '../ports/time.ts';
import { type RosterEntry, rosterMax } from '../wire/messages.ts';

/** Between two messages on who came, ms. */
export const rosterPauseMs = 1000;
/** Who came is in the file so much later, ms: with those that come at the same time. Who went is at once. */
const keepMs = 100;

export interface RosterParts {
  readonly clock: Clock;
  /** This dispatcher, as peers may meet it. */
  readonly own: RosterEntry;
  readonly kept: Pick<KeptRoster, 'save'>;
  /** Nodes that have joined and are not shut out. */
  members(): Iterable<RosterEntry>;
  /** Grows whenever something about them has changed. */
  changes(): number;
}

export class Roster {
  readonly #parts: RosterParts;
  readonly #links = new Set<DispatcherLink>();
  /** By public key, as it was told last. */
  #told: ReadonlyMap<string, RosterEntry>;
  #toldAt: number;
  #timer: Timer | null = null;
  #keeping: Timer | null = null;
  #seen: number;

  constructor(parts: RosterParts) {
    this.#parts = parts;
    this.#seen = parts.changes();
    this.#told = this.#present();
    this.#toldAt = parts.clock.steady() - rosterPauseMs;
    this.#keep();
  }

  /** A worker that has peers is welcome on this link. */
  welcomed(link: DispatcherLink): void {
    this.#links.add(link);
    // Whoever came in this very turn is on it; the others hear of it by `changed`.
    link.send({ kind: 'roster', whole: true, members: [...this.#present().values()], gone: [] });
  }

  /** The link has ended. */
  left(link: DispatcherLink): void {
    this.#links.delete(link);
  }

  /** Nodes on record may have changed. */
  changed(): void {
    const changes = this.#parts.changes();
    if (changes === this.#seen) return;
    this.#seen = changes;
    const present = this.#present();
    const isGone = [...this.#told.keys()].some((key) => !present.has(key));
    const hasCome = [...present.values()].some((entry) => !isSame(this.#told.get(entry.publicKey), entry));
    if (isGone) this.#keep();
    else if (hasCome) this.#keeping ??= this.#parts.clock.after(keepMs, () => this.#keep());
    if (isGone) this.#tell(present);
    else if (hasCome) this.#tellLater();
  }

  /** Says nothing more. */
  close(): void {
    this.#timer?.cancel();
    if (this.#keeping !== null) this.#keep();
  }

  #present(): ReadonlyMap<string, RosterEntry> {
    const { own, members } = this.#parts;
    const present = new Map([[own.publicKey, own]]);
    for (const member of members()) {
      if (present.size >= rosterMax) break;
      if (!present.has(member.publicKey)) present.set(member.publicKey, member);
    }
    return present;
  }

  #tellLater(): void {
    const { clock } = this.#parts;
    const delayMs = Math.max(0, this.#toldAt + rosterPauseMs - clock.steady());
    this.#timer ??= clock.after(delayMs, () => this.#tell(this.#present()));
  }

  #tell(present: ReadonlyMap<string, RosterEntry>): void {
    this.#timer?.cancel();
    this.#timer = null;
    const members = [...present.values()].filter((entry) => !isSame(this.#told.get(entry.publicKey), entry));
    const gone = [...this.#told.keys()].filter((key) => !present.has(key));
    this.#told = present;
    this.#toldAt = this.#parts.clock.steady();
    if (members.length + gone.length === 0) return;
    for (const link of this.#links) link.send({ kind: 'roster', whole: false, members, gone });
  }

  #keep(): void {
    this.#keeping?.cancel();
    this.#keeping = null;
    this.#parts.kept.save([...this.#present().values()]);
  }
}

function isSame(before: RosterEntry | undefined, now: RosterEntry): boolean {
  return before?.id === now.id && before.name === now.name;
}
