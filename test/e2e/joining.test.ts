/** How a device becomes a worker without the cluster secret, stays one, and ceases to be one. */

import { afterEach, expect, test } from 'bun:test';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { closeSites, type Node, openSite, type Site } from './site.ts';

afterEach(closeSites, 20_000);

/** A device elsewhere: its own data directory, told where the dispatcher is. */
function device(site: Site, name: string): string[] {
  return ['--data-dir', site.path(name), '--dispatcher', `127.0.0.1:${site.port}`];
}

const token = (site: Site, ...args: string[]): Promise<string> => site.text(['invite', '-o', 'quiet', ...args]);

async function ends(node: Node, status: number, reason: string): Promise<void> {
  expect((await node.ended).status).toBe(status);
  expect(node.log()).toContain(reason);
}

test('a join token lets one device in, under its name, for good; and no other', async () => {
  const site = openSite();
  await site.dispatcher();
  const invite = await token(site, '--name', 'pi-3');
  const line = ['worker', ...device(site, 'pi'), '--join', invite];
  const first = await site.start(line);
  await site.until('it has joined', () => first.log().includes('Joined the dispatcher'));
  expect((await site.workers()).map(({ name }) => name)).toEqual(['pi-3']);
  expect(readFileSync(`/proc/${first.pid}/cmdline`, 'latin1')).not.toContain(invite);
  first.kill('SIGTERM');
  await first.ended;
  // A service comes back with the same line, and it may come back with none.
  for (const args of [line, ['worker', '--data-dir', site.path('pi')]]) {
    const again = await site.start(args);
    await site.until('it has joined again', () => again.log().includes('Joined the dispatcher'));
    again.kill('SIGTERM');
    await again.ended;
  }
  const other = await site.run(['worker', ...device(site, 'other'), '--join', invite]);
  expect([other.status, other.stderr]).toEqual([1, expect.stringMatching(/used/)]);
  expect(existsSync(join(site.path('pi'), 'secret'))).toBe(false);
}, 60_000);

test('join keeps a credential for the worker that is started later; what is no token, or damaged, is said', async () => {
  const site = openSite();
  await site.dispatcher();
  const invite = await token(site);
  const place = ['--data-dir', site.path('pi')];
  for (const [text, reason] of [
    ['hello', 'not a join token'],
    [`${invite.slice(0, -6)}AAAAAA`, 'is damaged'],
    [invite.replace(/octa[12]/, 'octa3'), 'newer octaskly'],
  ] as const) {
    const refused = await site.run(['join', text, ...place]);
    expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining(reason)]);
    expect(refused.stderr).not.toContain(invite.slice(8, 20));
  }
  expect(await site.text(['join', invite, ...place])).toContain(`octaskly worker --data-dir ${site.path('pi')}`);
  const used = await site.run(['join', invite, '--data-dir', site.path('other')]);
  expect([used.status, used.stderr]).toEqual([1, expect.stringContaining('Cannot join')]);
  const later = await site.start(['worker', ...place]);
  await site.until('it has joined', () => later.log().includes('Joined the dispatcher'));
  chmodSync(join(site.path('pi'), 'workers', '1', 'credential.json'), 0o644);
  later.kill('SIGTERM');
  await later.ended;
  const open = await site.run(['worker', ...place]);
  expect([open.status, open.stderr]).toEqual([2, expect.stringMatching(/chmod 600 .*credential\.json/)]);
}, 60_000);

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn('not tested: joining in the directory of another account: this is not root');

test.skipIf(!isRoot)('join by root leaves the directory of another account to that account', async () => {
  const nobody = 65_534;
  const site = openSite();
  await site.dispatcher();
  chmodSync(site.directory, 0o755);
  const theirs = site.path('theirs');
  mkdirSync(theirs);
  chownSync(theirs, nobody, nobody);
  await site.text(['join', await token(site), '--data-dir', theirs]);
  const made = readdirSync(theirs, { recursive: true, encoding: 'utf8' });
  expect(made).toContain('workers/1/credential.json');
  expect(made.filter((name) => statSync(join(theirs, name)).uid !== nobody)).toEqual([]);
  const worker = await site.start(['worker', '--data-dir', theirs]);
  await site.until('it is warned of being root', () => worker.log().includes('account=nobody'));
});

test('a device with nothing shows six digits, runs once they are approved, and ends when it is rejected', async () => {
  const site = openSite();
  await site.dispatcher();
  const codeOf = async (node: Node): Promise<string> => {
    await site.until('it shows a code', () => /octaskly approve \d{6}/.test(node.log()));
    return /octaskly approve (\d{6})/.exec(node.log())?.[1] ?? '';
  };
  const pi = await site.start(['worker', ...device(site, 'pi'), '--name', 'pi', '--quiet']);
  const code = await codeOf(pi);
  expect(pi.log()).toContain(`${code.slice(0, 3)} ${code.slice(3)}`);
  const listed = await site.text(['approve']);
  expect(listed).toContain('pi');
  expect(pi.log()).toMatch(/device key: {2}SHA256:[\w+/]{43}\n/);
  expect(await site.workers()).toEqual([]);
  await site.text(['approve', code]);
  await site.until('it is in', async () => (await site.workers()).length === 1);
  expect(await site.text(['run', 'echo in'])).toBe('in');
  const other = await site.start(['worker', ...device(site, 'other')]);
  await site.text(['reject', await codeOf(other)]);
  await ends(other, 1, 'does not let this device in');
}, 60_000);

test('a worker that is kicked ends, stays out, and comes back as another one or by a new token', async () => {
  const site = openSite();
  await site.dispatcher();
  const join = ['worker', ...device(site, 'pi'), '--join', await token(site)];
  const pi = await site.start([...join, '--name', 'pi']);
  await site.until('it has joined', () => pi.log().includes('Joined the dispatcher'));
  const id = await site.submit({ command: 'sleep 600' });
  await site.reached(id, 'running');
  await site.text(['kick', 'pi']);
  expect((await pi.ended).status).toBe(1);
  const again = await site.run([...join, '--name', 'pi']);
  expect(again.status).toBe(1);
  expect(again.stderr).not.toContain('Joined');
  const line = ['worker', ...device(site, 'pi'), '--name', 'pi', '--join', await token(site)];
  const back = await site.start(line);
  await site.until('it has joined', () => back.log().includes('Joined the dispatcher'));
}, 60_000);

test('a copy of a device is refused, told why, and may take an identity of its own', async () => {
  const site = openSite();
  await site.dispatcher();
  await site.text(['join', await token(site, '--uses', '2'), '--data-dir', site.path('pi')]);
  cpSync(site.path('pi'), site.path('copy'), { recursive: true });
  const place = ['--dispatcher', `127.0.0.1:${site.port}`, '--data-dir'];
  const pi = await site.start(['worker', ...place, site.path('pi')]);
  await site.until('it has joined', () => pi.log().includes('Joined the dispatcher'));
  const copy = await site.start(['worker', ...place, site.path('copy')]);
  await site.until('it is told', () => copy.log().includes('--new-identity'));
  copy.kill('SIGKILL');
  const invite = await token(site);
  const anew = await site.start(['worker', ...place, site.path('copy'), '--new-identity', '--join', invite]);
  await site.until('it has joined', () => anew.log().includes('Joined the dispatcher'));
  expect(await site.workers()).toHaveLength(2);
  const kept = readdirSync(site.path('copy', 'workers', '1')).filter((name) => name.includes('.replaced-'));
  expect(kept).toHaveLength(3);
  expect(pi.log()).not.toContain('Lost the dispatcher');
}, 60_000);

test('a replaced secret reaches the workers that are there, also one that was started with the old one', async () => {
  const site = openSite();
  await site.dispatcher();
  const secret = readFileSync(join(site.dataDir, 'secret'), 'utf8').trim();
  const bySecret = { env: { OCTASKLY_SECRET: secret } };
  const far = await site.worker('far', device(site, 'far'), bySecret);
  const pi = await site.start(['worker', ...device(site, 'pi'), '--join', await token(site)]);
  await site.until('it has joined', () => pi.log().includes('Joined the dispatcher'));
  // The worker beside the dispatcher finds the new one in the data directory.
  await site.worker('near');
  await site.text(['secret', 'rotate', '--grace', '0']);
  expect(readFileSync(join(site.dataDir, 'secret'), 'utf8').trim()).not.toBe(secret);
  const credential = site.path('far', 'workers', 'name-far', 'credential.json');
  await site.until('the credential is there', () => existsSync(credential));
  for (const node of [far, pi]) {
    node.kill('SIGTERM');
    await node.ended;
  }
  const again = await site.worker('far', device(site, 'far'), bySecret);
  expect(again.log()).toContain('Trying the credential that is kept here instead');
  const back = await site.start(['worker', ...device(site, 'pi')]);
  await site.until('it has joined', () => back.log().includes('Joined the dispatcher'));
  const stranger = await site.run(['worker', ...device(site, 'stranger')], bySecret);
  expect([stranger.status, stranger.stderr]).toEqual([1, expect.stringContaining('--secret-file FILE')]);
}, 60_000);
