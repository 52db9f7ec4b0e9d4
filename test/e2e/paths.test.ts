/**
 * Names and paths from outside, on the way in and on the way out: whatever they look like, nothing outside of a task's
 * directory and the blob store is read or written, and nothing is the dispatcher's mistake.
 */

import { afterEach, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Problem } from '../../src/api/schemas.ts';
import { closeSites, openSite, type Site } from './site.ts';

afterEach(closeSites, 20_000);

/** Ends of a path that must lead nowhere, as they stand in a request line. */
const targets = [
  ...['../secret', '../../../secret', '..%2f..%2fsecret', '%2e%2e/%2e%2e/secret', '%2e%2e%2fsecret', '.%2e/secret'],
  ...[
    '%252e%252e%252fsecret',
    '..\\..\\secret',
    '..%5c..%5csecret',
    '..;/secret',
    '....//secret',
    'good%2f..%2f..%2fsecret',
  ],
  ...[
    '/etc/passwd',
    '%2fetc%2fpasswd',
    '//etc/passwd',
    '%00',
    'good%00',
    'good%00.txt',
    '%ff%fe',
    '%',
    '%zz',
    '%c0%ae%c0%ae/secret',
  ],
  ...[
    '%ef%bc%8e%ef%bc%8e%ef%bc%8fsecret',
    '\u2024\u2024/secret',
    '..\u2215secret',
    'CON',
    'NUL.txt',
    'C:%5cWindows',
    '~/secret',
  ],
  ...[
    'a'.repeat(4_097),
    `${'a/'.repeat(3_000)}secret`,
    '..',
    '.',
    'x%0d%0aSet-Cookie:%20a=b',
    'file:%2f%2f%2fetc%2fpasswd',
  ],
];

/** Paths that could lead out of a directory, on some system. */
const leadingOut = [
  ...['..', '../x', 'a/../../x', '/x', '//x', './x', 'a//x', '..\\x', '\\x', 'C:\\x', 'C:x', 'a\0b', ''],
  ...['a'.repeat(4_097), 'a'.repeat(256), `${'é'.repeat(128)}`],
];

/** Names that only look dangerous, or are so elsewhere: files like any other below a task's directory. */
const harmless = [
  ...['．．／x', '․․', '..∕x', '%2e%2e%2fx', '...', '~', '-rf', '$(id)', '`id`', '* ?', 'CON', 'nul.txt', 'a\u202eb'],
  ...['\u00e9', 'e\u0301', 'a b', "'", '"', 'line\nbreak', 'a'.repeat(255)],
];

interface Raw {
  readonly status: number;
  readonly text: string;
}

/** Sends a request line as it is: clients put paths in order before they send them. */
async function ask(site: Site, method: string, target: string): Promise<Raw> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  const socket = connect(site.apiPort, '127.0.0.1', () => {
    socket.write(`${method} ${target} HTTP/1.1\r\nHost: 127.0.0.1:${site.apiPort}\r\nConnection: close\r\n\r\n`);
  });
  socket.setTimeout(20_000, () => socket.destroy(new Error(`no answer to ${method} ${target}`)));
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', reject);
  socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
  const text = await promise;
  return { status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1]), text };
}

async function pair(): Promise<Site> {
  const site = openSite();
  await site.dispatcher();
  await site.worker('a');
  return site;
}

/** Uploads a text; how tasks name it. */
async function upload(site: Site, text: string): Promise<string> {
  const hash = `sha256:${createHash('sha256').update(text).digest('hex')}`;
  const answer = await fetch(`${site.url}/api/v1/blobs/${hash}`, { method: 'PUT', body: text });
  expect(answer.status).toBeLessThan(300);
  return hash;
}

/** Every file below a directory, relative to it. */
function filesBelow(directory: string): string[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1));
}

/** What there is below a site's directory but for logs, in order. */
const namesOfFiles = (site: Site): string[] =>
  filesBelow(site.directory)
    .filter((path) => !path.endsWith('.log'))
    .sort();

test('no route answers with what lies outside: every spelling of a way out is refused', async () => {
  const site = await pair();
  const id = await site.submit({ command: 'echo x > good', outputs: ['good'] });
  await site.reached(id, 'completed');
  const secrets = ['secret', 'node.key'].map((name) => readFileSync(join(site.dataDir, name), 'utf8').trim());
  const tails = ['tasks', 'blobs', 'batches', 'workers', 'tokens', 'invites'].map((name) => `/api/v1/${name}/`);
  const starts = [`/api/v1/tasks/${id}/outputs/`, ...tails, '/download/', '/static/', '/'];
  const page = await (await fetch(`${site.url}/`)).text();
  for (const start of starts) {
    for (const target of targets) {
      const { status, text } = await ask(site, 'GET', `${start}${target}`);
      const what = `GET ${start}${target.slice(0, 60)}`;
      // A step back that ends at the root is the root: the dashboard.
      const isRefused = (status >= 400 && status < 500) || text.endsWith(page);
      expect([what, isRefused]).toEqual([what, true]);
      for (const word of [...secrets, 'root:x:0', site.directory]) expect(text).not.toContain(word);
      expect(text).not.toMatch(/^set-cookie/im);
    }
  }
  for (const target of targets) {
    const { status } = await ask(site, 'DELETE', `/api/v1/tasks/${id}/outputs/${target}`);
    expect(status >= 400 && status < 500).toBe(true);
  }
  expect((await site.task(id)).status).toBe('completed');
}, 60_000);

test('inputs and outputs that could lead out are refused by name; what only looks so stays below the directory', async () => {
  const site = await pair();
  const blob = await upload(site, 'content');
  for (const path of leadingOut) {
    for (const files of [{ inputs: [{ path, blob }] }, { outputs: [path] }]) {
      const { status, body } = await site.call<Problem>('POST', '/api/v1/tasks', { command: 'true', ...files });
      expect([path.slice(0, 40), status]).toEqual([path.slice(0, 40), 422]);
      expect(body.detail).toContain('puts.0');
    }
  }
  const inputs = harmless.map((path) => ({ path, blob }));
  const id = await site.submit({ command: 'true', inputs, outputs: ['**', '.*'] });
  expect((await site.reached(id, 'final')).status).toBe('completed');
  const { outputs } = await site.get<{ outputs: { path: string }[] }>(`/api/v1/tasks/${id}/outputs`);
  expect(outputs.map(({ path }) => path).sort()).toEqual(harmless.toSorted());
  for (const path of harmless) {
    const answer = await fetch(
      `${site.url}/api/v1/tasks/${id}/outputs/${path.split('/').map(encodeURIComponent).join('/')}`,
    );
    expect([path, answer.status, await answer.text()]).toEqual([path, 200, 'content']);
  }
  const into = site.path('into', 'here');
  mkdirSync(into, { recursive: true });
  const { status, stderr } = await site.run(['outputs', id, '--dir', into]);
  expect([status, stderr]).toEqual([0, '']);
  expect(filesBelow(site.path('into')).sort()).toEqual(harmless.map((path) => `here/${path}`).sort());
}, 60_000);

test('files behind links that lead out are not collected, whichever way they are asked for', async () => {
  const site = await pair();
  const outside = site.path('outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'private'), 'not yours');
  const command = [
    `ln -s ${outside} directory; ln -s ${outside}/private file; ln -s directory again; ln -s ../../../../secret up`,
    `mkdir real; ln -s ${outside} real/inner; ln -s / real/root; ln -s loop loop; echo mine > real/own`,
  ].join('; ');
  const outputs = [
    'directory/private',
    'directory',
    'file',
    'again/private',
    'up',
    'real',
    'real/**',
    '**/private',
    '*',
    '*/*',
  ];
  const id = await site.submit({ command, outputs });
  const task = await site.reached(id, 'final');
  const { outputs: kept } = await site.get<{ outputs: { path: string }[] }>(`/api/v1/tasks/${id}/outputs`);
  expect([task.exit_code, kept.map(({ path }) => path)]).toEqual([0, ['real/own']]);
  const hash = createHash('sha256').update('not yours').digest('hex');
  expect((await ask(site, 'GET', `/api/v1/blobs/sha256:${hash}`)).status).toBe(404);
}, 60_000);

test('a directory to run in stays below the task directory unless it is absolute', async () => {
  const site = await pair();
  for (const workdir of ['..', '../..', 'a/../..', '../x', 'a\0b', 'a'.repeat(4_097), '']) {
    const { status, body } = await site.call<Problem>('POST', '/api/v1/tasks', { command: 'pwd', workdir });
    expect([workdir.slice(0, 40), status]).toEqual([workdir.slice(0, 40), 422]);
    expect(body.detail).toContain('workdir');
  }
  for (const workdir of ['．．', '%2e%2e', 'CON', '~', 'C:\\x']) {
    const id = await site.submit({ command: 'pwd', workdir });
    const task = await site.reached(id, 'final');
    expect(task).toMatchObject({
      status: 'failed',
      stdout_tail: '',
      reason: expect.stringContaining('does not exist'),
    });
  }
}, 60_000);

test('names are labels or refused, never places', async () => {
  const site = openSite();
  await site.dispatcher();
  // The lock between clean-ups is the last file that a dispatcher makes, after it has said that it is ready.
  await site.until('the dispatcher has made its files', () =>
    namesOfFiles(site).some((path) => /files\.lock$/.test(path)),
  );
  const before = namesOfFiles(site);
  for (const name of ['../x', '..', 'a/b', 'a\\b', '.hidden', '-x', 'a b', 'é', '．．', 'a'.repeat(300), '']) {
    for (const [role, ...args] of [
      ['worker', '--port', `${site.port}`],
      ['invite'],
      ['token', 'create', '--role', 'client'],
    ]) {
      const { status, stderr } = await site.run([role ?? '', ...args, `--name=${name}`], {
        through: ['timeout', '20'],
      });
      expect([role, name, status]).toEqual([role, name, 2]);
      expect(stderr).toContain('name');
    }
  }
  expect(namesOfFiles(site)).toEqual(before);
  for (const name of ['../../x', '..', '/etc/x', '．．／x', 'CON', 'a\u202eb', '<script>']) {
    const id = await site.submit({ command: 'true', name });
    expect((await site.task(id)).name).toBe(name);
  }
  for (const name of ['a\0b', 'a'.repeat(5_000)]) {
    expect((await site.call('POST', '/api/v1/tasks', { command: 'true', name })).status).toBe(422);
  }
}, 60_000);

test('a manifest reads only the files it names, and says which are not there', async () => {
  const site = await pair();
  const here = site.path('here');
  mkdirSync(here);
  const manifest = async (task: object): Promise<{ status: number | null; stderr: string }> => {
    writeFileSync(join(here, 'm.json'), JSON.stringify([{ command: 'ls', ...task }]));
    return site.run(['batch', 'm.json', '--wait'], { cwd: here });
  };
  for (const path of [...leadingOut.filter((path) => path.includes('x')), '．．／x', 'CON', '%2e%2e/x']) {
    const { status, stderr } = await manifest({ inputs: [path] });
    expect([path, status]).toEqual([path, 2]);
    expect(stderr).toContain('Task 1 of the manifest');
  }
  const blob = await upload(site, 'content');
  for (const path of leadingOut) {
    const { status, stderr } = await manifest({ inputs: [{ path, blob }] });
    expect([path.slice(0, 40), status]).toEqual([path.slice(0, 40), 2]);
    expect(stderr).toContain('inputs.0');
  }
  expect(existsSync(site.path('x'))).toBe(false);
  for (const file of ['../nowhere.json', 'a\0b', 'a'.repeat(5_000), '/etc/', '']) {
    expect((await site.run(['batch', file.replaceAll('\0', '%00')], { cwd: here })).status).not.toBe(0);
  }
}, 60_000);
