/** A worker and whoever decides whether it may join: proofs, refusals, credentials that are sent later. */

import { expect, test } from 'bun:test';
import type { Proof } from '../../../src/ports/links.ts';
import { assignment } from './fakes.ts';
import { Bench, joined, promises } from './worker-bench.ts';

test('a worker with the wrong secret ends with a sentence; one that was in before keeps trying', async () => {
  const bench = new Bench();
  bench.failure = { code: 'wrong_secret', detail: 'The secret is another.' };
  bench.handlers?.onEnd(bench.failure);
  await promises();
  expect(bench.end).toMatchObject({ ok: false, detail: expect.stringContaining('The secret is another. Give this') });
  const known = joined();
  known.failure = bench.failure;
  known.handlers?.onEnd(known.failure);
  await promises();
  expect(known.end).toBeNull();
  known.clock.advance(100);
  expect(known.dials).toBe(2);
});

const credential: Proof = { by: 'credential', psk: new Uint8Array(32), dispatcherKey: 'key' };

test('a worker falls back to the next proof when the first is not valid, says so, and ends after the last', async () => {
  const bench = new Bench();
  bench.proofs = [...bench.proofs, credential];
  bench.failure = { code: 'wrong_secret', detail: 'The secret is another.' };
  bench.handlers?.onEnd(bench.failure);
  expect(bench.end).toBeNull();
  expect(bench.status[0]).toContain('Trying the credential that is kept here instead');
  bench.failure = { code: 'wrong_key', detail: 'It is another dispatcher.' };
  bench.clock.advance(100);
  await promises();
  expect(bench.shown).toEqual(['secret', 'credential']);
  expect(bench.end).toMatchObject({ ok: false, detail: expect.stringContaining('--new-identity') });
});

test('a worker hands on a credential it is sent, with the key of who sent it, and shows the best proof from then on', () => {
  const bench = joined();
  const fresh = { keyId: 'k2', psk: new Uint8Array(32).fill(7), beaconKey: new Uint8Array(32).fill(8) };
  bench.proofs = [credential, ...bench.proofs];
  bench.hear({ kind: 'credential', ...fresh, name: null });
  expect(bench.credentials).toEqual([{ ...fresh, dispatcherKey: bench.link.remoteKey }]);
  expect(bench.link.closed).toBeNull();
  bench.break();
  bench.clock.advance(100);
  expect(bench.shown).toEqual(['secret', 'credential']);
});

test('a worker that is refused for good ends with the reason; other addresses are tried first', async () => {
  const refusal = { kind: 'refused', code: 'not_allowed', detail: 'Not on the list.', retryAfterMs: 0 } as const;
  const bench = new Bench(1, 2);
  bench.hear(refusal);
  bench.handlers?.onEnd({ code: 'closed', detail: bench.link.closed ?? '' });
  await promises();
  expect(bench.end).toBeNull();
  bench.clock.advance(100);
  bench.hear(refusal);
  await promises();
  expect([bench.dials, bench.end]).toEqual([2, { ok: false, detail: 'Not on the list.' }]);
});

test('a worker that is shut out kills what runs, tells of nothing, and ends at once', async () => {
  const bench = joined();
  bench.assign(assignment('a'), assignment('b'));
  bench.told();
  bench.hear({ kind: 'refused', code: 'revoked', detail: 'This worker was removed.', retryAfterMs: 0 });
  await promises();
  expect(bench.end).toEqual({ ok: false, detail: 'This worker was removed.' });
  expect(bench.launcher.of('a').asked).toEqual(['kill']);
  await bench.exit('a');
  expect([bench.told(), bench.launcher.processes.length]).toEqual([[], 1]);
});

test('a worker is a member from its welcome on until it is refused for good, and tells by what it was let in', () => {
  const bench = new Bench(1, 2);
  expect(bench.worker.standing).toBeNull();
  bench.hear({ kind: 'refused', code: 'full', detail: 'No place.', retryAfterMs: 0 });
  expect(bench.worker.standing).toBeNull();
  bench.welcome();
  expect(bench.worker.standing).toBe('member');
  expect(bench.admitted).toEqual([`secret ${bench.link.remoteKey}`]);
  bench.hear({ kind: 'refused', code: 'revoked', detail: 'Removed.', retryAfterMs: 0 });
  expect(bench.worker.standing).toBe('shut out');
});

test('the same refusal over and over is shown to people once, until there is a welcome', async () => {
  const bench = new Bench();
  const refused = (): void => {
    bench.hear({ kind: 'refused', code: 'full', detail: 'No place.', retryAfterMs: 1000 });
    bench.handlers?.onEnd({ code: 'closed', detail: bench.link.closed ?? '' });
    bench.clock.advance(1000);
  };
  for (let n = 0; n < 3; n++) refused();
  expect(bench.status.filter((sentence) => sentence.includes('No place.'))).toHaveLength(1);
  bench.welcome();
  bench.break();
  bench.clock.advance(100);
  refused();
  expect(bench.status.filter((sentence) => sentence.includes('No place.'))).toHaveLength(2);
  expect(bench.dials).toBe(6);
});
