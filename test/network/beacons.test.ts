import { afterEach, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { cannotNetwork, closeLans, type Host, type Inside, openLan } from './namespaces.ts';

const skipped = cannotNetwork('beacons on a local network', ['nft']) !== null;

afterEach(closeLans);

function startNode(host: Host, id: string, ...known: readonly string[]): Inside {
  return host.start([process.execPath, join(import.meta.dir, 'beacon-node.ts'), id, ...known]);
}

/** Lets no packet with these properties into a host. */
function drop(host: Host, rule: string): void {
  const ran = host.run(
    'nft',
    `add table inet t; add chain inet t i { type filter hook input priority 0; }; add rule inet t i ${rule} drop`,
  );
  expect(ran.stderr).toBe('');
}

/** The last state a node told. */
function stateOf(node: Inside): { readonly peers: readonly string[] } & Readonly<Record<string, number>> {
  return JSON.parse(node.lines.at(-1) ?? '{}');
}

const knows = (...peers: readonly string[]): RegExp =>
  new RegExp(`"peers":\\[${peers.map((peer) => `"${peer}@[^"]*"`).join(',')}\\]`);

describe.skipIf(skipped)('beacons between hosts', () => {
  test('three hosts hear each other by multicast, and the one that leaves is gone at once', async () => {
    const lan = openLan(3);
    const nodes = lan.hosts.map((host, n) => startNode(host, `n${n}`));
    const [a, b, c] = nodes as [Inside, Inside, Inside];
    await Promise.all([a.line(knows('n1', 'n2')), b.line(knows('n0', 'n2')), c.line(knows('n0', 'n1'))]);
    await b.end();
    await a.line(knows('n2'), { from: a.lines.length, withinMs: 2000 });
    expect(stateOf(a)).toMatchObject({ replayed: 0, forged: 0, malformed: 0 });
  }, 30_000);

  test('hosts that get no multicast hear each other by broadcast, and go on hearing', async () => {
    const lan = openLan(2);
    for (const host of lan.hosts) drop(host, 'meta pkttype multicast');
    const [a, b] = lan.hosts.map((host, n) => startNode(host, `n${n}`)) as [Inside, Inside];
    await Promise.all([a.line(knows('n1')), b.line(knows('n0'))]);
    const told = a.lines.length;
    await Bun.sleep(9000);
    expect(a.lines.slice(told).every((line) => knows('n1').test(line))).toBe(true);
  }, 40_000);

  test('hosts that hear nothing of groups reach each other by what was known before', async () => {
    const lan = openLan(2);
    for (const host of lan.hosts) drop(host, 'meta pkttype { multicast, broadcast }');
    const [one, two] = lan.hosts as [Host, Host];
    const a = startNode(one, 'n0');
    await a.line(/"peers"/);
    const b = startNode(two, 'n1', one.address());
    await Promise.all([a.line(knows('n1')), b.line(knows('n0'))]);
    const told = a.lines.length;
    await Bun.sleep(17_000);
    expect(a.lines.slice(told).every((line) => knows('n1').test(line))).toBe(true);
  }, 60_000);

  test('an interface that comes later is used, and bridges of containers are not', async () => {
    const lan = openLan(2);
    lan.addBridge(1);
    const [one, two] = lan.hosts as [Host, Host];
    for (const host of lan.hosts) host.unplug('eth0');
    one.ip('link', 'add', 'docker0', 'type', 'bridge');
    one.ip('addr', 'add', '172.17.0.1/16', 'dev', 'docker0');
    one.ip('link', 'set', 'docker0', 'up');
    const [a, b] = [startNode(one, 'n0'), startNode(two, 'n1')];
    await Promise.all([a.line(/"interfaces":\[\]/), b.line(/"interfaces":\[\]/)]);
    for (const host of lan.hosts) host.plug('eth1', 1);
    await Promise.all([a.line(knows('n1')), b.line(knows('n0'))]);
    expect(a.lines.at(-1)).toContain('"interfaces":["eth1"]');
  }, 30_000);
});
