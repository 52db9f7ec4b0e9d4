import { expect, test } from 'bun:test';
import type { LinkEnd, Proof } from '../../../src/ports/links.ts';
import { Proofs } from '../../../src/worker/proofs.ts';

const secret: Proof = { by: 'secret', psk: new Uint8Array(32) };
const credential: Proof = { by: 'credential', psk: new Uint8Array(32), dispatcherKey: 'key' };
const end = (code: LinkEnd['code']): LinkEnd => ({ code, detail: 'It ended.' });

test('fallBack() goes to the next proof once every address was dialled, and begins again after the last', () => {
  const proofs = new Proofs(
    () => [secret, credential],
    () => 2,
  );
  expect([proofs.take(), proofs.fallBack(end('wrong_secret'))]).toEqual([secret, false]);
  expect([proofs.take(), proofs.fallBack(end('wrong_secret'))]).toEqual([secret, true]);
  expect([proofs.take(), proofs.fallBack(end('wrong_key'))]).toEqual([credential, false]);
  expect([proofs.take(), proofs.isTriedOut, proofs.fallBack(end('wrong_key'))]).toEqual([credential, true, false]);
  expect([proofs.present, proofs.isTriedOut]).toEqual([secret, false]);
});

test('fallBack() leaves a proof alone that nothing speaks against, and the only one', () => {
  const proofs = new Proofs(
    () => [secret, credential],
    () => 1,
  );
  proofs.take();
  for (const code of ['connection_lost', 'closed', 'version_mismatch', 'refused'] as const) {
    expect(proofs.fallBack(end(code))).toBe(false);
  }
  const only = new Proofs(
    () => [secret],
    () => 1,
  );
  only.take();
  expect([only.fallBack(end('wrong_secret')), only.isTriedOut]).toEqual([false, true]);
});

test('renewed() makes the best known proof the present one', () => {
  let known: readonly [Proof, ...Proof[]] = [secret, credential];
  const proofs = new Proofs(
    () => known,
    () => 1,
  );
  proofs.take();
  proofs.fallBack(end('wrong_secret'));
  const fresh: Proof = { ...credential, dispatcherKey: 'other' };
  known = [fresh, secret];
  proofs.renewed();
  expect(proofs.take()).toBe(fresh);
});
