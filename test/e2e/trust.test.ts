/** Secrets and tokens: who gets in, and what is seen of them. */

import { afterEach, expect, test } from 'bun:test';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Problem } from '../../src/api/schemas.ts';
import { closeSites, openSite } from './site.ts';

afterEach(closeSites, 20_000);

test('a worker elsewhere joins with the secret from its environment and keeps its own data directory', async () => {
  const site = openSite();
  await site.dispatcher();
  const secret = readFileSync(join(site.dataDir, 'secret'), 'utf8').trim();
  const elsewhere = site.path('elsewhere');
  await site.worker('far', ['--dispatcher', `127.0.0.1:${site.port}`, '--data-dir', elsewhere], {
    env: { OCTASKLY_SECRET: secret },
  });
  const { stdout } = await site.run(['run', 'echo "$OCTASKLY_WORKER"']);
  expect(stdout.toString()).toBe('far\n');
  expect(readdirSync(elsewhere)).toEqual(['workers']);
  // The secret is in nobody's arguments, in no file there, and in no environment of a task.
  const shown = await site.run(['run', 'env; cat /proc/*/cmdline 2>/dev/null | tr "\\0" "\\n"']);
  expect(shown.stdout.toString()).toContain('OCTASKLY_TASK_ID=');
  expect(shown.stdout.toString()).not.toContain(secret);
  expect(shown.stdout.toString()).not.toContain('OCTASKLY_SECRET');
  for (const file of readdirSync(elsewhere, { recursive: true, withFileTypes: true })) {
    if (file.isFile()) expect(readFileSync(join(file.parentPath, file.name), 'latin1')).not.toContain(secret);
  }
}, 60_000);

test('a worker may be started before its dispatcher, and a secret in a file does too', async () => {
  const site = openSite();
  const early = await site.start(['worker', '--port', `${site.port}`, '--name', 'early']);
  await site.until('it waits', () => early.log() !== '');
  await site.dispatcher();
  await site.until('it has joined', () => early.log().includes('Joined the dispatcher'));
  await site.worker('other', ['--data-dir', site.path('other'), '--secret-file', join(site.dataDir, 'secret')]);
}, 60_000);

test('what is secret is private, and no log or answer holds it', async () => {
  const site = openSite();
  const node = await site.dispatcher(['--verbose']);
  const worker = await site.worker('a', ['--verbose']);
  const secret = readFileSync(join(site.dataDir, 'secret'), 'utf8').trim();
  expect(secret.length).toBeGreaterThanOrEqual(43);
  expect(statSync(site.dataDir).mode & 0o077).toBe(0);
  for (const file of readdirSync(site.dataDir, { recursive: true, withFileTypes: true })) {
    const path = join(file.parentPath, file.name);
    expect({ path, mode: statSync(path).mode & 0o077 }).toEqual({ path, mode: 0 });
  }
  await site.text(['run', 'true']);
  const answers = await Promise.all(['stats', 'workers', 'tasks'].map((name) => site.get(`/api/v1/${name}`)));
  for (const text of [node.log(), worker.log(), JSON.stringify(answers)]) expect(text).not.toContain(secret);
}, 60_000);

test('an API beyond this machine wants a token, and the command line makes its own from the secret', async () => {
  const site = openSite();
  await site.dispatcher(['--require-auth', 'true', '--api-bind', '127.0.0.1']);
  await site.worker('a');
  const refused = await site.call<Problem>('GET', '/api/v1/stats');
  expect(refused.status).toBe(401);
  expect(refused.body.detail).toContain('needs a token');
  expect((await site.call('GET', '/health')).status).toBe(200);
  expect((await site.call('POST', '/api/v1/tasks', { command: 'true' })).status).toBe(401);
  expect((await site.call('GET', '/api/v1/stats', undefined, { authorization: 'Bearer x.y.z' })).status).toBe(401);
  // The owner of the data directory.
  expect((await site.run(['run', 'exit 5'])).status).toBe(5);
  // Somebody who knows the secret, elsewhere.
  const home = site.path('stranger');
  mkdirSync(home);
  const secret = readFileSync(join(site.dataDir, 'secret'), 'utf8').trim();
  expect((await site.run(['run', 'exit 6'], { env: { HOME: home, OCTASKLY_SECRET: secret } })).status).toBe(6);
  // Somebody who does not, or knows another one.
  const stranger = await site.run(['stats'], { env: { HOME: home } });
  expect(stranger.status).toBe(2);
  expect(stranger.stderr).toContain('OCTASKLY_TOKEN');
  const wrong = await site.run(['submit', 'true'], { env: { HOME: home, OCTASKLY_SECRET: 'another' } });
  expect(wrong.stderr).toContain('token is not valid');
  expect((await site.run(['run', 'true'], { env: { HOME: home } })).status).toBe(125);
}, 60_000);

test('callers from another address need a token, those from loopback do not', async () => {
  const site = openSite();
  await site.dispatcher(['--api-bind', '0.0.0.0']);
  expect((await site.call('GET', '/api/v1/stats')).status).toBe(200);
  const forwarded = await site.call('GET', '/api/v1/stats', undefined, { 'x-forwarded-for': '192.0.2.7' });
  expect(forwarded.status).toBe(401);
  const crossed = await site.call('POST', '/api/v1/tasks', { command: 'true' }, { origin: 'https://evil.example' });
  expect(crossed.status).toBe(403);
  const rebound = await fetch(`${site.url}/api/v1/stats`, { headers: { host: 'evil.example' } });
  expect(rebound.status).toBe(403);
  // This machine's own address on its network: the way there is short, but it is not loopback.
  const own = Object.values(networkInterfaces())
    .flat()
    .find((one) => one?.family === 'IPv4' && !one.internal)?.address;
  if (own === undefined) return;
  const url = `http://${own}:${site.apiPort}`;
  expect((await fetch(`${url}/api/v1/stats`)).status).toBe(401);
  expect((await fetch(`${url}/api/v1/tasks`, { method: 'POST' })).status).toBe(401);
  expect((await fetch(`${url}/health`)).status).toBe(200);
  // The command line keeps the secret it finds to this machine's loopback; given one for the call, it signs with that.
  const unsigned = await site.run(['stats', '--api', url]);
  expect(unsigned.status).toBe(2);
  expect(unsigned.stderr).toContain('needs a token');
  const secret = readFileSync(join(site.dataDir, 'secret'), 'utf8').trim();
  const signed = await site.text(['stats', '-o', 'json', '--api', url], { env: { OCTASKLY_SECRET: secret } });
  expect(JSON.parse(signed)).toMatchObject({ paused: false });
}, 60_000);

test('nothing is read from the folder one happens to be in', async () => {
  const site = openSite();
  const folder = site.path('folder');
  const proof = site.path('proof');
  mkdirSync(folder);
  writeFileSync(
    join(folder, '.env'),
    'OCTASKLY_API=http://127.0.0.1:1\nOCTASKLY_SECRET=from-the-folder\nOCTASKLY_PORT=1\n',
  );
  writeFileSync(join(folder, 'evil.ts'), `require('node:fs').writeFileSync(${JSON.stringify(proof)}, '');\n`);
  writeFileSync(join(folder, 'bunfig.toml'), 'preload = ["./evil.ts"]\n');
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs", "imports": { "#x": "./evil.ts" }, ');
  writeFileSync(join(folder, 'tsconfig.json'), '{ "extends": "./missing.json" ');
  writeFileSync(join(folder, 'config.toml'), 'max-jobs = 99\n');
  const cwd = folder;
  await site.dispatcher([], { cwd });
  await site.worker('a', [], { cwd });
  expect(await site.text(['run', 'echo fine'], { cwd })).toBe('fine');
  expect(await site.text(['version'], { cwd })).toMatch(/^octaskly \d/);
  expect(readFileSync(join(site.dataDir, 'secret'), 'utf8')).not.toContain('from-the-folder');
  expect((await site.workers())[0]?.slots).toBe(4);
  expect(await Bun.file(proof).exists()).toBe(false);
}, 60_000);
