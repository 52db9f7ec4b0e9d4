/**
 * Dialling until there is a link: the addresses in turn, without waiting for those that do not answer.
 *
 *   start ──> a dial ──(250 ms without an answer, or an address that is new)──> another one beside it ──> …
 *               │ the first link wins, whichever dial it comes from; later ones are closed
 *               └─(the newest one fails)──> `onFailed`: the owner says `again` after a wait, or `stop`
 *
 * An address is dialled once at a time. Several at once are what makes a dispatcher that has moved, or whose first
 * address leads nowhere, be reached at once (RFC 8305, there between the addresses of one name). Deliberately not here:
 * what is shown, and what a failure means.
 */

import { placeText } from '../discovery/service.ts';
import type { LinkEnd, LinkHandlers, Links, Proof, WorkerLink } from '../ports/links.ts';
import type { Clock, Log, Timer } from '../ports/time.ts';
import type { DispatcherMessage } from '../wire/messages.ts';
import { isHopeless } from './advice.ts';
import type { Address, Redial, Whereabouts } from './redial.ts';

/** How long a dial has before the next address is tried beside it, ms: the delay of RFC 8305. */
const staggerMs = 250;

interface DiallingParts {
  readonly links: Links;
  readonly clock: Clock;
  readonly log: Log;
  readonly whereabouts: Whereabouts;
  readonly redial: Redial;
  /** By what the next dial is to be let in. */
  proof(): Proof;
  /** There is a link, the only one of these dials. */
  onLink(link: WorkerLink, address: Address): LinkHandlers<DispatcherMessage>;
  /** Nothing came of the newest dial, and no other one is planned. `silent`: those dialled that did not answer yet. */
  onFailed(end: LinkEnd, address: Address, silent: readonly Address[]): void;
}

export class Dialling {
  readonly #parts: DiallingParts;
  readonly #unlisten: () => void;
  /** The dial begun last, while it is under way. */
  #newest: Address | null = null;
  readonly #underWay = new Set<Address>();
  #retry: Timer | null = null;
  #stagger: Timer | null = null;
  /** A link is wanted. */
  #wanted = false;

  constructor(parts: DiallingParts) {
    this.#parts = parts;
    this.#unlisten = parts.whereabouts.onNews(() => this.#onNews());
  }

  /** Dials the next address at once. */
  start(): void {
    this.#wanted = true;
    this.#retry?.cancel();
    this.#retry = null;
    const address = this.#parts.redial.next();
    // While all are being dialled, the first of them to fail goes on.
    if (address !== null) void this.#dial(address);
  }

  /** Dials the next address after a wait, ms. */
  again(waitMs: number): void {
    this.#wanted = true;
    this.#retry?.cancel();
    this.#retry = this.#parts.clock.after(waitMs, () => this.start());
  }

  /** Dials no more; links that come of dials under way are closed. Final. */
  stop(): void {
    this.#unlisten();
    this.#settle();
  }

  #settle(): void {
    this.#wanted = false;
    this.#retry?.cancel();
    this.#retry = null;
    this.#stagger?.cancel();
  }

  async #dial(address: Address): Promise<void> {
    const { links, clock, log, redial } = this.#parts;
    const { host, port } = address;
    log.debug('dialling the dispatcher', { address: placeText(address) });
    this.#newest = address;
    this.#underWay.add(address);
    this.#stagger?.cancel();
    this.#stagger = clock.after(staggerMs, () => this.#onNews());
    const proof = this.#parts.proof();
    const dialled = await links.dial({ host, port, proof }, (link) => this.#take(link, address));
    this.#underWay.delete(address);
    if (this.#newest === address) this.#newest = null;
    if (dialled.ok) return;
    redial.ended(address, { hopeless: isHopeless(dialled.end) });
    if (!this.#wanted) return;
    if (this.#retry === null && this.#newest === null) this.#parts.onFailed(dialled.end, address, [...this.#underWay]);
    else log.debug('a dial failed', { address: placeText(address), detail: dialled.end.detail });
  }

  #take(link: WorkerLink, address: Address): LinkHandlers<DispatcherMessage> {
    const { redial, onLink } = this.#parts;
    if (!this.#wanted) {
      redial.ended(address, { hopeless: false });
      link.close('no link is wanted any more');
      return { onMessage: () => undefined, onDrain: () => undefined, onEnd: () => undefined };
    }
    this.#settle();
    const handlers = onLink(link, address);
    return {
      ...handlers,
      onEnd: (end) => {
        redial.ended(address, { hopeless: isHopeless(end) });
        handlers.onEnd(end);
      },
    };
  }

  /** Time went by without an answer, or there are other addresses: one that was not dialled yet is not kept waiting. */
  #onNews(): void {
    if (this.#wanted && (this.#underWay.size > 0 || this.#retry !== null) && this.#parts.redial.hasUntried)
      this.start();
  }
}
