/** `octaskly doctor net` of the compiled file between hosts of a network: firewalls, silence, and one that is healthy. */

import { afterEach, describe, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
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

  test.each([
    ['tcp dport 7878 drop', ['firewall_closed']],
    ['meta mark 7 drop', []],
  ] as const)(
    'of its own firewall that does %j, and lets in all else, it finds %j',
    async (rule, found) => {
      const { here } = twoHosts();
      guard(here, rule);
      const ran = await doctor(here, '-o', 'json');
      const { ok, findings } = JSON.parse(ran.stdout);
      const said = findings.map((each: { name: string }) => each.name);
      expect(ok).toBe(found.length === 0);
      expect(said).toEqual(['nobody_heard', ...(rule.includes('mark') ? ['firewall_unclear'] : found)]);
    },
    30_000,
  );

  test('of its own firewall that keeps out IPv6 alone it tells the command, and finds nothing wrong', async () => {
    const { here } = twoHosts();
    guard(here, 'meta nfproto ipv6 tcp dport 7878 drop');
    const ran = await doctor(here, '-o', 'json');
    const { ok, findings } = JSON.parse(ran.stdout);
    const closed = findings.find((each: { name: string }) => each.name === 'firewall_closed');
    expect({ ok, severity: closed?.severity }).toEqual({ ok: true, severity: 'note' });
    expect(closed?.sentence).toContain('TCP 7878 for workers by IPv6.');
    expect(closed?.remedies[0].command).toBe("sudo nft insert rule inet guard input tcp dport '{ 7878 }' accept");
  }, 30_000);

  test.each(['10.99.1.1', 'fd99::1'])(
    'tells %s, to which there is no route, from a port that is closed',
    async (host) => {
      const ran = await doctor(twoHosts().here, host, '-o', 'json');
      const { findings } = JSON.parse(ran.stdout);
      const found = findings.find((each: { name: string }) => each.name === 'no_route');
      expect(found?.remedies[0].command).toBe(`ip route get ${host}`);
      expect(ran.stdout).not.toContain('port_closed');
      expect(ran.status).toBe(1);
    },
    30_000,
  );

  test('tells a host that was there a moment ago from one that drops all: client isolation', async () => {
    const { here, there } = twoHosts();
    guard(there, 'ct state established accept', 'drop');
    expect(names(await doctor(here, there.address(), '-o', 'quiet'))).toEqual(['port_filtered']);
    there.ip('link', 'set', 'eth0', 'arp', 'off');
    there.ip('link', 'set', 'eth0', 'down');
    const ran = await doctor(here, there.address(), '-o', 'quiet');
    expect(names(ran)).toEqual(['client_isolation_suspected', 'host_silent']);
    expect(ran.tookMs).toBeLessThan(6000);
    expect((await doctor(here, there.address())).stdout).not.toContain('other hosts answer');
  }, 30_000);

  test('says that a machine with loopback alone is not connected', async () => {
    const { here } = twoHosts();
    here.ip('link', 'set', 'eth0', 'down');
    here.ip('addr', 'flush', 'dev', 'eth0');
    const ran = await doctor(here, '-o', 'quiet');
    expect({ names: names(ran), status: ran.status }).toEqual({ names: ['no_interface'], status: 1 });
  }, 30_000);
});

describe.skipIf(skipped)('octaskly doctor net with nodes of its cluster', () => {
  const secret = { OCTASKLY_SECRET: 'doctor tests know this secret' };

  /** A dispatcher here, a worker `three` there, and what doctor says of `host` from here. */
  async function withWorker(
    examine: (site: { here: Host; there: Host }, run: (host: string) => Promise<Ran>) => Promise<void>,
  ) {
    const site = twoHosts();
    const { here, there } = site;
    const octaskly = await executable();
    const dispatcher = here.start([octaskly, 'dispatcher', '--data-dir', join(here.directory, 'data')], secret);
    await dispatcher.line(/dispatcher ready/);
    const data = join(there.directory, 'data');
    const worker = there.start(
      [octaskly, 'worker', '--name', 'three', '--dispatcher', here.address(), '--data-dir', data],
      secret,
    );
    await worker.line(/Joined/i);
    await examine(site, (host) => doctor(here, host));
  }

  test('knows the port of a worker for its peers by its beacon, and finds nothing wrong', async () => {
    await withWorker(async ({ there }, run) => {
      const { status, stdout } = await run(`${there.address()}:7879`);
      expect(stdout).toContain('TCP 7879, for peers of worker three: open');
      expect(stdout).toContain('UDP 5555, beacons: answers');
      expect(stdout).not.toMatch(/not_admitted|not_announced/);
      expect(status).toBe(0);
    });
  }, 30_000);

  test('finds nothing wrong with a dispatcher that is named by its link-local address', async () => {
    await withWorker(async ({ here, there }) => {
      const [, address] = /inet6 (fe80\S+)\//.exec(here.ip('-6', 'addr', 'show', 'dev', 'eth0')) ?? [];
      const ran = await doctor(there, `${address}%eth0`, '-o', 'quiet');
      expect({ names: names(ran), status: ran.status }).toEqual({ names: [], status: 0 });
      expect((await doctor(there, `${address}`)).stdout).toContain(`octaskly doctor net '${address}%eth0'`);
    });
  }, 40_000);

  test('tells of its own firewall before the API, where that is there for others', async () => {
    const { here } = twoHosts();
    const octaskly = await executable();
    guard(here, 'tcp dport 3000 reject');
    const data = ['--data-dir', join(here.directory, 'data')];
    const run = async (...bind: readonly string[]): Promise<string[]> => {
      const node = here.start([octaskly, 'dispatcher', ...data, ...bind], secret);
      await node.line(/dispatcher ready/);
      const found = names(await doctor(here, '-o', 'quiet'));
      await node.end();
      return found;
    };
    expect(await run()).toEqual([]);
    expect(await run('--api-bind', '0.0.0.0', '--require-auth', 'true')).toEqual(['firewall_closed']);
  }, 40_000);

  test('tells of its own firewall before QUIC, where the dispatcher listens for that', async () => {
    const { here } = twoHosts();
    const octaskly = await executable();
    guard(here, 'udp dport 7878 reject');
    const found = async (...more: readonly string[]) => {
      const data = ['--data-dir', join(here.directory, 'data')];
      const node = here.start([octaskly, 'dispatcher', ...data, ...more], secret);
      await node.line(/dispatcher ready/);
      const ran = await doctor(here);
      await node.end();
      return ran.stdout.replace(/\s+/g, ' ');
    };
    expect(await found()).not.toContain('7878 for QUIC');
    expect(await found('--quic')).toContain('UDP 7878 for QUIC');
    expect(names(await doctor(here, '-o', 'quiet'))).toEqual([]);
    expect(names(await doctor(here, '-o', 'quiet', '--quic'))).toEqual(['firewall_closed']);
  }, 40_000);

  test('tells a worker that was kicked also where it had come by the secret', async () => {
    const { here, there } = twoHosts();
    const octaskly = await executable();
    const own = ['--data-dir', join(here.directory, 'data')];
    const dispatcher = here.start([octaskly, 'dispatcher', ...own], secret);
    await dispatcher.line(/dispatcher ready/);
    const data = join(there.directory, 'data');
    const named = ['--name', 'three', '--dispatcher', here.address(), '--data-dir', data];
    const worker = there.start([octaskly, 'worker', ...named], secret);
    await worker.line(/Joined the dispatcher/);
    writeFileSync(join(data, 'secret'), secret.OCTASKLY_SECRET, { mode: 0o600 });
    const looked = async () => (await doctor(there, here.address())).stdout.replace(/\s+/g, ' ');
    expect(await looked()).not.toContain('not_admitted');
    expect(here.run(octaskly, 'kick', 'three', ...own).status).toBe(0);
    await worker.ended();
    const after = await looked();
    expect(after).toContain(`FAIL not_admitted (${here.address()}:7878)`);
    expect(after).toContain('This node was removed from the cluster at');
  }, 40_000);

  test('tells a worker that was kicked, and only then', async () => {
    const { here, there } = twoHosts();
    const octaskly = await executable();
    const run = (...args: readonly string[]): Ran =>
      here.run(octaskly, ...args, '--data-dir', join(here.directory, 'data'));
    const dispatcher = here.start([octaskly, 'dispatcher', '--data-dir', join(here.directory, 'data')]);
    await dispatcher.line(/dispatcher ready/);
    const token = run('invite', '-o', 'quiet').stdout.match(/octa[12]\S+/)?.[0] ?? '';
    const data = ['--data-dir', join(there.directory, 'data')];
    const worker = there.start([octaskly, 'worker', '--name', 'three', '--join', token, ...data]);
    await worker.line(/Joined the dispatcher/);
    expect(names(await doctor(there, here.address(), '-o', 'quiet'))).toEqual([]);
    expect(run('kick', 'three').status).toBe(0);
    await worker.ended();
    const ran = await doctor(there, here.address());
    expect(ran.stdout).toContain(`FAIL not_admitted (${here.address()}:7878)`);
    expect(ran.stdout.replace(/\s+/g, ' ')).toContain('This node was removed from the cluster at');
    expect(ran.tookMs).toBeLessThan(6000);
  }, 40_000);

  test('output that cannot be written is no success, of doctor, peers and peers --watch', async () => {
    await withWorker(async ({ here }) => {
      const octaskly = await executable();
      const data = join(here.directory, 'data');
      for (const command of ['doctor net', 'peers', 'peers --watch']) {
        const ran = here.run('sh', '-c', `exec "${octaskly}" ${command} --data-dir "${data}" >/dev/full`);
        expect({ command, status: ran.status }).toEqual({ command, status: 1 });
        expect(ran.stderr).toContain('Cannot write to standard output');
      }
    });
  }, 40_000);

  test('finds that beacons are dropped there, although those from there are heard', async () => {
    await withWorker(async ({ there }, run) => {
      guard(there, 'udp dport 5555 drop');
      const { status, stdout } = await run(`${there.address()}:7879`);
      expect(stdout).toContain(`warn beacons_filtered (${there.address()})`);
      expect(stdout).toContain('sudo ufw allow 5555/udp');
      expect(status).toBe(1);
    });
  }, 30_000);

  test('resolves names of .local by itself, and peers lists a node of this machine without any group', async () => {
    await withWorker(async ({ here, there }) => {
      const found = JSON.parse((await doctor(there, '-o', 'json')).stdout).found[0];
      expect(found.host).toMatch(/^octaskly-.*\.local$/);
      const ran = await doctor(there, found.host);
      expect(ran.stdout).toContain(`address: ${here.address()}`);
      expect(ran.stdout).not.toContain('name_not_resolved');
      guard(here, 'udp dport 5555 drop');
      const data = join(here.directory, 'data');
      const peers = here.run(await executable(), 'peers', '--data-dir', data, '-o', 'json');
      const listed = JSON.parse(peers.stdout).peers;
      expect(listed.map((each: { role: string }) => each.role)).toContain('dispatcher');
    });
  }, 40_000);
});
