/** What every `Workspace` has to do, on a real disk. */

import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { createWorkspace, type DiskWorkspace, spoolMemoryBytesMax } from '../../src/runtime/workspace.ts';
import { silentLog } from '../integration/processes.ts';

let base: string;
let root: string;
let workspace: DiskWorkspace;

beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'workspace-')));
  root = join(base, 'work');
  workspace = createWorkspace({ root, log: silentLog });
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const modeOf = (path: string) => statSync(path).mode & 0o777;

describe('createArea()', () => {
  test('makes an empty private directory, each time another', () => {
    const dir = workspace.createArea({ isolated: false, user: null }).directory;
    expect(isAbsolute(dir)).toBe(true);
    expect(modeOf(dir)).toBe(0o700);
    writeFileSync(join(dir, 'file'), 'x');
    const other = workspace.createArea({ isolated: false, user: null }).directory;
    expect(other).not.toBe(dir);
    expect(readdirSync(other)).toEqual([]);
  });

  test('takes over what a predecessor left, empty', () => {
    const dir = workspace.createArea({ isolated: false, user: null }).directory;
    writeFileSync(join(dir, 'old'), 'x');
    expect(createWorkspace({ root, log: silentLog }).createArea({ isolated: false, user: null }).directory).toBe(dir);
    expect(readdirSync(dir)).toEqual([]);
  });

  test('gives an untouched directory out again, and one with other permissions never', async () => {
    const dir = workspace.createArea({ isolated: false, user: null }).directory;
    await workspace.removeArea({ directory: dir, temporary: null, user: null });
    expect(workspace.createArea({ isolated: false, user: null }).directory).toBe(dir);
    chmodSync(dir, 0o777);
    await workspace.removeArea({ directory: dir, temporary: null, user: null });
    expect(existsSync(dir)).toBe(false);
    expect(workspace.createArea({ isolated: false, user: null }).directory).not.toBe(dir);
  });

  test('tells when it cannot', () => {
    rmSync(join(root, 'tasks'), { recursive: true });
    writeFileSync(join(root, 'tasks'), '');
    expect(() => workspace.createArea({ isolated: false, user: null }).directory).toThrow(
      'Cannot make the task directory',
    );
  });
});

describe('removeArea()', () => {
  test('removes what a task made there, and nothing that it points to', async () => {
    const outside = join(base, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'precious'), 'x');
    const dir = workspace.createArea({ isolated: false, user: null }).directory;
    symlinkSync(outside, join(dir, 'link'));
    symlinkSync('/no/such/file', join(dir, 'dangling'));
    mkdirSync(join(dir, 'a/b/c'), { recursive: true });
    writeFileSync(join(dir, 'a/b/c/file'), 'x');
    await workspace.removeArea({ directory: dir, temporary: null, user: null });
    expect(existsSync(dir)).toBe(false);
    expect(readFileSync(join(outside, 'precious'), 'utf8')).toBe('x');
    await workspace.removeArea({ directory: dir, temporary: null, user: null });
  });

  test('removes nothing outside its root', () => {
    expect(() => workspace.removeArea({ directory: base, temporary: null, user: null })).toThrow();
    expect(() => workspace.removeArea({ directory: join(root, 'tasks'), temporary: null, user: null })).toThrow();
    expect(existsSync(root)).toBe(true);
  });

  test('removes trees deeper than a path can name', async () => {
    const dir = workspace.createArea({ isolated: false, user: null }).directory;
    const segment = Array.from({ length: 150 }, () => 'd'.repeat(20)).join('/');
    for (let part = 0; part < 4; part++) {
      mkdirSync(join(dir, `${part}`, segment), { recursive: true });
      if (part > 0) renameSync(join(dir, `${part - 1}`), join(dir, `${part}`, segment, 'deeper'));
    }
    await workspace.removeArea({ directory: dir, temporary: null, user: null });
    expect(readdirSync(join(root, 'tasks'))).toEqual([]);
  });

  // Root may do anything, so the refusals have to be met by somebody else.
  test.skipIf(process.getuid?.() !== 0 || Bun.which('setpriv') === null)(
    'removes directories without permissions, as an ordinary user',
    async () => {
      const home = mkdtempSync(join(tmpdir(), 'workspace-user-'));
      chmodSync(home, 0o777);
      const program = join(home, 'remove.js');
      const built = await Bun.build({
        entrypoints: [join(import.meta.dir, '../integration/removing.ts')],
        target: 'bun',
      });
      await Bun.write(program, await (built.outputs[0] ?? new Blob()).text());
      await Bun.write(join(home, 'bun'), Bun.file(process.execPath));
      chmodSync(join(home, 'bun'), 0o755);
      chmodSync(program, 0o644);
      const user = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
      const child = Bun.spawn([...user, join(home, 'bun'), program, join(home, 'work')], {
        cwd: '/',
        env: { PATH: process.env.PATH ?? '', HOME: home, TMPDIR: home },
        stdin: 'ignore',
        stderr: 'pipe',
      });
      const [text, problems, code] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
        child.exited,
      ]);
      rmSync(home, { recursive: true, force: true });
      expect([text.trim(), problems.includes('error'), code]).toEqual(['left: []', false, 0]);
    },
    20_000,
  );
});

describe('an isolated area', () => {
  test('has two private directories beside each other, which are never used again', async () => {
    const area = workspace.createArea({ isolated: true, user: null });
    const temporary = area.temporary ?? '';
    expect([modeOf(area.directory), modeOf(temporary), area.user]).toEqual([0o700, 0o700, null]);
    expect(temporary.startsWith(`${area.directory}/`)).toBe(false);
    writeFileSync(join(temporary, 'file'), 'x');
    await workspace.removeArea(area);
    expect(readdirSync(join(root, 'tasks'))).toEqual([]);
    const next = workspace.createArea({ isolated: true, user: null });
    expect([area.directory, temporary]).not.toContain(next.directory);
    expect(workspace.createArea({ isolated: false, user: null }).directory).not.toBe(next.directory);
  });

  test('is never a spare of plain ones', async () => {
    const plain = workspace.createArea({ isolated: false, user: null });
    await workspace.removeArea(plain);
    expect(workspace.createArea({ isolated: true, user: null }).directory).not.toBe(plain.directory);
  });

  test.skipIf(process.getuid?.() !== 0)(
    "may be another account's, which can pass to it and look at nothing else",
    async () => {
      const shared = createWorkspace({ root: join(base, 'shared'), shared: true, log: silentLog });
      const user = { name: 'nobody', uid: 65534, gid: 65534 };
      const area = shared.createArea({ isolated: true, user });
      for (const path of [area.directory, area.temporary ?? '']) {
        const facts = statSync(path);
        expect([facts.uid, facts.gid, facts.mode & 0o777]).toEqual([65534, 65534, 0o700]);
      }
      expect(['', 'tasks', 'spool'].map((name) => modeOf(join(base, 'shared', name)))).toEqual([0o711, 0o711, 0o700]);
      symlinkSync(base, join(area.directory, 'out'));
      await shared.removeArea(area);
      expect([existsSync(area.directory), existsSync(base)]).toEqual([false, true]);
    },
  );

  test('can be passed to through all that was made above it, whatever the umask; what was there stays as it is', () => {
    chmodSync(base, 0o700);
    const before = process.umask(0o077);
    try {
      createWorkspace({ root: join(base, 'lib', 'octaskly', 'id'), shared: true, log: silentLog });
    } finally {
      process.umask(before);
    }
    const made = ['', 'lib', 'lib/octaskly', 'lib/octaskly/id', 'lib/octaskly/id/tasks'];
    expect(made.map((name) => modeOf(join(base, name)))).toEqual([0o700, 0o711, 0o711, 0o711, 0o711]);
    expect(modeOf(join(base, 'lib/octaskly/id/spool'))).toBe(0o700);
  });
});

describe('openSpool()', () => {
  const pattern = (size: number) => Uint8Array.from({ length: size }, (_, index) => (index * 7 + (index >> 8)) & 255);

  test.each([0, 1, spoolMemoryBytesMax, spoolMemoryBytesMax + 1, 1_000_000])('gives back %i bytes', (size) => {
    const spool = workspace.openSpool('t1.1.stdout');
    const bytes = pattern(size);
    for (let at = 0; at < size; at += 10_007) spool.append(bytes.subarray(at, at + 10_007));
    expect(spool.size).toBe(size);
    expect(Bun.SHA256.hash(spool.read(0, size + 100), 'hex')).toBe(Bun.SHA256.hash(bytes, 'hex'));
    const middle = Math.floor(size / 2);
    expect([...spool.read(middle, 5)]).toEqual([...bytes.subarray(middle, middle + 5)]);
    expect(spool.read(size, 5).length).toBe(0);
    spool.discard();
    spool.discard();
    expect(spool.size).toBe(0);
  });

  test('copies what it is given and what it gives', () => {
    const spool = workspace.openSpool('t1.1.stdout');
    const bytes = new Uint8Array([1, 2, 3]);
    spool.append(bytes);
    bytes.fill(9);
    spool.read(0, 3).fill(8);
    expect([...spool.read(0, 3)]).toEqual([1, 2, 3]);
  });

  test.skipIf(process.platform === 'win32')('leaves no name on the disk, also while it is open', () => {
    const spool = workspace.openSpool('t1.1.stdout');
    spool.append(new Uint8Array(spoolMemoryBytesMax * 3));
    expect(readdirSync(join(root, 'spool'))).toEqual([]);
    expect(modeOf(join(root, 'spool'))).toBe(0o700);
    spool.discard();
  });
});

describe('sweep()', () => {
  test('removes what earlier workers left, and only that', () => {
    writeFileSync(join(base, 'beside'), 'x');
    writeFileSync(join(workspace.createArea({ isolated: false, user: null }).directory, 'file'), 'x');
    writeFileSync(join(root, 'spool', 'old'), 'x');
    symlinkSync(join(base, 'beside'), join(root, 'tasks', 'link'));
    workspace.sweep();
    expect([readdirSync(join(root, 'tasks')), readdirSync(join(root, 'spool'))]).toEqual([[], []]);
    expect(readFileSync(join(base, 'beside'), 'utf8')).toBe('x');
  });
});
