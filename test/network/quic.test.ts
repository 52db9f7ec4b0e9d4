/** A QUIC connection between two hosts, one of which moves to another address. */

import { afterEach, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { cannotNetwork, closeLans, openLan } from './namespaces.ts';

afterEach(closeLans);

const skipped = cannotNetwork('QUIC between hosts') !== null;
const node = [process.execPath, join(import.meta.dir, 'quic-node.ts')];

describe.skipIf(skipped)('createQuicTransport() on a network', () => {
  test('keeps a connection whose dialler moves to another address, within 2 s', async () => {
    const [there, here] = openLan(2).hosts;
    if (there === undefined || here === undefined) throw new Error('no hosts');
    const listener = there.start([...node, 'listen', '7070']);
    await listener.line(/^listening$/);
    const dialler = here.start([...node, 'dial', there.address(), '7070']);
    await dialler.line(/^echoes 20$/);
    here.ip('addr', 'del', `${here.address()}/24`, 'dev', 'eth0');
    here.ip('addr', 'add', '10.79.0.99/24', 'dev', 'eth0');
    const { length: from } = dialler.lines;
    const movedAt = performance.now() - dialler.startedAt;
    // What is sent from the old address may be among the next ones still.
    const echo = await dialler.line(/^echoes/, { from: from + 5 });
    console.log(`heard again ${(echo.at - movedAt).toFixed(0)} ms after the move`);
    expect(echo.at - movedAt).toBeLessThan(2000);
    expect(here.run('ip', '-o', 'addr').stdout).not.toContain(`${here.address()}/`);
    expect(listener.lines.filter((line) => line.startsWith('taken'))).toEqual([`taken ${here.address()}`]);
    expect([...dialler.lines, ...listener.lines].filter((line) => /^(ended|closed)/.test(line))).toEqual([]);
  }, 30_000);

  test('answers at every address of the listener, also at one that comes later', async () => {
    const [there, here] = openLan(2).hosts;
    if (there === undefined || here === undefined) throw new Error('no hosts');
    there.ip('addr', 'add', '10.79.0.21/24', 'dev', 'eth0');
    there.ip('addr', 'add', 'fd79:0::21/64', 'dev', 'eth0', 'nodad');
    const listener = there.start([...node, 'listen', '7070']);
    await listener.line(/^listening$/);
    for (const host of [there.address(), '10.79.0.21', 'fd79::1', 'fd79::21']) {
      const dialler = here.start([...node, 'dial', host, '7070']);
      await dialler.line(/^echoes 2$/);
    }
    there.ip('addr', 'add', '10.79.0.22/24', 'dev', 'eth0');
    const late = here.start([...node, 'dial', '10.79.0.22', '7070']);
    await late.line(/^echoes 2$/);
  }, 30_000);
});
