import { describe, expect, test } from 'bun:test';
import { fileFor, type ReleaseManifest, readManifest } from '../../../src/core/release-manifest.ts';
import { archiveName, programNameOn, type Target, targetNamed, targets } from '../../../src/core/targets.ts';

const manifest: ReleaseManifest = {
  name: 'octaskly',
  version: '1.2.3',
  commit: '0123456789abcdef0123456789abcdef01234567',
  date: '2026-01-31T12:00:00.000Z',
  protocol: { min: 4, max: 5 },
  files: [
    { file: 'octaskly-1.2.3-linux-x64', kind: 'program', target: 'linux-x64', bytes: 2, sha256: 'a'.repeat(64) },
    { file: 'octaskly-1.2.3-linux-x64.tar.gz', kind: 'archive', target: 'linux-x64', bytes: 1, sha256: 'b'.repeat(64) },
    { file: 'octaskly-1.2.3.cdx.json', kind: 'bill', target: null, bytes: 0, sha256: 'c'.repeat(64) },
  ],
};

function named(name: string): Target {
  const target = targetNamed(name);
  if (target === undefined) throw new Error(`${name} is no target`);
  return target;
}

describe('readManifest()', () => {
  test('reads what was written, and leaves alone what a later release says more', () => {
    expect(readManifest(JSON.stringify(manifest))).toEqual({ ok: true, manifest });
    expect(readManifest(JSON.stringify({ ...manifest, later: { x: 1 } }))).toEqual({ ok: true, manifest });
  });

  const [program] = manifest.files;
  test.each([
    ['text', '{', 'not JSON'],
    ['a list', [], 'not an object'],
    ['another program', { ...manifest, name: 'other' }, 'not of octaskly'],
    ['no version', { ...manifest, version: '1.2' }, 'version'],
    ['a short commit', { ...manifest, commit: '0123' }, 'commit'],
    ['a date of nobody', { ...manifest, date: 'yesterday' }, 'date'],
    ['a protocol below zero', { ...manifest, protocol: { min: -1, max: 5 } }, 'protocol'],
    ['no list of files', { ...manifest, files: {} }, 'list'],
    ['too many files', { ...manifest, files: Array(201).fill(program) }, 'list'],
    ['a file elsewhere', { ...manifest, files: [{ ...program, file: '../x' }] }, 'number 1'],
    ['a file that is an option', { ...manifest, files: [{ ...program, file: '-rf' }] }, 'number 1'],
    ['a kind nobody knows', { ...manifest, files: [{ ...program, kind: 'toy' }] }, 'number 1'],
    ['half a sum', { ...manifest, files: [{ ...program, sha256: 'aa' }] }, 'number 1'],
    ['more bytes than there are', { ...manifest, files: [{ ...program, bytes: 2 ** 40 }] }, 'number 1'],
    ['a file twice', { ...manifest, files: [program, program] }, 'twice'],
  ])('refuses %s', (_what, value, reason) => {
    const reading = readManifest(typeof value === 'string' ? value : JSON.stringify(value));
    expect(reading).toEqual({ ok: false, reason: expect.stringContaining(reason) });
  });

  test('refuses one that is too long, unread', () => {
    expect(readManifest(' '.repeat(1024 * 1024 + 1))).toMatchObject({ ok: false });
  });
});

describe('fileFor()', () => {
  test('finds the file of a kind for a target, and none where there is none', () => {
    expect(fileFor(manifest, named('linux-x64'), 'archive')?.bytes).toBe(1);
    expect(fileFor(manifest, named('linux-arm64'), 'archive')).toBeUndefined();
    expect(fileFor(manifest, named('linux-x64'), 'package')).toBeUndefined();
  });
});

describe('targetNamed()', () => {
  test('knows each target, with and without the name of the runtime before it, and nothing else', () => {
    for (const target of targets) {
      expect(targetNamed(target.name)).toBe(target);
      expect(targetNamed(`bun-${target.name}`)).toBe(target);
    }
    for (const name of ['', 'linux', 'linux-x64 ', 'bun-bun-linux-x64', 'constructor'])
      expect(targetNamed(name)).toBeUndefined();
  });
});

describe('archiveName()', () => {
  test('is that of a zip on Windows, where programs end in .exe, and of a tar elsewhere', () => {
    expect(archiveName('1.2.3', named('windows-arm64'))).toBe('octaskly-1.2.3-windows-arm64.zip');
    expect(archiveName('1.2.3', named('linux-x64-musl'))).toBe('octaskly-1.2.3-linux-x64-musl.tar.gz');
    expect(programNameOn(named('windows-x64'))).toBe('octaskly.exe');
    expect(programNameOn(named('darwin-x64'))).toBe('octaskly');
  });
});
