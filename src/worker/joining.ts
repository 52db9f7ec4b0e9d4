/**
 * The enrolment: how a device that is no member of a cluster yet gets a credential of its own, with a join token or by
 * being approved. It asks until it is answered for good:
 *
 *   dialling ──> asked ──(pending)──> waiting for approval ──> credential: done
 *      ^           └──(refused for now, link lost, nobody approved in time)──┐        refused for good: done
 *      └──────────────── a wait that doubles up to a cap ────────────────────┘
 *
 * Every link by approval has a code of its own, so each new one is shown anew. Deliberately not here: keeping the
 * credential, and joining with it, which is a new link. One enrolment is one call; after it ended nothing of it is left.
 */

import { unreachable } from '../base/assert.ts';
import type { Credential } from '../core/trust.ts';
import { placeText } from '../discovery/service.ts';
import type { LinkEnd, LinkHandlers, Links, Proof, WorkerLink } from '../ports/links.ts';
import type { Clock, Log, Random, Timer } from '../ports/time.ts';
import { type DispatcherMessage, isLasting } from '../wire/messages.ts';
import { sentenceOn } from './advice.ts';
import { Dialling } from './dialling.ts';
import { type Address, Redial, type Whereabouts } from './redial.ts';

/** A dispatcher that says nothing to an enrolment is given up after this long. */
const answerMsMax = 15_000;
/** How much longer than it promised the dispatcher may take to say that nobody approved. */
const approvalSlackMs = 10_000;

export interface EnrolmentParts {
  readonly links: Links;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
}

export interface EnrolmentWish {
  readonly proof: Extract<Proof, { by: 'invite' | 'nothing' }>;
  /** Dispatchers, tried in turn. */
  readonly whereabouts: Whereabouts;
  /** Name the device would like to go by. */
  readonly name: string;
  readonly platform: string;
  readonly arch: string;
  readonly version: string;
  /** Somebody has to approve this code; with each further call the one before is void. */
  onCode(code: string, expiresInMs: number): void;
  /** Shown to people: why it does not go on yet. Each sentence once in a row. */
  onStatus(sentence: string): void;
  /** Gives up. */
  readonly signal: AbortSignal;
}

export type Enrolled =
  | {
      readonly ok: true;
      readonly credential: Credential;
      /** Name the dispatcher has for it; null = as it likes. */
      readonly name: string | null;
      readonly address: Address;
    }
  /** `lasting`: asking again is of no use; else it was given up, and `detail` is the trouble met last. */
  | { readonly ok: false; readonly detail: string; readonly lasting: boolean };

/** Asks for a credential until there is one, it is refused for good, or `signal` aborts. Never rejects. */
export function enroll(parts: EnrolmentParts, wish: EnrolmentWish): Promise<Enrolled> {
  return new Promise((resolve) => new Enrolment(parts, wish, resolve).start());
}

class Enrolment {
  readonly #parts: EnrolmentParts;
  readonly #wish: EnrolmentWish;
  readonly #redial: Redial;
  readonly #dialling: Dialling;
  #resolve: ((end: Enrolled) => void) | null;
  #link: WorkerLink | null = null;
  /** Ends a link that says nothing. */
  #timer: Timer | null = null;
  #trouble = 'The dispatcher was not reached.';
  readonly #onAbort = (): void => this.#finish({ ok: false, detail: this.#trouble, lasting: false });

  constructor(parts: EnrolmentParts, wish: EnrolmentWish, resolve: (end: Enrolled) => void) {
    this.#parts = parts;
    this.#wish = wish;
    this.#resolve = resolve;
    this.#redial = new Redial(() => wish.whereabouts.addresses(), parts.random);
    this.#dialling = new Dialling({
      ...parts,
      whereabouts: wish.whereabouts,
      redial: this.#redial,
      proof: () => wish.proof,
      onLink: (link, address) => this.#handlers(link, address),
      onFailed: (end, address) => this.#onEnd(end, address),
    });
  }

  start(): void {
    const { signal } = this.#wish;
    signal.addEventListener('abort', this.#onAbort, { once: true });
    if (signal.aborted) this.#onAbort();
    else this.#dialling.start();
  }

  #handlers(link: WorkerLink, address: Address): LinkHandlers<DispatcherMessage> {
    this.#link = link;
    const { name, platform, arch, version } = this.#wish;
    this.#waitFor(answerMsMax, () => link.close('The dispatcher did not answer.'));
    link.send({ kind: 'enroll', name, platform, arch, version });
    return {
      onMessage: (message) => {
        if (this.#link === link && this.#resolve !== null) this.#onMessage(link, address, message);
      },
      onDrain: () => undefined,
      onEnd: (end) => {
        if (this.#link === link) this.#onEnd(end, address);
      },
    };
  }

  #onMessage(link: WorkerLink, address: Address, message: DispatcherMessage): void {
    switch (message.kind) {
      case 'pending':
        this.#onPending(link, address, message.expiresInMs);
        return;
      case 'credential': {
        const { keyId, psk, beaconKey, name } = message;
        const credential = { keyId, psk, beaconKey, dispatcherKey: link.remoteKey };
        this.#finish({ ok: true, credential, name, address });
        return;
      }
      case 'refused':
        this.#onRefused(link, message);
        return;
      case 'closing':
        this.#wish.onStatus('The dispatcher is going down; asking again when it is back.');
        return;
      case 'welcome':
      case 'roster':
      case 'holders':
      case 'granted':
      case 'drain':
      case 'assign':
      case 'recall':
      case 'cancel':
      case 'abandon':
      case 'ack':
      case 'release':
      case 'stdin':
      case 'resize':
      case 'blobWanted':
      case 'blobData':
      case 'blobRefused':
      case 'logWanted':
      case 'update':
      case 'alive':
        link.close(`The dispatcher answered the request to join with "${message.kind}".`);
        return;
      default:
        unreachable(message);
    }
  }

  #onPending(link: WorkerLink, address: Address, expiresInMs: number): void {
    if (link.admission.by !== 'nothing') {
      link.close('The dispatcher wants an approval although this device has a join token.');
      return;
    }
    this.#redial.succeeded(address);
    this.#trouble = 'Nobody approved this device in time.';
    this.#waitFor(expiresInMs + approvalSlackMs, () => link.close(this.#trouble));
    this.#wish.onCode(link.admission.code, expiresInMs);
  }

  #onRefused(link: WorkerLink, refusal: Extract<DispatcherMessage, { kind: 'refused' }>): void {
    const { code, detail, retryAfterMs } = refusal;
    if (isLasting(code)) this.#finish({ ok: false, detail, lasting: true });
    else {
      this.#redial.waitAtLeast(retryAfterMs);
      link.close(detail);
    }
  }

  #onEnd(end: LinkEnd, address: Address): void {
    this.#link = null;
    this.#timer?.cancel();
    if (this.#resolve === null) return;
    const detail = sentenceOn(end, this.#wish.proof);
    if (this.#redial.isHopeless && !this.#wish.whereabouts.isSearching()) {
      this.#finish({ ok: false, detail, lasting: true });
      return;
    }
    this.#tell(`Cannot join the dispatcher at ${placeText(address)} yet: ${detail} Trying again.`, detail);
    this.#dialling.again(this.#redial.waitMs());
  }

  #tell(sentence: string, trouble: string): void {
    if (trouble === this.#trouble) this.#parts.log.debug(sentence);
    else this.#wish.onStatus(sentence);
    this.#trouble = trouble;
  }

  #waitFor(delayMs: number, action: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#parts.clock.after(delayMs, action);
  }

  #finish(end: Enrolled): void {
    const resolve = this.#resolve;
    if (resolve === null) return;
    this.#resolve = null;
    this.#wish.signal.removeEventListener('abort', this.#onAbort);
    this.#timer?.cancel();
    this.#dialling.stop();
    this.#link?.close(end.ok ? 'enrolled' : 'given up');
    resolve(end);
  }
}
