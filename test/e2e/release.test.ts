/**
 * A release in short: the program for this machine and for one that it cannot run, made by the command, checked, tampered
 * with, unpacked and run; and made again elsewhere. `bun run release --check-reproducible` does so for all targets.
 */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import {
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tarGz, zip } from '../../scripts/release/archives.ts';
import { inspect, problemsFor } from '../../scripts/release/inspect.ts';
import { checkSignature } from '../../scripts/release/macho-signature.ts';
import { missingTools, packageMakers } from '../../scripts/release/packages/makers.ts';
import { removeLeftovers } from '../../scripts/release/release.ts';
import { differences, releaseElsewhere } from '../../scripts/release/reproducible.ts';
import { hostTarget, packageOf, provideRuntime } from '../../scripts/release/runtimes.ts';
import { problemsOfRelease } from '../../scripts/release/verify.ts';
import { root } from '../../scripts/steps.ts';
import { fileFor, type ReleaseManifest, readManifest } from '../../src/core/release-manifest.ts';
import { archiveName, type Target, targetNamed, targets } from '../../src/core/targets.ts';
import { releaseKeyFingerprint } from '../../src/runtime/release-key.ts';
import { version } from '../../src/version.ts';

const directory = mkdtempSync(join(tmpdir(), 'octaskly-release-'));
const release = join(directory, 'release');
const commit = '0123456789abcdef0123456789abcdef01234567';
const date = new Date('2026-01-31T12:34:56Z');
const keyPath = join(directory, 'key.pem');
const host = hostTarget();
const foreign = targetNamed(host.system === 'darwin' ? 'linux-x64' : 'darwin-x64') ?? host;
/** Longest a test may take on a slow and busy machine, ms. */
const patienceMs = 120_000;
/** The fastest compression: what is tested is the same at each. */
const level = 1;
/** Those that are made quickly; how all of them are made and used is tested in `test/platform`. */
const packages = packageMakers
  .filter((maker) => ['deb', 'run'].includes(maker.name) && maker.isFor(host) && missingTools(maker).length === 0)
  .map(({ name }) => name);

let key = '';
let hasForeign = false;
let manifest: ReleaseManifest;

const spki = (of: KeyObject): string => of.export({ format: 'der', type: 'spki' }).toString('base64');

function bun(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const own = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', TMPDIR: tmpdir() };
  const ended = Bun.spawnSync([process.execPath, ...words], { cwd: root, env: { ...own, ...env }, stdin: 'ignore' });
  return { status: ended.exitCode, stdout: ended.stdout.toString(), stderr: ended.stderr.toString() };
}

const releaseCommand = (...words: readonly string[]) => bun([join(root, 'scripts/release/main.ts'), ...words]);

beforeAll(() => {
  const pair = generateKeyPairSync('ed25519');
  writeFileSync(keyPath, pair.privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
  key = spki(pair.publicKey);
  try {
    provideRuntime(foreign, join(directory, 'runtime'));
    hasForeign = true;
  } catch (error) {
    console.warn(`not tested: the release for ${foreign.name}: ${String(error)}`);
  }
  const wanted = hasForeign ? `${host.name},bun-${foreign.name}` : host.name;
  const what = ['--commit', commit, '--date', date.toISOString(), '--level', String(level)];
  const packing = ['--packages', packages.join(',') || 'none'];
  const made = releaseCommand(...what, ...packing, '--targets', wanted, '--key', keyPath, '--out', release);
  if (made.status !== 0) throw new Error(`the release ended with ${made.status}: ${made.stdout}${made.stderr}`);
  const reading = readManifest(readFileSync(join(release, 'manifest.json'), 'utf8'));
  if (!reading.ok) throw new Error(reading.reason);
  manifest = reading.manifest;
}, patienceMs);

afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('removeLeftovers() removes what killed runs left, and nothing of one that runs or of others', () => {
  const dist = join(directory, 'dist');
  const stay = [`.release-${process.pid}-a`, '.release-notes', 'release'];
  for (const name of ['.release-99999999-a', '.elsewhere-99999999-b', ...stay])
    mkdirSync(join(dist, name), { recursive: true });
  removeLeftovers(dist);
  expect(readdirSync(dist).toSorted()).toEqual(stay.toSorted());
});

/** The directory in the archive for a target, unpacked once, as people do it. */
function unpacked(target: Target): string {
  const to = join(directory, 'unpacked', target.name);
  const dir = join(to, `octaskly-${version}-${target.name}`);
  if (existsSync(dir)) return dir;
  mkdirSync(to, { recursive: true });
  untar(archiveName(version, target), to);
  return dir;
}

function untar(file: string, to: string): void {
  const env = { PATH: process.env.PATH ?? '' };
  expect(Bun.spawnSync(['tar', '-xzf', join(release, file), '-C', to], { env }).exitCode).toBe(0);
}

describe('the release', () => {
  test(
    'is as it was signed, and says what it was made from',
    () => {
      expect(problemsOfRelease(release, key)).toEqual([]);
      expect(manifest).toMatchObject({ version, commit, date: date.toISOString() });
      expect(manifest.files.filter(({ kind }) => kind === 'archive')).toHaveLength(hasForeign ? 2 : 1);
      if (Bun.which('openssl') === null)
        return console.warn('not tested: the signature by openssl, which is not there');
      writeFileSync(
        join(directory, 'sig'),
        Buffer.from(readFileSync(join(release, 'manifest.json.sig'), 'latin1'), 'base64'),
      );
      const words = [
        '-verify',
        '-pubin',
        '-inkey',
        join(release, 'release.pub.pem'),
        '-rawin',
        '-in',
        join(release, 'manifest.json'),
      ];
      const openssl = Bun.spawnSync(['openssl', 'pkeyutl', ...words, '-sigfile', join(directory, 'sig')], {
        env: { PATH: process.env.PATH ?? '' },
      });
      expect(openssl.exitCode).toBe(0);
    },
    patienceMs,
  );

  test(
    'that was tampered with is found out',
    () => {
      const copy = join(directory, 'tampered');
      const archive = archiveName(version, host);
      const afterChange = (change: (path: (file: string) => string) => void): string[] => {
        rmSync(copy, { recursive: true, force: true });
        mkdirSync(copy);
        for (const file of readdirSync(release)) linkSync(join(release, file), join(copy, file));
        // A link is the same file: what is changed is written anew.
        change((file) => join(copy, file));
        return problemsOfRelease(copy, key);
      };
      const flip = (path: string): void => {
        const bytes = readFileSync(path);
        rmSync(path);
        bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
        writeFileSync(path, bytes);
      };
      const empty = (path: string): void => {
        rmSync(path);
        writeFileSync(path, '');
      };
      const unsigned = ['manifest.json.sig is no signature of manifest.json by this key'];
      expect(afterChange((path) => flip(path(archive)))).toContain(`${archive} is not what was signed`);
      expect(afterChange((path) => empty(path(archive)))[0]).toStartWith(`${archive} has 0 bytes`);
      expect(afterChange((path) => rmSync(path(archive)))).toContain(`${archive} is missing`);
      expect(afterChange((path) => writeFileSync(path('more'), ''))).toContain('more is not in the manifest');
      expect(afterChange((path) => flip(path('manifest.json')))).toEqual(unsigned);
      expect(afterChange((path) => flip(path('SHA256SUMS')))).toEqual([
        'SHA256SUMS has not the sums of what lies there',
      ]);
      expect(problemsOfRelease(release, spki(generateKeyPairSync('ed25519').publicKey))).toEqual(unsigned);
    },
    patienceMs,
  );

  test(
    'has a bill of all packages in it, with version, licence and address, and of the runtime',
    () => {
      const bill = JSON.parse(readFileSync(join(release, `octaskly-${version}.cdx.json`), 'utf8')) as {
        specVersion: string;
        components: { name: string; version: string; purl: string; type: string; licenses: unknown[] }[];
      };
      expect(bill.specVersion).toBe('1.6');
      const manifestText = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
        dependencies: Record<string, string>;
      };
      const named = new Map(bill.components.map((each) => [decodeURIComponent(each.purl), each]));
      for (const name of ['zod', 'hono', 'blessed', 'preact', '@noble/hashes']) {
        expect([...named.keys()]).toContain(`pkg:npm/${name}@${manifestText.dependencies[name]}`);
      }
      expect(named.get(`pkg:npm/${packageOf(host).join('@')}`)?.type).toBe('platform');
      for (const each of bill.components) expect(each.licenses).toHaveLength(1);
    },
    patienceMs,
  );
});

describe('the program in the archive', () => {
  test(
    'runs, with its right to run, and says what it is; the manifest has its sum',
    async () => {
      const dir = unpacked(host);
      const program = join(dir, 'octaskly');
      expect(statSync(program).mode & 0o777).toBe(0o755);
      expect(readdirSync(dir).sort()).toEqual(['LICENSE', 'NOTICES.txt', 'README.md', 'completions', 'octaskly']);
      expect(readFileSync(join(dir, 'README.md'), 'utf8')).not.toContain('](docs/');
      const digest = new Bun.CryptoHasher('sha256').update(readFileSync(program)).digest('hex');
      expect(fileFor(manifest, host, 'program')?.sha256).toBe(digest);
      const said = Bun.spawnSync([program, 'version', '-o', 'json'], { cwd: directory, env: { HOME: directory } });
      expect(JSON.parse(said.stdout.toString())).toEqual({
        ...{ version, commit, target: host.name, runtime: `bun ${Bun.version}` },
        ...{ protocol: manifest.protocol, release_key: releaseKeyFingerprint(key) },
      });
    },
    patienceMs,
  );

  test(
    'cannot be turned into the bare runtime, nor made to run what lies where it is started',
    () => {
      const dir = unpacked(host);
      writeFileSync(join(dir, 'evil.ts'), 'console.log("evil");');
      writeFileSync(join(dir, 'bunfig.toml'), 'preload = ["./evil.ts"]');
      writeFileSync(join(dir, '.env'), 'OCTASKLY_API=evil');
      const env = { HOME: directory, BUN_BE_BUN: '1', BUN_OPTIONS: '' };
      const said = Bun.spawnSync([join(dir, 'octaskly'), 'evil.ts'], { cwd: dir, env });
      expect(said.stdout.toString()).toBe('');
      expect(said.stderr.toString()).toContain('evil.ts');
      expect(said.exitCode).toBe(2);
    },
    patienceMs,
  );

  test(
    'has the source maps that lie in the release',
    () => {
      const maps = mkdtempSync(join(directory, 'maps-'));
      untar(`octaskly-${version}-maps.tar.gz`, maps);
      const ids = readdirSync(join(maps, host.name)).map(
        (file) => JSON.parse(readFileSync(join(maps, host.name, file), 'utf8')).debugId,
      );
      expect(ids.length).toBeGreaterThan(50);
      expect(ids.sort()).toEqual([...inspect(readFileSync(join(unpacked(host), 'octaskly'))).debugIds]);
    },
    patienceMs,
  );
});

test(
  'the program for a machine that is not at hand is of its format, whole, signed where it must be',
  () => {
    if (!hasForeign) return console.warn(`not tested: the file for ${foreign.name}`);
    const bytes = readFileSync(join(unpacked(foreign), 'octaskly'));
    const found = inspect(bytes);
    expect(problemsFor(foreign, found)).toEqual([]);
    for (const target of targets) if (target !== foreign) expect(problemsFor(target, found)).not.toEqual([]);
    if (foreign.system !== 'darwin') return;
    expect(checkSignature(bytes)).toMatchObject({ identifier: 'octaskly', isAdHoc: true, problems: [] });
    bytes.writeUInt8(bytes.readUInt8(50_000_000) ^ 1, 50_000_000);
    expect(checkSignature(bytes).problems).toHaveLength(1);
  },
  patienceMs,
);

test(
  'made again from a copy elsewhere, by the public half of the key, the program and its packages are the same',
  async () => {
    const pem = join(release, 'release.pub.pem');
    const elsewhere = join(directory, 'a', 'longer', 'way');
    const source = { root, commit, date };
    const other = await releaseElsewhere({
      source,
      targets: [host],
      keyPath: pem,
      level,
      packages,
      base: null,
      directory: elsewhere,
    });
    const ours = manifest.files.filter(({ target, kind }) => target === host.name && kind !== 'program');
    expect(ours).toHaveLength(1 + packages.length);
    for (const { file } of ours) expect(differences(release, other)).not.toContain(file);
    expect(readdirSync(other)).not.toContain('manifest.json.sig');
  },
  patienceMs,
);

test(
  'archives do not depend on the clock, the zone, the rights of others, or the order of making',
  async () => {
    const from = join(directory, 'packed');
    mkdirSync(join(from, 'top', 'b'), { recursive: true });
    for (const file of ['top/b/z', 'top/a', 'top/run']) writeFileSync(join(from, file), file, { mode: 0o640 });
    Bun.spawnSync(['chmod', '0710', join(from, 'top/run')], { env: { PATH: process.env.PATH ?? '' } });
    const again = join(directory, 'packed-again');
    cpSync(from, again, { recursive: true });
    const options = { date, level };
    expect(await tarGz({ from, ...options })).toEqual(await tarGz({ from: again, ...options }));
    const code = `import { zip } from '${join(root, 'scripts/release/archives.ts')}';
    const bytes = await zip({ from: '${again}', date: new Date(${date.getTime()}), level: ${level} });
    process.stdout.write(new Bun.CryptoHasher('sha256').update(bytes).digest('hex'));`;
    const script = join(directory, 'zip.ts');
    writeFileSync(script, code);
    const ours = new Bun.CryptoHasher('sha256').update(await zip({ from, ...options })).digest('hex');
    for (const zone of ['Pacific/Auckland', 'America/Los_Angeles'])
      expect(bun([script], { TZ: zone }).stdout).toBe(ours);
  },
  patienceMs,
);

test(
  'the command refuses what it does not understand, and says what it should be',
  () => {
    const refused = (...words: readonly string[]) => releaseCommand(...words, '--out', join(directory, 'refused'));
    const what = ['--commit', commit, '--date', date.toISOString(), '--targets', host.name];
    expect(refused('--targets', 'amiga')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('linux-arm64-musl'),
    });
    expect(refused('--level', '0')).toMatchObject({ status: 1, stderr: expect.stringContaining('1 to 9') });
    expect(refused('--commit', 'main')).toMatchObject({ status: 1, stderr: expect.stringContaining('40 hexadecimal') });
    expect(refused('--packages', 'deb,msi')).toMatchObject({ status: 1, stderr: expect.stringContaining('rpm') });
    const idle = refused(...what, '--key', keyPath, '--packages', 'setup');
    expect(idle).toMatchObject({ status: 1, stderr: expect.stringContaining(`none of the targets ${host.name}`) });
    expect(refused('--nonsense')).toMatchObject({ status: 2, stderr: expect.stringContaining('bun run release') });
    const inside = join(root, 'dist', 'release.pem');
    expect(refused(...what, '--key', inside)).toMatchObject({ status: 1, stderr: expect.stringContaining('outside') });
    const typo = refused(...what, '--key', join(directory, 'tyop.pem'));
    expect(typo).toMatchObject({ status: 1, stderr: expect.stringContaining('--new-key FILE') });
    expect(existsSync(join(directory, 'tyop.pem'))).toBe(false);
    // Named, a package is not left out for want of its tool.
    const bare = [join(root, 'scripts/release/main.ts'), ...what, '--key', keyPath, '--packages', 'run'];
    expect(bun([...bare, '--out', join(directory, 'refused')], { PATH: directory })).toMatchObject(
      host.libc === 'glibc' ? { status: 1, stderr: expect.stringContaining('takes makeself') } : {},
    );
    expect(readdirSync(directory)).not.toContain('refused');
    mkdirSync(join(directory, 'precious'));
    writeFileSync(join(directory, 'precious', 'thesis'), 'the only copy');
    const precious = releaseCommand(...what, '--key', keyPath, '--out', join(directory, 'precious'));
    expect(precious).toMatchObject({ status: 1, stderr: expect.stringContaining('should be empty') });
    expect(readdirSync(join(directory, 'precious'))).toEqual(['thesis']);
    writeFileSync(
      join(directory, 'rsa.pem'),
      generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'pem', type: 'pkcs8' }),
    );
    expect(refused(...what, '--key', join(directory, 'rsa.pem'))).toMatchObject({
      stderr: expect.stringContaining('ed25519'),
    });
    writeFileSync(join(directory, 'text.pem'), 'hello');
    expect(refused(...what, '--key', join(directory, 'text.pem'))).toMatchObject({
      stderr: expect.stringContaining('openssl'),
    });
  },
  patienceMs,
);
