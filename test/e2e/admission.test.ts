/**
 * Who is let into a cluster and who is not: every join token that does not do, approval, impostors, the list of names,
 * kick, and both secrets around a rotation. How a device joins and stays is in `joining.test.ts`.
 */

import { afterEach, expect, test } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Problem } from '../../src/api/schemas.ts';
import type { ApprovalView, CreatedInvite, InviteView } from '../../src/api/trust-schemas.ts';
import { sleepers, token as sleepToken } from '../integration/processes.ts';
import { closeSites, type Node, openSite, type Site, type StartOptions } from './site.ts';

afterEach(closeSites, 20_000);

/** A worker of a device of its own: its data directory holds nothing of the dispatcher's. */
function device(site: Site, name: string): string[] {
  return ['worker', '--port', `${site.port}`, '--name', name, '--data-dir', site.path(name)];
}

/** Starts a worker that comes in at once. */
async function joined(site: Site, name: string, args: readonly string[] = [], options?: StartOptions): Promise<Node> {
  const node = await site.start([...device(site, name), ...args], options);
  await site.until(`${name} has joined`, () => node.log().includes('Joined the dispatcher'));
  return node;
}

/** Starts a worker that is refused for good; why. */
async function refusal(
  site: Site,
  name: string,
  args: readonly string[] = [],
  options?: StartOptions,
): Promise<string> {
  const { status, stderr } = await site.run([...device(site, name), ...args], options);
  expect([1, 2]).toContain(status ?? -1);
  expect(stderr).not.toMatch(/\n\s+at |\$bunfs|Octaskly made a mistake|Joined/);
  return stderr;
}

async function invite(site: Site, args: readonly string[] = []): Promise<CreatedInvite> {
  return JSON.parse(await site.text(['invite', ...args, '-o', 'json']));
}

function bySecret(secret: string): StartOptions {
  return { env: { OCTASKLY_SECRET: secret } };
}

function secretOf(site: Site): string {
  return readFileSync(join(site.dataDir, 'secret'), 'utf8').trim();
}

async function online(site: Site): Promise<string[]> {
  return (await site.workers())
    .filter(({ status }) => status !== 'offline')
    .map(({ name }) => name)
    .toSorted();
}

async function waitingDevices(site: Site): Promise<ApprovalView[]> {
  return (await site.get<{ approvals: ApprovalView[] }>('/api/v1/approvals')).approvals;
}

/** A device that asks to be approved, and the six digits it shows. */
async function asking(site: Site, name: string): Promise<{ node: Node; code: string }> {
  const node = await site.start([...device(site, name), '--dispatcher', `127.0.0.1:${site.port}`]);
  const code = (): string => /\b\d{3} \d{3}\b/.exec(node.log())?.[0].replace(' ', '') ?? '';
  await site.until('it shows its code', () => code() !== '');
  return { node, code: code() };
}

async function stop(node: Node | undefined): Promise<void> {
  node?.kill('SIGTERM');
  await node?.ended;
}

test('a join token that is used, expired, revoked or mistyped is refused with the reason', async () => {
  const site = openSite();
  await site.dispatcher();
  const used = await invite(site);
  await joined(site, 'first', ['--join', used.token]);
  expect(await refusal(site, 'second', ['--join', used.token])).toContain('has been used');

  const twice = await invite(site, ['--uses', '2']);
  for (const name of ['third', 'fourth']) await joined(site, name, ['--join', twice.token]);
  expect(await refusal(site, 'fifth', ['--join', twice.token])).toContain('has been used 2 times');

  const short = await invite(site, ['--expires', '1s']);
  await site.until('it has expired', async () => {
    const { invites } = await site.get<{ invites: InviteView[] }>('/api/v1/invites');
    return invites.some(({ id, status }) => id === short.id && status === 'expired');
  });
  expect(await refusal(site, 'late', ['--join', short.token])).toContain('expired');

  const revoked = await invite(site);
  await site.text(['invite', 'revoke', revoked.id]);
  expect(await refusal(site, 'unwanted', ['--join', revoked.token])).toContain('revoked');

  const { token } = await invite(site);
  const middle = token.length >> 1;
  const typo = `${token.slice(0, middle)}${token[middle] === 'A' ? 'B' : 'A'}${token.slice(middle + 1)}`;
  for (const text of [typo, token.slice(0, -1)]) {
    expect(await refusal(site, 'clumsy', ['--join', text])).toContain('damaged');
  }
  const access = await site.text(['token', 'create', '--name', 'ci', '-o', 'quiet']);
  expect(await refusal(site, 'clumsy', ['--join', access])).toContain('access token');
  expect(await online(site)).toEqual(['first', 'fourth', 'third']);
}, 120_000);

test('a join token of another dispatcher is refused here, and still good there', async () => {
  const [site, elsewhere] = [openSite(), openSite()];
  await site.dispatcher();
  await elsewhere.dispatcher();
  const { token } = await invite(elsewhere);
  const here = ['--dispatcher', `127.0.0.1:${site.port}`];
  expect(await refusal(site, 'stray', ['--join', token, ...here])).toContain('Another dispatcher answers');
  await joined(elsewhere, 'stray', ['--join', token]);
  expect(await online(site)).toEqual([]);
}, 60_000);

test('a device that waits may do nothing, a wrong code lets nobody in, the right one does', async () => {
  const site = openSite();
  const dispatcher = await site.dispatcher();
  const { node, code } = await asking(site, 'pi');
  expect(await waitingDevices(site)).toEqual([expect.objectContaining({ name: 'pi', code })]);
  expect(dispatcher.log()).toContain(`octaskly approve ${code}`);
  const id = await site.submit({ command: 'true' });
  expect(await online(site)).toEqual([]);
  expect((await site.task(id)).status).toBe('queued');

  const wrong = await site.run(['approve', code === '000000' ? '000001' : '000000']);
  expect(wrong.status).toBe(1);
  expect(wrong.stderr).toContain('No device');
  expect(await waitingDevices(site)).toHaveLength(1);
  // As it is shown, in two groups.
  await site.text(['approve', code.slice(0, 3), code.slice(3)]);
  await site.until('it has joined', () => node.log().includes('Joined the dispatcher'));
  await site.reached(id, 'completed');
  expect(await waitingDevices(site)).toEqual([]);
  await stop(node);
  expect((await joined(site, 'pi')).log()).not.toContain('approve');
}, 60_000);

test('reject ends what a device asks for, and a dispatcher without approvals lets none ask', async () => {
  const site = openSite();
  const dispatcher = await site.dispatcher();
  const { node, code } = await asking(site, 'pi');
  await site.text(['reject', code]);
  expect((await node.ended).status).toBe(1);
  expect((await site.run(['approve', code])).status).toBe(1);
  await stop(dispatcher);
  await site.dispatcher(['--no-approvals']);
  expect(await refusal(site, 'pi', ['--dispatcher', `127.0.0.1:${site.port}`])).toContain('octaskly invite');
}, 60_000);

test('a device that calls itself by the code of another one is not let in for it', async () => {
  const site = openSite();
  await site.dispatcher();
  // What a man in the middle would do who sees the digits that the honest device shows.
  const shown = '123456';
  const { node, code } = await asking(site, shown);
  expect(code).not.toBe(shown);
  const called = await site.call<Problem>('POST', `/api/v1/workers/${shown}/approve`);
  expect(called.status).toBe(404);
  expect((await site.run(['approve', shown])).status).toBe(1);
  expect(await waitingDevices(site)).toHaveLength(1);
  expect(node.log()).not.toContain('Joined the dispatcher');
}, 60_000);

test('strangers who connect and hang up, reset or send anything leave the dispatcher as it is', async () => {
  const site = openSite();
  const dispatcher = await site.dispatcher();
  await site.worker('a');
  for (let n = 0; n < 200; n++) {
    const socket = await Bun.connect({ hostname: '127.0.0.1', port: site.port, socket: { data() {}, error() {} } });
    if (n % 3 === 0) socket.write(crypto.getRandomValues(new Uint8Array(n)));
    // Half of them by a reset, as port scanners do.
    if (n % 2 === 0) socket.terminate();
    else socket.end();
  }
  expect(await site.text(['run', 'echo fine'])).toBe('fine');
  expect(dispatcher.log()).not.toContain('made a mistake');
}, 60_000);

test('--allow-worker lets in by name alone, whatever else a device has', async () => {
  const site = openSite();
  await site.dispatcher(['--allow-worker', 'good', '--allow-worker', 'fine']);
  await site.worker('good');
  const { token } = await invite(site, ['--uses', '3']);
  await joined(site, 'fine', ['--join', token]);
  expect(await refusal(site, 'bad', [], bySecret(secretOf(site)))).toContain('--allow-worker');
  expect(await refusal(site, 'bad', ['--join', token])).toContain('--allow-worker');
  expect(await refusal(site, 'bad', ['--dispatcher', `127.0.0.1:${site.port}`])).toContain('--allow-worker');
  expect(await online(site)).toEqual(['fine', 'good']);
}, 60_000);

test('kick ends a node at once; its task runs elsewhere, and a new invite lets it in again', async () => {
  const site = openSite();
  await site.dispatcher();
  const nodes: Record<string, Node> = {};
  for (const name of ['a', 'b']) nodes[name] = await joined(site, name, ['--join', (await invite(site)).token]);
  const [mark, go] = [sleepToken(), site.path('go')];
  const command = `until [ -e ${go} ]; do sleep 0.02; done; sleep ${mark} & echo "$OCTASKLY_WORKER"`;
  const id = await site.submit({ command });
  const { worker_id } = await site.reached(id, 'running');
  const kicked = (await site.workers()).find((worker) => worker.id === worker_id)?.name ?? '';
  const other = kicked === 'a' ? 'b' : 'a';
  await site.text(['kick', kicked]);
  expect(await online(site)).toEqual([other]);
  expect((await nodes[kicked]?.ended)?.status).toBe(1);
  expect(nodes[kicked]?.log()).toContain('removed');
  await Bun.write(go, '');
  const done = await site.reached(id, 'completed');
  expect({ stdout: done.stdout_tail, attempt: done.attempt }).toEqual({ stdout: `${other}\n`, attempt: 2 });
  expect(sleepers(mark)).toEqual([]);

  expect(await refusal(site, kicked)).toContain('removed');
  await joined(site, kicked, ['--join', (await invite(site)).token]);
  expect(await online(site)).toEqual(['a', 'b']);
}, 60_000);

test('kick shuts out a node that holds the secret too, also from a dispatcher that was restarted', async () => {
  const site = openSite();
  const dispatcher = await site.dispatcher();
  const node = await joined(site, 'a', [], bySecret(secretOf(site)));
  await site.text(['kick', 'a']);
  expect((await node.ended).status).toBe(1);
  expect(await refusal(site, 'a', [], bySecret(secretOf(site)))).toContain('removed');
  await stop(dispatcher);
  await site.dispatcher();
  expect(await refusal(site, 'a', [], bySecret(secretOf(site)))).toContain('removed');
}, 60_000);

test('secret rotate leaves everybody in place; the old secret works within the grace and not after it', async () => {
  const site = openSite();
  const dispatcher = await site.dispatcher();
  const [first, file, go] = [secretOf(site), site.path('secret-file'), site.path('go')];
  writeFileSync(file, first, { mode: 0o600 });
  const byInvite = await joined(site, 'by-invite', ['--join', (await invite(site)).token]);
  const byFile = await joined(site, 'by-file', ['--secret-file', file]);
  const running = await site.submit({ command: `until [ -e ${go} ]; do sleep 0.02; done` });
  await site.reached(running, 'running');

  await site.text(['secret', 'rotate', '--grace', '1h']);
  const second = secretOf(site);
  expect(second).not.toBe(first);
  for (const [name, secret] of Object.entries({ old: first, new: second })) {
    await joined(site, name, [], bySecret(secret));
  }
  // Ends what the first rotation left valid, and after a second what it replaces.
  const rotated: { grace_ends_at: string } = JSON.parse(
    await site.text(['secret', 'rotate', '--grace', '1s', '-o', 'json']),
  );
  expect(await refusal(site, 'stranger-1', [], bySecret(first))).toContain('secret');
  await site.until('the grace is over', () => Date.now() > Date.parse(rotated.grace_ends_at));
  expect(await refusal(site, 'stranger-2', [], bySecret(second))).toContain('secret');

  const all = ['by-file', 'by-invite', 'new', 'old'];
  await site.until('all are there', async () => (await online(site)).join() === all.join());
  await Bun.write(go, '');
  expect((await site.reached(running, 'completed')).attempt).toBe(1);
  // They come back: the one whose file still has the first secret by what it was sent.
  for (const node of [byInvite, byFile]) await stop(node);
  await joined(site, 'by-invite');
  await joined(site, 'by-file', ['--secret-file', file]);
  await stop(dispatcher);
  await site.dispatcher();
  await site.until('all are back', async () => (await online(site)).join() === all.join());
}, 120_000);
