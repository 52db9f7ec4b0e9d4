/**
 * What the tools that show a firewall's state say, read. Pure: text in, facts out.
 *
 * Deliberately not a model of any rule language: of nftables and iptables it is read whether incoming packets are dropped
 * or rejected unless a rule lets them in, and which port numbers a rule that accepts names. A rule that lets a port in
 * from somewhere only is taken for one that lets it in.
 */

import type { FirewallFacts, FirewallTool } from './network-facts.ts';

/** What a tool wrote and how it ended. */
export interface ToolAnswer {
  readonly tool: FirewallTool;
  /** Exit status of the first call; null = it did not end in time. */
  readonly status: number | null;
  /** What each call wrote, output and errors. */
  readonly texts: readonly string[];
}

/** Most ports of a range that are listed. */
const rangePortsMax = 1024;

/** The firewalls that rule over others only, as far as their tools tell. */
export function firewallsIn(answers: readonly ToolAnswer[]): FirewallFacts[] {
  const all = answers.map(firewallIn);
  const fronts = all.filter(({ tool, state }) => (tool === 'ufw' || tool === 'firewalld') && state === 'active');
  if (fronts.length > 0) return fronts;
  // The same rules may be shown by both tools, since iptables keeps them in nftables on most systems.
  const active = all.filter(({ state }) => state === 'active');
  return active.length > 0 ? active.slice(0, 1) : all;
}

function firewallIn(answer: ToolAnswer): FirewallFacts {
  const { tool, status, texts } = answer;
  const text = texts.join('\n');
  const facts = (state: FirewallFacts['state'], opens: readonly string[] = [], chain: string | null = null) => {
    return { tool, state, opens, chain };
  };
  switch (tool) {
    case 'ufw':
      if (/^Status: active/m.test(text)) return facts('active', ufwOpens(text));
      return facts(/^Status: inactive/m.test(text) || /^ENABLED=no/m.test(text) ? 'inactive' : 'unreadable');
    case 'firewalld':
      if (/not running/.test(text)) return facts('inactive');
      return status === 0 ? facts('active', firewalldOpens(text)) : facts('unreadable');
    case 'nftables':
      return status === 0 ? nftables(text) : facts('unreadable');
    case 'iptables':
      if (status !== 0) return facts('unreadable');
      return facts(
        /^-P INPUT (?:DROP|REJECT)/m.test(text) || closes(text) ? 'active' : 'inactive',
        iptablesOpens(text),
      );
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

/** Chains that hang at `input`; active when one drops what no rule lets in. */
function nftables(text: string): FirewallFacts {
  let table = '';
  let opens: string[] = [];
  let chain: string | null = null;
  const blocks = text.split('\n');
  for (let i = 0; i < blocks.length; i++) {
    const line = blocks[i] ?? '';
    const [, family, name] = /^table (\S+) (\S+)/.exec(line) ?? [];
    if (family !== undefined) table = `${family} ${name}`;
    const [, chainName] = /^\s+chain (\S+) \{/.exec(line) ?? [];
    if (chainName === undefined) continue;
    const end = blocks.findIndex((each, at) => at > i && /^\s+\}/.test(each));
    const body = blocks.slice(i + 1, end).join('\n');
    opens = [...opens, ...nftOpens(body)];
    if (!/hook input\b/.test(body)) continue;
    // Without a condition it is for all packets: a policy written as a rule.
    if (/policy drop/.test(body) || /^\s*(?:counter(?: packets \d+ bytes \d+)? )?(?:drop|reject)\b/m.test(body))
      chain ??= `${table} ${chainName}`;
  }
  return { tool: 'nftables', state: chain === null ? 'inactive' : 'active', opens, chain };
}

/** `tcp dport 7878 accept`, `udp dport { 5353, 5555-5560 } accept`. */
function nftOpens(body: string): string[] {
  const rule = /\b(tcp|udp) dport (?:\{ ?([^}]*)\}|(\S+)).*\baccept\b/g;
  return [...body.matchAll(rule)].flatMap(([, protocol, set, one = '']) =>
    portsIn((set ?? one).replaceAll(/\s/g, '').replaceAll('-', ':'), protocol),
  );
}

/** `-A INPUT -p tcp -m tcp --dport 7878 -j ACCEPT`, `--dports 1,2,3:9`. */
function iptablesOpens(text: string): string[] {
  const rule = /^-A \S+ .*-p (tcp|udp) .*--dports? ([\d,:]+).* -j ACCEPT/gm;
  return [...text.matchAll(rule)].flatMap(([, protocol, list = '']) => portsIn(list, protocol));
}

/** A last rule of INPUT that is for all packets. */
function closes(text: string): boolean {
  return /^-A INPUT -j (?:DROP|REJECT)/m.test(text);
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
