/** The scripts of `octaskly completion` in the shells they are for. */

import { afterEach, expect, test } from 'bun:test';
import { dirname } from 'node:path';
import { executable } from './executable.ts';
import { closeSites, openSite, type Site } from './site.ts';

afterEach(closeSites);

/** Runs a script of `shell`, with octaskly in its PATH, and gives what it prints. */
async function inShell(site: Site, shell: string, script: string): Promise<string> {
  const env = {
    ...{ PATH: `${dirname(await executable())}:${process.env.PATH ?? ''}`, HOME: site.home, TERM: 'dumb' },
    ...{ OCTASKLY_API: site.url, OCTASKLY_DISCOVERY: 'false' },
  };
  const child = Bun.spawn([shell, ...(shell === 'zsh' ? ['-f'] : []), '-c', script], {
    ...{ env, cwd: site.directory, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' },
  });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  await child.exited;
  expect(stderr).toBe('');
  return stdout;
}

/** A line, split as bash splits it, completed by the function that bash calls. */
const asked = (line: string, words: readonly string[]): string =>
  `COMP_LINE='${line}' COMP_POINT=${line.length} COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})
   COMP_CWORD=${words.length - 1}; _octaskly; echo "\${COMPREPLY[*]}"`;

test('bash completes commands, values, tasks, selectors, workers and files', async () => {
  if (Bun.which('bash') === null) return console.warn('not tested: bash is not here');
  const site = openSite();
  await site.dispatcher(['--no-discovery']);
  await site.worker('attic-pi', ['--no-discovery']);
  const id = (await site.run(['submit', 'true'])).stdout.toString().trim();
  await Bun.write(site.path('list of files.txt'), '');
  const lines = [
    asked('octaskly subm', ['octaskly', 'subm']),
    asked('octaskly ps --status=qu', ['octaskly', 'ps', '--status', '=', 'qu']),
    asked('octaskly cancel status:ca', ['octaskly', 'cancel', 'status', ':', 'ca']),
    asked(`octaskly show ${id.slice(0, 4)}`, ['octaskly', 'show', id.slice(0, 4)]),
    asked('octaskly drain ', ['octaskly', 'drain', '']),
    asked('octaskly batch list', ['octaskly', 'batch', 'list']),
    asked(`octaskly --api ${site.url} completion f`, [
      'octaskly',
      '--api',
      'http',
      ':',
      `${site.url.slice(5)}`,
      'completion',
      'f',
    ]),
  ];
  const script = `eval "$(octaskly completion bash)"\n${lines.join('\n')}`;
  expect((await inShell(site, 'bash', script)).split('\n').slice(0, -1)).toEqual([
    ...['submit', 'queued', 'cancelled', id, 'attic-pi', 'list of files.txt', 'fish'],
  ]);
}, 30_000);

test('zsh reads its script', async () => {
  if (Bun.which('zsh') === null) return console.warn('not tested: zsh is not here');
  const script = 'autoload -U compinit; compinit -D; eval "$(octaskly completion zsh)"; echo $_comps[octaskly]';
  expect(await inShell(openSite(), 'zsh', script)).toBe('_octaskly\n');
}, 30_000);

test('fish completes', async () => {
  if (Bun.which('fish') === null) return console.warn('not tested: fish is not here');
  const site = openSite();
  await Bun.write(site.path('night.yaml'), '');
  const script = "octaskly completion fish | source; complete -C 'octaskly comple'; complete -C 'octaskly batch nig'";
  const words = (await inShell(site, 'fish', script)).split('\n').map((line) => line.split('\t')[0]);
  expect(words).toEqual(['completion', 'night.yaml', '']);
}, 30_000);
