/**
 * The installer for Windows, under wine: installs, enters the user's Path however long that is, and takes back what it did.
 * Wine makes itself a Windows first, which takes long: only in full.
 */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missingTools } from '../../scripts/release/packages/makers.ts';
import { setup } from '../../scripts/release/packages/setup.ts';
import { until } from '../e2e/site.ts';
import { smallProgram, stageOf } from './stages.ts';
import { isThorough } from './thorough.ts';

const wine = '/usr/lib/wine/wine64';
const version = '9.8.7';
const missing = [...missingTools(setup), ...(existsSync(wine) ? [] : ['wine64'])];
if (isThorough && missing.length > 0)
  console.warn(`not tested: the installer for Windows: no ${missing.join(', no ')} here`);

const directory = mkdtempSync(join(tmpdir(), 'octaskly-wine-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const prefix = join(directory, 'prefix');
const uninstallKey = 'HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\octaskly';
/** Longer than any text that NSIS knows. */
const long = Array.from({ length: 300 }, (_, index) => `C:\\tools${index}\\bin`).join(';');

function windows(program: string, ...words: readonly string[]) {
  const env = { PATH: process.env.PATH ?? '', HOME: directory, WINEPREFIX: prefix, WINEDEBUG: '-all' };
  const ended = Bun.spawnSync([wine, program, ...words], { cwd: directory, env, stdin: 'ignore' });
  return { status: ended.exitCode, text: ended.stdout.toString() };
}

function userPath(): string {
  const { text } = windows('reg', 'query', 'HKCU\\Environment', '/v', 'Path');
  return /REG_(?:EXPAND_)?SZ {4}(.*?)\r?\n/.exec(text)?.[1] ?? '';
}

describe.skipIf(!isThorough || missing.length > 0)('the installer for Windows', () => {
  let installer = '';

  beforeAll(async () => {
    const stage = await stageOf({
      ...{ program: smallProgram(directory, version), target: 'windows-x64', version },
      out: join(directory, 'out'),
    });
    installer = join(directory, 'out', setup.make(stage, join(directory, 'out'))[0]?.file ?? '');
    expect(windows('wineboot', '-i').status).toBe(0);
  });

  afterAll(() => void windows('wineboot', '-k'));

  test.each([
    ['a short one', 'C:\\first;%USERPROFILE%\\x'],
    ['one longer than NSIS can hold', long],
  ])('is on the Path behind what was there, once, and leaves it as it was: %s', async (_name, before) => {
    windows('reg', 'add', 'HKCU\\Environment', '/v', 'Path', '/t', 'REG_EXPAND_SZ', '/d', before, '/f');
    const programs = join(prefix, 'drive_c/users', process.env.USER ?? 'root', 'AppData/Local/Programs');
    for (let times = 0; times < 2; times += 1) {
      expect(windows(installer, '/S').status).toBe(0);
      expect(userPath()).toStartWith(`${before};C:\\users\\`);
      expect(userPath().split('octaskly')).toHaveLength(2);
    }
    expect(readdirSync(join(programs, 'octaskly')).sort()).toEqual(
      ['LICENSE', 'NOTICES.txt', 'README.md', 'octaskly.exe', 'uninstall.exe'].sort(),
    );
    expect(windows('reg', 'query', uninstallKey).text).toContain(version);
    windows(join(programs, 'octaskly/uninstall.exe'), '/S');
    // It goes on as a copy of itself, since it removes itself too.
    await until('all of it is removed', () => !existsSync(join(programs, 'octaskly')));
    await until('the Path is as it was', () => userPath() === before);
    expect(windows('reg', 'query', uninstallKey).text).not.toContain(version);
  });

  test('a new version goes where the former one was put', async () => {
    const elsewhere = join(prefix, 'drive_c/elsewhere');
    expect(windows(installer, '/S', '/D=C:\\elsewhere').status).toBe(0);
    rmSync(join(elsewhere, 'octaskly.exe'));
    expect(windows(installer, '/S').status).toBe(0);
    expect(readdirSync(elsewhere)).toContain('octaskly.exe');
    windows(join(elsewhere, 'uninstall.exe'), '/S');
    await until('all of it is removed', () => !existsSync(elsewhere));
  });
});
