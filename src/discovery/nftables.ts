/**
 * The rules of nftables for incoming packets, from what `nft -j list ruleset` writes (libnftables-json(5)). Pure: data
 * that may be anything in, chains of `packet-rules.ts` out; what is not known here becomes a condition not understood.
 */

import type { IpFamily } from './network-facts.ts';
import {
  allOf,
  anyOf,
  type BaseChain,
  comesBy,
  comesFrom,
  goesTo,
  hasState,
  isSentTo,
  not,
  type Packet,
  type Rule,
  type Truth,
  type Verdict,
} from './packet-rules.ts';

type Json = Readonly<Record<string, unknown>>;
/** The elements of each named set or map, by family, table and name. */
type Sets = ReadonlyMap<string, readonly unknown[]>;

/** Families by what a table is of; others' packets do not come to us. */
const familiesOfTable: Readonly<Record<string, readonly IpFamily[]>> = { inet: [4, 6], ip: [4], ip6: [6] };

/** Chains where packets come in; null = that is no listing of rules. */
export function nftChains(text: string): BaseChain[] | null {
  const items = listing(text);
  if (items === null) return null;
  const of = (kind: string): Json[] => items.map((item) => item[kind]).filter(isJson);
  const sets = new Map(
    [...of('set'), ...of('map')].map((set) => [placeOf(set, set.name), Array.isArray(set.elem) ? set.elem : []]),
  );
  const rules = new Map<string, Rule[]>();
  for (const rule of of('rule')) {
    const home = `${rule.family} ${rule.table}`;
    rules.getOrInsertComputed(placeOf(rule, rule.chain), () => []).push(ruleIn(rule, home, sets));
  }
  const bases = of('chain').filter(
    ({ family, hook, type }) =>
      Object.hasOwn(familiesOfTable, String(family)) &&
      (hook === 'input' || hook === 'prerouting') &&
      type === 'filter',
  );
  return bases.map((chain) => {
    const home = `${chain.family} ${chain.table} `;
    const inTable = [...rules].filter(([place]) => place.startsWith(home));
    return {
      name: placeOf(chain, chain.name),
      families: familiesOfTable[String(chain.family)] ?? [],
      policy: chain.policy === 'drop' ? 'drop' : 'accept',
      rules: rules.get(placeOf(chain, chain.name)) ?? [],
      chains: new Map(inTable.map(([place, each]) => [place.slice(home.length), each])),
    };
  });
}

function listing(text: string): Json[] | null {
  try {
    const value: unknown = JSON.parse(text);
    return isJson(value) && Array.isArray(value.nftables) ? value.nftables.filter(isJson) : null;
  } catch {
    return null;
  }
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function placeOf({ family, table }: Json, name: unknown): string {
  return `${family} ${table} ${name}`;
}

// --------------------------------------------------------------------------------------------------------- rules

const verdictKinds = ['accept', 'drop', 'return'] as const;
/** Statements that change nothing of what becomes of a packet. */
const aside = ['counter', 'log', 'mangle', 'set', 'meter', 'quota', 'notrack', 'ct helper', 'ct timeout', 'last'];

function ruleIn(rule: Json, home: string, sets: Sets): Rule {
  const statements = (Array.isArray(rule.expr) ? rule.expr : []).filter(isJson);
  const verdicts = statements.flatMap((each) => verdictIn(each, home, sets));
  const conditions = statements.flatMap((each) => conditionIn(each, home, sets));
  const none: Verdict = { kind: 'none' };
  return {
    truth: (packet) => allOf(conditions.map((condition) => condition(packet))),
    verdict: (packet) => verdicts[0]?.(packet) ?? none,
    text: `${placeOf(rule, rule.chain)}, handle ${rule.handle}`,
  };
}

type ByPacket<T> = (packet: Packet) => T;

function verdictIn(statement: Json, home: string, sets: Sets): ByPacket<Verdict>[] {
  if (isJson(statement.vmap)) {
    const { key, data } = statement.vmap;
    const entries = elementsOf(data, home, sets);
    return [(packet) => mapped(packet, key, entries, { home, sets })];
  }
  const plain = plainVerdict(statement);
  return plain === null ? [] : [() => plain];
}

/** `{accept: null}`, `{reject: …}`, `{jump: {target}}`. */
function plainVerdict(statement: Json): Verdict | null {
  if ('reject' in statement) return { kind: 'drop' };
  const kind = verdictKinds.find((each) => each in statement);
  if (kind !== undefined) return { kind };
  for (const jump of ['jump', 'goto'] as const) {
    const to = statement[jump];
    if (isJson(to)) return { kind: jump, target: String(to.target) };
  }
  // Of xtables, what it is stands nowhere.
  if (isJson(statement.xt)) return statement.xt.type === 'target' ? { kind: 'unknown' } : null;
  return 'queue' in statement || 'tproxy' in statement || 'redirect' in statement ? { kind: 'unknown' } : null;
}

interface Place {
  readonly home: string;
  readonly sets: Sets;
}

/** Of a map of verdicts, the one this packet gets. */
function mapped(packet: Packet, key: unknown, entries: readonly unknown[], place: Place): Verdict {
  for (const entry of entries) {
    const [value, verdict]: unknown[] = Array.isArray(entry) ? entry : [];
    const truth = holds(packet, key, value, place);
    if (truth === false) continue;
    return (truth === true && isJson(verdict) && plainVerdict(verdict)) || { kind: 'unknown' };
  }
  return { kind: 'none' };
}

function conditionIn(statement: Json, home: string, sets: Sets): ByPacket<Truth>[] {
  if (isJson(statement.match)) {
    const { op, left, right } = statement.match;
    const truth = (packet: Packet): Truth => holds(packet, left, right, { home, sets });
    if (op === '==' || op === 'in') return [truth];
    return op === '!=' ? [(packet) => not(truth(packet))] : [() => 'unknown'];
  }
  if ('limit' in statement) return [() => 'some'];
  const known = 'vmap' in statement || plainVerdict(statement) !== null || aside.some((name) => name in statement);
  return known ? [] : [() => 'unknown'];
}

// ---------------------------------------------------------------------------------------------------- conditions

/** Whether what `left` names of the packet is `right`, or among it. */
function holds(packet: Packet, left: unknown, right: unknown, place: Place): Truth {
  const values = elementsOf(right, place.home, place.sets);
  if (isSynFlags(left)) return packet.protocol === 'tcp' && values.includes('syn');
  if (!isJson(left)) return 'unknown';
  return anyOf(values.map((value) => isValue(packet, left, value)));
}

/** `tcp flags & (fin|syn|rst|ack)`, the way to tell the first packet of a connection. */
function isSynFlags(left: unknown): boolean {
  const masked = isJson(left) && Array.isArray(left['&']) ? left['&'] : [left];
  const [what, mask] = masked;
  const isFlags =
    isJson(what) && isJson(what.payload) && what.payload.protocol === 'tcp' && what.payload.field === 'flags';
  return isFlags && (mask === undefined || mask === 'syn' || (Array.isArray(mask) && mask.includes('syn')));
}

/** The values of a set: named, anonymous, or just one. */
function elementsOf(right: unknown, home: string, sets: Sets): readonly unknown[] {
  const list = (): readonly unknown[] => {
    if (typeof right === 'string' && right.startsWith('@')) return sets.get(`${home} ${right.slice(1)}`) ?? [null];
    if (isJson(right) && Array.isArray(right.set)) return right.set;
    return Array.isArray(right) ? right : [right];
  };
  return list().map((each) => (isJson(each) && isJson(each.elem) ? each.elem.val : each));
}

function isValue(packet: Packet, left: Json, value: unknown): Truth {
  if (isJson(left.payload)) return isPayload(packet, left.payload, value);
  if (isJson(left.meta)) return isMeta(packet, String(left.meta.key), value);
  if (isJson(left.ct)) return left.ct.key === 'state' ? hasState(String(value)) : 'unknown';
  if (isJson(left.fib)) return left.fib.result === 'type' ? isSentTo(packet, String(value)) : 'unknown';
  return 'unknown';
}

function isPayload(packet: Packet, { protocol, field }: Json, value: unknown): Truth {
  if (protocol === 'tcp' || protocol === 'udp' || protocol === 'th') {
    if (protocol !== 'th' && protocol !== packet.protocol) return false;
    if (field === 'sport') return 'some';
    return field === 'dport' ? isNumber(packet.port, value) : 'unknown';
  }
  if (typeof protocol === 'string' && ['icmp', 'icmpv6', 'sctp', 'dccp', 'igmp', 'esp', 'ah'].includes(protocol))
    return false;
  if (protocol === 'ether') return 'some';
  if (protocol !== 'ip' && protocol !== 'ip6') return 'unknown';
  if ((protocol === 'ip' ? 4 : 6) !== packet.family) return false;
  if (field === 'protocol' || field === 'nexthdr') return value === packet.protocol;
  const network = networkIn(value);
  if (network === null) return 'unknown';
  if (field === 'saddr') return comesFrom(packet, network);
  return field === 'daddr' ? goesTo(packet, network) : 'unknown';
}

function isMeta(packet: Packet, key: string, value: unknown): Truth {
  switch (key) {
    case 'iifname':
    case 'iif':
      return comesBy(packet, String(value));
    case 'l4proto':
      return value === packet.protocol || value === (packet.protocol === 'tcp' ? 6 : 17);
    case 'nfproto':
      return value === (packet.family === 4 ? 'ipv4' : 'ipv6');
    case 'protocol':
      return value === (packet.family === 4 ? 'ip' : 'ip6');
    case 'pkttype':
      return isSentTo(packet, String(value));
    default:
      return 'unknown';
  }
}

function isNumber(port: number, value: unknown): Truth {
  if (typeof value === 'number') return value === port;
  const [from, to]: unknown[] = isJson(value) && Array.isArray(value.range) ? value.range : [];
  return typeof from === 'number' && typeof to === 'number' ? from <= port && port <= to : 'unknown';
}

/** `10.0.0.7`, `{prefix: {addr, len}}`. */
function networkIn(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (!isJson(value) || !isJson(value.prefix)) return null;
  return `${value.prefix.addr}/${value.prefix.len}`;
}
