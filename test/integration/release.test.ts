/** What a release starts from: the sources as a commit, and the key. */

import { afterAll, describe, expect, test } from 'bun:test';
import { generateKeyPairSync } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keyPlace, openKey } from '../../scripts/release/key.ts';
import { changedFiles, copySources, packagesElsewhere, sourceIn } from '../../scripts/release/source.ts';
import { root } from '../../scripts/steps.ts';
import { isSignedBy } from '../../src/runtime/release-key.ts';

const directory = mkdtempSync(join(tmpdir(), 'octaskly-release-source-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('a source', () => {
  const repository = join(directory, 'repository');
  const git = (...words: readonly string[]): void => {
    const who = { GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@b', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a@b' };
    const env = {
      PATH: process.env.PATH ?? '',
      HOME: directory,
      GIT_COMMITTER_DATE: '2026-01-31T12:00:00+05:00',
      ...who,
    };
    expect(
      Bun.spawnSync(['git', '-C', repository, ...words], { env, stdout: 'ignore', stderr: 'ignore' }).exitCode,
    ).toBe(0);
  };

  test('is a commit with its time, and what differs from it', async () => {
    if (Bun.which('git') === null) return console.warn('not tested: sources in git, which is not there');
    mkdirSync(join(repository, 'src'), { recursive: true });
    expect(sourceIn(repository)).toBeNull();
    writeFileSync(join(repository, 'src', 'a.ts'), 'a');
    writeFileSync(join(repository, '.gitignore'), 'dist\n');
    git('init', '-q');
    expect(sourceIn(repository)).toBeNull();
    git('add', '-A');
    git('commit', '-q', '-m', 'first');
    const source = sourceIn(repository);
    expect(source?.commit).toMatch(/^[0-9a-f]{40}$/);
    expect(source?.date.toISOString()).toBe('2026-01-31T07:00:00.000Z');
    expect(sourceIn(join(repository, 'src'))).toBeNull();
    writeFileSync(join(repository, 'elsewhere'), 'not part of a release');
    expect(changedFiles(repository)).toEqual([]);
    writeFileSync(join(repository, 'src', 'a.ts'), 'b');
    writeFileSync(join(repository, 'src', 'new.ts'), 'new');
    expect(changedFiles(repository)).toHaveLength(2);

    mkdirSync(join(repository, 'dist'));
    writeFileSync(join(repository, 'dist', 'x'), 'x');
    const copy = join(directory, 'copy');
    await copySources(repository, copy);
    expect(readFileSync(join(copy, 'src', 'a.ts'), 'utf8')).toBe('b');
    expect([existsSync(join(copy, 'src', 'new.ts')), existsSync(join(copy, 'dist'))]).toEqual([true, false]);
  });
});

test('packagesElsewhere() says where packages lie that are linked in', () => {
  const tree = join(directory, 'tree');
  mkdirSync(join(tree, 'node_modules'), { recursive: true });
  symlinkSync(tree, join(directory, 'linked'));
  expect([packagesElsewhere(tree), packagesElsewhere(join(directory, 'linked'))]).toEqual([null, null]);
  const other = join(directory, 'other');
  mkdirSync(other);
  expect(packagesElsewhere(other)).toBeNull();
  symlinkSync(join(tree, 'node_modules'), join(other, 'node_modules'));
  expect(packagesElsewhere(other)).toBe(realpathSync(join(tree, 'node_modules')));
});

describe('openKey()', () => {
  const said: string[] = [];
  const say = (line: string): void => {
    said.push(line);
  };

  const named = (file: string) => ({ file, namedBy: '--key', make: 'never' as const });

  test("makes the user's own for its owner alone where there is none, says so, and takes it from then on", () => {
    const file = join(directory, 'new', 'release.pem');
    const made = openKey({ file, namedBy: null, make: 'if-missing' }, say);
    expect(said).toEqual([expect.stringContaining(file)]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const bytes = Buffer.from('{}');
    expect(isSignedBy(made.publicKey, bytes, made.sign(bytes) ?? '')).toBe(true);
    expect(openKey(named(file), say).publicKey).toBe(made.publicKey);
    expect(said).toHaveLength(1);
  });

  test('makes none in place of one that was named, and none over another', () => {
    const file = join(directory, 'tyop.pem');
    expect(() => openKey({ ...named(file), namedBy: 'OCTASKLY_RELEASE_KEY_FILE' }, say)).toThrow(
      /OCTASKLY_RELEASE_KEY_FILE names.*--new-key FILE/,
    );
    expect(existsSync(file)).toBe(false);
    const { publicKey } = openKey({ file, namedBy: '--new-key', make: 'always' }, say);
    expect(() => openKey({ file, namedBy: '--new-key', make: 'always' }, say)).toThrow('is there already');
    expect(openKey(named(file), say).publicKey).toBe(publicKey);
  });

  test('signs nothing with the public half of one', () => {
    const { publicKey, publicPem } = openKey(named(join(directory, 'new', 'release.pem')), say);
    writeFileSync(join(directory, 'public.pem'), publicPem);
    const half = openKey(named(join(directory, 'public.pem')), say);
    expect([half.publicKey, half.sign(Buffer.alloc(1))]).toEqual([publicKey, null]);
  });

  test('refuses one within the repository, and makes none there', () => {
    const file = join(root, 'dist', 'never.pem');
    expect(() => openKey({ ...named(file), make: 'always' }, say)).toThrow('outside the repository');
    expect(existsSync(file)).toBe(false);
  });

  test('refuses what is no key for this, and says what is', () => {
    const file = join(directory, 'other.pem');
    for (const text of ['', '-----BEGIN PUBLIC KEY-----\nxx\n-----END PUBLIC KEY-----\n']) {
      writeFileSync(file, text);
      expect(() => openKey(named(file), say)).toThrow('openssl genpkey -algorithm ed25519');
    }
    writeFileSync(file, generateKeyPairSync('x25519').privateKey.export({ format: 'pem', type: 'pkcs8' }), {
      mode: 0o600,
    });
    expect(() => openKey(named(file), say)).toThrow('its kind is x25519, not ed25519');
  });

  test('says when others can read the private half', () => {
    const file = join(directory, 'new', 'release.pem');
    chmodSync(file, 0o644);
    said.length = 0;
    openKey(named(file), say);
    expect(said).toEqual([expect.stringContaining('chmod 600')]);
    chmodSync(file, 0o600);
  });

  test('takes what was named before the environment', () => {
    const before = process.env.OCTASKLY_RELEASE_KEY_FILE;
    process.env.OCTASKLY_RELEASE_KEY_FILE = '/by/environment.pem';
    try {
      expect(keyPlace({ key: '/named.pem' })).toMatchObject({ file: '/named.pem', make: 'never' });
      expect(keyPlace({ newKey: '/new.pem' })).toMatchObject({ file: '/new.pem', make: 'always' });
      expect(keyPlace({})).toMatchObject({ file: '/by/environment.pem', make: 'never' });
      expect(() => keyPlace({ key: '/a.pem', newKey: '/b.pem' })).toThrow('not be given both');
      process.env.OCTASKLY_RELEASE_KEY_FILE = '';
      expect(() => keyPlace({})).toThrow('OCTASKLY_RELEASE_KEY_FILE is empty');
      delete process.env.OCTASKLY_RELEASE_KEY_FILE;
      expect(keyPlace({})).toMatchObject({ namedBy: null, make: 'if-missing' });
    } finally {
      if (before === undefined) delete process.env.OCTASKLY_RELEASE_KEY_FILE;
      else process.env.OCTASKLY_RELEASE_KEY_FILE = before;
    }
  });
});
