/**
 * A dispatcher and a worker of the compiled file that speak QUIC, each on a host of its own: what they do when UDP does
 * not pass, when the dispatcher dies, and when the worker moves to another address.
 */

import { afterEach, describe, expect, test } from 'bun:test';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { executable } from '../e2e/executable.ts';
import { cannotNetwork, closeLans, type Host, type Inside, openLan } from './namespaces.ts';

const without = cannotNetwork('nodes that speak QUIC', ['nft', 'ss']);
afterEach(closeLans);

/** From a dispatcher that is up again to its worker being back. */
const backMsMax = 2000;
/** What this machine may need beside: other work on it must not make the test fail. */
const slackMs = 1500;

const start = async (host: Host, ...args: readonly string[]): Promise<Inside> =>
  host.start([await executable(), ...args], { HOME: host.directory, OCTASKLY_DISCOVERY: 'false' });

async function dispatcher(host: Host): Promise<Inside> {
  const started = await start(host, 'dispatcher', '--quic', '--p2p-enabled', 'false');
  await started.line(/dispatcher ready .*quic/);
  return started;
}

/** Its worker, which has its secret. */
function worker(host: Host, at: Host): Promise<Inside> {
  mkdirSync(join(host.directory, '.octaskly'), { mode: 0o700 });
  copyFileSync(join(at.directory, '.octaskly/secret'), join(host.directory, '.octaskly/secret'));
  const options = ['--transport', 'quic', '--dispatcher', at.address(), '--p2p-enabled', 'false'];
  return start(host, 'worker', '--name', 'pi', ...options);
}

/** Runs a command line there to its end; what it wrote. */
async function said(host: Host, ...args: readonly string[]): Promise<string> {
  const { stdout, stderr, status } = host.run('env', `HOME=${host.directory}`, await executable(), ...args);
  expect([status, stderr]).toEqual([0, '']);
  return stdout.trim();
}

const joined = /Joined the dispatcher/;
const countdown = 'for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; sleep 0.5; done';
const numbers = Array.from({ length: 10 }, (_, i) => `${i + 1}`).join('\n');

function connections(host: Host): string {
  return host.run('ss', '-Htn', 'state', 'established', 'dport', '=', ':7878').stdout;
}

describe.skipIf(without !== null)('--transport quic on a network', () => {
  test('falls back to TCP where UDP is dropped, says so once, and goes back to QUIC when it passes', async () => {
    const [home, device] = openLan(2).hosts as [Host, Host];
    const first = await dispatcher(home);
    home.run('nft', 'add table inet wall; add chain inet wall in { type filter hook input priority 0; }');
    expect(home.run('nft', 'add rule inet wall in udp dport 7878 drop').status).toBe(0);
    const pi = await worker(device, home);
    const fellBack = await pi.line(/QUIC does not get through .*TCP is used instead/);
    await pi.line(joined);
    expect(fellBack.at).toBeLessThan(3000 + slackMs);
    expect(fellBack.line).toContain('no answer by UDP');
    expect(connections(device)).not.toBe('');
    home.run('nft', 'flush', 'ruleset');
    await first.end('SIGKILL');
    const from = pi.lines.length;
    await dispatcher(home);
    await pi.line(/QUIC gets through again/, { from });
    await pi.line(joined, { from });
    expect(connections(device)).toBe('');
    expect(pi.lines.filter((line) => line.includes('TCP'))).toHaveLength(1);
  }, 40_000);

  test('a worker is back soon after its dispatcher was killed, by QUIC, and its task goes on', async () => {
    const [home, device] = openLan(2).hosts as [Host, Host];
    const first = await dispatcher(home);
    const pi = await worker(device, home);
    await pi.line(joined);
    expect(pi.lines.join('\n')).toContain('QUIC is used');
    expect(pi.lines.join('\n')).not.toContain('Experimental');
    expect(connections(device)).toBe('');
    const id = await said(home, 'submit', countdown);
    await Bun.sleep(1000);
    await first.end('SIGKILL');
    const from = pi.lines.length;
    const second = await dispatcher(home);
    const up = second.startedAt + (await second.line(/dispatcher ready/)).at;
    const back = pi.startedAt + (await pi.line(joined, { from })).at;
    console.log(`back ${Math.round(back - up)} ms after the dispatcher was up again`);
    expect(back - up).toBeLessThan(backMsMax + slackMs);
    await said(home, 'wait', id);
    expect(await said(home, 'logs', id)).toBe(numbers);
    expect(pi.lines.join('\n')).not.toContain('TCP');
    expect(JSON.parse(await said(home, 'show', id, '-o', 'json'))).toMatchObject({ status: 'completed', attempt: 1 });
  }, 40_000);

  test('a worker that moves to another address stays joined, and nothing of its output is missing', async () => {
    const [home, device] = openLan(2).hosts as [Host, Host];
    await dispatcher(home);
    const pi = await worker(device, home);
    await pi.line(joined);
    const id = await said(home, 'submit', countdown);
    await Bun.sleep(1000);
    device.ip('addr', 'del', `${device.address()}/24`, 'dev', 'eth0');
    device.ip('addr', 'add', '10.79.0.99/24', 'dev', 'eth0');
    await said(home, 'wait', id);
    expect(await said(home, 'logs', id)).toBe(numbers);
    expect(pi.lines.filter((line) => joined.test(line))).toHaveLength(1);
  }, 40_000);
});
