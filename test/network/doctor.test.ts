/** `octaskly doctor net` of the compiled file between hosts of a network: firewalls, silence, and one that is healthy. */

import { afterEach, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { executable } from '../e2e/executable.ts';
import { cannotNetwork, closeLans, type Host, openLan, type Ran } from './namespaces.ts';

afterEach(closeLans);

const skipped = cannotNetwork('doctor net between hosts', ['nft']) !== null;

/** Two hosts, of which the second is looked at from the first. */
function twoHosts(): { here: Host; there: Host } {
  const [here, there] = openLan(2).hosts;
  if (here === undefined || there === undefined) throw new Error('no hosts');
  return { here, there };
}

async function doctor(on: Host, ...args: readonly string[]): Promise<Ran & { tookMs: number }> {
  const since = performance.now();
  const ran = on.run(await executable(), 'doctor', 'net', ...args, '--data-dir', join(on.directory, 'data'));
  return { ...ran, tookMs: performance.now() - since };
}

const names = ({ stdout }: Ran): string[] => stdout.split('\n').filter((line) => line !== '');

/** A firewall whose only rule is `rule`. */
function guard(host: Host, rule: string, policy = 'accept'): void {
  const table = `table inet guard { chain input { type filter hook input priority 0; policy ${policy}; ${rule};\n}\n}`;
  const { status, stderr } = host.run('nft', table);
  if (status !== 0) throw new Error(stderr);
}

describe.skipIf(skipped)('octaskly doctor net', () => {
  test('finds nothing on a healthy network, and hears its own multicast by both families', async () => {
    const ran = await doctor(twoHosts().here, '-o', 'json');
    const { ok, interfaces, multicast } = JSON.parse(ran.stdout);
    expect({ ok, status: ran.status, stderr: ran.stderr }).toEqual({ ok: true, status: 0, stderr: '' });
    expect(interfaces.map((each: { name: string; left_out: string | null }) => [each.name, each.left_out])).toEqual([
      ['eth0', null],
      ['lo', 'this machine alone'],
    ]);
    const heard = multicast.map((each: Record<string, unknown>) => [each.group, each.family, each.heard_own]);
    expect(heard.toSorted()).toEqual([
      ['beacons', 4, true],
      ['beacons', 6, true],
      ['mdns', 4, true],
      ['mdns', 6, true],
    ]);
    expect(ran.tookMs).toBeLessThan(6000);
  }, 30_000);

  test.each([
    ['nothing at all', 'port_closed'],
    ['tcp dport 7878 drop', 'port_filtered'],
    ['tcp dport 7878 reject', 'port_closed'],
    ['tcp dport 7878 reject with tcp reset', 'port_closed'],
  ])(
    'with a firewall there that does %j it finds %s',
    async (rule, name) => {
      const { here, there } = twoHosts();
      if (rule !== 'nothing at all') guard(there, rule);
      const ran = await doctor(here, there.address(), '-o', 'quiet');
      expect({ names: names(ran), status: ran.status }).toEqual({ names: [name], status: 1 });
      expect(ran.tookMs).toBeLessThan(6000);
    },
    30_000,
  );

  test('tells a host that is not there from one that is filtered', async () => {
    const { here } = twoHosts();
    const ran = await doctor(here, '10.79.0.99');
    expect(ran.stdout).toContain('FAIL host_silent (10.79.0.99)');
    expect(ran.stdout.replace(/\s+/g, ' ')).toContain('client isolation');
    expect(Math.max(...ran.stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(ran.tookMs).toBeLessThan(6000);
  }, 30_000);

  test.each([
    ['that is announced', 'true', /announced by mDNS/, []],
    ['whose announcement is not heard', 'false', /dispatcher ready/, ['not_announced']],
  ] as const)(
    'of a dispatcher %s it finds what is wrong',
    async (_, discovery, line, found) => {
      const { here, there } = twoHosts();
      const data = join(there.directory, 'data');
      const node = there.start([await executable(), 'dispatcher', '--data-dir', data, '--discovery', discovery]);
      await node.line(line);
      const ran = await doctor(here, there.address(), '-o', 'quiet');
      expect({ names: names(ran), status: ran.status }).toEqual({ names: [...found], status: found.length });
    },
    30_000,
  );

  test('finds its own firewall, and gives commands that open it', async () => {
    const { here } = twoHosts();
    guard(here, 'ct state established accept', 'drop');
    const ran = await doctor(here, '-o', 'json');
    const { findings } = JSON.parse(ran.stdout);
    expect(findings.map((each: { name: string }) => each.name)).toEqual([
      'multicast_not_heard',
      'multicast_not_heard',
      'firewall_closed',
    ]);
    const commands: string[] = findings.flatMap(({ remedies }: { remedies: { command: string }[] }) =>
      remedies.map(({ command }) => command).filter((command) => command.startsWith('sudo nft')),
    );
    for (const command of new Set(commands)) expect(here.run('sh', '-c', command.replace('sudo ', '')).status).toBe(0);
    expect(names(await doctor(here, '-o', 'quiet'))).toEqual([]);
  }, 30_000);

  test('says that a machine with loopback alone is not connected', async () => {
    const { here } = twoHosts();
    here.ip('link', 'set', 'eth0', 'down');
    here.ip('addr', 'flush', 'dev', 'eth0');
    const ran = await doctor(here, '-o', 'quiet');
    expect({ names: names(ran), status: ran.status }).toEqual({ names: ['no_interface'], status: 1 });
  }, 30_000);
});
