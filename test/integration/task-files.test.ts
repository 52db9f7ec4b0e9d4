/** Inputs into task directories and outputs out of them, on a real disk, with what a hostile task may leave there. */

import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { problemsMax, type TaskFile } from '../../src/core/files.ts';
import type { CollectedFiles, TaskArea, TaskFiles } from '../../src/ports/files.ts';
import { createBlobCache, type FileBlobCache } from '../../src/runtime/blob-cache.ts';
import { createTaskFiles } from '../../src/runtime/task-files.ts';
import { blobOf } from '../memory-blobs.ts';
import { silentLog as log } from '../unit/dispatcher/fakes.ts';

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn('skipped: files of another account and full disks need root');
/** An account that need not exist. */
const user = { name: 'somebody', uid: 61234, gid: 61234 };
const large = 300 * 1024;

let home: string;
let area: TaskArea;
let cache: FileBlobCache;
let files: TaskFiles;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'octaskly-files-'));
  area = { directory: join(home, 'task'), temporary: null, user: null };
  mkdirSync(area.directory, { mode: 0o700 });
  cache = createBlobCache({ directory: join(home, 'blobs'), bytesMax: 1e10, log });
  files = createTaskFiles({ cache, log });
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

function content(text: string, length = text.length): Uint8Array {
  return new TextEncoder().encode(text.repeat(Math.ceil(length / text.length)).slice(0, length));
}

function input(path: string, bytes: Uint8Array, executable = false): TaskFile {
  const blob = blobOf(bytes);
  cache.put(blob, bytes);
  return { path, blob, bytes: bytes.length, executable };
}

/** A program that lets `d` be a directory and a link to another in turn, as fast as it can. */
const swapForEver = `
  const { renameSync } = require('node:fs');
  for (console.log('begun'); ; ) {
    renameSync('d', 't'); renameSync('other', 'd'); renameSync('d', 'other'); renameSync('t', 'd');
  }`;

const at = (path: string): string => join(area.directory, path);

function make(path: string, bytes: Uint8Array | string = path): void {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), bytes);
}

/** The area and all in it becomes the other account's. */
function giveAway(): void {
  area = { ...area, user };
  chownSync(area.directory, user.uid, user.gid);
  for (const name of readdirSync(area.directory, { recursive: true })) chownSync(at(String(name)), user.uid, user.gid);
}

const collect = (patterns: string[], bytesMax = 1e9): Promise<CollectedFiles> =>
  files.collect(patterns, area, bytesMax);
const paths = (collected: CollectedFiles): string[] => collected.files.map(({ path }) => path);

describe('TaskFiles.place()', () => {
  test('puts files in their places, with their content and mode', async () => {
    const [small, big] = [content('small'), content('0123456789', large)];
    await files.place([input('a', small), input('d/e/b', big), input('d/run', small, true)], area);
    expect(readFileSync(at('a'))).toEqual(Buffer.from(small));
    expect(readFileSync(at('d/e/b'))).toEqual(Buffer.from(big));
    expect(['a', 'd/e/b', 'd/run', 'd'].map((path) => statSync(at(path)).mode & 0o777)).toEqual([
      0o644, 0o644, 0o755, 0o700,
    ]);
    writeFileSync(at('d/e/b'), 'changed by the task');
    expect(await cache.verify(blobOf(big))).toBe(true);
  });

  test.skipIf(!isRoot)(
    'gives another account its files; what it only may read cannot be changed through it',
    async () => {
      giveAway();
      const [small, big] = [content('small'), content('0123456789', large)];
      await files.place([input('a', small), input('d/big', big), input('d/run', big, true)], area);
      expect(['a', 'd', 'd/run'].map((path) => statSync(at(path)).uid)).toEqual([user.uid, user.uid, user.uid]);
      const placed = statSync(at('d/big'));
      if (placed.nlink > 1) expect([placed.uid, placed.mode & 0o777]).toEqual([0, 0o444]);
      else expect(placed.uid).toBe(user.uid);
      expect(readFileSync(at('d/big'))).toEqual(Buffer.from(big));
      expect(statSync(at('d/run')).nlink).toBe(1);
      const collected = await collect(['**']);
      expect([paths(collected), collected.problems]).toEqual([['a', 'd/big', 'd/run'], []]);
    },
  );

  test.each([10, large])(
    'drops what was damaged at rest and says so; once it is here again, places over it: %d bytes',
    async (length) => {
      const bytes = content('payload', length);
      const wanted = [input('first', content('x')), input('data/x.csv', bytes)];
      const blob = blobOf(bytes);
      cache.hold(blob);
      writeFileSync(cache.file(blob), content('PAYLOAD', length));
      const refused = expect.objectContaining({ code: 'io', message: expect.stringContaining('"data/x.csv"') });
      await expect(files.place(wanted, area)).rejects.toThrow(refused);
      expect([cache.size(blob), existsSync(at('data/x.csv'))]).toEqual([null, false]);
      await expect(files.place(wanted, area)).rejects.toThrow(refused);
      cache.put(blob, bytes);
      await files.place(wanted, area);
      await files.place(wanted, area);
      expect(readFileSync(at('data/x.csv'))).toEqual(Buffer.from(bytes));
    },
  );

  test('refuses paths that lead out, and goes through no symbolic link', async () => {
    const bytes = content('x');
    for (const path of ['../x', '/x', 'a/../../x', 'a//b', '']) {
      await expect(files.place([input(path, bytes)], area)).rejects.toThrow(`Cannot place input "${path}": it `);
    }
    symlinkSync(home, at('out'));
    await expect(files.place([input('out/x', bytes)], area)).rejects.toThrow('"out" is no directory');
    symlinkSync(join(home, 'victim'), at('name'));
    await files.place([input('name', bytes)], area);
    expect([lstatSync(at('name')).isFile(), existsSync(join(home, 'victim')), existsSync(join(home, 'x'))]).toEqual([
      true,
      false,
      false,
    ]);
  });

  test.skipIf(!isRoot)('says in one sentence that the disk is full, and leaves no half of a file', async () => {
    const mounted = Bun.spawnSync(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', area.directory]);
    if (mounted.exitCode !== 0) {
      console.warn('skipped: no file system can be mounted here');
      return;
    }
    try {
      const message = 'Cannot place input "data/x.csv": no space left on device (2000000 bytes are needed in ';
      await expect(files.place([input('data/x.csv', content('x', 2_000_000))], area)).rejects.toThrow(message);
      expect(readdirSync(at('data'))).toEqual([]);
      const small = Array.from({ length: 8 }, (_, index) => input(`s${index}`, content(`${index}`, 200_000)));
      await expect(files.place(small, area)).rejects.toThrow(/Cannot place input "s\d": no space left on device/);
    } finally {
      Bun.spawnSync(['umount', area.directory]);
    }
  });
});

describe('a full disk', () => {
  test.skipIf(!isRoot)('makes way what is not held, least recently used first, until only that is left', async () => {
    if (Bun.spawnSync(['mount', '-t', 'tmpfs', '-o', 'size=4m', 'none', home]).exitCode !== 0) {
      console.warn('skipped: no file system can be mounted here');
      return;
    }
    try {
      mkdirSync(area.directory);
      cache = createBlobCache({ directory: join(home, 'blobs'), bytesMax: 1e10, log });
      files = createTaskFiles({ cache, log });
      const [old, kept, recent] = ['o', 'k', 'r'].map((text) => input(text, content(text, 1_200_000)).blob);
      cache.hold(kept ?? '');
      const bytes = content('new', 900_000);
      const receiver = cache.receive(blobOf(bytes), bytes.length);
      for (let from = 0; from < bytes.length; from += 100_000) receiver.write(bytes.subarray(from, from + 100_000));
      expect(await receiver.finish()).toBe(true);
      expect([old, kept, recent].map((blob) => cache.size(blob ?? '') !== null)).toEqual([false, true, true]);
      const file = { path: 'b', blob: blobOf(bytes), bytes: bytes.length, executable: false };
      cache.hold(file.blob);
      await files.place([file, { ...file, path: 'c' }], area);
      expect([old, kept, recent].map((blob) => cache.size(blob ?? '') !== null)).toEqual([false, true, false]);
      expect(readFileSync(at('c'))).toEqual(Buffer.from(bytes));
      await expect(files.place([{ ...file, path: 'd' }], area)).rejects.toThrow(
        /^Cannot place input "d": no space left on device \(900000 bytes are needed in .*task, \d+ are free\)\.$/,
      );
      expect(readdirSync(area.directory).sort()).toEqual(['b', 'c']);
    } finally {
      Bun.spawnSync(['umount', home]);
    }
  });
});

describe('TaskFiles.collect()', () => {
  test('takes what the patterns name, each held, and says what was not made', async () => {
    for (const path of ['a.txt', 'b.log', 'd/c.txt', 'd/e/f.txt', '.hidden', 'd/.h/x.txt', 'n/m']) make(path);
    const cases: [string[], string[]][] = [
      [['*.txt'], ['a.txt']],
      [['**/*.txt'], ['a.txt', 'd/c.txt', 'd/e/f.txt']],
      [['d/'], ['d/.h/x.txt', 'd/c.txt', 'd/e/f.txt']],
      [
        ['{a,b}.*', 'd/?.txt'],
        ['a.txt', 'b.log', 'd/c.txt'],
      ],
      [
        ['**/.h/*', './.hidden'],
        ['.hidden', 'd/.h/x.txt'],
      ],
      [
        ['**', '!d/**', '!*.log'],
        ['a.txt', 'n/m'],
      ],
      [['!**/*.txt'], ['b.log', 'n/m']],
      [['d*'], ['d/.h/x.txt', 'd/c.txt', 'd/e/f.txt']],
      [['**/e'], ['d/e/f.txt']],
      [['[dn]', '!d'], ['n/m']],
      [['[dn]', '!**/*.txt'], ['n/m']],
      [
        ['[ab].*', '[!a].log'],
        ['a.txt', 'b.log'],
      ],
    ];
    for (const [patterns, expected] of cases) {
      const collected = await collect(patterns);
      expect([paths(collected), collected.problems]).toEqual([expected, []]);
      for (const { blob } of collected.files) cache.release(blob);
    }
    const collected = await collect(['a.txt', 'nothing', '../../etc/passwd', '/etc/*']);
    expect(paths(collected)).toEqual(['a.txt']);
    expect(collected.problems).toHaveLength(3);
    expect(collected.problems.at(-1)).toBe('"nothing" was not made.');
  });

  test.each([10, large])('makes files blobs that are held until they are released: %d bytes', async (length) => {
    const bytes = content('result', length);
    for (const path of ['one', 'two']) make(path, bytes);
    chmodSync(at('two'), 0o700);
    const blob = blobOf(bytes);
    expect((await collect(['one', 'two'])).files).toEqual([
      { path: 'one', blob, bytes: length, executable: false },
      { path: 'two', blob, bytes: length, executable: true },
    ]);
    cache.release(blob);
    cache.delete(blob);
    expect(cache.read(blob, 0, length)).toEqual(bytes);
    cache.release(blob);
    cache.delete(blob);
    expect(cache.size(blob)).toBeNull();
    expect(readdirSync(join(home, 'blobs', 'incoming'))).toEqual([]);
  });

  test('refuses what is no regular file of its own, by name and in words', async () => {
    writeFileSync(join(home, 'secret'), 'secret');
    mkdirSync(join(home, 'secrets'));
    writeFileSync(join(home, 'secrets', 's'), 'secret');
    symlinkSync(join(home, 'secret'), at('link'));
    symlinkSync(join(home, 'secrets'), at('way'));
    linkSync(join(home, 'secret'), at('twin'));
    expect(Bun.spawnSync(['mkfifo', at('pipe')]).exitCode).toBe(0);
    const server = createServer().listen(at('socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    if (isRoot) expect(Bun.spawnSync(['mknod', at('zero'), 'c', '1', '5']).exitCode).toBe(0);
    make('good');
    const collected = await collect(['**', 'way/s']);
    server.close();
    expect(paths(collected)).toEqual(['good']);
    const refused = (path: string, why: string) => `"${path}" was not collected: it is ${why}; only regular files are.`;
    expect(collected.problems).toEqual([
      refused('link', 'a symbolic link'),
      refused('pipe', 'a named pipe'),
      refused('socket', 'a socket'),
      '"twin" was not collected: it has 2 names (hard links); only files with one are.',
      refused('way', 'a symbolic link'),
      ...(isRoot ? [refused('zero', 'a device')] : []),
      '"way/s" was not made.',
    ]);
  });

  test.skipIf(!isRoot)('refuses a hard link of another account to a file of ours', async () => {
    writeFileSync(join(home, 'shadow'), content('secret', large));
    linkSync(join(home, 'shadow'), at('twin'));
    area = { ...area, user };
    const collected = await collect(['twin']);
    expect([paths(collected), collected.problems]).toEqual([[], [expect.stringContaining('2 names')]]);
    expect(readdirSync(join(home, 'blobs'))).toEqual(['incoming']);
  });

  test.skipIf(!isRoot)('copies what is another account’s, so that it cannot change it any more', async () => {
    make('big', content('result', large));
    giveAway();
    const [file] = (await collect(['big'])).files;
    const kept = statSync(cache.file(file?.blob ?? ''));
    expect([kept.uid, kept.mode & 0o777, kept.ino === statSync(at('big')).ino]).toEqual([0, 0o600, false]);
  });

  test('opens nothing outside while directories are swapped for links beneath it', async () => {
    mkdirSync(join(home, 'secrets'));
    for (let index = 0; index < 50; index++) {
      make(`d/${index}`, 'mine');
      writeFileSync(join(home, 'secrets', String(index)), 'secret');
    }
    symlinkSync(join(home, 'secrets'), at('other'));
    const swapping = Bun.spawn([process.execPath, '-e', swapForEver], { cwd: area.directory, stdout: 'pipe' });
    await swapping.stdout.getReader().read();
    let collected = 0;
    try {
      for (const endAt = Date.now() + 1000; Date.now() < endAt; ) {
        const { files: found } = await collect(['d/**']);
        expect(found.every(({ blob }) => blob === blobOf(content('mine')))).toBe(true);
        collected += found.length;
      }
    } finally {
      swapping.kill('SIGKILL');
      await swapping.exited;
    }
    expect(collected).toBeGreaterThan(0);
    expect(cache.size(blobOf(content('secret')))).toBeNull();
  });

  test('keeps within bytes, files, depth, and the number of problems', async () => {
    make('a', content('a', 600));
    make('b', content('b', 600));
    make('c', content('c', 300));
    const tight = await collect(['*'], 1000);
    expect(paths(tight)).toEqual(['a', 'c']);
    expect(tight.problems).toEqual([
      '"b" was not collected: with its 600 bytes the files are larger than the 1000 bytes allowed in all.',
    ]);
    make(`${'d/'.repeat(70)}deep`);
    expect((await collect(['d'])).problems).toEqual([expect.stringContaining('more than 64 directories deep')]);
    const many = await collect(Array.from({ length: 50 }, (_, index) => `missing${index}`));
    expect(many.problems).toHaveLength(problemsMax);
    expect(many.problems.at(-1)).toBe('There were 31 more problems with outputs.');
  });

  test('is never in the way of others for long', async () => {
    for (let index = 0; index < 2000; index++) make(`many/${index}`, `${index}`);
    make('big', content('0123456789', 30_000_000));
    const isOver = Promise.withResolvers<void>();
    let longestMs = 0;
    let turns = 0;
    let last = process.cpuUsage();
    let done = false;
    const turn = (): void => {
      // Of the processor's time: for how long a machine with other things to do, or its disk, holds it up, shows nothing.
      const { user, system } = process.cpuUsage(last);
      longestMs = Math.max(longestMs, (user + system) / 1000);
      last = process.cpuUsage();
      turns += 1;
      if (done) isOver.resolve();
      else setImmediate(turn);
    };
    setImmediate(turn);
    const collected = await collect(['**']);
    done = true;
    await isOver.promise;
    expect(collected.files).toHaveLength(2001);
    expect(turns).toBeGreaterThan(20);
    expect(longestMs).toBeLessThan(100);
  });

  test('never rejects: a directory that is gone is a problem', async () => {
    rmSync(area.directory, { recursive: true });
    const collected = await collect(['*']);
    expect(collected.files).toEqual([]);
    expect(collected.problems).toEqual(['The files were not collected in full: no such file or directory (ENOENT).']);
  });
});
