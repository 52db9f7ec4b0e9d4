/**
 * What the tools that show a firewall's state say, read. Pure: text in, facts out.
 *
 * Of nftables and iptables it is worked out what becomes of a packet to each port of ours (`packet-rules.ts`); of the
 * others, which port numbers are listed as open. A rule that lets a port in from somewhere only is taken for one that lets
 * it in.
 */

import { iptablesChain } from './iptables.ts';
import type { FirewallFacts, FirewallTool, IpFamily, Port } from './network-facts.ts';
import { nftChains } from './nftables.ts';
import { type BaseChain, familiesOf, outcomeOf, packetTo, type Surroundings } from './packet-rules.ts';

/** What a tool wrote and how it ended. */
export interface ToolAnswer {
  readonly tool: FirewallTool;
  /** Exit status of the first call; null = it did not end in time. */
  readonly status: number | null;
  /** What each call wrote, output and errors. */
  readonly texts: readonly string[];
}

/** What is to come in, and from where. */
export interface Wanted extends Surroundings {
  readonly ports: readonly Port[];
}

/** Most ports of a range that are listed. */
const rangePortsMax = 1024;
/** Most rules that are told as not understood. */
const rulesToldMax = 8;

/** The firewalls that rule over others only, as far as their tools tell. */
export function firewallsIn(answers: readonly ToolAnswer[], wanted: Wanted): FirewallFacts[] {
  // iptables keeps its rules in nftables on most systems, and shows them better itself.
  const tells = (tool: FirewallTool): boolean => answers.some((each) => each.tool === tool && each.status === 0);
  const told = [...(tells('iptables') ? ['ip filter INPUT'] : []), ...(tells('ip6tables') ? ['ip6 filter INPUT'] : [])];
  const all = answers
    // A kernel without IPv6 has no rules for it either.
    .filter(({ tool, status }) => tool !== 'ip6tables' || status === 0 || !tells('iptables'))
    .flatMap((answer) => firewallIn(answer, wanted, told));
  const fronts = all.filter(({ tool, state }) => (tool === 'ufw' || tool === 'firewalld') && state === 'active');
  if (fronts.length > 0) return fronts;
  const active = all.filter(({ state }) => state === 'active');
  return active.length > 0 ? active : all;
}

/** `toldElsewhere`: chains of nftables that another tool shows. */
function firewallIn(answer: ToolAnswer, wanted: Wanted, toldElsewhere: readonly string[]): FirewallFacts[] {
  const { tool, status, texts } = answer;
  const text = texts.join('\n');
  const facts = (state: FirewallFacts['state'], opens: readonly string[] = []): FirewallFacts[] => {
    return [{ tool, families: [4, 6], state, opens, unclear: [], notUnderstood: [], chain: null }];
  };
  switch (tool) {
    case 'ufw':
      if (/^Status: active/m.test(text)) return facts('active', ufwOpens(text));
      return facts(/^Status: inactive/m.test(text) || /^ENABLED=no/m.test(text) ? 'inactive' : 'unreadable');
    case 'firewalld':
      if (/not running/.test(text)) return facts('inactive');
      return status === 0 ? facts('active', firewalldOpens(text)) : facts('unreadable');
    case 'nftables': {
      const chains = status === 0 ? nftChains(text) : null;
      const own = chains?.filter(({ name }) => !toldElsewhere.includes(name)) ?? null;
      return own === null ? facts('unreadable') : byRules(tool, own, wanted);
    }
    case 'iptables':
    case 'ip6tables': {
      const chain = status === 0 ? iptablesChain(text, tool) : null;
      return chain === null ? facts('unreadable') : byRules(tool, [chain], wanted);
    }
    case 'macos':
      if (!/State = \d/.test(text)) return facts('unreadable');
      // State 1 goes by programs; 2 lets nothing in, whatever is permitted.
      return facts(
        /State = 2/.test(text) || (/State = 1/.test(text) && !/permitted/i.test(text)) ? 'active' : 'inactive',
      );
    default:
      if (status !== 0) return facts('unreadable');
      return facts(
        /\s(?:ON|EIN|ACTIV\w*)\s*$/im.test(texts[0] ?? '') ? 'active' : 'inactive',
        windowsOpens(texts.slice(1)),
      );
  }
}

/** Of the rules `Octaskly tcp` and `Octaskly udp`, in this order: the only lines that hold numbers alone are ports. */
function windowsOpens(rules: readonly string[]): string[] {
  return rules.flatMap((text, i) =>
    [...text.matchAll(/:\s+([\d,]+)\s*$/gm)].flatMap(([, list = '']) => portsIn(list, i === 0 ? 'tcp' : 'udp')),
  );
}

/** `7878/tcp  ALLOW  Anywhere`, `5000:6000/udp  ALLOW IN  10.0.0.0/8`, `7878  ALLOW  Anywhere`. */
function ufwOpens(text: string): string[] {
  const opens: string[] = [];
  // What ufw lets in without a rule of the user: its own before.rules.
  opens.push('udp 5353');
  for (const [, list = '', protocol] of text.matchAll(/^([\d,:]+)(?:\/(tcp|udp))?\s+(?:\(v6\)\s+)?(?:ALLOW|LIMIT)\b/gm))
    opens.push(...portsIn(list, protocol));
  return opens;
}

/** Of `firewall-cmd --list-all`: `ports: 7878/tcp 5555/udp`, `services: mdns ssh`. */
function firewalldOpens(text: string): string[] {
  const opens = /^\s*services:.*\bmdns\b/m.test(text) ? ['udp 5353'] : [];
  const [, list = ''] = /^\s*ports: (.*)$/m.exec(text) ?? [];
  for (const [, range = '', protocol] of list.matchAll(/([\d-]+)\/(tcp|udp)/g))
    opens.push(...portsIn(range.replace('-', ':'), protocol));
  return opens;
}

/** By family, as far as others can reach us by it; as one where both fare alike. */
function byRules(tool: FirewallTool, chains: readonly BaseChain[], wanted: Wanted): FirewallFacts[] {
  const used = familiesOf(wanted);
  const ruled = used.filter((family) => chains.some((chain) => chain.families.includes(family)));
  const families = ruled.length === 0 ? used : ruled;
  const each = families.map((family) => byRulesOf(tool, family, { chains, wanted }));
  const [both, ...others] = new Set(each.map((facts) => JSON.stringify({ ...facts, families })));
  return both !== undefined && others.length === 0 ? each.slice(0, 1).map((facts) => ({ ...facts, families })) : each;
}

/** What becomes of packets to our ports; inactive where nothing stands in their way. */
function byRulesOf(
  tool: FirewallTool,
  family: IpFamily,
  { chains: all, wanted }: { readonly chains: readonly BaseChain[]; readonly wanted: Wanted },
): FirewallFacts {
  const chains = all.filter(({ families }) => families.includes(family));
  const outcomes = wanted.ports.map((port) => {
    return { name: `${port.protocol} ${port.number}`, ...outcomeOf(chains, packetTo(port, family, wanted)) };
  });
  const named = (verdict: string): string[] =>
    outcomes.filter((each) => each.verdict === verdict).map(({ name }) => name);
  const opens = named('accept');
  const closing = chains.find(({ policy }) => policy === 'drop');
  return {
    tool,
    families: [family],
    state: opens.length === outcomes.length && closing === undefined ? 'inactive' : 'active',
    ...{ opens, unclear: named('unclear') },
    notUnderstood: [...new Set(outcomes.flatMap(({ notUnderstood }) => notUnderstood))].slice(0, rulesToldMax),
    chain: outcomes.find(({ by }) => by !== null)?.by ?? closing?.name ?? null,
  };
}

/** `7878`, `80,443`, `5000:6000`, each as `tcp 7878`; of both protocols where none is said. */
function portsIn(list: string, protocol: string | undefined): string[] {
  const protocols = protocol === undefined ? ['tcp', 'udp'] : [protocol];
  const numbers = list.split(',').flatMap((part) => {
    const [from = Number.NaN, to = from] = part.split(':').map(Number);
    const count = Math.min(rangePortsMax, Math.max(0, to - from + 1));
    return Number.isInteger(count) ? Array.from({ length: count }, (_, i) => from + i) : [];
  });
  return protocols.flatMap((one) => numbers.map((number) => `${one} ${number}`));
}
