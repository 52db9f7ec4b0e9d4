import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fillInstallScript } from '../../src/core/install-script.ts';
import { sha256Hex } from '../../src/runtime/keys.ts';
import { until } from '../e2e/site.ts';
import { InstallScene, program, script, shells } from './install-scene.ts';

let scene: InstallScene;
const dash = shells[0] ?? ['sh'];

beforeEach(() => {
  scene = new InstallScene();
  scene.uname({ machine: 'x86_64' });
});

afterEach(() => scene.close());

test('shellcheck finds nothing in install.sh', () => {
  const shellcheck = Bun.which('shellcheck');
  if (shellcheck === null) return console.warn('not tested: shellcheck is not installed');
  const { exitCode, stdout } = Bun.spawnSync([shellcheck, '--shell=sh', script], { env: {} });
  expect([exitCode, stdout.toString()]).toEqual([0, '']);
});

for (const shell of shells) {
  describe(`install.sh under ${shell.join(' ')}`, () => {
    test('installs from a dispatcher, sets up completion, joins, and is removed again without a trace', async () => {
      const token = scene.token(scene.offer());
      const args = ['--from', scene.url, '--prefix', scene.prefix, '--join', token];
      const { status, text } = await scene.run(shell, args);
      expect([status, scene.installed()]).toEqual([0, ['octaskly']]);
      expect(statSync(join(scene.prefix, 'bin/octaskly')).mode & 0o777).toBe(0o755);
      expect(text).toContain('Installed octaskly 9.8.7');
      expect(readFileSync(join(scene.home, 'started'), 'utf8')).toBe(`worker --join ${token}\n`);
      const completion = join(scene.prefix, 'share/bash-completion/completions/octaskly');
      expect(readFileSync(completion, 'utf8')).toBe('# completion of octaskly for bash\n');
      mkdirSync(join(scene.home, '.octaskly'));
      const gone = await scene.run(shell, ['--uninstall', '--prefix', scene.prefix]);
      expect([gone.status, scene.installed(), existsSync(completion)]).toEqual([0, [], false]);
      expect([gone.text.includes('The data stays in'), existsSync(join(scene.home, '.octaskly'))]).toEqual([
        true,
        true,
      ]);
      await scene.run(shell, ['--uninstall', '--purge', '--prefix', scene.prefix]);
      expect(existsSync(join(scene.home, '.octaskly'))).toBe(false);
    });

    test('refuses another list of sums than the token vouches for, and another program than the list says', async () => {
      const sums = scene.offer();
      scene.offer(program('6.6.6'));
      const others = await scene.install(shell, '--join', scene.token(sums));
      expect([others.status, scene.installed()]).toEqual([1, []]);
      expect(others.text).toContain('REFUSED: what http://127.0.0.1');
      scene.files.set('download/SHA256SUMS', sums);
      const program_ = await scene.install(shell, '--join', scene.token(sums));
      expect([program_.status, scene.installed()]).toEqual([1, []]);
      expect(program_.text).toContain('REFUSED: the program from');
      expect(existsSync(join(scene.home, 'started'))).toBe(false);
    });

    test('refuses a token with any character changed before it asks for anything', async () => {
      const token = scene.token(scene.offer());
      for (const at of [8, 40, 90, token.length - 3]) {
        const other = token[at] === 'A' ? 'B' : 'A';
        const { status, text } = await scene.install(shell, '--join', token.slice(0, at) + other + token.slice(at + 1));
        expect([at, status, text.includes('is damaged')]).toEqual([at, 1, true]);
      }
      const cut = await scene.install(shell, '--join', token.slice(0, -20));
      expect([cut.status, scene.asked]).toEqual([1, []]);
    });

    test('installs from the directory of a release, and refuses an archive that is not what its manifest says', async () => {
      const { directory } = scene.release();
      const args = ['--from', directory, '--prefix', scene.prefix, '--no-completion'];
      expect(await scene.run(shell, args)).toMatchObject({ status: 0 });
      expect(scene.installed()).toEqual(['octaskly']);
      writeFileSync(join(directory, 'octaskly-9.8.7-linux-x64.tar.gz'), 'something else');
      const { status, text } = await scene.run(shell, args);
      expect([status, text.includes('REFUSED: octaskly-9.8.7-linux-x64.tar.gz')]).toEqual([1, true]);
      expect(scene.installed()).toEqual(['octaskly']);
    });
  });
}

test('install.sh does nothing when any part of its end is missing', async () => {
  scene.offer();
  const whole = readFileSync(script, 'utf8');
  for (const cut of [2, 3, 8, 10, 14, 20, 400, Math.floor(whole.length / 2)]) {
    const part = scene.path('part.sh');
    writeFileSync(part, whole.slice(0, -cut));
    const child = Bun.spawnSync([...dash, part, '--from', scene.url, '--prefix', scene.prefix], {
      env: scene.environment(),
    });
    expect([cut, child.exitCode === 0, scene.asked]).toEqual([cut, false, []]);
  }
});

test('install.sh names each kind of device it knows, and refuses others with what there is', async () => {
  const planned = async (facts: Parameters<InstallScene['uname']>[0]): Promise<string> => {
    scene.uname(facts);
    return (await scene.install(dash, '--dry-run')).text.split('\n')[0] ?? '';
  };
  scene.put('ldd', 'echo "ldd (GNU libc) 2.36"');
  scene.put('getconf', 'echo 64');
  expect(await planned({ machine: 'aarch64' })).toBe('This device: linux-arm64');
  expect(await planned({ machine: 'armv7l' })).toBe('This device: linux-armv7');
  expect(await planned({ system: 'Darwin', machine: 'arm64', os: '' })).toBe('This device: darwin-arm64');
  expect(await planned({ system: 'Darwin', machine: 'x86_64', os: '' })).toBe('This device: darwin-x64');
  expect(await planned({ machine: 'aarch64', os: 'Android' })).toBe('This device: linux-arm64-android');
  expect(await planned({ machine: 'armv6l' })).toContain('Raspberry Pi 1 or Zero');
  expect(await planned({ machine: 'riscv64' })).toContain('no octaskly for the processor "riscv64"');
  expect(await planned({ system: 'FreeBSD', machine: 'amd64' })).toContain('no octaskly for the system "FreeBSD"');
  expect(await planned({ system: 'MINGW64_NT-10.0', machine: 'x86_64' })).toContain('install.ps1');
  scene.put('sysctl', 'echo 1');
  expect(await planned({ system: 'Darwin', machine: 'x86_64', os: '' })).toBe('This device: darwin-arm64');
  scene.put('getconf', 'echo 32');
  expect(await planned({ machine: 'aarch64' })).toBe('This device: linux-armv7');
  scene.put('ldd', 'echo "musl libc (x86_64)" >&2; exit 1');
  expect(await planned({ machine: 'x86_64' })).toMatch(/linux-x64-musl|apk add libstdc\+\+/);
  expect([scene.asked, scene.installed()]).toEqual([[], []]);
});

test('install.sh says what there is when the dispatcher has nothing for a device', async () => {
  scene.offer(program(), ['linux-arm64', 'darwin-arm64']);
  const { status, text } = await scene.install(dash);
  expect([status, scene.installed()]).toEqual([1, []]);
  expect(text).toContain('no program for linux-x64, only for linux-arm64, darwin-arm64');
});

test('install.sh takes the prefix of Termux, and on its own that of the user', async () => {
  scene.uname({ machine: 'aarch64', os: 'Android' });
  scene.offer(program(), ['linux-arm64-android']);
  const prefix = scene.path('usr');
  mkdirSync(prefix);
  expect(await scene.run(dash, ['--from', scene.url], { PREFIX: prefix })).toMatchObject({ status: 0 });
  expect(existsSync(join(prefix, 'bin/octaskly'))).toBe(true);
  scene.uname({ machine: 'x86_64' });
  scene.put('id', 'echo 1000');
  scene.offer();
  const { text } = await scene.run(dash, ['--from', scene.url]);
  expect(existsSync(join(scene.home, '.local/bin/octaskly'))).toBe(true);
  expect(text).toContain('.local/bin is not in PATH');
});

test('install.sh keeps what is there when the new program does not run, is none, or is another version', async () => {
  scene.offer();
  await scene.install(dash);
  const before = readFileSync(join(scene.prefix, 'bin/octaskly'), 'utf8');
  const cases = [
    ['#!/bin/sh\nexit 3\n', 'does not run here (status 3'],
    ['#!/bin/sh\necho hello\n', 'does not say that it is octaskly'],
    [program('1.0.0'), 'octaskly 1.0.0, and 9.8.7 was asked for'],
  ];
  for (const [text = '', why = ''] of cases) {
    scene.offer(text);
    const ran = await scene.install(dash, '--version', '9.8.7');
    expect([ran.status, ran.text.includes(why)]).toEqual([1, true]);
  }
  expect([readFileSync(join(scene.prefix, 'bin/octaskly'), 'utf8'), scene.installed()]).toEqual([before, ['octaskly']]);
});

test('install.sh leaves nothing when it is stopped in the middle, and removes what a killed one left', async () => {
  scene.offer();
  scene.files.set('download/linux-x64.gz', null);
  const downloading = (): boolean => scene.asked.includes('download/linux-x64.gz');
  const args = ['--from', scene.url, '--prefix', scene.prefix, '--no-completion'];
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGPIPE', 'SIGKILL'] as const) {
    scene.asked.length = 0;
    const child = scene.start([...dash, script, ...args]);
    await until('it downloads', downloading);
    child.kill(signal);
    await child.exited;
    expect([signal, scene.installed().length]).toEqual([signal, signal === 'SIGKILL' ? 1 : 0]);
  }
  scene.offer();
  expect(await scene.install(dash)).toMatchObject({ status: 0 });
  expect(scene.installed()).toEqual(['octaskly']);
});

test('install.sh may run twice at the same time', async () => {
  scene.offer();
  const both = await Promise.all([scene.install(dash), scene.install(dash)]);
  expect(both.map(({ status }) => status)).toEqual([0, 0]);
  expect(scene.installed()).toEqual(['octaskly']);
});

test('install.sh --dry-run says each step and does none', async () => {
  const token = scene.token(scene.offer());
  const { status, text } = await scene.install(dash, '--dry-run', '--join', token);
  expect([status, scene.asked, scene.installed()]).toEqual([0, [], []]);
  expect(text).toContain(`Would put it in place: ${scene.prefix}/bin/octaskly`);
  expect(text).toContain('Would check it against the sums in the join token');
});

test('install.sh does without curl', async () => {
  if (Bun.which('busybox') === null) return console.warn('not tested: wget of busybox is not installed');
  scene.offer();
  for (const name of [
    'awk',
    'cat',
    'chmod',
    'cp',
    'cut',
    'df',
    'dirname',
    'getconf',
    'gzip',
    'head',
    'id',
    'ldd',
    'mkdir',
    'mv',
  ])
    scene.put(name, `exec busybox ${name} "$@"`);
  for (const name of ['rm', 'sed', 'sha256sum', 'sleep', 'sync', 'tar', 'tr', 'wget'])
    scene.put(name, `exec busybox ${name} "$@"`);
  scene.put('ldd', 'echo GNU libc');
  scene.put('busybox', `exec ${Bun.which('busybox')} "$@"`);
  const path = { PATH: scene.path('bin') };
  const args = ['--from', scene.url, '--prefix', scene.prefix, '--join', scene.token(scene.offer())];
  const busybox = [Bun.which('busybox') ?? '', 'sh'];
  const { status, text } = await scene.run(busybox, args, path);
  expect([status, text]).toEqual([0, expect.stringContaining('Installed octaskly 9.8.7')]);
});

test('install.sh says clearly that a disk is full, or starts no programs', async () => {
  const cannot = process.getuid?.() !== 0 || Bun.which('unshare') === null;
  if (cannot) return console.warn('not tested: full disks and noexec: that takes root and unshare');
  scene.offer();
  for (const [options, why] of [
    ['size=20m', 'MB are free, and octaskly needs 130 MB while it is installed'],
    ['noexec,size=150m', 'mounted noexec'],
  ]) {
    mkdirSync(scene.prefix, { recursive: true });
    const text = `mount -t tmpfs -o ${options} none "$1" && ${dash.join(' ')} "$2" --from "$3" --prefix "$1"; echo "status $?"; find "$1" -type f`;
    const command = ['unshare', '-m', 'sh', '-c', text, 'sh', scene.prefix, script, scene.url];
    const { text: said } = await scene.runCommand(command);
    expect([options, said.split('\n').includes('status 1'), said.includes(why ?? '')]).toEqual([options, true, true]);
    expect(said).not.toContain('.octaskly-install');
  }
});

test('install.sh takes a release from the network only with a signature that fits, or when told to do without', async () => {
  const { directory, manifest } = scene.release();
  for (const file of ['manifest.json', 'octaskly-9.8.7-linux-x64.tar.gz'])
    scene.files.set(file, new Uint8Array(readFileSync(join(directory, file))));
  const refused = await scene.install(dash);
  expect([refused.status, refused.text.includes('cannot be checked')]).toEqual([1, true]);
  expect(await scene.install(dash, '--insecure-no-signature')).toMatchObject({ status: 0 });
  const sum = new Bun.CryptoHasher('sha256').update(manifest).digest('hex');
  expect(await scene.install(dash, '--sums', sum)).toMatchObject({ status: 0 });
  const other = await scene.install(dash, '--sums', sum.replace(/^./, sum.startsWith('0') ? '1' : '0'));
  expect([other.status, other.text.includes('REFUSED')]).toEqual([1, true]);
});

/** The command that installs a release with its own script; `signedBy` puts another signature beside its manifest. */
function signedRelease(): { readonly command: readonly string[]; signedBy(key: KeyObject): string } {
  const { directory, manifest } = scene.release();
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const key = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  const baked = scene.path('baked.sh');
  writeFileSync(baked, fillInstallScript(readFileSync(script, 'utf8'), { key, version: '9.8.7', base: scene.url }));
  for (const file of ['manifest.json', 'octaskly-9.8.7-linux-x64.tar.gz'])
    scene.files.set(file, new Uint8Array(readFileSync(join(directory, file))));
  const signedBy = (signer: KeyObject): string => {
    const text = `${sign(null, Buffer.from(manifest), signer).toString('base64')}\n`;
    scene.files.set('manifest.json.sig', text);
    return text;
  };
  signedBy(privateKey);
  return { command: [...dash, baked, '--prefix', scene.prefix, '--no-completion'], signedBy };
}

for (const [program, other] of [
  ['openssl', 'bc'],
  ['bc', 'openssl'],
] as const) {
  test(`install.sh takes by ${program} a release that its key has signed, and refuses one that another has`, async () => {
    if (Bun.which(program) === null)
      return console.warn(`not tested: signatures of releases by ${program}: it is not installed`);
    scene.put(other, 'exit 1');
    const { command, signedBy } = signedRelease();
    expect(await scene.runCommand(command)).toMatchObject({ status: 0 });
    const text = signedBy(generateKeyPairSync('ed25519').privateKey);
    for (const wrong of [text, `${text.slice(0, 40)}\n`, `${text}AAAA`, 'no signature\n', '\n', 'A'.repeat(100_000)]) {
      scene.files.set('manifest.json.sig', wrong);
      const ran = await scene.runCommand(command);
      expect([wrong, ran.status, ran.text.includes('is not signed by the key')]).toEqual([wrong, 1, true]);
    }
  });
}

test('install.sh says what checks a signature where nothing does, and that there is none where it is missing', async () => {
  for (const name of ['openssl', 'bc']) scene.put(name, 'exit 1');
  const { command } = signedRelease();
  const without = await scene.runCommand(command);
  expect([without.status, scene.installed()]).toEqual([1, []]);
  expect(without.text).toContain('cannot be checked: that takes openssl 3.0 or later, or bc, and neither');
  expect(await scene.runCommand([...command, '--insecure-no-signature'])).toMatchObject({ status: 0 });
  scene.files.delete('manifest.json.sig');
  expect((await scene.runCommand(command)).text).toContain('cannot be checked: there is no signature');
});

test('install.sh of a release goes by no dispatcher unless a token, a sum or its user vouches for it', async () => {
  const sums = scene.offer();
  const key = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  const baked = scene.path('baked.sh');
  writeFileSync(baked, fillInstallScript(readFileSync(script, 'utf8'), { key, version: '9.8.7', base: scene.url }));
  const ran = (...args: string[]) =>
    scene.runCommand([...dash, baked, '--prefix', scene.prefix, '--no-completion', ...args]);
  const refused = await ran();
  expect([refused.status, refused.text.includes('REFUSED'), scene.installed()]).toEqual([1, true, []]);
  expect(existsSync(join(scene.prefix, 'bin'))).toBe(false);
  for (const vouching of [['--join', scene.token(sums)], ['--sums', sha256Hex(sums)], ['--insecure-no-signature']])
    expect(await ran(...vouching)).toMatchObject({ status: 0 });
});

test('install.sh --uninstall removes every service that runs the program, and says what it cannot remove', async () => {
  scene.offer();
  await scene.install(dash);
  const args = ['--uninstall', '--prefix', scene.prefix];
  await scene.run(dash, [...args, '--dry-run']);
  await scene.run(dash, args);
  const started = readFileSync(join(scene.home, 'started'), 'utf8');
  expect(started).toBe('service uninstall --all --dry-run\nservice uninstall --all\n');
  scene.offer(program().replace('*)', 'service) echo "no bus"; exit 1 ;;\n  *)'));
  await scene.install(dash);
  const { status, text } = await scene.run(dash, args);
  expect([status, text]).toEqual([0, expect.stringContaining('Cannot remove the services that run it: no bus')]);
});

test('install.sh leaves what another machine that shares the disk is about to install', async () => {
  scene.put('uname', 'case $1 in -n) echo here ;; -m) echo x86_64 ;; *) echo Linux ;; esac');
  scene.offer();
  for (const name of ['there.99999999', 'here.99999999'])
    mkdirSync(join(scene.prefix, 'bin', `.octaskly-install.${name}`), { recursive: true });
  expect(await scene.install(dash)).toMatchObject({ status: 0 });
  expect(scene.installed().sort()).toEqual(['.octaskly-install.there.99999999', 'octaskly']);
});

test('install.sh asks once where nobody answers, and tells the C library without ldd', async () => {
  scene.put('curl', `echo "$*" >>"$HOME/asked"; exec ${Bun.which('curl')} "$@"`);
  const args = ['--from', 'http://127.0.0.1:1', '--prefix', scene.prefix];
  expect((await scene.run(dash, args)).text).toContain('Cannot fetch http://127.0.0.1:1/download/SHA256SUMS');
  expect(readFileSync(join(scene.home, 'asked'), 'utf8').trim().split('\n')).toHaveLength(1);
  scene.put('ldd', 'exit 127');
  if (readFileSync('/bin/sh').includes('ld-linux'))
    expect((await scene.install(dash, '--dry-run')).text).toContain('This device: linux-x64\n');
});

test('install.sh refuses wrong options and places with what should be', async () => {
  const says = async (...args: string[]): Promise<string> => {
    const { status, text } = await scene.run(dash, args);
    return `${status} ${text.split('\n')[0]}`;
  };
  expect(await says('--form', 'x')).toBe('2 octaskly-install: There is no option "--form".');
  expect(await says('--join')).toBe('2 octaskly-install: --join needs a value.');
  expect(await says('--join', 'hello', '--from', scene.url)).toContain('1 octaskly-install: This is not a join token');
  for (const one of ['--service=no', '--dry-run=no', '--uninstall=x'])
    expect(await says(one)).toBe(`2 octaskly-install: ${one.split('=')[0]} takes no value.`);
  expect(await says('--purge')).toBe('2 octaskly-install: --purge goes with --uninstall.');
  expect(await says()).toContain('2 octaskly-install: Say where to install from');
  expect(await says('--from', './nowhere')).toContain('is neither an address nor a directory');
  expect(await says('--from', 'http://127.0.0.1:1', '--prefix', scene.prefix)).toContain(
    'Cannot fetch http://127.0.0.1:1/',
  );
  expect(await says('--from', scene.url, '--prefix', '/proc/none')).toContain('Cannot make /proc/none/bin');
  expect(await says('--help')).toContain('0 Usage: install.sh');
});
