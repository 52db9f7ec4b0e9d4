import { describe, expect, test } from 'bun:test';
import { encodeCbor } from '../../../src/wire/cbor.ts';
import { workerDialect } from '../../../src/wire/dialects.ts';
import { runStorm } from '../../fuzz/storm.ts';
import { codes, makePair, settle } from './pairing.ts';
import { workerMessages } from './samples.ts';
import { seeded } from './seeded.ts';

describe('Session under fuzz', () => {
  test('30,000 random and mutated frames before, in and after the handshake (seed 99)', () => {
    const report = runStorm({ frames: 30_000, seed: 99 });
    expect(report.frames).toBeGreaterThanOrEqual(30_000);
    for (const phase of ['hello', 'handshake', 'open'] as const)
      expect(report.during[phase], phase).toBeGreaterThan(2000);
    for (const code of ['malformed', 'oversized', 'forged', 'wrong_secret', 'version_mismatch', 'refused'])
      expect(report.ends[code], code).toBeGreaterThan(0);
    expect(report.accepted).toBeGreaterThan(0);
    expect(report.longestMs).toBeLessThan(2000);
  }, 60_000);

  test('2,000 sealed messages of random content: a message that fits or malformed (seed 5)', () => {
    const draw = seeded(5);
    const honest = encodeCbor(workerDialect.pack(workerMessages[3] ?? { kind: 'leaving' })).slice();
    let rounds = 0;
    while (rounds < 2000) {
      let row: unknown[] = [];
      const sides = makePair({ dialect: { ...workerDialect, pack: () => row } });
      settle(sides);
      while (rounds < 2000 && codes(sides.dispatcher).length === 0) {
        rounds += 1;
        const nested =
          draw(2) === 0 ? ['report', [[...'ab'], draw(9), honest]] : workerDialect.pack({ kind: 'leaving' });
        row = draw(3) === 0 ? nested : [nested[0], ...Array.from({ length: draw(4) }, () => draw(100))];
        sides.worker.session.send({ kind: 'leaving' });
        settle(sides);
      }
      expect(['malformed', undefined]).toContain(codes(sides.dispatcher)[0]);
      for (const message of sides.dispatcher.messages) expect(message).toEqual({ kind: 'leaving' });
    }
  }, 60_000);
});
