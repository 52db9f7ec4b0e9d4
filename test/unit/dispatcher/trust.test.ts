/** Who may join and what becomes of it, on the dispatcher's side: links of members, invited devices and strangers. */

import { expect, test } from 'bun:test';
import { decodeInvite } from '../../../src/core/invite.ts';
import { client, owner } from '../../plain-trust.ts';
import { declaration, spec } from '../core/samples.ts';
import type { ManualClock } from '../manual-clock.ts';
import { Bench, byCredential, bySecret, enroll, Peer } from './trust-bench.ts';

const minute = 60_000;

test('an invite lets one device in, once, and the same device again when the answer was lost', async () => {
  const bench = new Bench();
  const id = await bench.invite();
  const first = bench.invited(id);
  expect(first.heard).toMatchObject([{ kind: 'credential', keyId: '00000000', name: null }]);
  expect(first.closed).not.toBeNull();
  expect(bench.events()).toEqual(['invite_created by local', 'node_joined by pi']);
  expect(bench.invited(id).kinds()).toEqual(['credential']);
  expect(bench.invited(id, 'another key').refusal).toBe('invite_used');
  expect(bench.trust.invites()).toMatchObject([{ id, uses: 1, status: 'used' }]);
  expect(bench.join('w1', { admission: byCredential, key: 'key of pi' }).kinds()).toEqual(['welcome']);
});

test('two devices that use one invite in the same turn: one gets in', async () => {
  const bench = new Bench();
  const inviteId = await bench.invite();
  const admission = { by: 'invite', inviteId, keyId: '00000000' } as const;
  const peers = ['a', 'b'].map((key) => bench.peer(admission, key));
  const [a, b] = peers;
  if (a === undefined || b === undefined) throw new Error('two peers were made');
  // Said before the turn is taken.
  const tell = Peer.prototype.say;
  bench.clock.settle = (() => undefined) as ManualClock['settle'];
  tell.call(a, enroll);
  tell.call(b, enroll);
  bench.clock.burst();
  expect(peers.map((peer) => peer.heard[0]?.kind)).toEqual(['credential', 'refused']);
});

test('an invite that has expired, was revoked or is of nowhere is refused with the reason', async () => {
  const bench = new Bench();
  const expired = await bench.invite({ expires_in: 60 });
  bench.clock.advance(61_000);
  expect(bench.invited(expired).refusal).toBe('invite_expired');
  const revoked = await bench.invite();
  await bench.do(bench.trust.revokeInvite(revoked, owner));
  const refused = bench.invited(revoked);
  expect(refused.refusal).toBe('invite_unknown');
  expect(refused.heard.at(-1)).toMatchObject({ detail: expect.stringContaining('was revoked') });
  expect(bench.invited('0123456789abcdef').refusal).toBe('invite_unknown');
  expect(bench.record().filter(({ eventType }) => eventType === 'node_joined')).toEqual([]);
});

test('an invite names its device, and says what a token needs', async () => {
  const bench = new Bench();
  const made = await bench.do(bench.trust.createInvite({ uses: 1, expires_in: 60, name: 'pi-3' }, owner));
  const decoded = decodeInvite(made.token);
  if (!decoded.ok) throw new Error(decoded.detail);
  expect(decoded.invite).toMatchObject({ inviteId: made.id, dispatcherKey: 'd'.repeat(64) });
  expect(decoded.invite.addresses).toEqual(['192.0.2.1:7878']);
  expect(decoded.invite.sums).toBe('ab'.repeat(32));
  expect(made).toMatchObject({ install_works: true, install_problem: null, install_sha256: 'cd'.repeat(32) });
  expect(made.install_targets).toEqual(['linux-x64']);
  expect(made.install).toBe(`curl -fsSL http://192.0.2.1:3000/install.sh | sh -s -- --join ${made.token}`);
  expect(bench.invited(made.id).heard).toMatchObject([{ kind: 'credential', name: 'pi-3' }]);
  const several = bench.trust.createInvite({ uses: 2, expires_in: 60, name: 'x' }, owner);
  expect(bench.do(several)).rejects.toThrow('for one device');
});

test('a stranger waits with a code, may say nothing else, and is let in by it', async () => {
  const bench = new Bench();
  const peer = bench.asks('123456');
  expect(peer.kinds()).toEqual(['pending']);
  expect(bench.trust.approvals()).toMatchObject([{ code: '123456', name: 'pi', address: '192.0.2.1:5' }]);
  expect(bench.do(bench.trust.approve('654321', owner))).rejects.toThrow('somebody may be in between');
  await bench.do(bench.trust.approve('123-456', owner));
  expect(peer.kinds()).toEqual(['credential']);
  expect(bench.trust.approvals()).toEqual([]);
  expect(bench.events()).toEqual(['node_approved by local']);
  expect(bench.join('w1', { admission: byCredential, key: 'key 123456' }).kinds()).toEqual(['welcome']);

  const curious = bench.asks('111111').say({ kind: 'join', worker: declaration('w9'), held: [] });
  expect(curious.closed).toContain('may only ask for that');
  expect(bench.dispatcher.workers().map(({ id }) => id)).toEqual(['w1']);
});

test('a stranger is turned away: rejected, too late, silent, or not wanted at all', async () => {
  const bench = new Bench();
  const rejected = bench.asks('111111');
  await bench.do(bench.trust.reject('111111', owner));
  expect(rejected.refusal).toBe('rejected');
  const late = bench.asks('222222');
  bench.clock.advance(10 * minute);
  expect(late.refusal).toBe('approval_expired');
  const silent = bench.peer({ by: 'nothing', code: '333333' });
  bench.clock.advance(10_000);
  expect(silent.closed).not.toBeNull();
  expect(new Bench({ approvals: false }).asks('444444').refusal).toBe('not_allowed');
});

test('strangers are bounded: of one address, in all, and in rate', () => {
  const bench = new Bench();
  const many = Array.from({ length: 40 }, (_, n) => bench.asks(`${100_000 + n}`, `key ${n}`, `192.0.2.${n}`));
  expect(many.filter(({ refusal }) => refusal === null)).toHaveLength(32);
  expect(bench.trust.approvals()).toHaveLength(32);
  for (const peer of many) peer.close('gone');
  expect(bench.trust.approvals()).toEqual([]);
  const one = Array.from({ length: 6 }, (_, n) => bench.asks(`${200_000 + n}`, `key ${n}`, '192.0.2.99'));
  expect(one.map(({ refusal }) => refusal)).toEqual([null, null, null, null, 'busy', 'busy']);
  for (const peer of one) peer.close('gone');
  const fast = Array.from({ length: 20 }, (_, n) => {
    const peer = bench.asks(`${300_000 + n}`, `key ${n}`, '192.0.2.99');
    peer.close('gone');
    return peer;
  });
  expect(fast.at(-1)?.refusal).toBe('busy');
  // The record does not grow with the flood.
  expect(bench.record().length).toBeLessThan(15);
});

test('a device that asks again takes the place of its former self', () => {
  const bench = new Bench();
  const before = bench.asks('111111', 'key');
  bench.asks('222222', 'key');
  expect(before.closed).not.toBeNull();
  expect(bench.trust.approvals().map(({ code }) => code)).toEqual(['222222']);
});

test('only workers that are named may join, however they are admitted', async () => {
  const bench = new Bench({ allowWorkers: ['good'] });
  expect(bench.join('w1', { name: 'good' }).kinds()).toEqual(['welcome']);
  expect(bench.join('w2', { name: 'bad' }).refusal).toBe('not_allowed');
  expect(bench.invited(await bench.invite()).refusal).toBe('not_allowed');
  expect(bench.invited(await bench.invite({ name: 'good' }), 'k').kinds()).toEqual(['credential']);
  expect(bench.asks('111111').refusal).toBe('not_allowed');
  expect(bench.record().filter(({ eventType }) => eventType === 'join_refused')).not.toEqual([]);
});

test('the name that an invite gives holds, whatever the worker calls itself', async () => {
  const bench = new Bench({ allowWorkers: ['pi-3'] });
  bench.invited(await bench.invite({ name: 'pi-3' }), 'key');
  const peer = bench.join('w1', { admission: byCredential, key: 'key', name: 'other' });
  expect(peer.heard).toMatchObject([{ kind: 'welcome', name: 'pi-3' }]);
  expect(bench.dispatcher.workers().map(({ name }) => name)).toEqual(['pi-3']);
});

test('kick() ends the session with the reason, loses what it ran, and shuts the key out until it is invited again', async () => {
  const bench = new Bench();
  const peer = bench.join('w1');
  const asked = { ...spec({ retryCount: 1 }), inputs: [] };
  const answer = bench.dispatcher.submit({ tasks: [asked], batch: null, idempotency: null, actor: owner });
  bench.clock.settle();
  const taskId = (await answer).taskIds[0] ?? '';
  expect(peer.kinds()).toEqual(['welcome', 'assign']);
  peer.say({ kind: 'report', entries: [{ kind: 'started', taskId, attempt: 1, startedAt: 1 }] });
  bench.record();
  await bench.do(bench.trust.kick('w1', owner));
  expect(peer.refusal).toBe('revoked');
  expect(peer.closed).not.toBeNull();
  expect(bench.dispatcher.state.tasks.get(taskId)).toMatchObject({ status: 'queued', losses: 1 });
  expect(bench.dispatcher.workers()).toEqual([]);
  expect(bench.events()).toEqual(['worker_kicked by local']);
  expect(bench.join('w1').refusal).toBe('revoked');
  // Under another id neither.
  expect(bench.join('w2', { key: 'key of w1' }).refusal).toBe('revoked');
  bench.invited(await bench.invite(), 'key of w1');
  expect(bench.join('w1', { admission: byCredential }).kinds()).toEqual(['welcome', 'assign']);
  expect(bench.do(bench.trust.kick('nobody', owner))).rejects.toThrow('no worker');
});

test('a key stays with its worker and an id with its key', () => {
  const bench = new Bench();
  bench.join('w1');
  // A cloned card: the same key at the same time, under the same id or another one.
  const clone = declaration('w1', { processId: 'another process' });
  const twin = bench.peer(bySecret, 'key of w1').say({ kind: 'join', worker: clone, held: [] });
  expect(twin.refusal).toBe('duplicate_id');
  expect(twin.heard.at(-1)).toMatchObject({ detail: expect.stringContaining('--new-identity') });
  expect(bench.join('w2', { key: 'key of w1' }).refusal).toBe('duplicate_id');
  // Somebody else claims its id, while it is there, and later without the secret.
  expect(bench.join('w1', { key: 'a thief' }).refusal).toBe('identity_taken');
});

test('a node with a credential of its own cannot claim the id of another that is away', async () => {
  const bench = new Bench();
  bench.join('w1').close('gone');
  bench.clock.settle();
  bench.invited(await bench.invite(), 'a thief');
  expect(bench.join('w1', { admission: byCredential, key: 'a thief' }).refusal).toBe('identity_taken');
  // Who holds the secret may: the device has a new key.
  expect(bench.join('w1', { key: 'its new key' }).kinds()).toEqual(['welcome']);
});

test('a credential of a node that is not on record is refused', () => {
  const bench = new Bench();
  const peer = bench.join('w1', { admission: byCredential });
  expect(peer.refusal).toBe('revoked');
  expect(peer.heard.at(-1)).toMatchObject({ detail: expect.stringContaining('no record of this node') });
});

test('rotateSecret() gives every worker a new credential, and ends old links with the grace', async () => {
  const bench = new Bench();
  const stays = bench.join('w1');
  const endsAt = await bench.do(bench.trust.rotateSecret(10_000, owner));
  expect(endsAt).toBe(bench.clock.wall() + 10_000);
  expect(stays.heard.at(-1)).toMatchObject({ kind: 'credential', keyId: '00000001' });
  expect(stays.closed).toBeNull();
  // One that comes within the grace by the old secret gets one as well.
  expect(bench.join('w2').kinds()).toEqual(['welcome', 'credential']);
  const renewed = bench.join('w3', { admission: { by: 'secret', keyId: '00000001' } });
  expect(renewed.kinds()).toEqual(['welcome']);
  bench.clock.advance(10_000);
  expect(stays.closed).toContain('not valid any more');
  expect(renewed.closed).toBeNull();
  expect(bench.events()).toContain('secret_rotated by local');
});

test('tokens are judged by what is on record of them', async () => {
  const bench = new Bench();
  const request = { name: 'ci', role: 'client', expires_in: 60 } as const;
  const made = await bench.do(bench.trust.createToken(request, owner));
  expect(bench.trust.verifyToken(made.token)).toMatchObject({ ok: true, name: 'ci', role: 'client' });
  // Genuine, but of another database.
  expect(new Bench().trust.verifyToken(made.token)).toMatchObject({ ok: false });
  expect(bench.trust.verifyToken(`${made.token} `)).toMatchObject({ ok: false });
  await bench.do(bench.trust.revokeToken('ci', owner));
  expect(bench.trust.verifyToken(made.token)).toEqual({ ok: false, reason: 'The token was revoked.' });
  expect(bench.trust.tokens()).toMatchObject([{ name: 'ci', status: 'revoked' }]);
  const short = await bench.do(bench.trust.createToken(request, owner));
  bench.clock.advance(61_000);
  expect(bench.trust.verifyToken(short.token)).toMatchObject({ ok: false });
  const stored = JSON.stringify(bench.store.commits);
  expect(stored).toContain(`hash of `);
  expect(JSON.parse(stored).flat()).not.toContainEqual(expect.objectContaining({ token: made.token }));
});

test('revokeToken() takes one by its id, and by a name all that are valid', async () => {
  const bench = new Bench();
  const request = { name: 'ci', role: 'client', expires_in: 60 } as const;
  const states = () => bench.trust.tokens().map(({ status }) => status);
  const one = await bench.do(bench.trust.createToken(request, owner));
  for (let n = 0; n < 2; n++) await bench.do(bench.trust.createToken(request, owner));
  await bench.do(bench.trust.revokeToken(one.id, owner));
  expect(states()).toEqual(['revoked', 'valid', 'valid']);
  await bench.do(bench.trust.revokeToken('ci', owner));
  expect(states()).toEqual(['revoked', 'revoked', 'revoked']);
  expect(bench.do(bench.trust.revokeToken('nobody', owner))).rejects.toThrow('no token');
});

test('rotateSecret() ends tokens and invites made before with the grace, in the lists too', async () => {
  const bench = new Bench();
  await bench.do(bench.trust.createToken({ name: 'ci', role: 'client', expires_in: 3600 }, owner));
  await bench.invite();
  await bench.do(bench.trust.rotateSecret(10_000, owner));
  expect(bench.trust.tokens()[0]?.status).toBe('valid');
  bench.clock.advance(10_000);
  expect([bench.trust.tokens()[0]?.status, bench.trust.invites()[0]?.status]).toEqual(['expired', 'expired']);
});

test('what is submitted and cancelled is on record with who and from where, in the commit that stores it', async () => {
  const bench = new Bench();
  const asked = { ...spec({ command: 'echo hello' }), inputs: [] };
  const answer = bench.dispatcher.submit({ tasks: [asked], batch: null, idempotency: null, actor: client('ci') });
  bench.clock.settle();
  const taskId = (await answer).taskIds[0] ?? '';
  const [commit] = bench.store.commits;
  expect(commit?.map(({ kind }) => kind)).toEqual(['task', 'audit']);
  const [entry] = bench.record();
  expect(entry).toMatchObject({ eventType: 'task_submitted', actor: 'ci', taskId });
  expect(JSON.parse(entry?.details ?? '')).toEqual({ from: '192.0.2.7', command: 'echo hello' });
  await bench.do(bench.dispatcher.cancel([taskId], owner));
  expect(bench.events()).toEqual(['task_cancelled by local']);
  // Nothing was done.
  await bench.do(bench.dispatcher.cancel([taskId], owner)).catch(() => undefined);
  expect(bench.events()).toEqual([]);
});

test('refusals and logins are on record once in a while, and counted', () => {
  const bench = new Bench();
  const refusal = { eventType: 'login_failed', actor: 'anonymous', from: '192.0.2.9', details: { path: '/x' } };
  for (let n = 0; n < 1000; n++) bench.trust.noteRefusal(refusal);
  for (let n = 0; n < 500; n++) bench.trust.noteRefusal({ ...refusal, from: `198.51.100.${n}` });
  bench.clock.advance(minute);
  const entries = bench.record();
  expect(entries.length).toBeLessThan(210);
  const counted = entries.map(({ details }) => 1 + (JSON.parse(details).more ?? 0));
  expect(
    counted.reduce((sum, one) => sum + one, 0) - entries.filter(({ details }) => details.includes('more')).length,
  ).toBe(1500);
  for (let n = 0; n < 10; n++) bench.trust.noteLogin(client('ci'));
  bench.trust.noteLogin(owner);
  bench.clock.settle();
  expect(bench.events()).toEqual(['login by ci']);
  bench.clock.advance(60 * minute);
  bench.trust.noteLogin(client('ci'));
  bench.clock.settle();
  expect(bench.events()).toEqual(['login by ci']);
});

test('new devices get the program for as long as an invitation can be used: until it is used up, revoked or has expired', async () => {
  const open: (number | null)[] = [];
  const place = { base: 'http://192.0.2.1:3000', pin: null, problem: 'Nobody gets there.', scriptSha256: '' };
  const sums = async () => ({ digest: null, problem: 'There is no program.' }) as const;
  const installer = { sums, openUntil: (wallMs: number | null) => open.push(wallMs), offer: () => place };
  const bench = new Bench({ installer });
  expect(open).toEqual([null]);
  const first = await bench.do(bench.trust.createInvite({ uses: 1, expires_in: 60 }, owner));
  expect([first.install_works, first.install_problem]).toEqual([false, 'There is no program.']);
  expect(first.install_targets).toEqual([]);
  expect(first.token).toMatch(/^octa1/);
  const until = Date.parse(first.expires_at);
  expect(open.at(-1)).toBe(until);
  const second = await bench.invite({ expires_in: 120 });
  expect(open.at(-1)).toBe(until + 60_000);
  await bench.do(bench.trust.revokeInvite(second, owner));
  expect(open.at(-1)).toBe(until);
  bench.invited(first.id);
  expect(open.at(-1)).toBeNull();
});
