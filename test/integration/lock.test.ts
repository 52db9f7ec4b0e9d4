/** Locks between real processes. */

import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OctasklyError } from '../../src/base/errors.ts';
import { acquireLock, lockBySqlite, lockHolder } from '../../src/runtime/lock.ts';

const module = join(import.meta.dir, '../../src/runtime/lock.ts');

let dir: string;
let file: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lock-'));
  file = join(dir, 'lock');
});
afterEach(() => rmSync(dir, { recursive: true }));

/** Another process that takes the lock, starts a child that lives on, tells both pids and waits. */
async function holder(take: string) {
  const code = `
    import { ${take} } from ${JSON.stringify(module)};
    globalThis.held = ${take}(${JSON.stringify(file)});
    const child = Bun.spawn(['sleep', '60'], { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore', detached: true });
    console.log(held === null ? 'refused' : child.pid);
    setInterval(() => undefined, 60_000);`;
  const process_ = Bun.spawn([process.execPath, '-e', code], { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' });
  const first = await process_.stdout.getReader().read();
  return { process: process_, childPid: Number(Buffer.from(first.value ?? []).toString()) };
}

describe.each([
  ['acquireLock', acquireLock],
  ['lockBySqlite', lockBySqlite],
] as const)('%s()', (name, take) => {
  test('gives null while it is held, and the lock again after release()', () => {
    const lock = take(file);
    expect(lockHolder(file)).toBe(process.pid);
    expect(take(file)).toBeNull();
    lock?.release();
    lock?.release();
    const again = take(file);
    expect(again).not.toBeNull();
    again?.release();
  });

  test('is given back when its holder is killed, although a child of it lives on', async () => {
    const other = await holder(name);
    try {
      expect(take(file)).toBeNull();
      expect(lockHolder(file)).toBe(other.process.pid);
      other.process.kill('SIGKILL');
      await other.process.exited;
      const lock = take(file);
      expect(lock).not.toBeNull();
      expect(lockHolder(file)).toBe(process.pid);
      lock?.release();
    } finally {
      other.process.kill('SIGKILL');
      process.kill(other.childPid, 'SIGKILL');
    }
  });
});

test('acquireLock() says what it could not open', () => {
  expect(() => acquireLock(join(dir, 'missing', 'lock'))).toThrow(OctasklyError);
});

test('lockHolder() is null when nobody ever held it', () => {
  expect(lockHolder(file)).toBeNull();
});
