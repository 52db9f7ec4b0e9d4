/**
 * The report of `doctor net` for people: what was looked at in sections, each line marked, and then what was found with
 * the commands that help. Plain ASCII besides names, no line wider than the terminal but a command, which must stay whole.
 */

import { harmless } from '../base/harmless.ts';
import { type Finding, isTrouble } from '../discovery/finding.ts';
import type { HostFacts, MulticastFacts, NetworkFacts } from '../discovery/network-facts.ts';

/** Cells of a line of the report: those of the terminal, 100 at most and where there is none. */
export function reportWidth(): number {
  // A terminal that does not know its width says 0.
  return Math.min(100, (process.stdout.isTTY && process.stdout.columns) || 100);
}

/** What a line is marked with: fine, to be looked at, wrong, only said. */
type Mark = 'ok' | 'warn' | 'FAIL' | '-';

const markOf: Readonly<Record<Finding['severity'], Mark>> = { failure: 'FAIL', warning: 'warn', note: '-' };

/** The whole report, ended by a newline. */
export function networkReport(facts: NetworkFacts, findings: readonly Finding[]): string {
  return [
    section('Interfaces', interfaceLines(facts, findings)),
    section('Multicast', multicastLines(facts, findings)),
    section('Firewall', firewallLines(facts, findings)),
    section('Dispatchers and nodes', foundLines(facts)),
    facts.host === null ? '' : section(`Host ${facts.host.host}`, hostLines(facts, facts.host, findings)),
    findingLines(findings),
    summaryOf(findings),
  ].join('');
}

/** `2 failures, 1 warning.` */
function summaryOf(findings: readonly Finding[]): string {
  const count = (severity: Finding['severity']): string[] => {
    const number = findings.filter((each) => each.severity === severity).length;
    return number === 0 ? [] : [`${number} ${severity}${number === 1 ? '' : 's'}`];
  };
  const parts = [...count('failure'), ...count('warning')];
  return parts.length === 0 ? 'Nothing is wrong.\n' : `${parts.join(', ')}.\n`;
}

/** A heading and its lines; nothing when there are none. */
export function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${harmless(title)}\n${lines.join('\n')}\n\n`;
}

/** `  ok    text`, wrapped and indented behind the mark. */
export function line(mark: Mark, text: string): string {
  return wrapped(harmless(text), `  ${mark.padEnd(6)}`, ' '.repeat(8));
}

/** Lines of at most `reportWidth()` cells; the first begins with `first`, the others with `rest`. */
export function wrapped(text: string, first: string, rest: string): string {
  const width = reportWidth();
  const lines: string[] = [];
  let current = '';
  for (const word of text.split(' ')) {
    const begin = lines.length === 0 ? first : rest;
    if (current !== '' && Bun.stringWidth(`${begin}${current} ${word}`) > width) {
      lines.push(begin + current);
      current = word;
    } else current = current === '' ? word : `${current} ${word}`;
  }
  lines.push((lines.length === 0 ? first : rest) + current);
  return lines.join('\n');
}

/** The worst mark of the findings of these names, about this; `ok` when there is none. */
function markFor(findings: readonly Finding[], names: readonly Finding['name'][], about: string | null = null): Mark {
  const marks = findings
    .filter((each) => names.includes(each.name) && (about === null || each.about === about))
    .map(({ severity }) => markOf[severity]);
  return (['FAIL', 'warn', '-'] as const).find((mark) => marks.includes(mark)) ?? 'ok';
}

function interfaceLines({ interfaces }: NetworkFacts, findings: readonly Finding[]): string[] {
  if (interfaces.length === 0) return [line('-', 'the system tells of none')];
  return interfaces.map(({ name, addresses, leftOut }) => {
    const list = addresses.join(', ') || 'no address';
    if (leftOut !== null) return line('-', `${name}: ${list}; left out: ${leftOut}`);
    return line(markFor(findings, ['self_assigned_address'], name), `${name}: ${list}; used`);
  });
}

function multicastLines({ multicast, discovery, beaconPort }: NetworkFacts, findings: readonly Finding[]): string[] {
  if (!discovery) return [line('-', 'not tried: --discovery false')];
  if (multicast.length === 0) return [line('FAIL', 'not tried: no interface to use')];
  return multicast.map((probe) => {
    const { interfaceName, address, group, heardOthers } = probe;
    const where = `${interfaceName} (${address}), ${group === 'mdns' ? 'Multicast DNS, UDP 5353' : `beacons, UDP ${beaconPort}`}`;
    const others = heardOthers.length === 0 ? 'nobody else heard' : `heard ${heardOthers.slice(0, 4).join(', ')}`;
    return line(probeMark(probe, findings), `${where}: ${outcomeOf(probe)}; ${others}`);
  });
}

function probeMark({ failure, heardOwn, interfaceName }: MulticastFacts, findings: readonly Finding[]): Mark {
  if (failure === null && heardOwn) return 'ok';
  return markFor(findings, [failure === null ? 'multicast_not_heard' : 'multicast_not_sent'], interfaceName);
}

function outcomeOf({ failure, heardOwn }: MulticastFacts): string {
  if (failure !== null) return failure;
  return heardOwn ? 'sent, and came back' : 'sent, but did not come back';
}

function firewallLines({ firewalls, ports }: NetworkFacts, findings: readonly Finding[]): string[] {
  if (firewalls.length === 0) return [line('ok', 'no tool of a firewall is installed here')];
  const needed = ports.map(({ protocol, number }) => `${protocol} ${number}`);
  const many = (tool: string): boolean => firewalls.filter((each) => each.tool === tool).length > 1;
  return firewalls.map(({ tool, families, state, opens, unclear }) => {
    const open = needed.filter((port) => opens.includes(port));
    const doubt = unclear.length === 0 ? '' : `; not known of ${unclear.join(', ')}`;
    const detail = state === 'active' ? `; lets in ${open.join(', ') || 'none of our ports'}${doubt}` : '';
    const worst = markFor(findings, ['firewall_closed', 'firewall_unclear']);
    const mark = state === 'active' ? worst : state === 'inactive' ? 'ok' : '-';
    const which = many(tool) ? ` for IPv${families.join(' and IPv')}` : '';
    return line(mark, `${tool}${which}: ${state}${detail}`);
  });
}

function foundLines({ discovery, found, beacons, belonging }: NetworkFacts): string[] {
  if (!discovery) return [];
  const lines = found.map(({ instance, addresses, port, fingerprint, cluster }) => {
    const own = belonging !== null && fingerprint === belonging.fingerprint;
    const places = addresses.map((address) => `${address} port ${port}`).join(', ');
    const who = own ? 'the dispatcher of this data directory' : `key ${fingerprint ?? 'not told'}`;
    return line(own ? 'ok' : '-', `${instance}: ${places}; ${who}; cluster ${cluster ?? 'not told'}`);
  });
  if (found.length === 0) lines.push(line('-', 'no dispatcher was found by Multicast DNS'));
  if (beacons === null)
    lines.push(line('-', 'beacons not listened for: no cluster secret and no credential in the data directory'));
  else if (beacons.heard.length === 0) lines.push(line('-', 'no beacon of this cluster was heard'));
  else {
    const names = beacons.heard.slice(0, 8).map(({ name }) => name);
    lines.push(line('ok', `beacons of ${names.join(', ')}`));
  }
  return lines;
}

function hostLines(facts: NetworkFacts, host: HostFacts, findings: readonly Finding[]): string[] {
  const { apiPort, addresses, address, unresolved, apiReach, clockAheadMs } = host;
  if (unresolved !== null) return [line('FAIL', `name: ${unresolved}`)];
  const lines = [
    line('ok', `address: ${address ?? 'none'}${addresses.length > 1 ? ` of ${addresses.join(', ')}` : ''}`),
    ...portLines(host, findings),
  ];
  if (apiReach !== null)
    lines.push(line(apiReach === 'open' ? 'ok' : '-', `TCP ${apiPort}, the API: ${reachText(host, apiReach)}`));
  if (host.reach !== 'unreachable') lines.push(beaconLine(facts, host, findings));
  if (clockAheadMs !== null) {
    const seconds = Math.round(clockAheadMs / 1000);
    lines.push(line(markFor(findings, ['clock_differs'], host.host), `clock: ${seconds} s ahead of this one`));
  }
  return lines;
}

function portLines(host: HostFacts, findings: readonly Finding[]): string[] {
  const { port, reach, handshake, peerOf } = host;
  const purpose = peerOf === null ? 'for workers' : `for peers of worker ${peerOf}`;
  const lines =
    reach === null
      ? []
      : [line(reach === 'open' ? 'ok' : 'FAIL', `TCP ${port}, ${purpose}: ${reachText(host, reach)}`)];
  if (handshake === null) return lines;
  const names = ['version_differs', 'other_cluster', 'not_admitted', 'not_octaskly'] as const;
  const key = handshake.fingerprint === null ? '' : `, key ${handshake.fingerprint}`;
  // A peer lets in whom the dispatcher has told it of, and that it answers at all shows that all else is well.
  const isPeer = peerOf !== null && ['open', 'refused', 'wrong_secret'].includes(handshake.outcome);
  const speaks = isPeer ? 'speaks our protocol, to members that its dispatcher has told it of' : 'speaks our protocol';
  const said = handshake.outcome === 'open' || isPeer ? `${speaks}${key}` : handshake.outcome.replaceAll('_', ' ');
  return [...lines, line(markFor(findings, names, `${host.host}:${port}`), `handshake: ${said}`)];
}

function beaconLine(facts: NetworkFacts, host: HostFacts, findings: readonly Finding[]): string {
  const { beaconPort, discovery, beacons } = facts;
  const where = `UDP ${beaconPort}, beacons`;
  if (host.isSelf) return line('-', `${where}: not asked, it is this machine`);
  if (host.beaconAnswered === null && beacons !== null)
    return line('-', `${where}: not known, beacons tell no link-local address`);
  if (host.beaconAnswered === null)
    return line(
      '-',
      `${where}: not asked, ${discovery ? 'the data directory has no key of a cluster' : '--discovery false'}`,
    );
  if (host.beaconAnswered) return line('ok', `${where}: answers`);
  const mark = markFor(findings, ['beacons_filtered'], host.host);
  return line(mark === 'ok' ? '-' : mark, `${where}: no answer to a question`);
}

function reachText({ neighbour }: HostFacts, reach: keyof typeof reachWords): string {
  return neighbour === false && reach === 'refused' ? reachWords.filtered : reachWords[reach];
}

const reachWords = {
  open: 'open',
  refused: 'closed (refused)',
  filtered: 'filtered (no answer)',
  unreachable: 'no route to it',
} as const;

/** Each finding with its sentence and commands, what is wrong first. */
function findingLines(findings: readonly Finding[]): string {
  const sorted = findings.toSorted((a, b) => Number(isTrouble(b)) - Number(isTrouble(a)));
  return sorted.map(findingText).join('');
}

function findingText({ name, severity, about, sentence, remedies }: Finding): string {
  const title = `${markOf[severity] === '-' ? 'note' : markOf[severity]} ${name}${about === '' ? '' : ` (${about})`}`;
  const byPlace = [...Map.groupBy(remedies, ({ where }) => where)].flatMap(([where, of]) => [
    `    ${where}:`,
    ...of.map(({ command }) => `        ${command}`),
  ]);
  return `${[harmless(title), wrapped(harmless(sentence), '    ', '    '), ...byPlace].join('\n')}\n\n`;
}
