/** What install.sh removes and what it leaves: of this account in a temporary home, of services on a copy of the machine. */

import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { acquireLock } from '../../src/runtime/lock.ts';
import { cannotInstall, Machine } from '../platform/machine.ts';
import { InstallScene, program, script } from './install-scene.ts';

let scene: InstallScene;
let data: string;
const sh = ['sh'];

beforeEach(async () => {
  scene = new InstallScene();
  scene.uname({ machine: 'x86_64' });
  data = join(scene.home, '.octaskly');
  scene.offer();
});

afterEach(() => scene.close());

async function installed(): Promise<void> {
  const { status, text } = await scene.run(sh, ['--from', scene.url, '--prefix', scene.prefix]);
  expect(status, text).toBe(0);
  mkdirSync(join(data, 'workers/1'), { recursive: true });
  writeFileSync(join(data, 'secret'), 'of the cluster');
}

const purging = (): string[] => ['--uninstall', '--purge', '--prefix', scene.prefix];
const purge = (...more: string[]) => scene.run(sh, [...purging(), ...more]);

test('install.sh --uninstall removes what updates kept and the directories it had made, and no others', async () => {
  await installed();
  const bin = join(scene.prefix, 'bin');
  for (const name of ['octaskly.previous', '.octaskly.99999999.new', '.octaskly.99999999.spare'])
    writeFileSync(join(bin, name), program());
  expect(await scene.run(sh, ['--uninstall', '--prefix', scene.prefix])).toMatchObject({ status: 0 });
  expect(readdirSync(scene.prefix)).toEqual([]);
  await installed();
  const others = join(scene.prefix, 'share/bash-completion/completions/other');
  writeFileSync(others, '');
  await scene.run(sh, ['--uninstall', '--prefix', scene.prefix]);
  expect(readdirSync(scene.prefix, { recursive: true }).sort().at(-1)).toBe('share/bash-completion/completions/other');
});

test('install.sh --purge removes nothing of what a link leads to, and says where that is', async () => {
  await installed();
  const elsewhere = scene.path("it's elsewhere");
  Bun.spawnSync(['mv', data, elsewhere], { env: scene.environment() });
  symlinkSync(elsewhere, data);
  const { status, text } = await purge();
  expect([status, scene.installed(), existsSync(join(data, 'secret'))]).toEqual([1, ['octaskly'], true]);
  const command = /\((rm -rf .*)\), and do this again/.exec(text)?.[1] ?? '';
  expect(await scene.runCommand(['sh', '-c', command])).toMatchObject({ status: 0, text: '' });
  expect([existsSync(elsewhere), existsSync(data)]).toEqual([false, false]);
  expect(await purge()).toMatchObject({ status: 0 });
});

test('install.sh --purge does nothing where no HOME says what is to go', async () => {
  await installed();
  const { status, text } = await scene.run(sh, purging(), { HOME: '' });
  expect([status, text]).toEqual([1, expect.stringContaining('HOME is not set')]);
  expect([scene.installed(), existsSync(join(data, 'secret'))]).toEqual([['octaskly'], true]);
});

for (const name of ['dispatcher.lock', 'workers/1/lock']) {
  test(`install.sh --purge refuses while ${name} is held, and says how to end that`, async () => {
    if (Bun.which('flock') === null) return console.warn('not tested: a purge below a process: flock is not installed');
    await installed();
    const lock = acquireLock(join(data, name));
    const { status, text } = await purge();
    const how = `as process ${process.pid}: stop it (kill ${process.pid})`;
    expect([status, text]).toEqual([1, expect.stringContaining(how)]);
    expect([scene.installed(), existsSync(join(data, 'secret'))]).toEqual([['octaskly'], true]);
    expect((await purge('--dry-run')).text).toContain(`Would remove ${data}`);
    lock?.release();
    expect(await purge()).toMatchObject({ status: 0 });
    expect(existsSync(data)).toBe(false);
  });
}

const without = await cannotInstall('purging services', ['useradd', 'userdel']);

describe.skipIf(without !== null)('as root', () => {
  let machine: Machine;
  beforeEach(async () => {
    machine = new Machine();
    await machine.open();
    await machine.ask('rm -rf /var/lib/octaskly* /etc/systemd/system/octaskly* /root/.octaskly; mkdir /root/.octaskly');
    await machine.bring(script, '/root/install.sh');
    await machine.ask(`cat >/usr/local/bin/octaskly <<'END'\n${program()}END\nchmod 755 /usr/local/bin/octaskly`);
    for (const name of ['octaskly', 'octaskly-worker']) {
      await machine.ask(
        `userdel ${name} 2>/dev/null; useradd --system --user-group --home-dir /var/lib/${name} ${name}`,
      );
      await machine.ask(
        `mkdir -p /var/lib/${name}/workers; echo kept >/var/lib/${name}/secret; chown -R ${name} /var/lib/${name}`,
      );
    }
  });
  afterEach(() => machine.close());

  const purged = 'sh /root/install.sh --uninstall --purge </dev/null';
  const left =
    'find /var/lib /root/.octaskly -maxdepth 1 -name "*octaskly*"; cut -d : -f 1 /etc/passwd /etc/group | grep octaskly; :';
  const unit = (options: string): string =>
    `mkdir -p /etc/systemd/system; printf '%s\\n' 'User=octaskly' 'ExecStart="/opt/octaskly" "dispatcher" "${options}"' >/etc/systemd/system/octaskly-dispatcher.service`;

  test('install.sh --purge removes the data of services, and their accounts', async () => {
    await machine.ask('mkdir -p /var/lib/octaskly-worker-night/workers /var/lib/octaskly-backups');
    const planned = await machine.run(`${purged} --dry-run`);
    expect([planned.status, planned.stderr]).toEqual([
      0,
      expect.stringContaining('Would remove the account octaskly-worker'),
    ]);
    expect(await machine.ask('cat /var/lib/octaskly/secret')).toBe('kept');
    const { status, stderr } = await machine.run(purged);
    expect([status, stderr]).toEqual([0, expect.stringContaining('Removed /var/lib/octaskly-worker-night')]);
    expect(await machine.ask(left)).toBe('/var/lib/octaskly-backups');
  });

  test('install.sh --purge leaves what the service of another program uses, with its account', async () => {
    await machine.ask(unit('--data-dir=/var/lib/octaskly'));
    const { status, stderr } = await machine.run(purged);
    expect([status, stderr]).toEqual([0, expect.stringContaining('/var/lib/octaskly stays: another service uses it')]);
    expect((await machine.ask(left)).split('\n')).toEqual(['/var/lib/octaskly', 'octaskly', 'octaskly']);
  });

  test('install.sh --purge tells of data that a service was told to keep elsewhere', async () => {
    await machine.ask(
      `${unit('--data-dir=/srv/all tasks')}; mkdir -p "/srv/all tasks"; useradd --home-dir "/srv/all tasks" nightly`,
    );
    const uninstalling = 'service) rm /etc/systemd/system/octaskly-dispatcher.service ;;\n  *)';
    const text = program().replace('*)', () => uninstalling);
    await machine.ask(`cat >/usr/local/bin/octaskly <<'END'\n${text}END`);
    const { status, stderr } = await machine.run(purged);
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining("by hand (rm -rf '/srv/all tasks'; userdel nightly)"),
    ]);
    expect(await machine.ask(`ls -d "/srv/all tasks"; ${left}`)).toBe('/srv/all tasks');
  });
});
