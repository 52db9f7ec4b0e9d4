/**
 * The line of `octaskly invite`, as it stands, on a device that has nothing: two hosts, the compiled file on one of them.
 */

import { afterEach, describe, expect, test } from 'bun:test';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CreatedInvite } from '../../src/api/trust-schemas.ts';
import { executable } from '../e2e/executable.ts';
import { until } from '../e2e/site.ts';
import { cannotNetwork, closeLans, type Host, openLan } from './namespaces.ts';

const without = cannotNetwork('the line of an invitation', ['curl']);
afterEach(closeLans);

async function startDispatcher(home: Host, ...args: string[]) {
  const all = ['dispatcher', '--discovery', 'false', '--p2p-enabled', 'false', ...args];
  const started = home.start([await executable(), ...all], { HOME: home.directory });
  await started.line(/dispatcher ready/);
  return started;
}

async function invite(home: Host): Promise<CreatedInvite> {
  const asked = home.start([await executable(), 'invite', '-o', 'json'], { HOME: home.directory });
  await asked.silent();
  return JSON.parse(asked.lines.join('\n'));
}

/** Pastes a line into a shell of a person without rights, who has a home of their own. */
function paste(device: Host, line: string) {
  mkdirSync(join(device.directory, 'bin'));
  writeFileSync(join(device.directory, 'bin/id'), '#!/bin/sh\necho 1000\n');
  chmodSync(join(device.directory, 'bin/id'), 0o755);
  const path = `${join(device.directory, 'bin')}:${process.env.PATH}`;
  const quiet = { OCTASKLY_DISCOVERY: 'false', OCTASKLY_P2P_ENABLED: 'false' };
  return device.start(['sh', '-c', line], { HOME: device.directory, PATH: path, ...quiet });
}

const status = (device: Host, url: string): string => {
  return device.run('curl', '-sk', '--max-time', '5', '-o', '/dev/null', '-w', '%{http_code}', url).stdout;
};

describe.skipIf(without !== null)('the line of an invitation', () => {
  test('makes a worker of a device, from a dispatcher with its defaults, and opens nothing else or longer', async () => {
    const [home, device] = openLan(2).hosts as [Host, Host];
    await startDispatcher(home);
    const at = `http://${home.address()}:3000`;
    expect(status(device, `${at}/install.sh`)).toBe('000');
    const made = await invite(home);
    expect(made).toMatchObject({ install_works: true, install_problem: null });
    expect(made.install).toStartWith(`curl -fsSL ${at}/install.sh | sh`);
    for (const path of ['/', '/health', '/api/v1/tasks', '/api/v1/session', '/metrics', '/docs'])
      expect([path, status(device, `${at}${path}`)]).toEqual([path, '404']);
    const pasted = paste(device, made.install);
    await pasted.line(/Joined the dispatcher at/, { withinMs: 60_000 });
    expect(existsSync(join(device.directory, '.local/bin/octaskly'))).toBe(true);
    await until('the way in is closed', () => status(device, `${at}/install.sh`) === '000');
  }, 120_000);

  test('is taken from nobody but the dispatcher where that has a certificate of its own', async () => {
    const [home, device] = openLan(2).hosts as [Host, Host];
    await startDispatcher(home, '--tls', 'self');
    const { install } = await invite(home);
    expect(install).toContain(`--pinnedpubkey 'sha256//`);
    const dry = `${install} --dry-run`;
    const other = dry.replace(/sha256\/\/./, (pin) => `sha256//${pin.endsWith('A') ? 'B' : 'A'}`);
    expect(device.run('sh', '-c', other).stderr).not.toContain('This device');
    expect(device.run('sh', '-c', dry).stderr).toContain('This device: linux-');
    const pasted = paste(device, install);
    await pasted.line(/Joined the dispatcher at/, { withinMs: 60_000 });
  }, 120_000);

  test('says another port where that of the API is taken, and opens none with --no-install-listener', async () => {
    const [home, device] = openLan(2).hosts as [Host, Host];
    const holder = `Bun.listen({hostname: '${home.address()}', port: 3000, socket: {data() {}}}); console.log('held')`;
    await home.start([process.execPath, '-e', holder]).line(/held/);
    const first = await startDispatcher(home);
    const made = await invite(home);
    expect(made.install).toContain(`http://${home.address()}:3001/install.sh`);
    expect(status(device, `http://${home.address()}:3001/install.sh`)).toBe('200');
    await first.end();
    await startDispatcher(home, '--no-install-listener');
    expect(status(device, `http://${home.address()}:3001/install.sh`)).toBe('000');
    const none = await invite(home);
    expect([none.install_works, none.install_problem]).toEqual([
      false,
      expect.stringContaining('--no-install-listener'),
    ]);
  }, 120_000);
});
