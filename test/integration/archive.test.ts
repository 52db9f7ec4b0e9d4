import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpackMember } from '../../src/runtime/archive.ts';

let directory: string;
const inside = 'octaskly-1.2.3-linux-x64';
// Longer than what is read at a time, and no whole number of blocks.
const text = Buffer.alloc(300_001, 'some text that packs well, and then some more. ');

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-archive-'));
  mkdirSync(join(directory, inside));
  for (const name of ['LICENSE', 'octaskly', 'README.md'])
    writeFileSync(join(directory, inside, name), `${name}: ${text}`);
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const run = (...command: string[]): void => {
  const { exitCode, stderr } = Bun.spawnSync(command, { cwd: directory, env: { PATH: process.env.PATH ?? '' } });
  if (exitCode !== 0) throw new Error(stderr.toString());
};
const python = Bun.which('python3');

async function takesOneFile(archive: string): Promise<void> {
  const to = join(directory, 'out');
  await unpackMember(join(directory, archive), `${inside}/octaskly`, to);
  expect(readFileSync(to, 'utf8')).toBe(`octaskly: ${text}`);
  expect(statSync(to).mode & 0o777).toBe(0o700);
  rmSync(to);
  expect(unpackMember(join(directory, archive), `${inside}/other`, to)).rejects.toThrow(
    `there is no ${inside}/other in it`,
  );
  rmSync(to, { force: true });
  const whole = readFileSync(join(directory, archive));
  writeFileSync(join(directory, `cut-${archive}`), whole.subarray(0, whole.length / 2));
  expect(unpackMember(join(directory, `cut-${archive}`), `${inside}/octaskly`, to)).rejects.toThrow('Cannot take');
}

test('unpackMember() takes one file out of a tar packed by gzip', async () => {
  run('tar', '-czf', 'a.tar.gz', inside);
  await takesOneFile('a.tar.gz');
});

test('unpackMember() takes one file out of a zip', async () => {
  if (python === null) return console.warn('not tested: zip archives: python3, which makes one, is not installed');
  run(python, '-m', 'zipfile', '-c', 'a.zip', inside);
  await takesOneFile('a.zip');
});

test('unpackMember() does not unpack more than an entry of a zip says it holds', async () => {
  if (python === null) return console.warn('not tested: zip archives: python3, which makes one, is not installed');
  run(python, '-m', 'zipfile', '-c', 'a.zip', inside);
  const bytes = readFileSync(join(directory, 'a.zip'));
  // Of each entry of the directory of the archive: the size unpacked.
  for (let at = bytes.indexOf('PK\x01\x02'); at >= 0; at = bytes.indexOf('PK\x01\x02', at + 1)) {
    bytes.writeUInt32LE(100, at + 24);
  }
  writeFileSync(join(directory, 'lying.zip'), bytes);
  const unpacking = unpackMember(join(directory, 'lying.zip'), `${inside}/octaskly`, join(directory, 'out'));
  await expect(unpacking).rejects.toThrow('it unpacks to more than it says');
});
