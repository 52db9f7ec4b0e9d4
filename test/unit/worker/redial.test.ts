import { expect, test } from 'bun:test';
import { type Address, Redial } from '../../../src/worker/redial.ts';

const a = { host: 'a', port: 1 };
const b = { host: 'b', port: 2 };

/** Draws the same byte each time. */
const always = (byte: number) => ({ bytes: (count: number) => new Uint8Array(count).fill(byte) });

function waits(redial: Redial, count: number): number[] {
  return Array.from({ length: count }, () => {
    const address = redial.next();
    if (address !== null) redial.ended(address, { hopeless: false });
    return redial.waitMs();
  });
}

/** Where a dial goes that comes to an end at once. */
function dialled(redial: Redial, hopeless = false): Address | null {
  const address = redial.next();
  if (address !== null) redial.ended(address, { hopeless });
  return address;
}

test('next() tries the addresses in turn', () => {
  const redial = new Redial(() => [a, b], always(0));
  expect([dialled(redial), dialled(redial), dialled(redial)]).toEqual([a, b, a]);
});

test('allTried turns true once each address was tried', () => {
  const redial = new Redial(() => [a, b], always(0));
  expect(redial.allTried).toBe(false);
  redial.next();
  expect(redial.allTried).toBe(false);
  redial.next();
  expect(redial.allTried).toBe(true);
});

test('waitMs() doubles with each round, from half of 200 ms up to half of 15 s, without luck', () => {
  expect(waits(new Redial(() => [a], always(0)), 9)).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 7500, 7500]);
});

test('waitMs() is the same for all addresses of a round', () => {
  expect(waits(new Redial(() => [a, b], always(0)), 4)).toEqual([100, 100, 200, 200]);
});

test('waitMs() is never more than the whole', () => {
  for (const waitMs of waits(new Redial(() => [a], always(255)), 30)) expect(waitMs).toBeLessThanOrEqual(15_000);
  expect(waits(new Redial(() => [a], always(255)), 1)[0]).toBeGreaterThan(199);
});

test('succeeded() begins anew with the address that worked', () => {
  const redial = new Redial(() => [a, b], always(0));
  waits(redial, 6);
  redial.succeeded(b);
  expect(redial.next()).toEqual(b);
  expect(redial.waitMs()).toBe(100);
});

test('waitAtLeast() holds for one wait', () => {
  const redial = new Redial(() => [a], always(0));
  redial.next();
  redial.waitAtLeast(5000);
  expect([redial.waitMs(), redial.waitMs()]).toEqual([5000, 100]);
});

test('next() gives an address that is new in the round that goes on, and none that is gone', () => {
  let known = [a];
  const redial = new Redial(() => known, always(0));
  expect([dialled(redial), redial.hasUntried]).toEqual([a, false]);
  known = [a, b];
  expect([redial.hasUntried, dialled(redial), redial.waitMs()]).toEqual([true, b, 100]);
  known = [b];
  expect([dialled(redial), dialled(redial), redial.waitMs()]).toEqual([b, b, 400]);
});

test('next() dials no address twice at once', () => {
  const redial = new Redial(() => [a, b], always(0));
  expect([redial.next(), redial.next(), redial.next()]).toEqual([a, b, null]);
  redial.ended(b, { hopeless: false });
  expect(redial.next()).toEqual(b);
});

test('isHopeless is true once every address there is said so, until the proof is another one', () => {
  let known = [a];
  const redial = new Redial(() => known, always(0));
  dialled(redial, true);
  expect(redial.isHopeless).toBe(true);
  known = [a, b];
  expect(redial.isHopeless).toBe(false);
  dialled(redial, true);
  expect(redial.isHopeless).toBe(true);
  redial.renewed();
  expect(redial.isHopeless).toBe(false);
});
