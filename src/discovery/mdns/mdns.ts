/**
 * Multicast DNS (RFC 6762) and service discovery over it (RFC 6763) as one machine: packets and the time go in, packets,
 * news and the next deadline come out. It announces one service and browses for any number of types, on any number of
 * links.
 *
 *   arrival ─▶ rate, source ─▶ `packet` ─▶ query    ─▶ `publication` (ties), `browser` (asked already), `responder`
 *                                       └▶ response ─▶ `publication` (conflicts), `responder` (said already), `browser`
 *
 * It opens no socket and draws no chance. Nothing that arrives makes it throw, or hold more than its limits: what is no
 * message, comes from elsewhere or too fast is counted and dropped. It does not observe failures passively (section 10.5),
 * does not register addresses for reverse lookup (section 4), and reads no answers to questions it did not ask.
 */

import { TokenBuckets } from '../../core/token-bucket.ts';
import { Browser } from './browser.ts';
import type { Chance, Mdns, MdnsArrival, MdnsCounts, MdnsLink, MdnsService } from './contract.ts';
import { type MdnsLimits, rfc, sourcesMax, usualLimits } from './limits.ts';
import { isOfLink } from './networks.ts';
import { Outbox } from './outbox.ts';
import { decodeMessage } from './packet.ts';
import { Publication } from './publication.ts';
import { Responder } from './responder.ts';

export interface MdnsOptions {
  readonly chance: Chance;
  /** Those not given are the usual ones. */
  readonly limits?: Partial<MdnsLimits>;
}

/** A machine with no links, which says nothing and asks nothing yet. */
export function createMdns({ chance, limits }: MdnsOptions): Mdns {
  return new Machine(chance, { ...usualLimits, ...limits });
}

class Machine implements Mdns {
  readonly counts: MdnsCounts = { received: 0, malformed: 0, ignored: 0, limited: 0, sent: 0 };
  readonly #links = new Map<string, MdnsLink>();
  readonly #rate: TokenBuckets;
  readonly #outbox = new Outbox(this.counts);
  readonly #publication: Publication;
  readonly #responder: Responder;
  readonly #browser: Browser;

  constructor(chance: Chance, limits: MdnsLimits) {
    const { sourcePacketsPerSecond, sourcePacketsBurst } = limits;
    this.#rate = new TokenBuckets({
      ratePerSecond: sourcePacketsPerSecond,
      burst: sourcePacketsBurst,
      keysMax: sourcesMax,
    });
    const outbox = this.#outbox;
    this.#browser = new Browser({ limits, chance, outbox });
    this.#publication = new Publication({
      chance,
      outbox,
      onSent: (link, records, at) => this.#responder.sent(link, records, at),
    });
    this.#responder = new Responder({
      limits,
      chance,
      outbox,
      ownOn: (link) => this.#publication.ownOn(link),
      onRefused: () => {
        this.counts.ignored += 1;
      },
    });
  }

  get nextAt(): number | null {
    const next = Math.min(this.#publication.nextAt, this.#responder.nextAt, this.#browser.nextAt);
    return next === Number.POSITIVE_INFINITY ? null : next;
  }

  linkUp(link: MdnsLink, at: number): void {
    const before = this.#links.get(link.id);
    if (before !== undefined && JSON.stringify(before) === JSON.stringify(link)) return;
    this.#links.set(link.id, link);
    this.#responder.forget(link.id);
    this.#publication.linkUp(link, at);
    this.#browser.linkUp(link, at);
  }

  linkDown(id: string, at: number): void {
    if (!this.#links.delete(id)) return;
    this.#publication.linkDown(id, at);
    this.#responder.forget(id);
    this.#browser.linkDown(id, at);
  }

  publish(service: MdnsService, at: number): void {
    this.#forgetAnswers();
    this.#publication.publish(service, at);
    this.passed(at);
  }

  withdraw(at: number): void {
    this.#forgetAnswers();
    this.#publication.withdraw(at);
  }

  #forgetAnswers(): void {
    for (const link of this.#links.keys()) this.#responder.forget(link);
  }

  browse(type: string, at: number): void {
    this.#browser.browse(type, at);
  }

  received(arrival: MdnsArrival, at: number): void {
    this.counts.received += 1;
    const link = this.#links.get(arrival.link);
    const { address } = arrival.from;
    const near = link !== undefined && (arrival.toGroup === true || isOfLink(link, address));
    if (!near) {
      this.counts.ignored += 1;
      return;
    }
    if (this.#rate.take(address, at) !== null) {
      this.counts.limited += 1;
      return;
    }
    const heard = decodeMessage(arrival.bytes);
    if (heard === null) {
      this.counts.malformed += 1;
      return;
    }
    if (heard.response) {
      // Section 11: only who has port 5353 answers.
      if (arrival.from.port !== rfc.port) {
        this.counts.ignored += 1;
        return;
      }
      this.#publication.heardResponse(link.id, heard, at);
      this.#responder.heardResponse(link.id, heard);
      this.#browser.heardResponse(arrival, heard, at);
    } else {
      if (heard.authorities.length > 0) this.#publication.heardProbe(link.id, heard, at);
      if (arrival.from.port === rfc.port) this.#browser.heardQuery(link.id, heard, at);
      this.#responder.query(arrival, heard, at);
    }
    this.#responder.passed(at);
  }

  passed(at: number): void {
    this.#publication.passed(at);
    this.#responder.passed(at);
    this.#browser.passed(at);
  }

  take(): ReturnType<Mdns['take']> {
    return this.#outbox.take();
  }
}
