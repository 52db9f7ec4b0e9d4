/** `install.ps1` in a PowerShell for Windows, as somebody runs it: installing, refusing, joining, taking back. */

import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { generateKeyPairSync, sign } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256Hex } from '../../src/runtime/keys.ts';
import { notTested } from './notices.ts';
import { asciiOf, WindowsDevice, whyNoPowerShell } from './windows-device.ts';

setDefaultTimeout(120_000);

const whyNot = whyNoPowerShell();
if (whyNot !== null) notTested('install.ps1 in PowerShell', whyNot, 'powershell');

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const key = publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
const signatureOf = (text: string) => sign(null, Buffer.from(text), privateKey).toString('base64');

describe.skipIf(whyNot !== null)('install.ps1', () => {
  let device: WindowsDevice;
  beforeEach(async () => {
    device = await WindowsDevice.open();
  });
  afterEach(() => device.close());

  /** A signed release of this version. */
  const publish = async (version?: string): Promise<string> => {
    const manifest = await device.release(version);
    device.scene.files.set('manifest.json.sig', signatureOf(manifest));
    return manifest;
  };
  const refused = (text: string) => ({ status: 1, text: expect.stringContaining(text) });
  const done = (text: string) => ({ status: 0, text: expect.stringContaining(text) });

  test('installs a signed release, puts it on the Path once, replaces it while it runs, and takes all of that back', async () => {
    await publish();
    expect(await device.install([], { key })).toEqual(done('Installed octaskly 9.8.7'));
    expect(device.installed()).toEqual(['octaskly.exe']);
    expect(device.added).toBe(`;${asciiOf(device.windowsPrefix)}`);
    const running = await device.start();
    await publish('9.8.8');
    expect(await device.install([], { key })).toEqual(done('Installed octaskly 9.8.8'));
    expect(device.isInstalled('9.8.8')).toBeTrue();
    expect(device.added).toBe(`;${asciiOf(device.windowsPrefix)}`);
    await running.stop();
    expect(await device.install(['-Uninstall'])).toEqual(done('Removed'));
    expect(device.calls()).toEqual(['service uninstall --all']);
    expect(device.installed()).toEqual([]);
    expect(device.added).toBe('');
  });

  test('refuses what is not signed by its key, and what the manifest does not name', async () => {
    const manifest = await publish();
    device.scene.files.set('manifest.json', `${manifest} `);
    expect(await device.install([], { key })).toEqual(refused('is not signed by the key of this script'));
    device.scene.files.delete('manifest.json.sig');
    expect(await device.install([], { key })).toEqual(refused('there is no signature'));
    await publish();
    await device.scene.files.set('octaskly-9.8.7-windows-x64.zip', 'another');
    expect(await device.install([], { key })).toEqual(refused('is not what its SHA-256 says'));
    expect([device.installed(), device.added]).toEqual([[], '']);
  });

  test('goes by -Sums where nothing is signed, and by nothing else', async () => {
    const manifest = await device.release();
    expect(await device.install()).toEqual(refused('this script was had without a key'));
    expect(await device.install(['-Sums', 'f'.repeat(64)])).toEqual(refused('is not the one that -Sums names'));
    expect(await device.install(['-Sums', sha256Hex(manifest).toUpperCase()])).toEqual(
      done('Installed octaskly 9.8.7'),
    );
    expect(device.isInstalled('9.8.7')).toBeTrue();
  });

  test('comes from a dispatcher, is held against the join token, and joins', async () => {
    const sums = device.scene.offer(device.program(), ['windows-x64', 'linux-x64']);
    const token = device.scene.token(sums);
    expect(await device.install(['-Join', token])).toEqual(done('Joining.'));
    expect(device.calls()).toEqual([`worker --join ${token}`]);
    expect(await device.install(['-Join', token, '-Service'])).toEqual(done('Installed'));
    expect(device.calls()).toEqual([`service install worker --join ${token}`]);
  });

  test('refuses a program, a list or a token that was changed, and keeps the former program', async () => {
    const token = device.scene.token(device.scene.offer(device.program('9.8.6'), ['windows-x64']));
    expect((await device.install(['-Join', token])).status).toBe(0);
    device.scene.files.set('download/windows-x64', device.program('9.8.9'));
    expect(await device.install(['-Join', token])).toEqual(refused('is not what its SHA-256 says'));
    device.scene.offer(device.program('9.8.9'), ['windows-x64']);
    expect(await device.install(['-Join', token])).toEqual(refused('is not what the join token was made for'));
    expect(await device.install(['-Join', `${token.slice(0, -2)}AA`])).toEqual(refused('This join token is damaged'));
    expect([device.installed(), device.isInstalled('9.8.6')]).toEqual([['octaskly.exe'], true]);
    expect(device.calls()).toHaveLength(1);
  });

  test('replaces a later version only when asked to', async () => {
    device.scene.offer(device.program('9.10.0'), ['windows-x64']);
    expect((await device.install()).status).toBe(0);
    device.scene.offer(device.program('9.9.0'), ['windows-x64']);
    expect(await device.install()).toEqual(refused('which is later'));
    expect(await device.install(['-AllowDowngrade'])).toEqual(done('Installed octaskly 9.9.0'));
  });

  test('says what is wrong with where it is to come from', async () => {
    expect(await device.install()).toEqual(refused('There is neither a dispatcher nor a release at'));
    for (const name of ['download/SHA256SUMS', 'manifest.json']) device.scene.files.set(name, '<html>Log in</html>');
    expect(await device.install()).toEqual(refused('a network that wants you to log in first?'));
    device.scene.offer(device.program(), ['linux-x64']);
    expect(await device.install()).toEqual(refused('has no program for windows-x64'));
    device.scene.offer('no program at all', ['windows-x64']);
    expect(await device.install()).toEqual(refused('The new program does not run here'));
    expect(await device.install(['-From', 'http://127.0.0.1:1'])).toEqual(refused('Cannot fetch http://127.0.0.1:1/'));
    expect(await device.install(['-From', "'no where'"])).toEqual(refused('neither an address nor a directory'));
    expect([device.installed(), device.added]).toEqual([[], '']);
  });

  test('says which options do not go together, and what it would do', async () => {
    expect(await device.install(['-Purge'])).toEqual(refused('-Purge goes with -Uninstall'));
    expect(await device.install(['-Uninstall', '-Join', 'x'])).toEqual(refused('contradict each other'));
    expect(await device.install(['-Sums', 'abc'])).toEqual(refused('64 digits'));
    expect(await device.install(['-DryRun', '-Service'])).toEqual(done('Would install the service'));
    expect(await device.install(['-DryRun', '-Uninstall', '-Purge'])).toEqual(done('Would remove'));
    expect([existsSync(device.prefix), device.added]).toEqual([false, '']);
  });

  test('removes the data when told to, but nothing of a program that runs', async () => {
    device.scene.offer(device.program(), ['windows-x64']);
    expect((await device.install()).status).toBe(0);
    const data = join(device.home, '.octaskly');
    mkdirSync(data, { recursive: true });
    writeFileSync(join(data, 'secret'), 'kept');
    const running = await device.start();
    expect(await device.install(['-Uninstall', '-Purge'])).toEqual(refused('runs as process'));
    expect(device.installed()).toEqual(['octaskly.exe']);
    await running.stop();
    expect(await device.install(['-Uninstall', '-Purge'])).toEqual(done('Removed'));
    expect([device.installed(), existsSync(data), device.added]).toEqual([[], false, '']);
  });

  test('ends a download that has no end', async () => {
    device.scene.offer(device.program(), ['windows-x64']);
    device.scene.files.set('download/windows-x64', new Uint8Array(400_000_001));
    expect(await device.install()).toEqual(refused('larger than any octaskly'));
    expect(device.installed()).toEqual([]);
  });
});
