/**
 * The rules of iptables for incoming packets, from what `iptables -S` or `ip6tables -S` writes: the options of each rule, in the order of
 * iptables(8) and iptables-extensions(8). Pure; what is not known here becomes a condition not understood.
 */

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

/** The chain INPUT of `iptables`, or of `ip6tables`, which writes the same; null = that is no listing of rules. */
export function iptablesChain(text: string, tool: 'iptables' | 'ip6tables'): BaseChain | null {
  const policy = /^-P INPUT (\w+)/m.exec(text)?.[1];
  if (policy === undefined) return null;
  const chains = new Map<string, Rule[]>();
  for (const [line, name = '', rest = ''] of text.matchAll(/^-A (\S+)(.*)$/gm))
    chains.getOrInsertComputed(name, () => []).push(ruleIn(rest, line));
  const rules = chains.get('INPUT') ?? [];
  return {
    name: `${tool} INPUT`,
    families: [tool === 'iptables' ? 4 : 6],
    policy: policy === 'ACCEPT' ? 'accept' : 'drop',
    ...{ rules, chains },
  };
}

/** `-p tcp -m tcp ! --dport 22 -m comment --comment "a b" -j DROP`. */
function ruleIn(options: string, text: string): Rule {
  const words = [...options.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? '');
  const conditions: ((packet: Packet) => Truth)[] = [];
  let verdict: Verdict = { kind: 'none' };
  for (let i = 0, negated = false; i < words.length; i += 1) {
    const option = words[i] ?? '';
    if (option === '!') {
      negated = true;
      continue;
    }
    const takesNone = option === '--syn';
    const value = takesNone ? '' : (words[i + 1] ?? '');
    if (!takesNone) i += 1;
    if (option === '-j' || option === '-g') {
      verdict = verdictOf(option, value);
      // What follows are options of the target.
      break;
    }
    const negate = negated ? not : (truth: Truth): Truth => truth;
    conditions.push((packet) => negate(conditionOf(packet, option, value)));
    negated = false;
  }
  return { truth: (packet) => allOf(conditions.map((condition) => condition(packet))), verdict: () => verdict, text };
}

function verdictOf(option: string, target: string): Verdict {
  if (target === 'ACCEPT') return { kind: 'accept' };
  if (target === 'DROP' || target === 'REJECT') return { kind: 'drop' };
  if (target === 'RETURN') return { kind: 'return' };
  if (['LOG', 'NFLOG', 'MARK', 'CONNMARK', 'AUDIT'].includes(target)) return { kind: 'none' };
  return target === 'NFQUEUE' ? { kind: 'unknown' } : { kind: option === '-g' ? 'goto' : 'jump', target };
}

function conditionOf(packet: Packet, option: string, value: string): Truth {
  const values = value.split(',');
  switch (option) {
    case '-p':
      return value === packet.protocol || value === 'all';
    case '-i':
      return comesBy(packet, value);
    case '-s':
      return comesFrom(packet, value);
    case '-d':
      return goesTo(packet, value);
    case '--dport':
    case '--dports':
      return values.some((range) => isIn(packet.port, range));
    case '--sport':
    case '--sports':
    case '--limit':
    case '--mac-source':
      return 'some';
    case '--ctstate':
    case '--state':
      return anyOf(values.map((state) => hasState(state.toLowerCase())));
    case '--dst-type':
    case '--pkt-type':
      return anyOf(values.map((kind) => isSentTo(packet, kind.toLowerCase())));
    case '--syn':
      return packet.protocol === 'tcp';
    case '-m':
    case '--comment':
    case '--limit-burst':
      // A module says nothing before its options do.
      return true;
    default:
      return 'unknown';
  }
}

/** `7878`, `5000:6000`. */
function isIn(port: number, range: string): boolean {
  const [from = Number.NaN, to = from] = range.split(':').map(Number);
  return from <= port && port <= to;
}
