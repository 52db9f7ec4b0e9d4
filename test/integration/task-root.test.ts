/** Where a worker that is root lets tasks of another account run, and what it says when that account cannot get there. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closedRoot, taskRoot } from '../../src/roles/isolation.ts';
import { canReach } from '../../src/runtime/accounts.ts';

/** Nobody on this machine, so that only the mode for others counts. */
const stranger = { name: 'octaskly-task', uid: 4_000_001, gid: 4_000_001 };

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-task-root-'));
  chmodSync(directory, 0o755);
  mkdirSync(join(directory, 'closed/inner'), { recursive: true });
  chmodSync(join(directory, 'closed'), 0o700);
  chmodSync(join(directory, 'closed/inner'), 0o755);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const isClosed = !canReach(stranger, join(tmpdir(), 'any'));
if (isClosed) console.warn(`not tested: where tasks of another account run: ${tmpdir()} is closed to others`);

describe.skipIf(isClosed)('the root of tasks', () => {
  test('taskRoot() is outside of a closed data directory, and not in that of another service', () => {
    const root = (folder: string, workDir?: string) =>
      taskRoot({ workDir, id: 'w1', directory: join(directory, folder, 'w1') }, stranger);
    expect(root('open')).toBe(join(directory, 'open/w1'));
    expect(root('closed/inner')).toBe('/var/lib/octaskly-tasks/w1');
    expect(root('closed', join(directory, 'work'))).toBe(join(directory, 'work/w1'));
  });

  test('closedRoot() names the directory that is closed, and the command that opens it', () => {
    const closed = join(directory, 'closed');
    const said = closedRoot(join(closed, 'inner/w1'), stranger);
    expect(said).toContain(`${closed} is closed to that account`);
    expect(said).toContain(`chmod o+x ${closed})`);
    chmodSync(join(closed, 'inner'), 0o700);
    expect(closedRoot(join(closed, 'inner/w1'), stranger)).toContain(`chmod o+x ${closed} ${join(closed, 'inner')})`);
    chmodSync(join(closed, 'inner'), 0o711);
    chmodSync(closed, 0o711);
    expect([closedRoot(join(closed, 'inner/w1'), stranger), closedRoot('/root/w1', null)]).toEqual([null, null]);
  });
});
