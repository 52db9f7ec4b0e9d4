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

async function dispatcher(host: Host, ...options: readonly string[]): Promise<Inside> {
  const started = await start(host, 'dispatcher', '--quic', '--p2p-enabled', 'false', ...options);
  await started.line(/dispatcher ready .*quic/);
  return started;
}

/** Its worker, which has its secret. */
function worker(host: Host, at: Host, ...more: readonly string[]): Promise<Inside> {
  mkdirSync(join(host.directory, '.octaskly'), { mode: 0o700 });
  copyFileSync(join(at.directory, '.octaskly/secret'), join(host.directory, '.octaskly/secret'));
  const options = ['--transport', 'quic', '--dispatcher', at.address(), '--p2p-enabled', 'false'];
  return start(host, 'worker', '--name', 'pi', ...options, ...more);
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
    expect(pi.lines.filter((line) => line.includes('TCP is used'))).toHaveLength(1);
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

  test('a worker that loses UDP in the middle is back by TCP within a second', async () => {
    const [home, device] = openLan(2).hosts as [Host, Host];
    await dispatcher(home, '--heartbeat-timeout', '3');
    const pi = await worker(device, home);
    await pi.line(joined);
    home.run('nft', 'add table inet wall; add chain inet wall in { type filter hook input priority 0; }');
    expect(home.run('nft', 'add rule inet wall in udp dport 7878 drop').status).toBe(0);
    const from = pi.lines.length;
    const lost = await pi.line(/Lost the dispatcher/, { from });
    const back = await pi.line(/Joined the dispatcher .* by TCP/, { from });
    console.log(`back by TCP after ${Math.round(back.at - lost.at)} ms`);
    expect(back.at - lost.at).toBeLessThan(1000 + slackMs);
  }, 40_000);

  test('a worker that was told where to dial follows its dispatcher to another address, by mDNS, within 2 s', async () => {
    const [home, device] = openLan(2).hosts as [Host, Host];
    const first = await dispatcher(home, '--discovery', 'true');
    await first.line(/announced by mDNS/);
    const pi = await worker(device, home, '--discovery', 'true');
    await pi.line(/Joined the dispatcher at 10\.79\.0\.1:\d+ .* by QUIC/);
    await pi.line(/found a dispatcher/);
    const from = pi.lines.length;
    const movedAt = performance.now() - pi.startedAt;
    home.ip('addr', 'add', '10.79.0.31/32', 'dev', 'eth0');
    home.ip('route', 'add', '10.79.0.0/24', 'dev', 'eth0', 'src', '10.79.0.31', 'metric', '1');
    home.ip('addr', 'del', `${home.address()}/24`, 'dev', 'eth0');
    const back = await pi.line(/Joined the dispatcher at (?:10\.79\.0\.31|\[f\S+\]):\d+ .* by QUIC/, { from });
    console.log(`back ${Math.round(back.at - movedAt)} ms after the move`);
    if (back.at - movedAt > backMsMax) console.log(pi.lines.join('\n'));
    expect(back.at - movedAt).toBeLessThan(backMsMax + slackMs);
  }, 40_000);
});
