/** What a release starts from: the sources as a commit, and the key. */

import { afterAll, describe, expect, test } from 'bun:test';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keyFile, openKey } from '../../scripts/release/key.ts';
import { changedFiles, copySources, sourceIn } from '../../scripts/release/source.ts';
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

describe('openKey()', () => {
  const said: string[] = [];
  const say = (line: string): void => {
    said.push(line);
  };

  test('makes a key for its owner alone where there is none, says so, and takes it from then on', () => {
    const file = join(directory, 'new', 'release.pem');
    const made = openKey(file, say);
    expect(said).toEqual([expect.stringContaining(file)]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const bytes = Buffer.from('{}');
    expect(isSignedBy(made.publicKey, bytes, made.sign(bytes) ?? '')).toBe(true);
    expect(openKey(file, say).publicKey).toBe(made.publicKey);
    expect(said).toHaveLength(1);
  });

  test('signs nothing with the public half of one', () => {
    const { publicKey, publicPem } = openKey(join(directory, 'new', 'release.pem'), say);
    writeFileSync(join(directory, 'public.pem'), publicPem);
    const half = openKey(join(directory, 'public.pem'), say);
    expect([half.publicKey, half.sign(Buffer.alloc(1))]).toEqual([publicKey, null]);
  });

  test('refuses one within the repository, and makes none there', () => {
    const file = join(root, 'dist', 'never.pem');
    expect(() => openKey(file, say)).toThrow('outside the repository');
    expect(existsSync(file)).toBe(false);
  });

  test('refuses what is no key for this, and says what is', () => {
    const file = join(directory, 'other.pem');
    for (const text of ['', '-----BEGIN PUBLIC KEY-----\nxx\n-----END PUBLIC KEY-----\n']) {
      writeFileSync(file, text);
      expect(() => openKey(file, say)).toThrow('openssl genpkey -algorithm ed25519');
    }
    writeFileSync(file, generateKeyPairSync('x25519').privateKey.export({ format: 'pem', type: 'pkcs8' }), {
      mode: 0o600,
    });
    expect(() => openKey(file, say)).toThrow('its kind is x25519, not ed25519');
  });

  test('says when others can read the private half', () => {
    const file = join(directory, 'new', 'release.pem');
    chmodSync(file, 0o644);
    said.length = 0;
    openKey(file, say);
    expect(said).toEqual([expect.stringContaining('chmod 600')]);
    chmodSync(file, 0o600);
  });

  test('takes what was named before the environment', () => {
    const before = process.env.OCTASKLY_RELEASE_KEY_FILE;
    process.env.OCTASKLY_RELEASE_KEY_FILE = '/by/environment.pem';
    try {
      expect([keyFile('/named.pem'), keyFile(undefined)]).toEqual(['/named.pem', '/by/environment.pem']);
    } finally {
      if (before === undefined) delete process.env.OCTASKLY_RELEASE_KEY_FILE;
      else process.env.OCTASKLY_RELEASE_KEY_FILE = before;
    }
  });
});
