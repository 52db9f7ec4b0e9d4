/**
 * The npm package as others use it: made by the script that publishes it, put into a project of its own, and its examples
 * run there on Bun, Node and Deno, and in a browser, against a dispatcher and a worker of the compiled file.
 */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../../scripts/steps.ts';
import { chromiumPath, openBrowser } from './browser.ts';
import { closeSites, openSite, type Site } from './site.ts';

const project = mkdtempSync(join(tmpdir(), 'octaskly-package-'));
const installed = join(project, 'node_modules', 'octaskly');
const examples = join(project, 'examples');
let site: Site;

/** A folder's own server, for the page that uses the library. */
let pages: ReturnType<typeof Bun.serve>;

const deno = Bun.which('deno') ?? Bun.which(join(root, 'node_modules/.bin/deno'));
const runtimes: Readonly<Record<string, readonly string[] | null>> = {
  bun: [process.execPath],
  node: Bun.which('node') === null ? null : ['node'],
  deno:
    deno === null
      ? null
      : [deno, 'run', '--no-prompt', '--no-remote', '--allow-net', '--allow-env', '--allow-read', '--allow-write'],
};

async function run(command: readonly string[], more: Readonly<Record<string, string>> = {}) {
  const env = { PATH: process.env.PATH ?? '', HOME: project, NO_COLOR: '1', OCTASKLY_API: site.url, ...more };
  const child = Bun.spawn([...command], { cwd: project, env, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { status: await child.exited, stdout, stderr };
}

beforeAll(async () => {
  site = openSite();
  pages = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: async ({ url }) => {
      const path = new URL(url).pathname;
      const file = Bun.file(join(path === '/octaskly.js' ? installed : examples, path));
      return (await file.exists()) ? new Response(file) : new Response(null, { status: 404 });
    },
  });
  const made = Bun.spawnSync([process.execPath, join(root, 'scripts/package.ts'), installed], {
    cwd: root,
    env: { PATH: process.env.PATH ?? '' },
  });
  if (made.exitCode !== 0) throw new Error(made.stderr.toString());
  cpSync(join(root, 'examples'), examples, { recursive: true });
  writeFileSync(join(project, 'package.json'), '{"type":"module"}');
  await site.dispatcher(['--allow-origin', `http://127.0.0.1:${pages.port}`]);
  await site.worker('one', ['--max-jobs', '4']);
}, 60_000);

afterAll(async () => {
  await pages.stop(true);
  await closeSites();
  rmSync(project, { recursive: true, force: true });
}, 30_000);

/** What each example prints; `N` stands for any number. */
const printed: Readonly<Record<string, string>> = {
  'submit-and-wait.mjs': `hello from ARCH, after N ms\nfailed as it should, with N: no such luck\nwords: N\n`,
  'stream-output.mjs': `line N\nline N\nline N\ncompleted with exit code N\n`,
  'pipeline.mjs': `N of N completed\n`,
};

const steady = (text: string): string => text.replace(/from \w+,/, 'from ARCH,').replaceAll(/\d+/g, 'N');

describe.each(Object.keys(runtimes))('the examples on %s', (name) => {
  const runtime = runtimes[name];
  if (runtime === null || runtime === undefined) {
    console.warn(`not tested: the library on ${name}, which is not here`);
    return;
  }

  test.each(Object.keys(printed))(
    '%s',
    async (example) => {
      const { status, stdout, stderr } = await run([...runtime, join(examples, example)]);
      expect([status, stderr]).toEqual([0, '']);
      expect(steady(stdout)).toContain(printed[example] ?? '');
      if (example === 'pipeline.mjs')
        expect(stdout.split('\n').toSorted()).toEqual(expect.arrayContaining(['largest: 1000', 'sum: 500500']));
      if (example === 'stream-output.mjs') expect(stdout).toMatch(/stdout: to stdout/);
    },
    30_000,
  );

  test('map-files.mjs', async () => {
    const target = join(project, `packed-${name}`);
    mkdirSync(target);
    const files = readdirSync(examples).map((file) => join(examples, file));
    const { status, stdout, stderr } = await run([...runtime, join(examples, 'map-files.mjs'), target, ...files]);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout.trim().split('\n')).toHaveLength(files.length);
    for (const file of files) {
      const packed = readFileSync(join(target, `${file.split('/').at(-1)}.gz`));
      expect(Buffer.from(Bun.gunzipSync(packed))).toEqual(readFileSync(file));
    }
  }, 30_000);

  if (name !== 'node')
    test('typed.ts', async () => {
      const { status, stdout } = await run([...runtime, join(examples, 'typed.ts')]);
      expect([status, stdout]).toEqual([0, 'short: 2 words\nlonger: 4 words\n']);
    }, 30_000);
});

describe('the package', () => {
  test('has types that stand for themselves, by which its examples check', async () => {
    symlinkSync(join(root, 'node_modules/@types'), join(project, 'node_modules/@types'));
    const options = [
      '--target',
      'esnext',
      '--module',
      'nodenext',
      '--lib',
      'esnext,dom,dom.iterable',
      '--types',
      'node',
    ];
    const compiler = [process.execPath, join(root, 'node_modules/typescript/bin/tsc')];
    const check = (files: readonly string[]) =>
      run([...compiler, '--noEmit', '--strict', '--checkJs', ...options, ...files]);
    const wrong = join(project, 'wrong.ts');
    writeFileSync(wrong, `import { Octaskly } from 'octaskly';\nawait new Octaskly().submit('x', { timeuot: 3 });\n`);
    const files = readdirSync(examples).filter((file) => /\.(mjs|ts)$/.test(file));
    const [fine, refused] = await Promise.all([check(files.map((file) => join(examples, file))), check([wrong])]);
    expect(fine.stdout).toBe('');
    // Compilers before 5.7 do not know the parameter.
    const types = readdirSync(join(installed, 'types'), { recursive: true, encoding: 'utf8' });
    for (const name of types.filter((name) => name.endsWith('.ts'))) {
      expect(readFileSync(join(installed, 'types', name), 'utf8')).not.toContain('Uint8Array<');
    }
    expect(refused.stdout).toContain('timeuot');
  }, 30_000);

  test('needs no other package', () => {
    const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
    expect([manifest.dependencies, manifest.peerDependencies, manifest.scripts]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(readFileSync(join(installed, 'octaskly.js'), 'utf8')).not.toMatch(/\bfrom ?["'][^.]|\brequire\(|\bimport\(/);
  });

  test('says in a sentence that there is no dispatcher', async () => {
    const program =
      'import { Octaskly } from "octaskly"; await new Octaskly({ url: "http://127.0.0.1:1" }).run("true").catch((e) => console.log(e.code, e.message));';
    const file = join(project, 'nobody.mjs');
    writeFileSync(file, program);
    const { stdout } = await run([process.execPath, file]);
    expect(stdout).toBe('unreachable Cannot reach a dispatcher at http://127.0.0.1:1: the connection was refused.\n');
  }, 30_000);
});

test.skipIf(runtimes.node === null)(
  'a program on Node ends with its work, whatever was collected meanwhile',
  async () => {
    const file = join(project, 'collected.mjs');
    const program = `import { Octaskly } from 'octaskly';
    const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    const leave = new AbortController();
    const following = (async () => {
      for await (const _ of new Octaskly().events({ signal: leave.signal }));
    })().catch((error) => console.log(error.message));
    await pause(300);
    for (let round = 0; round < 5; round += 1) {
      gc();
      await pause(20);
    }
    leave.abort(new Error('left'));
    setTimeout(() => process.exit(3), 2000).unref();
    await following;
    process.on('exit', (code) => console.log(code));`;
    writeFileSync(file, program);
    const { status, stdout } = await run(['node', '--expose-gc', file]);
    expect([status, stdout]).toEqual([0, 'left\n0\n']);
  },
  30_000,
);

test.skipIf(runtimes.node === null)(
  'a time limit on Node ends an answer that stops half-way, whatever was collected',
  async () => {
    const file = join(project, 'half-way.mjs');
    const program = `import { createServer } from 'node:http';
    import { Octaskly } from 'octaskly';
    const server = createServer((_, answer) => {
      answer.writeHead(200, { 'content-type': 'application/json' });
      answer.write('{"workers":');
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { client } = new Octaskly({ url: 'http://127.0.0.1:' + server.address().port, timeoutMs: 600 });
    const asked = client.workers().catch((error) => error.code);
    for (let round = 0; round < 10; round += 1) {
      await new Promise((resolve) => setTimeout(resolve, 30));
      gc();
    }
    setTimeout(() => process.exit(3), 3000);
    console.log(await asked);
    process.exit(0);`;
    writeFileSync(file, program);
    const { status, stdout } = await run(['node', '--expose-gc', file]);
    expect([status, stdout]).toEqual([0, 'timeout\n']);
  },
  30_000,
);

test('a program goes on when its dispatcher is killed and starts anew', async () => {
  const home = openSite();
  const dispatcher = await home.dispatcher();
  await home.worker('two', ['--max-jobs', '2']);
  const file = join(project, 'steady.mjs');
  const program = `import { Octaskly } from 'octaskly';
    const octaskly = new Octaskly();
    let sum = 0;
    for await (const { output } of octaskly.map('sleep 0.1; echo {}', Array.from({ length: 40 }, (_, n) => n), { concurrency: 10 })) {
      sum += Number(output.orThrow().stdout);
      if (sum > 0) console.log(sum);
    }`;
  writeFileSync(file, program);
  const running = run([process.execPath, file], { OCTASKLY_API: home.url });
  await home.until('some have ended', async () => (await home.stats()).tasks.completed > 5);
  dispatcher.kill('SIGKILL');
  await dispatcher.ended;
  await home.dispatcher();
  const { status, stdout, stderr } = await running;
  expect([status, stderr, stdout.trim().split('\n').at(-1)]).toEqual([0, '', '780']);
  expect((await home.stats()).tasks.completed).toBe(40);
}, 60_000);

describe('in a browser', () => {
  if (chromiumPath === null) {
    console.warn('not tested: the library in a browser, as there is no Chromium here');
    return;
  }

  test('browser.html runs a command over a file and shows its output', async () => {
    const token = await site.text([
      'token',
      'create',
      '--role',
      'client',
      '--name',
      'page',
      '--data-dir',
      site.dataDir,
    ]);
    const browser = await openBrowser();
    try {
      const page = await browser.newPage();
      const errors: string[] = [];
      page.on('pageerror', (error) => errors.push(String(error)));
      await page.goto(`http://127.0.0.1:${pages.port}/browser.html`);
      await page.fill('[name=url]', site.url);
      await page.fill('[name=token]', token);
      await page.fill('[name=command]', 'cat greeting.txt; echo aside >&2');
      await page.setInputFiles('[name=files]', {
        name: 'greeting.txt',
        mimeType: 'text/plain',
        buffer: Buffer.from('good day\n'),
      });
      await page.click('button');
      await page.waitForFunction(() =>
        /exit code|Cannot|not /.test(document.querySelector('[role=status]')?.textContent ?? ''),
      );
      expect(await page.textContent('[role=status]')).toBe('completed, exit code 0');
      expect((await page.textContent('pre'))?.split('\n').toSorted()).toEqual(['', 'aside', 'good day']);
      expect(errors).toEqual([]);
    } finally {
      await browser.close();
    }
  }, 60_000);
});
