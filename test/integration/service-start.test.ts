/**
 * What `octaskly service install` finds out before it installs, as the account of the service, and after it has started
 * one. Stand-ins play the init systems: they answer as those do.
 */

import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeptOption } from '../../src/cli/service.ts';
import type { Account } from '../../src/core/host-isolation.ts';
import type { InitName, ServiceDefinition } from '../../src/core/service/definition.ts';
import { installedServices } from '../../src/roles/service-list.ts';
import { checkData, checkPaths } from '../../src/roles/service-paths.ts';
import { failedStart } from '../../src/roles/service-start.ts';
import { realPathOf } from '../../src/runtime/account-reading.ts';
import { servicePlaces } from '../../src/runtime/service-host.ts';

const usualPath = process.env.PATH;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-service-'));
  chmodSync(directory, 0o755);
});

afterEach(() => {
  process.env.PATH = usualPath;
  rmSync(directory, { recursive: true, force: true });
});

const service: ServiceDefinition = {
  ...{ role: 'dispatcher', scope: 'system', instance: null, account: null, dataDir: '/var/lib/octaskly' },
  ...{ program: ['/usr/local/bin/octaskly'], options: [], writes: [], stopSeconds: 30, bindsLowPort: false },
};
const option = (flag: string, text: string, isRead = true): KeptOption => ({ flag, text, isPath: true, isRead });

describe('checkPaths()', () => {
  const outcome = (checked: Promise<void>) =>
    checked.then(
      () => null,
      (error: Error) => error.message,
    );
  const check = (options: readonly KeptOption[], more: Partial<ServiceDefinition> = {}, init: InitName = 'systemd') =>
    outcome(checkPaths({ options, configured: null }, { ...service, ...more }, init));

  test('refuses what is missing, but not what the role makes', async () => {
    const missing = join(directory, 'none');
    const found = (wanted: KeptOption) => check([wanted], {}, 'openrc');
    expect(await found(option('dist', missing))).toBe(`--dist "${missing}": there is no such file or directory.`);
    expect(await found(option('log-file', missing, false))).toBeNull();
    expect(await found({ ...option('host', missing), isPath: false })).toBeNull();
  });

  test('refuses what is below /tmp where the service has a /tmp of its own', async () => {
    const below = [option('log-file', '/var/tmp/x/log', false)];
    expect(await check(below)).toContain('is below /var/tmp, and this service sees a /var/tmp of its own (PrivateTmp)');
    expect(await check([], { program: ['/tmp/octaskly'] })).toContain('The program "/tmp/octaskly" is below /tmp');
    expect(await check([], { dataDir: '/tmp' })).toContain('--data-dir "/tmp" is below /tmp');
    expect(await check([option('log-file', '/tmpfs/log', false)])).toBeNull();
    for (const more of [{ role: 'worker' }, { scope: 'user' }] as const) expect(await check(below, more)).toBeNull();
    expect(await check(below, {}, 'openrc')).toBeNull();
  });

  test('looks at what the config file names that the service will read, and at that of no other', async () => {
    const file = join(directory, 'conf.toml');
    const said = (text: string, options: readonly KeptOption[], dataDir = '/var/lib/octaskly') => {
      const configured = { file, options: [option('dist', text)] };
      return outcome(checkPaths({ options, configured }, { ...service, dataDir }, 'openrc'));
    };
    writeFileSync(file, '');
    const missing = join(directory, 'none');
    const message = `"${missing}" (dist in ${file}): there is no such file or directory.`;
    expect(await said(missing, [option('config', file)])).toBe(message);
    expect(await said(missing, [])).toBeNull();
    expect(await said('none', [option('config', file)])).toContain('"none" (dist in');
    expect(await said('~nobody', [option('config', file)])).toContain('there is no such file');
    const own = { file: join(directory, 'config.toml'), options: [option('dist', '/tmp/release')] };
    const below = checkPaths({ options: [], configured: own }, { ...service, dataDir: directory }, 'openrc');
    expect(await outcome(below)).toContain('there is no such file');
  });

  const isRoot = process.getuid?.() === 0;
  if (!isRoot) console.warn('not tested: what another account may read: this is not root');

  test.skipIf(!isRoot)('looks with the rights of the account, also into a directory', async () => {
    const account = 'nobody';
    const release = join(directory, 'release');
    mkdirSync(release);
    writeFileSync(join(release, 'manifest.json'), '{}', { mode: 0o600 });
    const wanted = [option('dist', release)];
    expect(await check(wanted, {}, 'openrc')).toBeNull();
    const refused = await check(wanted, { account }, 'openrc');
    expect(refused).toStartWith(`--dist "${release}" cannot be read by nobody, the account`);
    expect(await check(wanted, { account: 'nobody-has-this-name' }, 'openrc')).toContain('cannot be read by');
    expect(process.geteuid?.()).toBe(0);
    chmodSync(directory, 0o700);
    expect(await check(wanted, { account }, 'openrc')).toContain('since it may not enter');
    const dataDir = join(directory, 'data');
    expect(await check([], { account, dataDir }, 'openrc')).toContain(`since it may not enter ${directory}`);
    expect(await check([], { account: 'root', dataDir }, 'openrc')).toBeNull();
  });

  test.skipIf(!isRoot)('checkData() refuses a directory that is there and that the account cannot use', async () => {
    const nobody = { name: 'nobody', uid: 65_534, gid: 65_534 };
    const dataDir = join(directory, 'a dir');
    const data = (account: Account | null) => outcome(checkData(dataDir, account));
    expect(await data(nobody)).toBeNull();
    mkdirSync(dataDir);
    const mend = `try again: chown -R nobody: '${dataDir}'`;
    expect(await data(nobody)).toEndWith(
      `permission denied (EACCES) (${dataDir}). Give it to that account and ${mend}`,
    );
    expect(await data(null)).toBeNull();
    chownSync(dataDir, nobody.uid, nobody.gid);
    writeFileSync(join(dataDir, 'notes'), '', { mode: 0o600 });
    expect(await data(nobody)).toBeNull();
    expect(readdirSync(dataDir)).toEqual(['notes']);
    writeFileSync(join(dataDir, 'octaskly.db'), '', { mode: 0o600 });
    expect(await data(nobody)).toContain(`(${join(dataDir, 'octaskly.db')})`);
  });
});

describe('failedStart()', () => {
  /** `answer`: what the stand-in does when it is asked for the state. */
  function stateAfter(init: InitName, tool: string, answer: string) {
    writeFileSync(join(directory, tool), `#!/bin/sh\n${answer}\n`, { mode: 0o755 });
    process.env.PATH = `${directory}:${usualPath}`;
    return failedStart({ init, role: 'worker', instance: null, scope: 'system', path: '/none', maker: 'install' });
  }

  const systemd = (active: string, sub: string) =>
    `printf 'ActiveState=${active}\\nSubState=${sub}\\nExecMainStatus=2\\n'`;

  test('tells a service that has ended, at once or within a second', async () => {
    expect(await stateAfter('systemd', 'systemctl', systemd('failed', 'failed'))).toMatchObject({ exitStatus: 2 });
    expect(await stateAfter('systemd', 'systemctl', systemd('activating', 'auto-restart'))).toMatchObject({
      condition: 'failed',
    });
    const later = join(directory, 'asked');
    const answer = `if [ -e ${later} ]; then ${systemd('failed', 'failed')}; else : >${later}; echo ActiveState=active; fi`;
    expect(await stateAfter('systemd', 'systemctl', answer)).toMatchObject({ condition: 'failed' });
    expect(await stateAfter('launchd', 'launchctl', "printf '\\tlast exit code = 2\\n'")).toMatchObject({
      exitStatus: 2,
    });
    expect(await stateAfter('openrc', 'rc-service', 'exit 32')).toMatchObject({ condition: 'failed' });
  });

  test('waits a second for that, and says nothing where nobody can tell', async () => {
    const states = await Promise.all([
      stateAfter('systemd', 'systemctl', 'echo ActiveState=active'),
      stateAfter('launchd', 'launchctl', 'exit 113'),
      stateAfter('openrc', 'rc-service', 'exit 3'),
      stateAfter('task', 'schtasks', 'exit 1'),
      stateAfter('termux', 'sh', 'exit 1'),
    ]);
    expect(states.map((state) => state?.condition ?? null)).toEqual([null, 'stopped', 'stopped', null, 'stopped']);
  });
});

test('realPathOf() follows links also above what is not there yet', () => {
  mkdirSync(join(directory, 'real'));
  symlinkSync(join(directory, 'real'), join(directory, 'link'));
  const real = join(realpathSync(directory), 'real');
  const found = ['link', 'link/new', 'link/new/file'].map((path) => realPathOf(join(directory, path)));
  expect(found).toEqual([real, join(real, 'new'), join(real, 'new/file')]);
  expect(realPathOf('/none/such')).toBe('/none/such');
});

test('installedServices() knows its own, those of packages, and those of somebody else', () => {
  const units = join(directory, 'systemd/user');
  mkdirSync(units, { recursive: true });
  const texts = {
    '': 'x',
    '-mine': "# Made by 'octaskly service install'; installing again replaces it.",
    '-p': '# Of the package octaskly: y',
  };
  for (const [name, text] of Object.entries(texts)) writeFileSync(join(units, `octaskly-worker${name}.service`), text);
  const found = installedServices('systemd', ['user'], { ...servicePlaces(), configDir: directory });
  const makers = found.map(({ instance, maker }) => [instance ?? '', maker]).toSorted();
  expect(makers).toEqual([
    ['', 'somebody'],
    ['mine', 'install'],
    ['p', 'package'],
  ]);
});
