/**
 * Packages for people, installed, run and removed: Debian's and rpm's on a copy of this machine, the self-extracting one in
 * a directory of its own. Services are started as their units say, but by hand: no init system runs here.
 */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missingTools, packageMakers } from '../../scripts/release/packages/makers.ts';
import { maintainerScript } from '../../scripts/release/packages/tree.ts';
import { hostTarget } from '../../scripts/release/runtimes.ts';
import { executable } from '../e2e/executable.ts';
import { cannotInstall, Machine } from './machine.ts';
import { smallProgram, stageOf } from './stages.ts';
import { isThorough } from './thorough.ts';

const version = '9.8.7-rc.1';
const host = hostTarget();
const patienceMs = 120_000;
const directory = mkdtempSync(join(tmpdir(), 'octaskly-packages-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let small = '';
beforeAll(() => {
  small = smallProgram(directory, version);
});

const hasTools = (name: string): boolean => {
  const maker = packageMakers.find((each) => each.name === name);
  const missing =
    maker === undefined || !maker.isFor(host) ? [`package of that kind for ${host.name}`] : missingTools(maker);
  if (missing.length > 0) console.warn(`not tested: the ${name} package: there is no ${missing.join(', no ')} here`);
  return missing.length === 0;
};

/** Makes one kind of package in a directory of its own; gives its path. */
async function make(
  name: string,
  given: { program?: string; target?: string; version?: string } = {},
): Promise<string> {
  const out = mkdtempSync(join(directory, `it's 100% $out `));
  const stage = await stageOf({ program: small, target: host.name, version, ...given, out });
  const made = packageMakers.find((each) => each.name === name)?.make(stage, out) ?? [];
  expect(readdirSync(out).filter((file) => file.startsWith('.package'))).toEqual([]);
  return join(out, made[0]?.file ?? '');
}

function run(command: readonly string[], more: { cwd?: string; env?: Record<string, string> } = {}) {
  const env = { PATH: process.env.PATH ?? '', HOME: directory, SHELL: '/bin/bash', ...more.env };
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], {
    cwd: more.cwd ?? directory,
    env,
    stdin: 'ignore',
  });
  return { status: exitCode, stdout: stdout.toString(), text: `${stdout}${stderr}` };
}

const without = await cannotInstall('installing packages', ['ip', 'runuser']);
const machines: Machine[] = [];
afterEach(async () => {
  for (const machine of machines.splice(0)) await machine.close();
});

async function openMachine(): Promise<Machine> {
  const machine = new Machine();
  machines.push(machine);
  await machine.open();
  return machine;
}

const accounts = 'getent passwd octaskly octaskly-worker octaskly-task';
const leftovers = 'find /etc /usr /var/lib -xdev -name "*octaskly*" -not -path "/usr/src/*"';
const units = "'octaskly-dispatcher*.service' 'octaskly-worker*.service'".replaceAll("'", '');
/** Starts a service as its unit says. */
const start = (role: string, account: string): string =>
  `cd / && eval "$(sed -n 's/^ExecStart=/exec runuser -u ${account} -- /p' /usr/lib/systemd/system/octaskly-${role}.service)" >/tmp/${role}.log 2>&1 &`;

/** Lets the two roles of the package work together: the dispatcher takes a task, the worker runs it. */
async function runTask(machine: Machine): Promise<string> {
  await machine.ask('ip link set lo up');
  await machine.ask(`printf 'bind = "127.0.0.1"\\ndiscovery = false\\n' >>/etc/octaskly/dispatcher.toml`);
  await machine.ask(`printf 'discovery = false\\nname = "packaged"\\n' >>/etc/octaskly/worker.toml`);
  await machine.ask(start('dispatcher', 'octaskly'));
  await machine.ask('until grep -q "dispatcher ready" /tmp/dispatcher.log; do sleep 0.1; done');
  // As the package tells whoever installs it.
  const join = 'octaskly join "$(octaskly invite -o quiet)" --config /etc/octaskly/worker.toml';
  await machine.ask(`cd / && runuser -u octaskly-worker -- ${join}`);
  await machine.ask(start('worker', 'octaskly-worker'));
  return machine.ask('timeout 60 octaskly run \'id -un; echo "on $OCTASKLY_WORKER_NAME"\'');
}

describe.skipIf(without !== null || !hasTools('deb') || Bun.which('dpkg') === null)('the package for Debian', () => {
  test(
    'installs, runs a task by both its services, and is purged with all its data',
    async () => {
      const machine = await openMachine();
      await machine.bring(await make('deb', { program: await executable() }), '/tmp/octaskly.deb');
      const said = await machine.ask('dpkg --no-triggers -i /tmp/octaskly.deb');
      expect(said).toContain('systemctl enable --now octaskly-dispatcher');
      expect(await machine.systemctl()).toEqual(['daemon-reload']);
      expect((await machine.ask(accounts)).split('\n')).toHaveLength(3);
      expect(await machine.ask("stat -c '%a %U %G' /var/lib/octaskly /etc/octaskly/worker.toml")).toBe(
        '700 octaskly octaskly\n640 root octaskly-worker',
      );
      expect(await runTask(machine)).toStartWith('octaskly-worker\n');
      expect(await machine.ask('ls -A /var/lib/octaskly')).toContain('octaskly.db');
      await machine.ask("ps -eo pid,user | awk '$2 ~ /^octaskly/ { print $1 }' | xargs kill -9");
      await machine.ask('dpkg --no-triggers -P octaskly');
      expect((await machine.run(accounts)).stdout).toBe('');
      expect(await machine.ask(leftovers)).toBe('');
    },
    patienceMs,
  );

  test(
    'over itself keeps configuration and runs services anew; removed, it keeps data and stops what is its own',
    async () => {
      const machine = await openMachine();
      await machine.bring(await make('deb', { version: '9.8.6' }), '/tmp/former.deb');
      await machine.bring(await make('deb'), '/tmp/octaskly.deb');
      await machine.ask('dpkg --no-triggers -i /tmp/former.deb && echo "# mine" >>/etc/octaskly/worker.toml');
      await machine.ask('echo data >/var/lib/octaskly/kept');
      const own = '/etc/systemd/system/octaskly-worker-attic.service';
      await machine.ask(
        `echo 'ExecStart="/usr/bin/octaskly" "worker"' >${own}; echo ExecStart=/opt/x >/etc/systemd/system/octaskly-y.service`,
      );
      await machine.systemctl();
      expect(await machine.ask('dpkg --no-triggers -i /tmp/octaskly.deb')).not.toContain('enable --now');
      expect(await machine.systemctl()).toEqual(['daemon-reload', `--no-block try-restart ${units}`]);
      expect(await machine.ask('octaskly; dpkg -V octaskly; tail -n 1 /etc/octaskly/worker.toml')).toContain(
        `octaskly ${version}\n??5?????? c /etc/octaskly/worker.toml\n# mine`,
      );
      await machine.ask('dpkg --no-triggers -r octaskly');
      const names = ['octaskly-dispatcher', 'octaskly-worker', 'octaskly-worker-attic'];
      const stopped = [`stop ${units}`, ...names.map((name) => `disable ${name}.service`), 'daemon-reload'];
      expect(await machine.systemctl()).toEqual(stopped);
      expect(await machine.ask('cat /var/lib/octaskly/kept; ls /etc/octaskly')).toBe(
        'data\ndispatcher.toml\nworker.toml',
      );
      expect((await machine.run('ls /usr/bin/octaskly')).status).not.toBe(0);
      await machine.ask('dpkg --no-triggers -P octaskly');
      expect(await machine.ask('ls /etc/systemd/system | grep octaskly')).toBe('octaskly-y.service');
    },
    patienceMs,
  );

  test(
    'is installed where its group is there already, and purged around what is mounted in its data, or still runs',
    async () => {
      const machine = await openMachine();
      await machine.bring(await make('deb'), '/tmp/octaskly.deb');
      await machine.ask('useradd ann && groupadd octaskly && usermod -aG octaskly ann');
      await machine.ask('dpkg --no-triggers -i /tmp/octaskly.deb');
      expect(await machine.ask('stat -c %G /etc/octaskly/dispatcher.toml; id -gn octaskly')).toBe('octaskly\noctaskly');
      await machine.ask('mount -t tmpfs disk /var/lib/octaskly && mkdir /var/lib/octaskly-worker/disk');
      await machine.ask(
        'mount -t tmpfs disk /var/lib/octaskly-worker/disk && touch /var/lib/octaskly-worker/disk/kept',
      );
      await machine.ask(
        'runuser -u octaskly-task -- sleep 600 >/dev/null 2>&1 & until pgrep -u octaskly-task; do :; done',
      );
      const { status, stderr } = await machine.run('dpkg --no-triggers -P octaskly');
      expect([status, stderr]).toEqual([0, expect.stringContaining('/var/lib/octaskly-worker stays')]);
      expect(stderr).toContain('userdel octaskly-task');
      expect(await machine.ask('ls /var/lib/octaskly-worker/disk; getent group octaskly')).toMatch(/^kept\n.*:ann$/);
      expect((await machine.run(accounts)).stdout).toStartWith('octaskly-task:');
      await machine.ask('dpkg --no-triggers -i /tmp/octaskly.deb');
      expect((await machine.ask(accounts)).split('\n')).toHaveLength(3);
    },
    patienceMs,
  );

  test('has units that systemd understands, and a page that can be set', async () => {
    const file = await make('deb');
    const tree = mkdtempSync(join(directory, 'tree-'));
    expect(run(['dpkg-deb', '-x', file, tree]).status).toBe(0);
    if (isThorough && Bun.which('lintian') !== null) {
      // As it is packed for a test.
      const packing = 'uses-no-compression-for-control-tarball,uses-no-compression-for-data-tarball';
      const { status, text } = run(['lintian', '--fail-on', 'error,warning', '--suppress-tags', packing, file]);
      expect([status, text]).toEqual([0, expect.not.stringMatching(/^[EW]: /m)]);
    }
    if (Bun.which('groff') !== null) {
      const page = join(tree, 'usr/share/man/man1/octaskly.1.gz');
      expect(run(['sh', '-c', `zcat '${page}' | groff -man -Tutf8 -ww -z`]).text).toBe('');
    }
    if (Bun.which('systemd-analyze') === null) return console.warn('not tested: packaged units by systemd-analyze');
    for (const role of ['dispatcher', 'worker']) {
      const unit = join(tree, `lib/systemd/system/octaskly-${role}.service`);
      expect(readFileSync(unit, 'utf8')).toContain(
        `# Of the package octaskly: change it by "systemctl edit octaskly-${role}"`,
      );
      const { text } = run(['systemd-analyze', '--man=no', 'verify', unit]);
      // The program is not there.
      expect(text.split('\n').filter((line) => line.includes(unit) || line.includes('.service:'))).toEqual(
        text.split('\n').filter((line) => line.includes('/usr/bin/octaskly')),
      );
    }
  });
});

describe.skipIf(without !== null || !hasTools('rpm') || Bun.which('rpm') === null)('the package for rpm', () => {
  test(
    'installs, replaces itself, and leaves data and accounts when it is erased',
    async () => {
      const machine = await openMachine();
      const former = await make('rpm', { version: '9.8.6' });
      await machine.bring(former, '/tmp/former.rpm');
      await machine.bring(await make('rpm'), '/tmp/octaskly.rpm');
      // What this system has did not come by rpm.
      expect(await machine.ask('rpm -i --nodeps /tmp/former.rpm')).toContain('systemctl enable --now');
      expect(await machine.ask('octaskly')).toBe(`octaskly ${version}`);
      expect((await machine.ask(accounts)).split('\n')).toHaveLength(3);
      expect(await machine.ask("stat -c '%a %U %G' /var/lib/octaskly /etc/octaskly/worker.toml")).toBe(
        '700 octaskly octaskly\n640 root octaskly-worker',
      );
      await machine.ask('echo "# mine" >>/etc/octaskly/worker.toml; echo data >/var/lib/octaskly/kept');
      expect(await machine.systemctl()).toEqual(['daemon-reload']);
      expect(await machine.ask('rpm -U --nodeps /tmp/octaskly.rpm')).toBe('');
      expect(await machine.systemctl()).toEqual(['daemon-reload', 'daemon-reload', `--no-block try-restart ${units}`]);
      expect(await machine.ask('rpm -q octaskly; rpm -V --nodeps octaskly || :')).toContain(`octaskly-9.8.7~rc.1-1.`);
      await machine.ask('rpm -e --nodeps octaskly');
      expect((await machine.systemctl())[0]).toBe(`stop ${units}`);
      expect(await machine.ask('cat /var/lib/octaskly/kept; ls /etc/octaskly')).toBe('data\nworker.toml.rpmsave');
      expect((await machine.ask(accounts)).split('\n')).toHaveLength(3);
    },
    patienceMs,
  );

  test(
    'is installed where its group is there already, provides the accounts its files need, and purges itself',
    async () => {
      const machine = await openMachine();
      await machine.bring(await make('rpm'), '/tmp/octaskly.rpm');
      await machine.ask('groupadd octaskly && rpm -i --nodeps /tmp/octaskly.rpm');
      expect(await machine.ask('id -gn octaskly; rpm -V --nodeps octaskly')).toBe('octaskly');
      expect(await machine.ask('rpm -q --provides octaskly')).toContain('user(octaskly-worker)');
      await machine.ask('echo "# mine" >>/etc/octaskly/worker.toml; echo data >/var/lib/octaskly/kept');
      await machine.ask(
        'cd / && ! runuser -u octaskly -- sh /usr/share/octaskly/purge.sh && sh /usr/share/octaskly/purge.sh',
      );
      expect((await machine.run(accounts)).stdout).toBe('');
      expect(await machine.ask(leftovers)).toBe('');
    },
    patienceMs,
  );
});

describe.skipIf(!hasTools('run'))('the self-extracting file', () => {
  test(
    'installs what it brought, and removes it; says what it can; is found out when it is damaged',
    async () => {
      const program = isThorough ? await executable() : small;
      const version = run([program, 'version']).stdout.trim().replace('octaskly ', '');
      const file = await make('run', { program, version });
      const home = mkdtempSync(join(directory, 'home-'));
      const start = (...words: readonly string[]) =>
        run(['sh', file, ...words], { cwd: home, env: { HOME: home, TMPDIR: home } });
      const help = start('--help');
      expect(help.text).toContain('--uninstall');
      // Relative to where the user is, not to where it unpacks itself.
      const installed = start('--', '--prefix', 'here');
      expect(installed.status, installed.text).toBe(0);
      expect(installed.text).not.toContain('signature');
      const placed = join(home, 'here/bin/octaskly');
      expect(run([placed, 'version']).stdout).toBe(`octaskly ${version}\n`);
      expect(start('--', '--from', 'http://example.org').status).toBe(2);
      // As root does for a user who may not be where root is.
      expect(start('--noexec', '--target', 'unpacked').status).toBe(0);
      const env = { HOME: home, USER_PWD: join(home, 'closed') };
      expect(run(['sh', './setup.sh', '--dry-run'], { cwd: join(home, 'unpacked'), env })).toMatchObject({ status: 0 });
      rmSync(join(home, 'unpacked'), { recursive: true });
      const removed = start('--', '--prefix', 'here', '--uninstall');
      expect(removed.status, removed.text).toBe(0);
      expect(existsSync(placed)).toBe(false);
      expect(readdirSync(home)).toEqual(['here']);
      const bytes = readFileSync(file);
      bytes.writeUInt8(bytes.readUInt8(bytes.length - 3000) ^ 1, bytes.length - 3000);
      await Bun.write(file, bytes);
      expect(start('--', '--prefix', 'here').text).toContain('checksum');
      expect(existsSync(placed)).toBe(false);
    },
    patienceMs,
  );
});

describe('packages', () => {
  test.each(packageMakers.map((maker) => [maker.name, maker] as const))(
    '%s: for every target, the same wherever and whenever they are made',
    async (name, maker) => {
      if (missingTools(maker).length > 0)
        return console.warn(`not tested: ${name}: ${missingTools(maker)} not installed`);
      const wanted = ['linux-x64', 'linux-arm64', 'linux-armv7', 'windows-x64', 'windows-arm64'];
      for (const target of wanted) {
        const out = join(directory, name, target);
        mkdirSync(out, { recursive: true });
        const stage = await stageOf({ program: small, target, version, out });
        if (!maker.isFor(stage.target)) continue;
        const [one] = maker.make(stage, out);
        // In a directory with a name of which shells, rpmbuild and makensis take parts for something else.
        const before = process.umask(0o077);
        const again = await make(name, { target }).finally(() => process.umask(before));
        expect(one?.target).toBe(target);
        expect(readFileSync(join(out, one?.file ?? '')).equals(readFileSync(again))).toBe(true);
      }
    },
    patienceMs,
  );

  test('for Debian name their architecture, and bring the dispatcher where the program is one', async () => {
    if (!hasTools('deb')) return;
    const facts = async (target: string) => {
      const file = await make('deb', { target });
      return `${run(['dpkg-deb', '-f', file, 'Architecture', 'Version']).stdout}${run(['dpkg-deb', '-c', file]).stdout}`;
    };
    const [arm64, armhf] = [await facts('linux-arm64'), await facts('linux-armv7')];
    for (const line of ['Architecture: arm64', 'Version: 9.8.7~rc.1', 'octaskly-dispatcher.service'])
      expect(arm64).toContain(line);
    expect(armhf).toContain('Architecture: armhf');
    expect(armhf).not.toContain('dispatcher');
  });

  test('have scripts in which shellcheck finds nothing', () => {
    if (Bun.which('shellcheck') === null) return console.warn('not tested: scripts of packages by shellcheck');
    const scripts = [
      'deb/postinst',
      'deb/prerm',
      'deb/postrm',
      'rpm/pre',
      'rpm/post',
      'rpm/preun',
      'rpm/postun',
      'rpm/purge',
    ];
    for (const script of scripts) {
      const text = Bun.spawnSync(['shellcheck', '-s', 'sh', '-e', 'SC2317', '-'], {
        ...{ env: { PATH: process.env.PATH ?? '' }, stdin: Buffer.from(maintainerScript(script)) },
      });
      expect([script, text.stdout.toString()]).toEqual([script, '']);
    }
  });
});
