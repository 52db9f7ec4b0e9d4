/**
 * Answering for what is announced here (RFC 6762 sections 5.4, 6 and 7): to the group, gathered and not too often; to one
 * host when it asked for that, or knows DNS alone.
 *
 * Says nothing on links where the names are still being probed for. What waits is bounded by the records there are; what
 * goes to single hosts by a rate.
 */

import { TokenBuckets } from '../../core/token-bucket.ts';
import type { Chance, MdnsArrival } from './contract.ts';
import { askersMax, type MdnsLimits, rfc, sourcesMax } from './limits.ts';
import { type Outbox, responses, soleResponse } from './outbox.ts';
import { alongWith, answersTo, type OwnRecords } from './own.ts';
import { keyOf, type Message, type Question, type ResourceRecord } from './records.ts';

interface Waiting {
  readonly record: ResourceRecord;
  dueAt: number;
  /** May not go earlier, though others go: known answers are to come, or it was sent just now. */
  notBefore: number;
  /** Addresses of those who asked; null when they are too many to tell apart. */
  askers: Set<string> | null;
}

/** Records of one link whose last sending is remembered: those of every name there was, until they are too many. */
const sentMax = 256;

interface ResponderOptions {
  readonly limits: MdnsLimits;
  readonly chance: Chance;
  readonly outbox: Outbox;
  readonly ownOn: (link: string) => OwnRecords | null;
  /** A query was left without its answer, for the rate. */
  readonly onRefused: () => void;
}

export class Responder {
  readonly #options: ResponderOptions;
  readonly #unicast: TokenBuckets;
  /** By link, then by record. */
  readonly #waiting = new Map<string, Map<string, Waiting>>();
  readonly #sentAt = new Map<string, Map<string, number>>();

  constructor(options: ResponderOptions) {
    this.#options = options;
    const { unicastPerSecond, unicastBurst } = options.limits;
    this.#unicast = new TokenBuckets({ ratePerSecond: unicastPerSecond, burst: unicastBurst, keysMax: sourcesMax });
  }

  get nextAt(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const waiting of this.#waiting.values())
      for (const { dueAt } of waiting.values()) next = Math.min(next, dueAt);
    return next;
  }

  /** Records were sent to the group of a link. */
  sent(link: string, records: readonly ResourceRecord[], at: number): void {
    const sentAt = this.#sentAt.get(link) ?? new Map<string, number>();
    this.#sentAt.set(link, sentAt);
    if (sentAt.size > sentMax) sentAt.clear();
    for (const record of records) {
      sentAt.set(keyOf(record), at);
      this.#waiting.get(link)?.delete(keyOf(record));
    }
  }

  /** The records of a link, or the link, are no more what they were. */
  forget(link: string): void {
    this.#waiting.delete(link);
    this.#sentAt.delete(link);
  }

  query({ link, from }: MdnsArrival, query: Message, at: number): void {
    const own = this.#options.ownOn(link);
    if (own === null) return;
    if (from.port !== rfc.port) {
      this.#answerLegacy(own, { link, from }, query, at);
      return;
    }
    if (query.questions.length === 0) {
      this.#callOff(link, from.address, query);
      return;
    }
    const known = new Map(query.answers.map((record) => [keyOf(record), record.ttlSeconds]));
    const alone = new Map<string, ResourceRecord>();
    for (const question of query.questions) {
      for (const record of answersTo(own, question)) {
        const key = keyOf(record);
        if ((known.get(key) ?? 0) * 2 >= record.ttlSeconds) continue;
        if (this.#mayGoAlone(link, question, query, record, at)) alone.set(key, record);
        else this.#await({ link, record, asker: from.address, query, at });
      }
    }
    if (alone.size === 0) return;
    if (this.#unicast.take(from.address, at) !== null) {
      this.#options.onRefused();
      return;
    }
    const answers = [...alone.values()];
    this.#options.outbox.send(link, from, responses(answers, alongWith(own, answers)));
  }

  /** Section 5.4: by unicast when that is wanted, and the group has heard the record lately. Names are defended to all. */
  #mayGoAlone(link: string, question: Question, query: Message, record: ResourceRecord, at: number): boolean {
    const sentAt = this.#sentAt.get(link)?.get(keyOf(record)) ?? Number.NEGATIVE_INFINITY;
    return question.unicast && query.authorities.length === 0 && at - sentAt < (record.ttlSeconds * 1000) / 4;
  }

  #await(asked: { link: string; record: ResourceRecord; asker: string; query: Message; at: number }): void {
    const { link, record, asker, query, at } = asked;
    const key = keyOf(record);
    const defending = query.authorities.length > 0;
    const waiting = this.#waiting.get(link) ?? new Map<string, Waiting>();
    this.#waiting.set(link, waiting);
    const repeatMs = defending ? rfc.defenceMs : rfc.repeatMs;
    const allowedAt = (this.#sentAt.get(link)?.get(key) ?? Number.NEGATIVE_INFINITY) + repeatMs;
    const delay = query.truncated ? rfc.truncatedDelayMs : record.unique ? { least: 0, most: 0 } : rfc.answerDelayMs;
    const delayMs = delay.least + this.#options.chance() * (delay.most - delay.least);
    const dueAt = Math.max(at + delayMs, allowedAt);
    const notBefore = query.truncated ? dueAt : allowedAt;
    const held = waiting.get(key);
    if (held === undefined) {
      waiting.set(key, { record, dueAt, notBefore, askers: new Set([asker]) });
      return;
    }
    held.dueAt = Math.min(held.dueAt, dueAt);
    held.notBefore = Math.min(held.notBefore, notBefore);
    held.askers?.add(asker);
    if ((held.askers?.size ?? 0) > askersMax) held.askers = null;
  }

  /** Section 7.2: the rest of what an asker knows already. */
  #callOff(link: string, asker: string, { answers }: Message): void {
    const waiting = this.#waiting.get(link);
    for (const record of answers) {
      const held = waiting?.get(keyOf(record));
      if (held === undefined || record.ttlSeconds * 2 < held.record.ttlSeconds) continue;
      held.askers?.delete(asker);
      if (held.askers?.size === 0) waiting?.delete(keyOf(record));
    }
  }

  /** Section 6.7: to somebody who knows nothing of Multicast DNS, as a DNS server would, and not to be kept for long. */
  #answerLegacy(own: OwnRecords, to: Pick<MdnsArrival, 'link' | 'from'>, query: Message, at: number): void {
    const found = query.questions.flatMap((question) => answersTo(own, question));
    const answers = [...new Map(found.map((record) => [keyOf(record), record])).values()].filter(isPlain);
    if (answers.length === 0) return;
    if (this.#unicast.take(to.from.address, at) !== null) {
      this.#options.onRefused();
      return;
    }
    const along = alongWith(own, answers).filter(isPlain);
    const { id } = query;
    const questions = query.questions.map((question) => ({ ...question, unicast: false }));
    this.#options.outbox.send(to.link, to.from, [
      soleResponse({ id, questions }, answers.map(forLegacy), along.map(forLegacy)),
    ]);
  }

  /** Section 7.4: somebody else has just given the answer that was to be given. */
  heardResponse(link: string, { answers }: Message): void {
    const waiting = this.#waiting.get(link);
    if (waiting === undefined || waiting.size === 0) return;
    for (const record of answers) {
      const held = waiting.get(keyOf(record));
      if (held !== undefined && record.ttlSeconds >= held.record.ttlSeconds) waiting.delete(keyOf(record));
    }
  }

  /** Sends what is due, and along with it what was to follow shortly. */
  passed(at: number): void {
    for (const [link, waiting] of this.#waiting) {
      const all = [...waiting.values()];
      if (!all.some(({ dueAt }) => dueAt <= at)) continue;
      const now = all.filter(
        ({ dueAt, notBefore }) => dueAt <= at || (dueAt <= at + rfc.answerDelayMs.most && notBefore <= at),
      );
      for (const { record } of now) waiting.delete(keyOf(record));
      const own = this.#options.ownOn(link);
      if (own === null) continue;
      const answers = now.map(({ record }) => record);
      this.#options.outbox.send(link, 'group', responses(answers, alongWith(own, answers)));
      this.sent(link, answers, at);
    }
  }
}

/** NSEC tells only those something who know Multicast DNS. */
function isPlain({ body }: ResourceRecord): boolean {
  return body.type !== 'NSEC';
}

function forLegacy(record: ResourceRecord): ResourceRecord {
  return { ...record, unique: false, ttlSeconds: Math.min(record.ttlSeconds, rfc.legacyTtlSeconds) };
}
