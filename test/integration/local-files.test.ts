/** The command line's files on a real disk: what may be brought along, and what may be written where. */

import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { IncomingFile, LocalFile } from '../../src/cli/files.ts';
import { createLocalFiles } from '../../src/runtime/local-files.ts';
import { blobOf } from '../unit/cli/files.ts';

const files = createLocalFiles();
let folder = '';

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'octaskly-files-')));
});

afterEach(() => rmSync(folder, { recursive: true }));

function write(path: string, text: string, mode = 0o644): string {
  const whole = join(folder, path);
  mkdirSync(join(whole, '..'), { recursive: true });
  writeFileSync(whole, text);
  chmodSync(whole, mode);
  return whole;
}

function refusal(action: Promise<unknown>): Promise<string> {
  return action.then(
    () => 'nothing was refused',
    (error: unknown) => String((error as Error).message).replaceAll(folder, 'F'),
  );
}

describe('find()', () => {
  test('gives all files below a directory in order, with size and executable bit, links as what they lead to', async () => {
    write('d/b', 'two', 0o755);
    write('d/a/ü x', 'three');
    write('d/-x\ny', '');
    write('other/file', 'linked');
    symlinkSync(join(folder, 'other/file'), join(folder, 'd/link'));
    symlinkSync(join(folder, 'other'), join(folder, 'd/linked'));
    const found = await files.find(join(folder, 'd'));
    expect(found.map(({ path, bytes, executable }) => [path, bytes, executable])).toEqual([
      ['-x\ny', 0, false],
      ['a/ü x', 5, false],
      ['b', 3, true],
      ['link', 6, false],
      ['linked/file', 6, false],
    ]);
    expect((await files.find(join(folder, 'd/b'))).map(({ path }) => path)).toEqual(['']);
  });

  test('names what is missing, what is no file, and what has no end', async () => {
    write('file', '');
    mkdirSync(join(folder, 'loop/deep'), { recursive: true });
    symlinkSync('..', join(folder, 'loop/deep/up'));
    symlinkSync('nowhere', join(folder, 'dangling'));
    symlinkSync('self', join(folder, 'self'));
    Bun.spawnSync(['mkfifo', join(folder, 'fifo')]);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(folder, 'socket'), resolve));
    const said = async (path: string) => refusal(files.find(join(folder, path)));
    expect([await said('none'), await said('file/below'), await said('loop'), await said('dangling')]).toEqual([
      'There is no file or directory F/none.',
      'There is no file or directory F/file/below.',
      'F/loop/deep/up leads back to F/loop, in which it lies: it has no end.',
      'F/dangling is a symbolic link to what is not there.',
    ]);
    expect([await said('self'), await said('fifo'), await said('socket')]).toEqual([
      'F/self is a symbolic link that leads to itself.',
      'F/fifo is a pipe; only files and directories can be brought along.',
      'F/socket is a socket; only files and directories can be brought along.',
    ]);
    server.close();
    expect(await refusal(files.find('/dev/null'))).toContain('/dev/null is a device');
    expect(await refusal(files.find('none'))).toContain(`(looked for ${join(process.cwd(), 'none')})`);
  });
});

describe('hash() and read()', () => {
  const fileOf = async (path: string): Promise<LocalFile> => {
    const [file] = await files.find(path);
    if (file === undefined) throw new Error('no file');
    return file;
  };

  test.each([0, 1, 65_536, 65_537, 1_048_576, 3_000_001])('take %d bytes whole', async (size) => {
    const text = 'x'.repeat(size);
    const path = write('f', text);
    let told = 0;
    const hashed = await files.hash(await fileOf(path), (bytes) => {
      told += bytes;
    });
    expect(hashed).toEqual({ blob: blobOf(text), bytes: size });
    expect(told).toBe(size);
    const from = Math.floor(size / 3);
    expect(await new Response(files.read(path, { from, to: size })).text()).toBe(text.slice(from));
  });

  test('read() fails with the name of a file that became shorter', async () => {
    const path = write('f', 'x'.repeat(100));
    truncateSync(path, 10);
    const reading = new Response(files.read(path, { from: 0, to: 100 })).text();
    expect(await refusal(reading)).toBe('Cannot upload F/f: it became shorter while it was read.');
  });

  test('read() ends without a trace when it is cancelled while it reads', async () => {
    const reader = files.read(write('f', 'x'.repeat(100)), { from: 0, to: 100 }).getReader();
    const pending = reader.read();
    await reader.cancel();
    expect((await pending).done).toBe(true);
    expect(await reader.closed.then(() => 'closed', String)).toBe('closed');
  });

  test('hash() ends with its signal', async () => {
    const path = write('f', 'x'.repeat(200_000));
    const ended = files.hash(await fileOf(path), () => {}, AbortSignal.abort(new Error('enough')));
    expect(await refusal(ended)).toBe('enough');
  });
});

describe('create()', () => {
  const put = async (
    path: string,
    text: string,
    { executable = false, blob = blobOf(text) } = {},
  ): Promise<boolean> => {
    const facts = { path, executable, blob, bytes: text.length };
    const incoming = await files.create(join(folder, 'to'), facts);
    await incoming.write(new TextEncoder().encode(text));
    const isThere = (await incoming.finish()) === blob;
    await incoming.discard();
    return isThere;
  };
  const textOf = (path: string): string => readFileSync(join(folder, path), 'utf8');

  test('makes directories, sets the executable bit, and replaces a file that is there', async () => {
    expect(await put('a/b/c.sh', 'one', { executable: true })).toBe(true);
    expect(statSync(join(folder, 'to/a/b/c.sh')).mode & 0o100).toBe(0o100);
    expect(await put('a/b/c.sh', 'two')).toBe(true);
    expect(textOf('to/a/b/c.sh')).toBe('two');
    expect(statSync(join(folder, 'to/a/b/c.sh')).mode & 0o111).toBe(0);
    expect(readdirSync(join(folder, 'to/a/b'))).toEqual(['c.sh']);
  });

  test('leaves what is there alone until the hash is right, and nothing of what was discarded', async () => {
    write('to/f', 'old');
    expect(await put('f', 'new', { blob: blobOf('other') })).toBe(false);
    const facts = { path: 'f', executable: false, blob: blobOf('half'), bytes: 4 };
    const incoming = await files.create(join(folder, 'to'), facts);
    await incoming.write(new TextEncoder().encode('half'));
    await incoming.discard();
    await incoming.discard();
    expect([textOf('to/f'), readdirSync(join(folder, 'to'))]).toEqual(['old', ['f']]);
  });

  describe('what a killed fetch left', () => {
    const text = 'all of the content';
    const facts = { path: 'f', executable: false, blob: blobOf(text), bytes: text.length };
    const left = `to/.octaskly-${blobOf(text).slice(7, 23)}.part`;
    const begin = () => files.create(join(folder, 'to'), facts);
    const finish = async (incoming: IncomingFile) => {
      await incoming.write(new TextEncoder().encode(text.slice(incoming.received)));
      return incoming.finish();
    };

    test.each([0, 5, text.length])('is gone on with after %d bytes, and is gone', async (bytes) => {
      write(left, text.slice(0, bytes), 0o755);
      const incoming = await begin();
      expect(incoming.received).toBe(bytes);
      expect(await finish(incoming)).toBe(facts.blob);
      expect([textOf('to/f'), readdirSync(join(folder, 'to'))]).toEqual([text, ['f']]);
      expect(statSync(join(folder, 'to/f')).mode & 0o111).toBe(0);
    });

    test('is dropped when it is of other content or too long', async () => {
      write(left, 'other');
      expect(await finish(await begin())).not.toBe(facts.blob);
      expect(readdirSync(join(folder, 'to'))).toEqual([]);
      write(left, `${text}, and more`);
      const incoming = await begin();
      expect([incoming.received, await finish(incoming)]).toEqual([0, facts.blob]);
    });

    test('is left alone while another fetch is at it, and both get the file', async () => {
      const first = await begin();
      await first.write(new TextEncoder().encode(text.slice(0, 5)));
      const second = await begin();
      expect(second.received).toBe(0);
      expect(await finish(second)).toBe(facts.blob);
      await first.write(new TextEncoder().encode(text.slice(5)));
      expect(await first.finish()).toBe(facts.blob);
      expect([textOf('to/f'), readdirSync(join(folder, 'to'))]).toEqual([text, ['f']]);
    });

    test('has no name that leads elsewhere, whatever the hash says', async () => {
      const incoming = await files.create(join(folder, 'to'), { ...facts, blob: 'sha256:x/../../out' });
      expect(readdirSync(folder)).toEqual(['to']);
      expect(readdirSync(join(folder, 'to'))).toEqual([expect.stringMatching(/^\.octaskly-[0-9a-f]{16}\.part$/)]);
      await incoming.discard();
    });

    test('is never a link or a file that has another name too', async () => {
      write('out/mine', 'mine');
      mkdirSync(join(folder, 'to'));
      for (const plant of [symlinkSync, linkSync]) {
        plant(join(folder, 'out/mine'), join(folder, left));
        expect(await finish(await begin())).toBe(facts.blob);
        expect([textOf('to/f'), textOf('out/mine')]).toEqual([text, 'mine']);
        rmSync(join(folder, left));
      }
    });
  });

  test('never writes through a link that leads out, whatever is at the place', async () => {
    write('out/secret', 'mine');
    mkdirSync(join(folder, 'to/dir'), { recursive: true });
    symlinkSync(join(folder, 'out'), join(folder, 'to/away'));
    symlinkSync('../out/secret', join(folder, 'to/file'));
    symlinkSync('../out/new', join(folder, 'to/dangling'));
    Bun.spawnSync(['mkfifo', join(folder, 'to/fifo')]);
    const said = (path: string) => refusal(put(path, 'evil'));
    expect(await said('away/secret')).toBe('F/to/away leads out of the directory, to F/out; nothing is written there.');
    expect(await said('away/deep/x')).toContain('leads out of the directory');
    expect(await said('file')).toBe('F/to/file leads out of the directory, to F/out/secret; nothing is written there.');
    expect(await said('dangling')).toBe('F/to/dangling is a symbolic link to what is not there.');
    expect(await said('dir')).toBe('There is a directory F/to/dir in its place.');
    expect(await said('fifo')).toBe('F/to/fifo is a pipe; only a file is replaced.');
    expect([textOf('out/secret'), readdirSync(join(folder, 'out'))]).toEqual(['mine', ['secret']]);
  });

  test('says that a file is where the directory should be', async () => {
    const place = write('taken', '');
    const facts = { path: 'a', blob: blobOf(''), bytes: 0, executable: false };
    for (const directory of [place, join(place, 'below')]) {
      const said = `A file is where the directory ${directory.replace(folder, 'F')} should be.`;
      expect(await refusal(files.create(directory, facts))).toBe(said);
    }
  });

  test('follows links that stay below the directory', async () => {
    write('to/real/f', 'old');
    symlinkSync('real', join(folder, 'to/link'));
    symlinkSync('real/f', join(folder, 'to/g'));
    expect(await put('link/f', 'one')).toBe(true);
    expect(textOf('to/real/f')).toBe('one');
    expect(await put('g', 'two')).toBe(true);
    expect(textOf('to/real/f')).toBe('two');
    appendFileSync(join(folder, 'to/g'), '!');
    expect(textOf('to/real/f')).toBe('two!');
  });
});
