/**
 * A worker that is away and needed is called over its network: the packets as a device beside it sees them, sent by the
 * compiled file.
 */

import { afterEach, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { magicPacket } from '../../src/discovery/magic-packet.ts';
import { executable } from '../e2e/executable.ts';
import { cannotNetwork, closeLans, type Host, openLan } from './namespaces.ts';

const skipped = cannotNetwork('waking sleeping workers') !== null;

afterEach(closeLans);

/** Prints what comes to port 9, as hex. */
const listener = `
  const socket = require('node:dgram').createSocket('udp4');
  socket.on('message', (bytes) => console.log('heard ' + bytes.toString('hex')));
  socket.bind(9, () => console.log('listening'));`;

describe.skipIf(skipped)('a worker that went silent', () => {
  test('is called by its card when work waits for it, and when somebody asks; one that was stopped only then', async () => {
    const [home, laptop, beside] = openLan(3).hosts as [Host, Host, Host];
    const file = await executable();
    const own = { HOME: home.directory, OCTASKLY_DISCOVERY: 'false' };
    const quick = ['--heartbeat-timeout', '1', '--secret', 'waking-on-a-network-of-its-own'];
    const dispatcher = home.start([file, 'dispatcher', ...quick], own);
    await dispatcher.line(/dispatcher ready/);
    const command = [file, 'worker', '--name', 'laptop', '--dispatcher', home.address(), '--sandbox-level', 'none'];
    const start = () => laptop.start([...command, ...quick.slice(2)], { ...own, HOME: laptop.directory });
    const ask = (...args: readonly string[]) =>
      home.run(file, ...args, '--data-dir', join(home.directory, '.octaskly'));
    const worker = start();
    await worker.line(/Joined the dispatcher/);
    const mac = laptop.run('cat', '/sys/class/net/eth0/address').stdout.trim();
    const ear = beside.start([process.execPath, '-e', listener]);
    await ear.line(/listening/);

    // A machine that sleeps says nothing: not that it stops either.
    await worker.end('SIGKILL');
    const id = ask('submit', '-o', 'quiet', 'echo', 'awake').stdout.trim();
    const heard = await ear.line(/^heard/, { withinMs: 20_000 });
    expect(heard.line).toBe(`heard ${magicPacket(mac).toHex()}`);
    expect(ask('workers').stdout).toMatch(/laptop +waking/);
    expect(ask('explain', id).stdout).toContain('is being woken: laptop');
    const again = start();
    await again.line(/Joined the dispatcher/);
    expect(ask('wait', id).status).toBe(0);
    expect(ask('wake', 'laptop').stderr).toContain('there is nothing to wake');

    await again.end('SIGTERM');
    expect(ask('workers').stdout).toMatch(/laptop +offline/);
    const before = ear.lines.length;
    expect(ask('wake', 'laptop')).toMatchObject({ status: 0, stderr: '' });
    await ear.line(/^heard/, { from: before });
    expect(ask('audit', '--type', 'worker_woken').stdout).toMatch(/worker_woken +owner/);
  }, 60_000);
});
