import { describe, expect, test } from 'bun:test';
import { encodeCbor } from '../../../src/wire/cbor.ts';
import { workerDialect } from '../../../src/wire/dialects.ts';
import { encodeFrame, frameHeaderBytes } from '../../../src/wire/frame.ts';
import { codes, makePair, settle } from './pairing.ts';
import { workerMessages } from './samples.ts';
import { drawBytes, seeded } from './seeded.ts';

describe('Session under fuzz', () => {
  const known = [
    'closed',
    'connection_lost',
    'wrong_secret',
    'version_mismatch',
    'malformed',
    'oversized',
    'forged',
    'refused',
  ];

  /** Changes, cuts, lengthens or replaces a frame. */
  function mutate(draw: (below: number) => number, frame: Uint8Array): Uint8Array {
    const body = frame.slice(frameHeaderBytes);
    switch (draw(6)) {
      case 0:
        return drawBytes(draw, draw(80));
      case 1:
        return encodeFrame(drawBytes(draw, draw(120)));
      case 2:
        return encodeFrame(body.slice(0, draw(body.length)));
      case 3:
        return encodeFrame(Uint8Array.of(...body, ...drawBytes(draw, 1 + draw(20))));
      default: {
        const at = draw(body.length);
        body[at] = (body[at] ?? 0) ^ (1 + draw(255));
        return encodeFrame(body);
      }
    }
  }

  test('20,000 mutated frames before, during and after the handshake: no throw, no false message (seed 99)', () => {
    const draw = seeded(99);
    const seen = new Map<string, number>();
    let mutated = 0;
    while (mutated < 20_000) {
      // Mostly the first frame: a session that comes further costs a key exchange.
      const target = draw(12) === 0 ? 1 + draw(6) : 0;
      const sides = makePair();
      settle(sides, (frame, index) => {
        if (index !== target) return [frame];
        mutated += 1;
        return [mutate(draw, frame)];
      });
      if (sides.dispatcher.session.phase === 'open' && sides.worker.session.phase === 'open') {
        // An opened pair is worth many frames: each from a fresh session would spend the time on key exchange.
        sides.worker.session.send({ kind: 'leaving' });
        const [honest] = sides.worker.out;
        for (let i = 0; i < 60 && honest !== undefined && codes(sides.dispatcher).length === 0; i++) {
          mutated += 1;
          sides.dispatcher.session.receive(mutate(draw, honest));
        }
      } else {
        for (let i = 0; i < 60 && codes(sides.dispatcher).length === 0; i++) {
          mutated += 1;
          sides.dispatcher.session.receive(drawBytes(draw, draw(60)));
        }
      }
      expect(sides.dispatcher.messages).toEqual([]);
      expect(sides.worker.messages).toEqual([]);
      for (const code of [...codes(sides.dispatcher), ...codes(sides.worker)])
        seen.set(code, (seen.get(code) ?? 0) + 1);
    }
    for (const code of seen.keys()) expect(known).toContain(code);
    for (const code of ['malformed', 'oversized', 'forged', 'wrong_secret'])
      expect(seen.get(code), code).toBeGreaterThan(0);
  });

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
  });
});
