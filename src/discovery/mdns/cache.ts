/**
 * What was heard on each interface, and how long it holds (RFC 6762 sections 5.2 and 10). What was heard on one says
 * nothing of another; by which family it came is of no account, since both lead to the same network: what is taken back by
 * IPv6 is gone, however it had been heard.
 *
 * It keeps what it is given; whoever gives decides what is of use. Bounded in all, and per sender: a full cache makes room
 * by what the sender with most records said longest ago, and refuses the newcomer where nobody has more than a few: what is
 * known already is worth more than what a flood of senders nobody knows has to say.
 */

import { type MdnsLimits, rfc, ttlSecondsMax } from './limits.ts';
import { canonical } from './names.ts';
import { dataKeyOf, type Question, type QuestionType, type ResourceRecord, setKeyOf } from './records.ts';

export interface CachedRecord {
  /** Name of the interface. */
  readonly on: string;
  readonly record: ResourceRecord;
  /** Sender's address. */
  readonly source: string;
  heardAt: number;
  ttlMs: number;
  expiresAt: number;
  /** When it is next asked for, or expires. */
  nextAt: number;
  /** How often it was asked for since it was heard. */
  refreshes: number;
  /** Share of the lifetime by which asking is late. */
  late: number;
  /** Its owner has taken it back, and it is kept for a second in case that somebody else still says it. */
  leaving: boolean;
}

/** What became of a record that is held; one that is `leaving` still goes, or comes again. */
export type Change = 'came' | 'leaving' | 'went';

/** Told of each such change. */
export type OnChange = (change: Change, cached: CachedRecord) => void;

/** Records of a sender that are not taken from it: three or four services. */
const fairRecords = 16;

type CachedSet = Map<string, CachedRecord>;

export class MdnsCache {
  readonly #limits: MdnsLimits;
  readonly #chance: () => number;
  readonly #onChange: OnChange;
  readonly #sets = new Map<string, CachedSet>();
  /** Records by interface and sender. */
  readonly #sources = new Map<string, Set<CachedRecord>>();
  #size = 0;
  /** No record is due before; may be too early. */
  #nextAt = Number.POSITIVE_INFINITY;

  constructor(limits: MdnsLimits, chance: () => number, onChange: OnChange) {
    this.#limits = limits;
    this.#chance = chance;
    this.#onChange = onChange;
  }

  /** Records held. */
  get size(): number {
    return this.#size;
  }

  /** Instant of the next `due`; infinite when nothing is held. */
  get nextAt(): number {
    return this.#nextAt;
  }

  /** What is held under a name and type on an interface, newest last. */
  at(on: string, name: string, type: QuestionType): CachedRecord[] {
    const found = [...(this.#sets.get(`${on} ${setKeyOf(name, type)}`)?.values() ?? [])];
    return found.length < 2 ? found : found.sort((a, b) => a.heardAt - b.heardAt);
  }

  /** Whether a PTR of that name to that target is held. */
  points(on: string, name: string, target: string): boolean {
    return this.#sets.get(`${on} ${setKeyOf(name, 'PTR')}`)?.has(canonical(target)) ?? false;
  }

  /** Takes in a record that was heard: keeps it, has it last anew, or lets it go after a second when it says goodbye. */
  put(on: string, source: string, record: ResourceRecord, at: number): void {
    const key = `${on} ${setKeyOf(record.name, record.body.type)}`;
    const dataKey = dataKeyOf(record.body);
    const held = this.#sets.get(key)?.get(dataKey);
    if (record.ttlSeconds === 0) {
      if (held === undefined || held.leaving) return;
      this.#endSoon(held, at);
      held.leaving = true;
      this.#onChange('leaving', held);
      return;
    }
    if (record.unique) this.#flush(key, dataKey, at);
    if (held === undefined) {
      this.#add(key, dataKey, { on, source, record, ...this.#lasting(record, at) });
    } else {
      const { leaving } = held;
      Object.assign(held, this.#lasting(record, at));
      this.#nextAt = Math.min(this.#nextAt, held.nextAt);
      if (leaving) this.#onChange('came', held);
    }
  }

  #lasting(record: ResourceRecord, at: number): Omit<CachedRecord, 'on' | 'source' | 'record'> {
    const ttlMs = Math.min(record.ttlSeconds, ttlSecondsMax) * 1000;
    const late = this.#chance() * rfc.refreshChance;
    const nextAt = at + ttlMs * (rfc.refreshAt[0] + late);
    return { heardAt: at, ttlMs, expiresAt: at + ttlMs, nextAt, refreshes: 0, late, leaving: false };
  }

  /** Section 10.2: the others of the set go in a second, save those that came within the last one. */
  #flush(key: string, dataKey: string, at: number): void {
    for (const [otherKey, other] of this.#sets.get(key) ?? [])
      if (otherKey !== dataKey && at - other.heardAt > rfc.graceMs) this.#endSoon(other, at);
  }

  #endSoon(cached: CachedRecord, at: number): void {
    cached.expiresAt = Math.min(cached.expiresAt, at + rfc.graceMs);
    cached.nextAt = cached.expiresAt;
    cached.refreshes = rfc.refreshAt.length;
    this.#nextAt = Math.min(this.#nextAt, cached.nextAt);
  }

  #add(key: string, dataKey: string, cached: CachedRecord): void {
    if (!this.#makeRoom(sourceKey(cached))) return;
    const set: CachedSet = this.#sets.get(key) ?? new Map();
    this.#sets.set(key, set.set(dataKey, cached));
    const ofSource = this.#sources.get(sourceKey(cached)) ?? new Set<CachedRecord>();
    this.#sources.set(sourceKey(cached), ofSource.add(cached));
    this.#size += 1;
    this.#nextAt = Math.min(this.#nextAt, cached.nextAt);
    this.#onChange('came', cached);
  }

  #makeRoom(source: string): boolean {
    const own = this.#sources.get(source)?.size ?? 0;
    if (own >= this.#limits.sourceRecordsMax) return false;
    if (this.#size < this.#limits.cacheRecordsMax) return true;
    let most = new Set<CachedRecord>();
    for (const each of this.#sources.values()) if (each.size > most.size) most = each;
    if (most.size <= Math.max(own + 1, fairRecords)) return false;
    const [oldest] = most;
    if (oldest !== undefined) this.remove(oldest);
    return true;
  }

  /** Forgets a record that is held. */
  remove(cached: CachedRecord): void {
    const key = `${cached.on} ${setKeyOf(cached.record.name, cached.record.body.type)}`;
    const set = this.#sets.get(key);
    const dataKey = dataKeyOf(cached.record.body);
    if (set?.get(dataKey) !== cached) return;
    set.delete(dataKey);
    if (set.size === 0) this.#sets.delete(key);
    const ofSource = this.#sources.get(sourceKey(cached));
    ofSource?.delete(cached);
    if (ofSource?.size === 0) this.#sources.delete(sourceKey(cached));
    this.#size -= 1;
    this.#onChange('went', cached);
  }

  /** Forgets what was heard on an interface. */
  removeInterface(on: string): void {
    for (const cached of this.#all()) if (cached.on === on) this.remove(cached);
  }

  /** Forgets what has expired; what is to be asked for again, and where. */
  due(at: number): { readonly on: string; readonly question: Question }[] {
    if (at < this.#nextAt) return [];
    const asked: { readonly on: string; readonly question: Question }[] = [];
    this.#nextAt = Number.POSITIVE_INFINITY;
    for (const cached of this.#all()) {
      if (cached.expiresAt <= at) {
        this.remove(cached);
        continue;
      }
      if (cached.nextAt <= at) {
        const { on, record } = cached;
        asked.push({ on, question: { name: record.name, type: record.body.type, unicast: false } });
        cached.refreshes += 1;
        const share = rfc.refreshAt[cached.refreshes];
        cached.nextAt = share === undefined ? cached.expiresAt : cached.heardAt + cached.ttlMs * (share + cached.late);
        cached.nextAt = Math.max(cached.nextAt, at + 1);
      }
      this.#nextAt = Math.min(this.#nextAt, cached.nextAt);
    }
    return asked;
  }

  #all(): CachedRecord[] {
    return [...this.#sets.values()].flatMap((set) => [...set.values()]);
  }
}

function sourceKey({ on, source }: Pick<CachedRecord, 'on' | 'source'>): string {
  return `${on} ${source}`;
}
