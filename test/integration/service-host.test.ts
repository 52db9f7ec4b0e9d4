/** What `octaskly service` finds out about this machine. */

import { describe, expect, test } from 'bun:test';
import { accountCommand } from '../../src/runtime/service-host.ts';

const cannotAdd = Bun.which('useradd', { PATH: `${process.env.PATH ?? ''}:/usr/sbin` }) === null;
if (cannotAdd) console.warn('not tested: making accounts: useradd is not installed');

describe.skipIf(cannotAdd)('accountCommand()', () => {
  test('makes a group of that name, and takes one that is there, which useradd would not make again', () => {
    expect(accountCommand('octaskly-nobody-has', '/var/lib/x')).toContain('--user-group');
    const taken = accountCommand('root', '/var/lib/x') ?? [];
    expect(taken).not.toContain('--user-group');
    expect(taken.join(' ')).toContain('--gid root');
  });
});
