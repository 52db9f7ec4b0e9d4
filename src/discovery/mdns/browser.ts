/**
 * Finding services (RFC 6763 section 4) and keeping what was found (RFC 6762 sections 5 and 10).
 *
 * Of all that is heard only this is kept: pointers of types that are browsed for, then what is said of the instances they
 * point to, then addresses of the hosts those are on. When a pointer goes, what hung on it goes too.
 *
 * Asked is by link, which is one family on one interface; kept is by interface (`on`). An address that is taken back counts
 * as gone on every interface: a host that lost one of its lines can only say so by the others.
 */

import { type CachedRecord, type Change, MdnsCache } from './cache.ts';
import type { Chance, MdnsArrival, MdnsLink } from './contract.ts';
import type { MdnsLimits } from './limits.ts';
import { canonical, instanceOf, typeName } from './names.ts';
import { type Outbox, queries } from './outbox.ts';
import { Questions } from './questions.ts';
import { keyOf, type Message, type Question, type ResourceRecord, setKeyOf } from './records.ts';
import { addressesAt, type Instance, newest, serviceOf } from './services.ts';

interface BrowserOptions {
  readonly limits: MdnsLimits;
  readonly chance: Chance;
  readonly outbox: Outbox;
}

export class Browser {
  readonly #options: BrowserOptions;
  readonly #cache: MdnsCache;
  readonly #links = new Map<string, MdnsLink>();
  readonly #questions = new Map<string, Questions>();
  readonly #types = new Set<string>();
  /** By canonical name; those that are pointed to on some interface, and those that were until the next review. */
  readonly #instances = new Map<string, Instance>();
  /** Canonical names of instances by interface and host. */
  readonly #guests = new Map<string, Set<string>>();
  /** Canonical names of instances of which something changed. */
  readonly #changed = new Set<string>();
  /** What was told last, by canonical name of the instance. */
  readonly #told = new Map<string, string>();

  constructor(options: BrowserOptions) {
    this.#options = options;
    this.#cache = new MdnsCache(options.limits, options.chance, (change, cached) => this.#noted(change, cached));
  }

  /** Records remembered. */
  get cached(): number {
    return this.#cache.size;
  }

  get nextAt(): number {
    let next = this.#cache.nextAt;
    for (const questions of this.#questions.values()) next = Math.min(next, questions.nextAt);
    return next;
  }

  browse(type: string, at: number): void {
    this.#types.add(type);
    for (const questions of this.#questions.values()) questions.browse(pointersOf(type), at);
  }

  linkUp(link: MdnsLink, at: number): void {
    this.#links.set(link.id, link);
    const questions = new Questions(this.#options.chance);
    this.#questions.set(link.id, questions);
    for (const type of this.#types) questions.browse(pointersOf(type), at);
  }

  linkDown(id: string, at: number): void {
    const on = this.#links.get(id)?.interfaceName;
    this.#links.delete(id);
    this.#questions.delete(id);
    if (on !== undefined && !this.#interfaces.has(on)) this.#cache.removeInterface(on);
    this.#review(at);
  }

  get #interfaces(): ReadonlySet<string> {
    return new Set([...this.#links.values()].map(({ interfaceName }) => interfaceName));
  }

  heardQuery(id: string, { questions, answers, truncated }: Message, at: number): void {
    const planned = this.#questions.get(id);
    const on = this.#links.get(id)?.interfaceName;
    if (planned === undefined || on === undefined || truncated || this.#types.size === 0) return;
    for (const question of questions) {
      if (question.unicast) continue;
      const set = setKeyOf(question.name, question.type);
      const theirs = answers.filter(({ name, body }) => setKeyOf(name, body.type) === set).map(keyOf);
      const ours = theirs.length === 0 ? [] : this.#known(on, question, at).map(keyOf);
      if (theirs.every((key) => ours.includes(key))) planned.asked(question, at);
    }
  }

  heardResponse({ link, from }: MdnsArrival, { answers, additionals }: Message, at: number): void {
    const here = this.#links.get(link)?.interfaceName;
    if (this.#types.size === 0 || here === undefined) return;
    const records = [...answers, ...additionals];
    const take = (on: string, wanted: (record: ResourceRecord) => boolean): void => {
      for (const record of records) if (wanted(record)) this.#cache.put(on, from.address, record, at);
    };
    take(here, (record) => this.#typeOf(record) !== null);
    take(here, ({ name, body }) => (body.type === 'SRV' || body.type === 'TXT') && this.#isPointedTo(here, name));
    for (const on of this.#interfaces)
      take(on, (record) => (on === here || record.ttlSeconds === 0) && this.#isAddressOfGuests(on, record));
    this.#review(at);
  }

  passed(at: number): void {
    const stale = this.#cache.due(at);
    for (const [link, questions] of this.#questions) {
      const on = this.#links.get(link)?.interfaceName ?? '';
      const again = stale.filter((each) => each.on === on).map(({ question }) => question);
      const asked = [...again, ...questions.due(at, (question) => this.#isOpen(on, question))];
      const distinct = [...new Map(asked.map((each) => [setKeyOf(each.name, each.type), each])).values()];
      if (distinct.length === 0) continue;
      const known = distinct.flatMap((question) => this.#known(on, question, at));
      this.#options.outbox.send(link, 'group', queries(distinct, known));
    }
    this.#review(at);
  }

  /** The type that is browsed for and of which the record shows an instance. */
  #typeOf({ name, body }: ResourceRecord): string | null {
    if (body.type !== 'PTR') return null;
    const own = canonical(name);
    for (const type of this.#types)
      if (own === canonical(typeName(type)) && instanceOf(body.target, type) !== null) return type;
    return null;
  }

  #isPointedTo(on: string, name: string): boolean {
    const instance = this.#instances.get(canonical(name));
    return instance !== undefined && this.#cache.points(on, typeName(instance.type), name);
  }

  #isAddressOfGuests(on: string, { name, body }: ResourceRecord): boolean {
    return (body.type === 'A' || body.type === 'AAAA') && this.#guests.has(`${on} ${canonical(name)}`);
  }

  /** Section 7.1: what is held of the answer and will be for more than half its life. */
  #known(on: string, { name, type }: Question, at: number): ResourceRecord[] {
    if (type !== 'PTR') return [];
    return this.#cache
      .at(on, name, type)
      .filter(({ expiresAt, ttlMs }) => (expiresAt - at) * 2 > ttlMs)
      .map(({ record, expiresAt }) => ({ ...record, ttlSeconds: Math.floor((expiresAt - at) / 1000) }));
  }

  #noted(change: Change, { on, record }: CachedRecord): void {
    const name = canonical(record.name);
    // Addresses alone are not dialled any more at once: of all else others may still say that it is there.
    if (change === 'leaving' && !this.#isAddressOfGuests(on, record)) return;
    switch (record.body.type) {
      case 'PTR':
        this.#notedPointer(change, on, record);
        break;
      case 'SRV':
        this.#notedHost(change, on, record);
        break;
      case 'TXT':
        this.#changed.add(name);
        break;
      default:
        for (const guest of this.#guests.get(`${on} ${name}`) ?? []) this.#changed.add(guest);
    }
  }

  #notedPointer(change: Change, on: string, record: ResourceRecord): void {
    if (record.body.type !== 'PTR') return;
    const name = record.body.target;
    const type = this.#typeOf(record);
    const instance = type === null ? null : instanceOf(name, type);
    if (type === null || instance === null) return;
    this.#changed.add(canonical(name));
    if (change === 'came') {
      if (!this.#instances.has(canonical(name))) this.#instances.set(canonical(name), { name, instance, type });
      return;
    }
    for (const each of [...this.#cache.at(on, name, 'SRV'), ...this.#cache.at(on, name, 'TXT')])
      this.#cache.remove(each);
  }

  #notedHost(change: Change, on: string, record: ResourceRecord): void {
    if (record.body.type !== 'SRV') return;
    const { target } = record.body;
    const name = canonical(record.name);
    const key = `${on} ${canonical(target)}`;
    this.#changed.add(name);
    const guests = this.#guests.get(key) ?? new Set<string>();
    if (change === 'came') {
      this.#guests.set(key, guests.add(name));
      return;
    }
    const still = this.#cache.at(on, name, 'SRV').some(({ record: { body } }) => {
      return body.type === 'SRV' && canonical(body.target) === canonical(target);
    });
    if (!still) guests.delete(name);
    if (guests.size > 0) return;
    this.#guests.delete(key);
    for (const each of addressesAt(this.#cache, on, target)) this.#cache.remove(each);
  }

  /** Tells what came of the changes, and asks for what is missing. */
  #review(at: number): void {
    for (const key of this.#changed) {
      const instance = this.#instances.get(key);
      if (instance === undefined) continue;
      this.#tell(key, instance);
      const pointing = [...this.#links.values()].filter(({ interfaceName: on }) =>
        this.#cache.points(on, typeName(instance.type), instance.name),
      );
      if (pointing.length === 0) this.#instances.delete(key);
      for (const { id, interfaceName: on } of pointing)
        for (const question of this.#missing(on, instance.name)) this.#questions.get(id)?.resolve(question, at);
    }
    this.#changed.clear();
  }

  #tell(key: string, instance: Instance): void {
    const service = serviceOf(this.#cache, this.#links.values(), instance);
    const before = this.#told.get(key);
    if (service === null) {
      if (before === undefined) return;
      this.#told.delete(key);
      this.#options.outbox.tell({ kind: 'lost', instance: instance.instance });
      return;
    }
    const now = JSON.stringify(service);
    if (now === before) return;
    this.#told.set(key, now);
    this.#options.outbox.tell({ kind: 'found', service });
  }

  #missing(on: string, name: string): Question[] {
    const srv = newest(this.#cache, { on, name }, 'SRV');
    const txt = newest(this.#cache, { on, name }, 'TXT');
    const questions: Question[] = [];
    if (srv === null) questions.push({ name, type: 'SRV', unicast: false });
    if (txt === null) questions.push({ name, type: 'TXT', unicast: false });
    if (srv !== null && addressesAt(this.#cache, on, srv.body.target).length === 0)
      for (const type of ['A', 'AAAA']) questions.push({ name: srv.body.target, type, unicast: false });
    return questions;
  }

  #isOpen(on: string, { name, type }: Question): boolean {
    if (type === 'SRV' || type === 'TXT')
      return this.#isPointedTo(on, name) && this.#cache.at(on, name, type).length === 0;
    return this.#guests.has(`${on} ${canonical(name)}`) && addressesAt(this.#cache, on, name).length === 0;
  }
}

function pointersOf(type: string): Question {
  return { name: typeName(type), type: 'PTR', unicast: false };
}
