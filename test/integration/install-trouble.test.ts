/** install.sh where the network, the shell or what is there already is not as it should be. */

import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { InstallScene, program, script } from './install-scene.ts';

let scene: InstallScene;
const sh = ['sh'];

beforeEach(() => {
  scene = new InstallScene();
  scene.uname({ machine: 'x86_64' });
});

afterEach(() => scene.close());

/** A page that a network shows in place of everything, until somebody has logged in. */
const portal = '<html><a href="/login">log in to the network</a></html>\n';

for (const shell of [['dash', '-e'], ['bash', '-eu'], ['busybox', 'ash', '-eu'], ['zsh']]) {
  test(`install.sh installs and removes under ${shell.join(' ')}, which would end at what fails`, async () => {
    if (Bun.which(shell[0] ?? '') === null) return console.warn(`not tested: ${shell.join(' ')}: it is not installed`);
    scene.offer();
    const args = ['--from', scene.url, '--prefix', scene.prefix];
    const { status, text } = await scene.run(shell, args);
    expect([status, text]).toEqual([0, expect.stringContaining('is not in PATH')]);
    expect(await scene.run(shell, args)).toMatchObject({ status: 0 });
    expect(await scene.run(shell, ['--uninstall', '--prefix', scene.prefix])).toMatchObject({ status: 0 });
  });
}

test('install.sh ends a download that has no end, packed or not', async () => {
  const chunk = new Uint8Array(64 * 1024);
  const endless = Bun.serve({
    ...{ hostname: '127.0.0.1', port: 0 },
    fetch: ({ url }) => {
      if (url.endsWith('/SHA256SUMS')) return new Response(`${'0'.repeat(64)}  linux-x64\n`);
      if (url.endsWith(missing)) return new Response('no', { status: 404 });
      return new Response(new ReadableStream({ pull: (controller) => controller.enqueue(chunk) }));
    },
  });
  let missing = '';
  // Of the real one, 400 MB, a test would have to wait for.
  const bounded = scene.path('bounded.sh');
  const whole = readFileSync(script, 'utf8');
  writeFileSync(bounded, whole.replace(/^most_program=\d+$/m, 'most_program=4096'));
  try {
    for (missing of ['none', '.gz']) {
      const args = ['--from', `http://127.0.0.1:${endless.port}`, '--prefix', scene.prefix];
      const { status, text } = await scene.runCommand([...sh, bounded, ...args]);
      expect([missing, status, text.includes('is longer than any program of octaskly')]).toEqual([missing, 1, true]);
      expect(scene.installed()).toEqual([]);
    }
  } finally {
    await endless.stop(true);
  }
});

test('install.sh says that what came is no list of sums, also with a token', async () => {
  const token = scene.token(scene.offer());
  for (const name of ['download/SHA256SUMS', 'manifest.json']) scene.files.set(name, portal);
  for (const more of [[], ['--join', token]]) {
    const { status, text } = await scene.install(sh, ...more);
    expect([status, text.includes('is no list of sums. A web page'), scene.installed()]).toEqual([1, true, []]);
  }
});

test('install.sh knows a release where a server answers with a page to what it does not have', async () => {
  const { directory } = scene.release();
  for (const file of ['manifest.json', 'octaskly-9.8.7-linux-x64.tar.gz'])
    scene.files.set(file, new Uint8Array(readFileSync(join(directory, file))));
  scene.files.set('download/SHA256SUMS', portal);
  expect(await scene.install(sh, '--insecure-no-signature')).toMatchObject({ status: 0 });
});

test('install.sh replaces a later version only when told to', async () => {
  const order = ['1.2.3-rc.2', '1.2.3-rc.10', '1.2.3', '1.10.0', '2.0.0'];
  for (const [index, earlier] of order.slice(0, -1).entries()) {
    const later = order[index + 1] ?? '';
    scene.offer(program(later));
    expect(await scene.install(sh)).toMatchObject({ status: 0 });
    scene.offer(program(earlier));
    const refused = await scene.install(sh);
    const why = `This is octaskly ${earlier}, and ${scene.prefix}/bin/octaskly is octaskly ${later}, which is later`;
    expect([refused.status, refused.text.includes(why)]).toEqual([1, true]);
    expect(readFileSync(join(scene.prefix, 'bin/octaskly'), 'utf8')).toBe(program(later));
    expect(await scene.install(sh, '--allow-downgrade')).toMatchObject({ status: 0 });
  }
  writeFileSync(join(scene.prefix, 'bin/octaskly'), 'nothing that runs');
  expect(await scene.install(sh)).toMatchObject({ status: 0 });
});

test('install.sh does what it says, not what stands in .curlrc', async () => {
  scene.offer();
  writeFileSync(join(scene.home, '.curlrc'), `proxy = http://127.0.0.1:1\nrange = 1-2\n`);
  expect(await scene.install(sh)).toMatchObject({ status: 0 });
});

const tools = ['awk', 'cat', 'chmod', 'cp', 'cut', 'df', 'dirname', 'grep', 'gzip', 'head', 'ldd', 'mkdir', 'mv', 'rm'];
const moreTools = ['rmdir', 'sed', 'sha256sum', 'sleep', 'sync', 'tar', 'tr', 'wc'];

/** A PATH without curl, on which wget is that of busybox or GNU's. */
function pathWith(wget: 'wget' | 'busybox'): string {
  const path = scene.path('bin');
  for (const name of [...tools, ...moreTools]) symlinkSync(Bun.which(name) ?? `/bin/${name}`, join(path, name));
  symlinkSync(Bun.which(wget) ?? '', join(path, 'wget'));
  return path;
}

for (const client of ['curl', 'wget', 'busybox'] as const) {
  test(`install.sh asks a dispatcher by no proxy, and others by it, with ${client}`, async () => {
    if (Bun.which(client) === null) return console.warn(`not tested: proxies with ${client}: it is not installed`);
    const proxy = 'http://somebody:secret@127.0.0.1:1';
    const env = {
      ...{ http_proxy: proxy, https_proxy: proxy, ALL_PROXY: proxy },
      ...(client === 'curl' ? {} : { PATH: pathWith(client) }),
    };
    const shell = [Bun.which('sh') ?? '/bin/sh'];
    scene.offer();
    const here = ['--from', scene.url, '--prefix', scene.prefix, '--no-completion'];
    expect(await scene.run(shell, here, env)).toMatchObject({ status: 0 });
    const others = ['--from', 'http://releases.example.org', '--prefix', scene.prefix];
    const { status, text } = await scene.run(shell, others, env);
    expect([status, text]).toEqual([1, expect.stringContaining('by the proxy in the variable http_proxy')]);
    expect(text).not.toContain('no reason was given');
    expect(text).not.toContain('somebody:secret');
  });
}

test('install.sh tells root nothing of becoming root', async () => {
  const args = ['--from', scene.url, '--prefix', '/proc/none'];
  expect((await scene.run(sh, args)).text).toContain('with --prefix DIR, or run this as root.');
  scene.put('id', 'echo 0');
  expect((await scene.run(sh, args)).text).toContain('with --prefix DIR.\n');
});

for (const shell of ['sh', 'bash', 'zsh', 'fish']) {
  test(`install.sh says for ${shell} how a directory with odd characters gets into PATH`, async () => {
    const path = Bun.which(shell);
    if (path === null) return console.warn(`not tested: PATH in ${shell}: it is not installed`);
    scene.offer();
    for (const name of ['plain', `it's $HOME "here"`]) {
      const prefix = scene.path(name);
      const args = ['--from', scene.url, '--prefix', prefix, '--no-completion'];
      const { text } = await scene.run(sh, args, { SHELL: path });
      const advice = /To change that: (.*)$/m.exec(text)?.[1] ?? '';
      const files: Record<string, string> = { bash: '; . ~/.bashrc', zsh: '; . ~/.zshrc' };
      const typed = await scene.runCommand([path, '-c', `${advice}${files[shell] ?? ''}; octaskly version`]);
      expect([typed.status, typed.text]).toEqual([0, 'octaskly 9.8.7\n']);
    }
  });
}

test('install.sh says why nothing could be fetched from a directory', async () => {
  mkdirSync(scene.path('empty'));
  const { status, text } = await scene.run(sh, ['--from', scene.path('empty'), '--prefix', scene.prefix]);
  expect([status, text]).toEqual([1, expect.stringContaining('SHA256SUMS: cp: ')]);
});
