import { afterEach, beforeEach, expect, test } from 'bun:test';
import { generateKeyPairSync, sign } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../src/ports/time.ts';
import { HandingOut } from '../../src/roles/handing-out.ts';
import { releaseAt } from '../../src/roles/release-source.ts';
import { sha256Hex } from '../../src/runtime/keys.ts';
import { version } from '../../src/version.ts';
import { InstallScene, program } from './install-scene.ts';

const quiet = (): void => undefined;
const log: Log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
let scene: InstallScene;
let open: HandingOut[] = [];

beforeEach(() => {
  scene = new InstallScene();
});

afterEach(() => {
  for (const each of open.splice(0)) each.close();
  open = [];
  scene.close();
});

function handingOut(values: { dist?: string; distUrl?: string }): HandingOut {
  const { dist, distUrl } = values;
  const made = new HandingOut({ values: { dist, distUrl }, dataDir: scene.path('data'), log, pin: null });
  open.push(made);
  return made;
}

test('HandingOut takes programs out of the archives of a release, checks and keeps them, and removes others', async () => {
  const text = program(version);
  const { directory } = scene.release(text, version);
  mkdirSync(scene.path('data', 'dist'), { recursive: true });
  writeFileSync(scene.path('data', 'dist', 'of-before'), 'x');
  const given = handingOut({ dist: directory });
  expect(await given.sums()).toBe(`${sha256Hex(text)}  linux-x64\n`);
  const [{ file, size }, again] = await Promise.all([
    given.program('linux-x64', 'bare'),
    given.program('bun-linux-x64', 'bare'),
  ]);
  expect([size, again.file, new TextDecoder().decode(given.read(file, 0, 1e6))]).toEqual([text.length, file, text]);
  const gz = await given.program('linux-x64', 'gzip');
  expect(new TextDecoder().decode(Bun.gunzipSync(Buffer.from(given.read(gz.file, 0, gz.size))))).toBe(text);
  expect(readdirSync(scene.path('data', 'dist')).toSorted()).toEqual([sha256Hex(text), `${sha256Hex(text)}.gz`]);
  await expect(given.program('darwin-arm64', 'bare')).rejects.toThrow(
    'no program for "darwin-arm64" here, only for linux-x64',
  );
  await expect(given.program('../secret', 'bare')).rejects.toThrow('only for linux-x64');
});

test('HandingOut hands out nothing that is not what the manifest says, and leaves no part of it', async () => {
  const { directory } = scene.release(program(version), version);
  const archive = join(directory, `octaskly-${version}-linux-x64.tar.gz`);
  writeFileSync(archive, Buffer.concat([readFileSync(archive), Buffer.from('x')]));
  const given = handingOut({ dist: directory });
  await expect(given.program('linux-x64', 'bare')).rejects.toThrow('is not what the manifest of its release says');
  expect(existsSync(scene.path('data', 'dist')) ? readdirSync(scene.path('data', 'dist')) : []).toEqual([]);
});

test('HandingOut makes anew what it kept and is damaged, and waits for no pipe in place of an archive', async () => {
  const text = program(version);
  const { directory } = scene.release(text, version);
  const kept = scene.path('data', 'dist', sha256Hex(text));
  mkdirSync(scene.path('data', 'dist'), { recursive: true });
  writeFileSync(kept, 'cut short');
  const given = handingOut({ dist: directory });
  const [{ file }] = await Promise.all([given.program('linux-x64', 'bare'), given.program('linux-x64', 'bare')]);
  expect([file, readFileSync(kept, 'utf8')]).toEqual([sha256Hex(text), text]);
  rmSync(kept);
  const archive = join(directory, `octaskly-${version}-linux-x64.tar.gz`);
  rmSync(archive);
  expect(Bun.spawnSync(['mkfifo', archive], { env: { PATH: process.env.PATH ?? '/usr/bin' } }).exitCode).toBe(0);
  await expect(handingOut({ dist: directory }).program('linux-x64', 'bare')).rejects.toThrow('it is no file');
});

test('HandingOut refuses at the start what is no release of its own version, and says what it takes', () => {
  const { directory } = scene.release(program(), '0.0.9');
  expect(() => handingOut({ dist: directory })).toThrow(`is the release 0.0.9, and this dispatcher is ${version}`);
  expect(() => handingOut({ dist: scene.path('nowhere') })).toThrow('there is no manifest.json in it');
  writeFileSync(join(directory, 'manifest.json'), '{}');
  expect(() => handingOut({ dist: directory })).toThrow('it is not of octaskly');
  expect(() => handingOut({ dist: directory, distUrl: 'http://a' })).toThrow('leave one of them out');
  expect(() => handingOut({ distUrl: 'ftp://a' })).toThrow('is not the address of a release');
  // This process was built without a key.
  expect(() => handingOut({ distUrl: 'https://a' })).toThrow('built with a release key');
});

test('HandingOut of sources without a release says how there would be a program', async () => {
  await expect(handingOut({}).sums()).rejects.toThrow('runs from its sources and has no program to hand out');
});

test('releaseAt() believes what its key has signed, goes by what it kept when nobody answers, and bounds what it reads', async () => {
  const { directory, manifest } = scene.release(program(version), version);
  const keys = generateKeyPairSync('ed25519');
  const key = keys.publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  const cache = scene.path('cache');
  const signed = (text: string): string => `${sign(null, Buffer.from(text), keys.privateKey).toString('base64')}\n`;
  const name = `octaskly-${version}-linux-x64.tar.gz`;
  scene.files.set('manifest.json', manifest);
  scene.files.set('manifest.json.sig', signed('another'));
  await expect(releaseAt({ url: scene.url, key, cache })).rejects.toThrow('is not signed by the key');
  expect(existsSync(join(cache, 'manifest.json'))).toBe(false);
  scene.files.set('manifest.json.sig', signed(manifest));
  const release = await releaseAt({ url: scene.url, key, cache });
  const [archive] = release.manifest.files;
  if (archive === undefined) throw new Error('the release has no files');
  scene.files.set(name, new Uint8Array(readFileSync(join(directory, name))));
  const copy = scene.path('copy');
  expect(sha256Hex(readFileSync(await release.archive(archive, copy)))).toBe(archive.sha256);
  scene.files.set(name, 'x'.repeat(archive.bytes + 1));
  await expect(release.archive(archive, scene.path('longer'))).rejects.toThrow(`longer than ${archive.bytes} bytes`);
  scene.files.clear();
  expect((await releaseAt({ url: scene.url, key, cache })).manifest.version).toBe(version);
  scene.files.set('manifest.json', 'x'.repeat(1024 ** 2 + 1));
  scene.files.set('manifest.json.sig', signed(manifest));
  await expect(releaseAt({ url: scene.url, key, cache: scene.path('none') })).rejects.toThrow('longer than');
});
