/** What stands in the way of a start: one clear sentence, exit status 1 or 2, never a stack trace. */

import { Database } from 'bun:sqlite';
import { afterEach, expect, test } from 'bun:test';
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { closeSites, type Ended, openSite, type Site } from './site.ts';

afterEach(closeSites, 20_000);

const isRoot = process.getuid?.() === 0;
/** Runs what follows as the user `nobody`, for whom permissions mean something. */
const asNobody = isRoot ? ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'] : [];

function portsOf(site: Site): string[] {
  return ['--bind', '127.0.0.1', '--port', `${site.port}`, '--api-port', `${site.apiPort}`];
}

/** The one line of a refusal, which must be one: no stack, no second sentence-by-accident, no talk before. */
function refusal({ status, stdout, stderr }: Ended, expected: 1 | 2 = 1): string {
  // What is said of a directory that others can look into is a warning by itself.
  const lines = stderr
    .trimEnd()
    .split('\n')
    .filter((line) => !line.includes(' warn  others can look into the data directory '));
  expect({ status, stderr }).toEqual({ status: expected, stderr });
  expect(stdout.toString()).toBe('');
  expect(lines).toEqual([lines[0] ?? '']);
  expect(lines[0]).toStartWith('octaskly: ');
  expect(stderr).not.toMatch(/\bat .*:\d+|\$bunfs|node_modules|\.ts\b|Octaskly made a mistake/);
  return lines[0] ?? '';
}

test('dispatcher says which port is in use', async () => {
  const site = openSite();
  const listener = Bun.listen({ hostname: '127.0.0.1', port: site.port, socket: { data() {} } });
  try {
    expect(refusal(await site.run(['dispatcher', ...portsOf(site)]))).toContain(`:${site.port}`);
  } finally {
    listener.stop(true);
  }
  const server = Bun.serve({ hostname: '127.0.0.1', port: site.apiPort, fetch: () => new Response() });
  try {
    const line = refusal(await site.run(['dispatcher', ...portsOf(site)]));
    expect(line).toContain(`:${site.apiPort}`);
    expect(line).toContain('another program uses that port');
  } finally {
    await server.stop(true);
  }
  await site.dispatcher();
}, 30_000);

test('dispatcher refuses a data directory that another one uses, and takes it when that one was killed', async () => {
  const site = openSite();
  const other = openSite();
  const first = await site.dispatcher();
  const line = refusal(await site.run(['dispatcher', ...portsOf(other)]));
  expect(line).toContain(`process ${first.pid}`);
  expect(line).toContain(site.dataDir);
  first.kill('SIGKILL');
  await first.ended;
  await site.dispatcher();
}, 30_000);

test('dispatcher refuses a damaged database and leaves it as it is', async () => {
  const site = openSite();
  const first = await site.dispatcher();
  for (let n = 0; n < 20; n++) await site.submit({ command: 'true', env: { FILL: 'x'.repeat(5000) } });
  first.kill('SIGTERM');
  await first.ended;
  const file = site.path('home', '.octaskly', 'octaskly.db');
  const bytes = readFileSync(file);
  bytes.fill(0xa5, 4096, bytes.length - 4096);
  writeFileSync(file, bytes);
  const damaged = refusal(await site.run(['dispatcher', ...portsOf(site)]));
  expect(damaged).toContain(file);
  expect(damaged).toContain('damaged');
  expect(readFileSync(file).equals(bytes)).toBe(true);
  writeFileSync(file, 'not a database at all, just a note somebody put here\n'.repeat(100));
  expect(refusal(await site.run(['dispatcher', ...portsOf(site)]))).toContain(file);
  writeFileSync(file, bytes.subarray(0, 1000));
  expect(refusal(await site.run(['dispatcher', ...portsOf(site)]))).toContain(file);
}, 30_000);

test("dispatcher refuses a newer database and another program's", async () => {
  const site = openSite();
  const first = await site.dispatcher();
  first.kill('SIGTERM');
  await first.ended;
  const file = site.path('home', '.octaskly', 'octaskly.db');
  const database = new Database(file);
  database.run('PRAGMA user_version = 999');
  database.close();
  const line = refusal(await site.run(['dispatcher', ...portsOf(site)]));
  expect(line).toContain('newer Octaskly');
  expect(line).toContain('999');
  const foreign = site.path('foreign.db');
  const other = new Database(foreign);
  other.run('CREATE TABLE notes (text TEXT)');
  other.close();
  const refused = refusal(await site.run(['dispatcher', ...portsOf(site), '--db-path', foreign]));
  expect(refused).toContain('another program');
}, 30_000);

test('dispatcher refuses a directory where its database should be', async () => {
  const site = openSite();
  mkdirSync(site.path('home', '.octaskly', 'octaskly.db'), { recursive: true, mode: 0o700 });
  expect(refusal(await site.run(['dispatcher', ...portsOf(site)]))).toContain('octaskly.db');
}, 30_000);

test('roles refuse a data directory they cannot write, or that is a file', async () => {
  const site = openSite();
  const file = site.path('file');
  writeFileSync(file, '');
  expect(refusal(await site.run(['dispatcher', ...portsOf(site), '--data-dir', file]))).toContain(file);
  const closed = site.path('closed');
  mkdirSync(closed, { mode: 0o555 });
  chmodSync(site.directory, 0o755);
  const options = { through: asNobody };
  const line = refusal(await site.run(['dispatcher', ...portsOf(site), '--data-dir', `${closed}/data`], options));
  expect(line).toContain(`${closed}/data`);
  expect(refusal(await site.run(['dispatcher', ...portsOf(site), '--data-dir', closed], options))).toContain(closed);
  const env = { OCTASKLY_SECRET: 'a secret for this test' };
  expect(refusal(await site.run(['worker', '--data-dir', closed], { ...options, env }))).toContain(closed);
}, 30_000);

test('dispatcher refuses a database it may only read', async () => {
  const site = openSite();
  const first = await site.dispatcher();
  first.kill('SIGTERM');
  await first.ended;
  const file = site.path('home', '.octaskly', 'octaskly.db');
  if (isRoot) {
    for (const path of [site.directory, site.home, site.dataDir]) chmodSync(path, 0o755);
    for (const name of ['secret', 'node.key', 'dispatcher.lock', 'output', 'blobs']) {
      chownSync(`${site.dataDir}/${name}`, 65_534, 65_534);
    }
  }
  chmodSync(file, 0o444);
  const line = refusal(await site.run(['dispatcher', ...portsOf(site)], { through: asNobody }));
  expect(line).toContain(file);
  expect(line).toContain('read-only');
}, 30_000);

test('worker with a secret that others can read says what to do', async () => {
  const site = openSite();
  const file = site.path('open-secret');
  writeFileSync(file, 'a secret that others can read\n', { mode: 0o644 });
  const line = ['worker', '--dispatcher', `127.0.0.1:${site.port}`, '--secret-file', file];
  expect(refusal(await site.run(line), 2)).toContain(`chmod 600 ${file}`);
}, 30_000);

test('worker without a secret and without a dispatcher waits, and ends in good order when it is told to', async () => {
  const site = openSite();
  const worker = await site.start(['worker', '--port', `${site.port}`], { env: { OCTASKLY_SECRET: '' } });
  await site.until('it says what it waits for', () => worker.log().includes('waiting for a dispatcher'));
  worker.kill('SIGTERM');
  expect(await worker.ended).toEqual({ status: 0, signal: null });
}, 30_000);

test('worker with a wrong secret is told so and ends', async () => {
  const site = openSite();
  await site.dispatcher();
  const { status, stderr } = await site.run(['worker', '--port', `${site.port}`, '--data-dir', site.path('other')], {
    env: { OCTASKLY_SECRET: 'not the secret of this cluster' },
  });
  expect(status).toBe(1);
  expect(stderr).toContain('secret');
  expect(stderr).not.toContain('not the secret of this cluster');
  const lines = stderr.trimEnd().split('\n');
  // Some run this as root, which a worker warns of.
  expect(lines.filter((line) => !line.includes('runs as root')).length).toBe(1);
  expect((await site.stats()).links_ended).toHaveProperty('wrong_secret');
}, 30_000);

test('a second worker of the same name from one data directory is refused, unnamed ones are not', async () => {
  const site = openSite();
  await site.dispatcher();
  const named = await site.worker('a');
  const line = refusal(await site.run(['worker', '--port', `${site.port}`, '--name', 'a']));
  expect(line).toContain(`process ${named.pid}`);
  await site.start(['worker', '--port', `${site.port}`]);
  await site.start(['worker', '--port', `${site.port}`]);
  await site.until('three workers are online', async () => (await site.stats()).workers.online === 3);
  const workers = await site.workers();
  expect(new Set(workers.map(({ name }) => name)).size).toBe(3);
  expect(new Set(workers.map(({ id }) => id)).size).toBe(3);
}, 30_000);

test('the command line names what it does not know and the nearest it does', async () => {
  const site = openSite();
  expect(refusal(await site.run(['sumbit', 'true']), 2)).toContain('"submit"');
  expect(refusal(await site.run(['worker', '--max-job', '3']), 2)).toContain('--max-jobs');
  expect(refusal(await site.run(['dispatcher', '--port', 'many']), 2)).toContain('many');
  expect(refusal(await site.run(['ps', '--status', 'runing']), 2)).toContain('running');
  expect(refusal(await site.run(['dispatcher', '--require-auth', 'false', '--api-bind', '0.0.0.0']), 2)).toContain(
    '--require-auth',
  );
  mkdirSync(site.dataDir, { recursive: true });
  writeFileSync(`${site.dataDir}/config.toml`, 'max-workrs = 3\n');
  const line = refusal(await site.run(['dispatcher', ...portsOf(site)]), 2);
  expect(line).toContain('max-workers');
  expect(line).toContain('config.toml');
}, 30_000);
