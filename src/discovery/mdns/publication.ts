/**
 * Getting and keeping names (RFC 6762 sections 8 and 9). One service, with one set of names, on every link:
 *
 *   probing ──three probes unanswered──▶ announcing ──three announcements──▶ settled
 *      ▲  │ tie lost: a second later again      │                               │
 *      │  └ name in use: the next name, everywhere                              │
 *      └────────── somebody else says something different of our name ◀─────────┘
 *
 * An address that goes with an interface, or leaves it, is taken back on the links that stay: those are the only way left to
 * say so. A record is another's only when it is ours on no link: two links may lead to one network, and packets come back.
 */

import type { Chance, MdnsLink, MdnsService } from './contract.ts';
import { rfc } from './limits.ts';
import { canonical, hostCandidate, hostName, instanceCandidate, instanceName } from './names.ts';
import { type Outbox, responses } from './outbox.ts';
import { allOf, goodbyesOf, type Named, type OwnRecords, ownRecords } from './own.ts';
import { codeOf, keyOf, type Message, message, type ResourceRecord } from './records.ts';
import { compareForTie } from './tie.ts';

interface Stage {
  link: MdnsLink;
  own: OwnRecords;
  phase: 'probing' | 'announcing' | 'settled';
  /** Probes or announcements sent. */
  step: number;
  /** Of the next one; infinite once settled. */
  at: number;
}

interface PublicationOptions {
  readonly chance: Chance;
  readonly outbox: Outbox;
  /** Told what was sent to the group of a link. */
  readonly onSent: (link: string, records: readonly ResourceRecord[], at: number) => void;
}

export class Publication {
  readonly #options: PublicationOptions;
  readonly #links = new Map<string, MdnsLink>();
  readonly #stages = new Map<string, Stage>();
  #named: Named | null = null;
  #attempts = { instance: 1, host: 1 };
  /** Instants of the latest conflicts. */
  #conflicts: number[] = [];
  /** Names told last. */
  #told = '';

  constructor(options: PublicationOptions) {
    this.#options = options;
  }

  get nextAt(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { at } of this.#stages.values()) next = Math.min(next, at);
    return next;
  }

  /** What may be said on a link; null until its names are known to be free there. */
  ownOn(link: string): OwnRecords | null {
    const stage = this.#stages.get(link);
    return stage === undefined || stage.phase === 'probing' ? null : stage.own;
  }

  /** A service that wants the names of the one before keeps what those have become, and is announced at once. */
  publish(service: MdnsService, at: number): void {
    const before = this.#named;
    const same = before !== null && wants(before.service) === wants(service);
    if (!same) {
      this.withdraw(at);
      this.#attempts = { instance: 1, host: 1 };
    }
    const { instance, host } = same
      ? before
      : { instance: instanceCandidate(service.instance, 1), host: hostCandidate(service.host, 1) };
    this.#named = { service, instance, host };
    if (!same) {
      this.#startAll(at);
      return;
    }
    for (const stage of this.#stages.values()) {
      stage.own = ownRecords(this.#named, stage.link);
      if (stage.phase !== 'probing') Object.assign(stage, { phase: 'announcing', step: 0, at });
    }
  }

  withdraw(at: number): void {
    this.#sayGoodbye(at);
    this.#stages.clear();
    this.#named = null;
    this.#told = '';
  }

  /** A link that keeps some address still leads to where its names were found to be free (section 8.4). */
  linkUp(link: MdnsLink, at: number): void {
    this.#links.set(link.id, link);
    const stage = this.#stages.get(link.id);
    const before = stage?.phase === 'probing' ? [] : (stage?.own.host ?? []);
    const stays = stage?.link.addresses.some((address) => link.addresses.includes(address)) ?? false;
    if (this.#named === null || stage === undefined || stage.phase === 'probing' || !stays) {
      this.#start(link, at);
      this.#takeBackElsewhere(link.id, before, at);
      return;
    }
    const own = ownRecords(this.#named, link);
    const present = new Set(own.host.map(keyOf));
    const gone = stage.own.host.filter((record) => !present.has(keyOf(record)));
    this.#takeBack(link, gone, at);
    Object.assign(stage, { link, own, phase: 'announcing', step: 0, at });
    this.#takeBackElsewhere(link.id, gone, at);
  }

  /** While the interface has the other family, the service is there, and that link is told of its addresses. */
  linkDown(id: string, at: number): void {
    const stage = this.#stages.get(id);
    this.#stages.delete(id);
    this.#links.delete(id);
    if (stage === undefined) return;
    const on = stage.link.interfaceName;
    if ([...this.#stages.values()].every(({ link }) => link.interfaceName !== on)) this.#leave(stage, at);
    if (stage.phase !== 'probing') this.#takeBackElsewhere(id, stage.own.host, at);
  }

  /** Says on the other links which of these addresses are on none of them any more. */
  #takeBackElsewhere(id: string, records: readonly ResourceRecord[], at: number): void {
    const stages = [...this.#stages.values()];
    const present = new Set(stages.flatMap(({ own }) => own.host).map(keyOf));
    const gone = records.filter((record) => !present.has(keyOf(record)));
    if (gone.length === 0) return;
    for (const { link, phase } of stages) if (link.id !== id && phase !== 'probing') this.#takeBack(link, gone, at);
  }

  passed(at: number): void {
    for (const stage of this.#stages.values()) if (stage.at <= at) this.#advance(stage, at);
  }

  /** Section 8.2: of two who probe for one name at once the one with the greater records goes on. */
  heardProbe(link: string, { authorities }: Message, at: number): void {
    const stage = this.#stages.get(link);
    if (stage === undefined || stage.phase !== 'probing' || stage.step === 0) return;
    const lost = [stage.own.instance, stage.own.host].some((mine) => {
      const name = canonical(mine[0]?.name ?? '');
      const theirs = authorities.filter((record) => canonical(record.name) === name);
      return theirs.some((record) => !this.#isOurs(record)) && compareForTie(theirs, mine) > 0;
    });
    if (lost) Object.assign(stage, { step: 0, at: at + rfc.tieLostMs });
  }

  /** Sections 8.1 and 9: somebody else says something of our names. */
  heardResponse(link: string, { answers, additionals }: Message, at: number): void {
    const stage = this.#stages.get(link);
    if (stage === undefined || this.#named === null) return;
    const conflicting = this.#conflicting(stage, [...answers, ...additionals]);
    if (conflicting === null) return;
    if (stage.phase === 'probing') this.#rename(conflicting, at);
    else this.#begin(stage, at);
  }

  #conflicting(stage: Stage, records: readonly ResourceRecord[]): 'instance' | 'host' | null {
    for (const which of ['instance', 'host'] as const) {
      const mine = stage.own[which];
      const name = canonical(mine[0]?.name ?? '');
      const codes = mine.map(({ body }) => codeOf(body));
      const against = (record: ResourceRecord): boolean =>
        record.ttlSeconds > 0 &&
        canonical(record.name) === name &&
        (stage.phase === 'probing' || codes.includes(codeOf(record.body))) &&
        record.body.type !== 'other' &&
        !this.#isOurs(record);
      if (mine.length > 0 && records.some(against)) return which;
    }
    return null;
  }

  #isOurs(record: ResourceRecord): boolean {
    const key = keyOf(record);
    for (const { own } of this.#stages.values()) if (allOf(own).some((each) => keyOf(each) === key)) return true;
    return false;
  }

  #rename(which: 'instance' | 'host', at: number): void {
    const named = this.#named;
    if (named === null) return;
    this.#noteConflict(at);
    this.#sayGoodbye(at);
    this.#attempts[which] += 1;
    const attempt = this.#attempts[which];
    const to =
      which === 'instance'
        ? instanceCandidate(named.service.instance, attempt)
        : hostCandidate(named.service.host, attempt);
    this.#options.outbox.tell({ kind: 'renamed', from: named[which], to });
    this.#named = { ...named, [which]: to };
    this.#startAll(at);
  }

  #startAll(at: number): void {
    for (const link of this.#links.values()) this.#start(link, at);
  }

  #start(link: MdnsLink, at: number): void {
    if (this.#named === null) return;
    const stage: Stage = { link, own: ownRecords(this.#named, link), phase: 'probing', step: 0, at };
    this.#stages.set(link.id, stage);
    stage.at = at + this.#options.chance() * rfc.probeDelayMs + this.#pause(at);
  }

  /** Back to probing, with the same name: whoever holds it will say so. */
  #begin(stage: Stage, at: number): void {
    this.#noteConflict(at);
    Object.assign(stage, { phase: 'probing', step: 0 });
    stage.at = at + this.#options.chance() * rfc.probeDelayMs + this.#pause(at);
  }

  #noteConflict(at: number): void {
    this.#conflicts = [...this.#conflicts.filter((each) => at - each < rfc.conflictsWithinMs), at];
    this.#conflicts = this.#conflicts.slice(-rfc.conflictsMax);
  }

  #pause(at: number): number {
    const recent = this.#conflicts.filter((each) => at - each < rfc.conflictsWithinMs).length;
    return recent >= rfc.conflictsMax ? rfc.conflictsPauseMs : 0;
  }

  #advance(stage: Stage, at: number): void {
    if (stage.phase !== 'probing') {
      this.#announce(stage, at);
      return;
    }
    if (stage.step < rfc.probes) {
      stage.step += 1;
      stage.at = at + rfc.probeIntervalMs;
      this.#probe(stage);
      return;
    }
    Object.assign(stage, { phase: 'announcing', step: 0 });
    this.#tellEstablished();
    this.#announce(stage, at);
  }

  #probe({ link, own }: Stage): void {
    const authorities = [...own.instance, ...own.host].map((record) => ({ ...record, unique: false }));
    const names = [...new Set(authorities.map(({ name }) => name))];
    const questions = names.map((name) => ({ name, type: 'ANY', unicast: true }));
    this.#options.outbox.send(link.id, 'group', [message({ questions, authorities })]);
  }

  #announce(stage: Stage, at: number): void {
    const records = allOf(stage.own);
    this.#options.outbox.send(stage.link.id, 'group', responses(records, []));
    this.#options.onSent(stage.link.id, records, at);
    const gap = rfc.announcementGapsMs[stage.step];
    stage.step += 1;
    stage.phase = gap === undefined ? 'settled' : 'announcing';
    stage.at = gap === undefined ? Number.POSITIVE_INFINITY : at + gap;
  }

  #tellEstablished(): void {
    if (this.#named === null) return;
    const { instance, host } = this.#named;
    const names = JSON.stringify([instance, host]);
    if (names === this.#told) return;
    this.#told = names;
    this.#options.outbox.tell({ kind: 'established', instance, host: hostName(host) });
  }

  #sayGoodbye(at: number): void {
    for (const stage of this.#stages.values()) this.#leave(stage, at);
  }

  #leave({ link, own, phase }: Stage, at: number): void {
    if (phase !== 'probing') this.#takeBack(link, goodbyesOf(own), at);
  }

  #takeBack(link: MdnsLink, records: readonly ResourceRecord[], at: number): void {
    const gone = records.map((record) => ({ ...record, ttlSeconds: 0 }));
    this.#options.outbox.send(link.id, 'group', responses(gone, []));
    this.#options.onSent(link.id, gone, at);
  }
}

function wants({ instance, type, host }: MdnsService): string {
  return JSON.stringify([instanceName(instance, type), host]);
}
